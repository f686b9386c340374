package main

import (
	"context"
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/pipeline/pipelinetest"
	"sohoa/storage/disk"
)

// fill makes documents that nobody had to judge.
func (s *site) fill(n int, size int64) {
	t := s.t
	t.Helper()
	d, err := disk.Open(filepath.Join(s.dir, "data", "archive"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	m := pipelinetest.Made{Store: d, Ledger: s.openLedger(), Unit: "H51.10", Size: size}
	for i := range n {
		if _, err := m.Document(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
}

// house opens the site in this process, with a clock of the test's.
func (s *site) house(now func() time.Time) (*app, *house) {
	s.t.Helper()
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, now: now, data: filepath.Join(s.dir, "data"), logLevel: "error"}
	h, err := a.openArchive(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { h.Close() })
	return a, h
}

// TestVerifyKilled kills verify in the middle: the next one goes on there, and in
// the end everything was looked at once.
func TestVerifyKilled(t *testing.T) {
	s := newSite(t)
	s.fill(120, 20_000)
	led := s.openLedger()
	last := func() dossier.Check {
		t.Helper()
		c, _, err := led.LastCheck(t.Context(), dossier.ByHandDeep)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	cmd := s.command("verify", "--deep", "--rate", "0.5", "--parallel", "1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for last().Documents == 0 {
		if t.Context().Err() != nil {
			t.Fatal("it does not get on")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	broken := last()
	if broken.Documents == 0 || broken.Documents >= 120 || !broken.EndedAt.IsZero() {
		t.Fatalf("it was not killed in the middle: %+v", broken)
	}
	if out, _ := s.run(0, "verify", "--status"); !strings.Contains(out, "under way") {
		t.Errorf("status: %s", out)
	}
	s.run(0, "verify", "--deep")
	got := last()
	if got.ID != broken.ID || got.Documents != 120 || got.Objects != 283 || got.EndedAt.IsZero() {
		t.Errorf("%+v, after %+v", got, broken)
	}
	s.run(0, "verify", "--deep") // a new one
	if again := last(); again.ID == got.ID || again.Bytes != got.Bytes || again.Objects != got.Objects {
		t.Errorf("in one go %+v, killed %+v", again, got)
	}
}

// TestFiguresMended: what verify finds wrong of the ledger's own figures is put
// right beside a server that runs.
func TestFiguresMended(t *testing.T) {
	s := newSite(t)
	s.fill(3, 1000)
	s.start()
	s.run(0, "verify")
	before, _ := s.run(0, "report")
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "data", "ledger.db")+"?_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE counter SET d1 = COALESCE(d1, 0) + 7 WHERE period = 2024; UPDATE dossier SET components = components + 1`); err != nil {
		t.Fatal(err)
	}
	if out, said := s.run(exitDifference, "verify"); !strings.Contains(out, "dossiers and 0 results differ") || !strings.Contains(said, "sohoa rebuild --figures") {
		t.Errorf("verify: %s%s", out, said)
	}
	s.run(exitUsage, "rebuild", "--figures", "--restart")
	if out, _ := s.run(0, "rebuild", "--figures"); !strings.Contains(out, "2024-00-00: the counters differ from the recount by +0/+7") {
		t.Errorf("rebuild --figures: %s", out)
	}
	s.run(0, "verify")
	if after, _ := s.run(0, "report"); after != before {
		t.Errorf("the report was\n%s\nand is\n%s", before, after)
	}
	if out, _ := s.run(0, "rebuild", "--figures"); out != "differences put right: 0\n" {
		t.Errorf("once more: %s", out)
	}
	s.stop()
}

// TestVerifyByPlan: the check in the background is spread over its days, done by
// one of many, and not done again before its time. Time is the test's.
func TestVerifyByPlan(t *testing.T) {
	s := newSite(t)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	a, h := s.house(clock)
	b, other := s.house(clock)
	passes := func() []dossier.Check {
		t.Helper()
		c, err := h.ledger.Checks(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	var slept time.Duration
	plan := verifyPlan{days: 3, sleep: func(ctx context.Context, d time.Duration) error {
		slept += d
		now = now.Add(d)
		if slept == d { // while one checks, another finds nothing to do
			if err := b.verifyTurn(ctx, other, verifyPlan{days: 3}); err != nil {
				t.Error(err)
			}
		}
		return nil
	}}
	turn := func() {
		t.Helper()
		if err := a.verifyTurn(t.Context(), h, plan); err != nil {
			t.Fatal(err)
		}
	}
	turn() // nothing there yet
	turn()
	if n := len(passes()); n != 1 || slept != 0 {
		t.Fatalf("%d passes over an empty archive, %v slept", n, slept)
	}
	s.fill(100, 1000)
	now = now.Add(71 * time.Hour)
	turn()
	if n := len(passes()); n != 1 {
		t.Fatalf("%d passes before the time", n)
	}
	now = now.Add(2 * time.Hour)
	turn()
	got := passes()
	if len(got) != 2 || got[0].EndedAt.IsZero() || got[0].Documents != 100 || !got[0].Deep || got[0].Differences != 0 {
		t.Fatalf("%+v", got)
	}
	if slept != 3*24*time.Hour {
		t.Errorf("the pass was spread over %v", slept)
	}
	// A flipped bit is found in the next, and shown.
	var file string
	if err := filepath.WalkDir(filepath.Join(s.dir, "data", "archive", "dossiers"), func(path string, d os.DirEntry, err error) error {
		if filepath.Base(path) == "original.pdf" {
			file = path
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	body[500] ^= 4
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	turn()
	c, err := h.ledger.LastWholeCheck(t.Context())
	if err != nil || c.Differences != 1 || c.Name != dossier.ByPlan {
		t.Errorf("%+v, %v", c, err)
	}
}
