package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline"
	"sohoa/storage"
	"sohoa/storage/storagetest"
)

const crashEnv = "SOHOA_TEST_CRASH"

// crashPlan is what a process that will be killed is told.
type crashPlan struct {
	Dir   string
	Files []string // absolute, so that the child needs no testing.T
	Point *pipeline.Point
}

// errand is one document of the load: a good scan, a signed result that is found
// untrusted later, a bad scan, one that is deleted by order, a better scan of the
// first.
type errand struct {
	slip  dossier.Slip
	name  string
	then  func(ctx context.Context, r *rig, id string) error // what happens to it later
	first bool                                               // it replaces the first
}

func load() []errand {
	return []errand{
		{slip: slip(dossier.Component, known, "GT01"), name: "accept/scan-a5-colour.pdf"},
		{slip: slip(dossier.ResultKind, known, ""), name: "accept/signed-rsa-pades.pdf",
			then: func(ctx context.Context, r *rig, id string) error {
				return errors.Join(r.pipe.Reverdict(ctx, id, false, order), r.pipe.Hold(ctx, id, true, order))
			}},
		{slip: slip(dossier.Component, "H51.11-240801-0004", ""), name: "reject/truncated/pdf-at-60-percent.pdf"},
		{slip: slip(dossier.Component, deletedDossier, ""), name: "accept/page.png",
			then: func(ctx context.Context, r *rig, id string) error {
				_, err := r.pipe.Delete(ctx, id, order)
				return err
			}},
		{slip: slip(dossier.Component, known, "GT01"), name: "accept/page.jpg", first: true},
	}
}

// deletedDossier is the dossier of the load whose document is deleted by order.
const deletedDossier = dossier.Code("H51.11-240801-0003")

// crashMain runs the load in a process of its own and dies by SIGKILL at the
// planned point.
func crashMain(plan string) int {
	var p crashPlan
	if err := json.Unmarshal([]byte(plan), &p); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	r, err := openRig(p.Dir, rigOptions{hook: func(at pipeline.Point) {
		if at == *p.Point {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if err := runLoad(r, p.Files); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return 0
}

// runLoad hands in the whole load and waits for the verdicts. It is what a
// sender does who got no answer: send everything again.
func runLoad(r *rig, files []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	working := make(chan error, 1)
	wctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { working <- r.ledger.Work(wctx, workOptions, r.pipe.Process) }()
	first := ""
	for i, e := range load() {
		if e.first {
			e.slip.Replaces = first
		}
		b, err := os.ReadFile(files[i])
		if err != nil {
			return err
		}
		var st dossier.Standing
		for try := 0; ; try++ {
			if st, err = r.handIn(ctx, e.slip, b); err == nil {
				break
			}
			if try == 5 {
				return fmt.Errorf("receive %s: %w", e.name, err)
			}
		}
		for st.State == dossier.Pending {
			if st, err = r.pipe.Wait(ctx, st.Intake.ID, time.Second); err != nil {
				return err
			}
		}
		if st.State == dossier.Faulted {
			return fmt.Errorf("%s: %s", e.name, st.Fault)
		}
		for try := 0; e.then != nil; try++ {
			if err = e.then(ctx, r, st.Intake.ID); err == nil {
				break
			}
			if try == 5 {
				return fmt.Errorf("what happens to %s: %w", e.name, err)
			}
		}
		if i == 0 {
			first = st.Intake.ID
		}
	}
	stop()
	return <-working
}

var order = dossier.Order{By: "account:1", Role: dossier.Officer, Number: "12/QĐ-UBND", Reason: "hết thời hạn lưu giữ"}

// handIn sends a document, unless it is one that was to be deleted and is in the
// house already: its bytes would be another document then.
func (r *rig) handIn(ctx context.Context, s dossier.Slip, b []byte) (dossier.Standing, error) {
	if s.Dossier == deletedDossier {
		if there, err := r.ledger.Documents(ctx, s.Dossier); err != nil || len(there) > 0 {
			return append(there, dossier.Standing{})[0], err
		}
	}
	return r.pipe.Receive(ctx, s, bytes.NewReader(b), pipeline.ReceiveOptions{})
}

func loadFiles(t *testing.T) (files []string) {
	for _, e := range load() {
		files = append(files, testneed.Root(t)+"/testdata/"+e.name)
	}
	return files
}

// undisturbed is the picture of a run that nothing disturbs.
func undisturbed(t *testing.T) string {
	t.Helper()
	r := newRig(t, rigOptions{})
	if err := runLoad(r, loadFiles(t)); err != nil {
		t.Fatal(err)
	}
	p, err := r.picture()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestKilledAtEveryStep kills the process by SIGKILL just before and just after
// every durable step; after resuming, archive, ledger and tallies equal those of
// the undisturbed run.
func TestKilledAtEveryStep(t *testing.T) {
	want := undisturbed(t)
	for _, step := range pipeline.Steps() {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/after=%v", step, after), func(t *testing.T) {
				r := newRig(t, rigOptions{})
				r.close()
				plan, err := json.Marshal(crashPlan{r.dir, loadFiles(t), &pipeline.Point{Step: step, After: after}})
				if err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command("/proc/self/exe")
				cmd.Env = append(os.Environ(), crashEnv+"="+string(plan))
				out, err := cmd.CombinedOutput()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
					t.Fatalf("the process was not killed at this step: %v\n%s", err, out)
				}
				resumed, err := openRig(r.dir, rigOptions{})
				if err != nil {
					t.Fatal(err)
				}
				defer resumed.close()
				compareAfterLoad(t, resumed, want)
			})
		}
	}
}

// TestEveryWriteBrokenTwice loses each write of the store, and lets each happen
// but reports it lost; after trying again all is as in the undisturbed run.
func TestEveryWriteBrokenTwice(t *testing.T) {
	want := undisturbed(t)
	lost := errors.New("the answer was lost")
	// Writes of the undisturbed run: an original and a last word for each
	// document, three archive copies, a tombstone and three events.
	const writes = 17
	for n := 1; n <= writes; n++ {
		for _, applied := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d/applied=%v", n, applied), func(t *testing.T) {
				var count atomic.Int32
				plan := func(op string, key storage.Key) (bool, error) {
					if op == storagetest.OpPut && int(count.Add(1)) == n {
						return applied, lost
					}
					return true, nil
				}
				r := newRig(t, rigOptions{wrap: func(s storage.Store) storage.Store { return storagetest.Faulty(s, plan) }})
				compareAfterLoad(t, r, want)
				if int(count.Load()) < n {
					t.Errorf("write %d never came", n)
				}
			})
		}
	}
}

func compareAfterLoad(t *testing.T, r *rig, want string) {
	t.Helper()
	if err := runLoad(r, loadFiles(t)); err != nil {
		t.Fatal(err)
	}
	got, err := r.picture()
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("after resuming:\n%s\n\nundisturbed:\n%s", got, want)
	}
}
