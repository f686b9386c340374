package main

import (
	"cmp"
	"context"
	"database/sql"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sohoa/internal/testneed"
	"sohoa/storage/storagetest/flaky"
	"sohoa/storage/storagetest/servers"
)

// wantSaid sees that the log speaks of an outage, but not of every document.
func (l *load) wantSaid(most int) {
	t := l.s.t
	t.Helper()
	text := l.s.logged()
	begun, over := strings.Count(text, "nothing is taken in"), strings.Count(text, "available again")
	if begun == 0 || over == 0 {
		t.Errorf("the log says %d times that something is away and %d times that it is back", begun, over)
	}
	if begun > most || over > most {
		t.Errorf("the log says %d times that something is away, %d times that it is back, %d uploads were turned away", begun, over, l.refused.Load())
	}
	loud := 0
	for line := range strings.Lines(text) {
		if strings.Contains(line, `"level":"error"`) || strings.Contains(line, `"level":"warn"`) {
			if loud++; loud <= 20 {
				t.Logf("%s", line)
			}
		}
	}
	if loud > 2*most {
		t.Errorf("%d errors and warnings in the log", loud)
	}
	t.Logf("the log says %d times away, %d times back, and %d errors and warnings in all", begun, over, loud)
}

// TestOutages lets requests to the object store break in every way, takes the
// store away for a while (SOHOA_OUTAGE), then the database. Eight uploaders get
// 503 and Retry-After; nothing acknowledged is lost, and work goes on by itself.
func TestOutages(t *testing.T) {
	away, err := time.ParseDuration(cmp.Or(os.Getenv("SOHOA_OUTAGE"), "5s"))
	if err != nil {
		t.Fatal(err)
	}
	endpoint, access, secret := servers.MinIO(t)
	proxy := flaky.New(t, endpoint)
	pg := servers.OwnPostgres(t)
	env := machines(t, proxy.URL(), access, secret)
	env[0] = "SOHOA_DATABASE=" + pg.DSN("postgres")
	s := newSite(t, env...)
	l := newLoad(s)
	s.start()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	uploading := l.upload(ctx, 8)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	faults := []flaky.Fault{flaky.Slow, flaky.Busy, flaky.Reset, flaky.CutRequest, flaky.LoseAnswer, flaky.CutAnswer, flaky.ShortAnswer}
	proxy.Plan(func(*http.Request) flaky.Fault {
		if rand.N(6) == 0 {
			return faults[rand.N(len(faults))]
		}
		return flaky.None
	})
	time.Sleep(away / 2)
	proxy.Plan(nil)

	must(proxy.Down())
	time.Sleep(away)
	must(proxy.Up())
	l.another(8)

	must(pg.Stop())
	time.Sleep(away / 2)
	must(pg.Start())
	l.another(8)

	cancel()
	uploading.Wait()
	l.settle()
	if l.refused.Load() == 0 {
		t.Error("nobody was told to come back later")
	}
	l.wantSaid(3)
}

// another waits until so many more documents are acknowledged.
func (l *load) another(n int) {
	l.s.t.Helper()
	count := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.acked)
	}
	for want := count() + n; count() < want; {
		if l.s.t.Context().Err() != nil {
			l.s.t.Fatal("the load does not go on")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestDiskFull fills the disk under archive and ledger, and frees it again.
func TestDiskFull(t *testing.T) {
	mnt := filepath.Join(t.TempDir(), "mnt")
	if out, err := exec.Command("sh", "-c", "mkdir '"+mnt+"' && mount -t tmpfs -o size=64m tmpfs '"+mnt+"'").CombinedOutput(); err != nil {
		testneed.Missing(t, "the right to mount a tmpfs", "run the tests as root ("+strings.TrimSpace(string(out))+")")
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", mnt).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	s := newSite(t, "SOHOA_DATA="+filepath.Join(mnt, "data"))
	l := newLoad(s)
	s.start()
	t.Cleanup(s.kill) // before the disk goes
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	uploading := l.upload(ctx, 8)
	l.another(4)
	filler := filepath.Join(mnt, "filler")
	_ = exec.Command("dd", "if=/dev/zero", "of="+filler, "bs=1M").Run() // until it is full, which it calls an error
	for l.refused.Load() < 8 {
		if t.Context().Err() != nil {
			t.Fatal("nobody is turned away")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	l.another(4)
	cancel()
	uploading.Wait()
	s.env = append(s.env, "SOHOA_DATABASE=sqlite:"+filepath.Join(mnt, "data", "ledger.db"))
	l.settle()
	l.wantSaid(3)
}

// TestLedgerLocked: another program holds SQLite's lock for a while; uploads wait.
func TestLedgerLocked(t *testing.T) {
	s := newSite(t)
	l := newLoad(s)
	s.start()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	uploading := l.upload(ctx, 8)
	l.another(2)
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "data", "ledger.db")+"?_txlock=immediate&_busy_timeout=600000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for range 3 {
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		l.another(1)
	}
	cancel()
	uploading.Wait()
	l.settle()
	if n := l.refused.Load(); n > 0 {
		t.Errorf("%d were turned away", n)
	}
}
