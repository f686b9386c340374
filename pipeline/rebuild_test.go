package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"sohoa/dossier"
	"sohoa/pipeline"
	"sohoa/storage/ledger"
)

const rebuildEnv = "SOHOA_TEST_REBUILD"

// rebuildPlan is what a process that rebuilds, and is killed at it, is told.
type rebuildPlan struct {
	Archive string // folder of the rig whose archive it is
	DSN     string
	KillAt  int64 // documents after which the process dies; 0: it lives
}

// mortal is a ledger whose process dies by SIGKILL when so many documents were
// entered.
type mortal struct {
	*ledger.Ledger
	left *atomic.Int64
}

func (m mortal) Settle(ctx context.Context, rec dossier.Record) error {
	if m.left.Add(-1) == 0 {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way
	}
	return m.Ledger.Settle(ctx, rec)
}

// rebuildMain rebuilds in a process of its own and prints what it did.
func rebuildMain(plan string) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	var p rebuildPlan
	if err := json.Unmarshal([]byte(plan), &p); err != nil {
		return fail(err)
	}
	r, err := openRig(p.Archive, rigOptions{base: base{DSN: p.DSN}})
	if err != nil {
		return fail(err)
	}
	defer r.close()
	o := r.pipe.Options
	left := new(atomic.Int64)
	left.Store(p.KillAt)
	o.Ledger = mortal{r.ledger, left}
	progress := int64(-1)
	done, err := pipeline.New(o).Rebuild(context.Background(), pipeline.RebuildOptions{Place: r.ledger, Progress: func(d pipeline.Rebuilt) { progress = d.Documents }})
	if err != nil {
		return fail(err)
	}
	if progress != done.Documents {
		return fail(fmt.Errorf("progress says %d documents, %d were entered", progress, done.Documents))
	}
	if err := json.NewEncoder(os.Stdout).Encode(done); err != nil {
		return fail(err)
	}
	return 0
}

// TestRebuildKilled: a rebuild that is killed in the middle, twice, and started
// again goes on where it was, and gives the ledger of one that nobody disturbed,
// which is that of the house that wrote the archive.
func TestRebuildKilled(t *testing.T) {
	r := newRig(t, rigOptions{})
	const documents = 600
	made := r.made(t, documents, 64)
	for i, rec := range made {
		var err error
		switch i % 100 {
		case 7:
			err = r.pipe.Revoke(t.Context(), rec.ID, order)
		case 8:
			err = errors.Join(r.pipe.Reverdict(t.Context(), rec.ID, true, order), r.pipe.Hold(t.Context(), rec.ID, true, order))
		case 9:
			_, err = r.pipe.Delete(t.Context(), rec.ID, order)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, dsn := range map[string]func() string{
		"sqlite":   func() string { return "sqlite:" + t.TempDir() + "/ledger.db" },
		"postgres": func() string { return postgresDSN(t) },
	} {
		t.Run(name, func(t *testing.T) {
			rebuild := func(dsn string, killAt int64) (done pipeline.Rebuilt, killed bool) {
				t.Helper()
				plan, err := json.Marshal(rebuildPlan{r.dir, dsn, killAt})
				if err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command("/proc/self/exe")
				cmd.Env = append(os.Environ(), rebuildEnv+"="+string(plan))
				var stderr strings.Builder
				cmd.Stderr = &stderr
				out, err := cmd.Output()
				var exit *exec.ExitError
				if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
					return done, true
				}
				if err == nil {
					err = json.Unmarshal(out, &done)
				}
				if err != nil {
					t.Fatalf("%v\n%s", err, stderr.String())
				}
				return done, false
			}
			house := func(dsn string) *rig {
				t.Helper()
				l, err := ledger.Open(t.Context(), dsn, ledger.Options{Log: r.pipe.Log})
				if err == nil {
					t.Cleanup(func() { l.Close() })
					err = l.Migrate(t.Context())
				}
				if err != nil {
					t.Fatal(err)
				}
				return &rig{store: r.store, ledger: l}
			}
			begin := func(dsn string) {
				t.Helper()
				if err := house(dsn).register(); err != nil {
					t.Fatal(err)
				}
			}
			whole, broken := dsn(), dsn()
			begin(whole)
			begin(broken)
			done, killed := rebuild(whole, 0)
			if killed || done.Documents != documents || done.Passed != 0 || done.Events != 3*documents/100 {
				t.Errorf("undisturbed: %+v, killed %v", done, killed)
			}
			for _, at := range []int64{300, 200} {
				if _, killed := rebuild(broken, at); !killed {
					t.Fatalf("it was not killed after %d documents", at)
				}
			}
			done, killed = rebuild(broken, 0)
			if killed || done.Passed == 0 || done.Passed+done.Documents != documents {
				t.Errorf("resumed: %+v, killed %v", done, killed)
			}
			samePicture(t, r, house(whole))
			samePicture(t, house(whole), house(broken))
			if done, _ = rebuild(broken, 0); done.Documents != documents || done.Passed != 0 {
				t.Errorf("once done, the next begins anew: %+v", done)
			}
			samePicture(t, r, house(broken))
		})
	}
}
