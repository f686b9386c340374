package main

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/storage/storagetest/servers"
)

// decided are the acknowledged documents that have their verdict now.
func (l *load) decided() map[string]dossier.State {
	t := l.s.t
	t.Helper()
	led := l.s.openLedger()
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]dossier.State{}
	for _, id := range l.acked {
		st, err := led.Standing(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if st.State != dossier.Pending {
			out[id] = st.State
		}
	}
	return out
}

// restored is a house on a folder into which a backup was put back.
func (s *site) restored(dir string) *site {
	r := &site{t: s.t, dir: dir, log: filepath.Join(dir, "log"), addr: s.addr}
	for _, e := range s.env {
		if name, _, _ := strings.Cut(e, "="); name != "SOHOA_DATABASE" && name != "SOHOA_STORE" && name != "SOHOA_DATA" {
			r.env = append(r.env, e)
		}
	}
	r.env = append(r.env, "SOHOA_DATA="+filepath.Join(dir, "data"))
	s.t.Cleanup(r.kill)
	return r
}

// TestBackupWhileRunning takes copies under the load of eight uploaders, as
// docs/operations.md says, and puts them back: the database and then the archive,
// or the archive alone. What had its verdict when the copying began is there, and
// verification finds nothing.
func TestBackupWhileRunning(t *testing.T) {
	for _, c := range []struct {
		name     string
		env      func(t *testing.T) []string
		from     func(s *site) string // the archive
		database bool
	}{
		{"database and archive", func(*testing.T) []string { return nil },
			func(s *site) string { return "disk:" + filepath.Join(s.dir, "data", "archive") }, true},
		{"archive alone, out of a bucket", func(t *testing.T) []string {
			endpoint, access, secret := servers.MinIO(t)
			return machines(t, endpoint, access, secret)
		}, func(s *site) string {
			for _, e := range s.env {
				if url, ok := strings.CutPrefix(e, "SOHOA_STORE="); ok {
					return url
				}
			}
			return ""
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, c.env(t)...)
			l := newLoad(s)
			s.start()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			uploading := l.upload(ctx, 8)
			l.another(12)
			before := l.decided()

			back := s.restored(t.TempDir())
			data := filepath.Join(back.dir, "data")
			if err := os.Mkdir(data, 0o700); err != nil {
				t.Fatal(err)
			}
			if c.database {
				// What sqlite3's .backup does, without the tool.
				db, err := sql.Open("sqlite", filepath.Join(s.dir, "data", "ledger.db"))
				if err != nil {
					t.Fatal(err)
				}
				_, err = db.ExecContext(t.Context(), "VACUUM INTO ?", filepath.Join(data, "ledger.db"))
				if err = errors.Join(err, db.Close()); err != nil {
					t.Fatal(err)
				}
			}
			s.run(0, "copy", "--from", c.from(s), "--to", "disk:"+filepath.Join(data, "archive"))
			l.another(4) // the load went on all the while
			cancel()
			uploading.Wait()
			s.kill()

			back.run(0, "rebuild")
			back.start() // what was on its way comes to its end
			led := back.openLedger()
			for {
				q, err := led.QueueStats(t.Context())
				if err != nil || t.Context().Err() != nil {
					t.Fatalf("%+v, %v", q, err)
				}
				if q.Pending == 0 {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			back.stop()
			for id, want := range before {
				if st, err := led.Standing(t.Context(), id); err != nil || st.State != want {
					t.Errorf("document %s had been %s and is %s, %v", id, want, st.State, err)
				}
			}
			back.run(0, "verify", "--deep")
			n, err := led.CountDocuments(t.Context())
			t.Logf("%d documents had their verdict when the copying began, %d are in the restored house; %v", len(before), n, err)
		})
	}
}
