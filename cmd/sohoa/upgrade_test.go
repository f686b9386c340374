//go:build upgrade

package main

import (
	"database/sql"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/storage/ledger"
	"sohoa/storage/storagetest/servers"
)

// TestRollingUpgrade: the program of an older commit (SOHOA_UPGRADE_FROM) goes on
// beside this one on one database, before and after this one has changed the
// schema, and after it has been started again; nothing is lost. It builds that
// program, for which it needs the history:
//
//	SOHOA_UPGRADE_FROM=b5c3ec4 go test -tags upgrade -run TestRollingUpgrade -v ./cmd/sohoa
func TestRollingUpgrade(t *testing.T) {
	from := os.Getenv("SOHOA_UPGRADE_FROM")
	if from == "" {
		t.Fatal("SOHOA_UPGRADE_FROM names no commit")
	}
	source, program := t.TempDir(), filepath.Join(t.TempDir(), "sohoa-old")
	build := exec.Command("sh", "-c", `git archive "$1" | tar -x -C "$2" && cd "$2" && CGO_ENABLED=0 go build -o "$3" ./cmd/sohoa`, "sh", from, source, program)
	build.Dir = testneed.Root(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", from, err, out)
	}

	lan := newLAN(t)
	dsn, _ := startDatabase(t, lan)
	store := startStore(t, lan)
	before := &host{name: "old", number: 11, program: program}
	after := &host{name: "new", number: 12}
	for _, h := range []*host{before, after} {
		h.t, h.lan, h.dsn, h.store, h.dir = t, lan, dsn, store, t.TempDir()
		lan.attach(h.name, h.number)
	}
	start := func(h *host) {
		t.Helper()
		h.start()
		if err := servers.Wait(http.DefaultClient, h.url()+"/readyz"); err != nil {
			t.Fatalf("%s: %v\n%s", h.name, err, h.said())
		}
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	asked := probe{db}
	settledMore := func(what string, sent *traffic) {
		t.Helper()
		from, acked := asked.settled(), sent.acked.Load()
		for range 1200 {
			if sent.acked.Load() >= acked+20 && asked.settled() >= from+20 {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Fatalf("%s: it does not go on\n%s\n%s", what, before.said(), after.said())
	}

	start(before)
	version := func() (n int) {
		if err := db.QueryRow(`SELECT COUNT(*) FROM goose_db_version`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	old := version()
	l, err := ledger.Open(t.Context(), dsn, ledger.Options{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.ImportUnits(t.Context(), []dossier.Unit{{Code: "H51", Name: "Tỉnh", Level: dossier.Province}}); err != nil {
		t.Fatal(err)
	}
	token, _, err := l.CreateToken(t.Context(), dossier.Token{Name: "quầy", Role: dossier.Operator, Unit: "H51"})
	if err != nil {
		t.Fatal(err)
	}
	scan, err := os.ReadFile(filepath.Join(testneed.Root(t), "testdata", "accept", "page.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	sent := startTraffic(t, []*host{before, after}, token, scan)
	settledMore("the old one alone", sent)
	start(after)
	if now := version(); now <= old {
		t.Errorf("the new program did not change the schema (%d migrations before, %d now): nothing is shown", old, now)
	}
	settledMore("both", sent)
	// Each alone does what comes through both doors' database.
	after.end()
	settledMore("the old one on the new schema", sent)
	before.end()
	start(before) // as if the upgrade were taken back
	settledMore("the old one, started on the new schema", sent)
	start(after)
	before.end()
	settledMore("the new one alone", sent)
	codes := sent.stop()
	for n := 0; ; n++ {
		left, known := asked.pending()
		if known && len(left) == 0 {
			break
		}
		if n == 3000 {
			t.Fatalf("%d documents never got their verdict", len(left))
		}
		time.Sleep(100 * time.Millisecond)
	}
	after.end()
	var stored, all int
	if err := db.QueryRow(`SELECT COUNT(*), COUNT(DISTINCT dossier) FROM document WHERE state = 'stored'`).Scan(&all, &stored); err != nil {
		t.Fatal(err)
	}
	if all != stored || stored < len(codes) {
		t.Errorf("%d acknowledged, %d stored, of %d dossiers", len(codes), all, stored)
	}
	if err := l.Recount(t.Context(), func(m ledger.Miscount) { t.Errorf("%s: %v", m.Unit, m) }); err != nil {
		t.Fatal(err)
	}
	if out, err := after.command("verify", "--deep").CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
	t.Logf("%d documents through both, from %d to %d migrations", len(codes), old, version())
}
