package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline"
	"sohoa/storage"
	"sohoa/storage/ledger"
	"sohoa/storage/storagetest"
)

const crashEnv = "SOHOA_TEST_CRASH"

// crashPlan is what a process that will be killed is told.
type crashPlan struct {
	Dir   string
	Base  base
	Files []string // absolute, so that the child needs no testing.T
	Point *pipeline.Point
	Own   bool
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
		{slip: slip(dossier.Component, known, "GT01"), name: "accept/scan-a5-colour.pdf",
			then: func(ctx context.Context, r *rig, id string) error {
				_, err := r.pipe.Amend(ctx, id, dossier.Slip{By: "account:1", Name: "Tờ khai", OwnerID: "079099001234"})
				return err
			}},
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
	r, err := openRig(p.Dir, rigOptions{base: p.Base, own: p.Own, hook: func(at pipeline.Point) error {
		if at == *p.Point {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
		return nil
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
	o, ready := workOptions, make(chan struct{})
	o.Ready = func() { close(ready) }
	if !r.own {
		o.Hands = 0
	}
	go func() { working <- r.ledger.Work(wctx, o, r.pipe.Process) }()
	<-ready
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

// undisturbed is the picture of a run that nothing disturbs. Every step is met
// in it: a step without a case is a step that nobody has broken.
func undisturbed(t *testing.T) string {
	t.Helper()
	var mu sync.Mutex
	met := map[pipeline.Step]bool{}
	r := newRig(t, rigOptions{hook: func(at pipeline.Point) error {
		mu.Lock()
		defer mu.Unlock()
		met[at.Step] = true
		return nil
	}})
	if err := runLoad(r, loadFiles(t)); err != nil {
		t.Fatal(err)
	}
	for _, s := range pipeline.Steps() {
		if !met[s] {
			t.Errorf("no document of the load comes to the step %q: give it one that does", s)
		}
		delete(met, s)
	}
	for s := range met {
		t.Errorf("the step %q is not in Steps", s)
	}
	p, err := r.picture()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSteps: every step that the source names is in Steps.
func TestSteps(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	steps := pipeline.Steps()
	seen := 0
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := v.Type.(*ast.Ident); !ok || id.Name != "Step" {
				return true
			}
			for i := range v.Names {
				text, err := strconv.Unquote(v.Values[i].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				if seen++; !slices.Contains(steps, pipeline.Step(text)) {
					t.Errorf("%s: %s is not in Steps", name, v.Names[i].Name)
				}
			}
			return true
		})
	}
	if seen < 10 {
		t.Errorf("only %d steps were found", seen)
	}
}

// Ways in which a step breaks.
const (
	lost         = "lost"            // not done
	reportedLost = "done, said lost" // done; the answer was lost
	killedBefore = "killed before"
	killedAfter  = "killed after"
)

var errLost = errors.New("the answer was lost")

// TestCrashMatrix breaks every step in every way, on every store and ledger;
// be it worked by the queue or by who received it; after resuming, archive, ledger
// and tallies equal those of the undisturbed run, and verification finds nothing. In CI the pairs of store and ledger take turns:
// each step and way is met on one pair, each pair meets every step;
// SOHOA_CRASH=all is all of them on each.
func TestCrashMatrix(t *testing.T) {
	want := undisturbed(t)
	ways := []string{lost, reportedLost, killedBefore, killedAfter}
	for s, step := range pipeline.Steps() {
		for w, way := range ways {
			for b, on := range bases {
				for _, own := range []bool{false, true} {
					if os.Getenv("SOHOA_CRASH") != "all" && ((s+w)%len(bases) != b || own != ((s+w/2)%2 == 0)) {
						continue
					}
					t.Run(fmt.Sprintf("%s/%s/%s/own=%v", step, way, on.name, own), func(t *testing.T) {
						t.Parallel() // it mostly waits for disks
						switch way {
						case killedBefore, killedAfter:
							killed(t, on.on(t), pipeline.Point{Step: step, After: way == killedAfter}, own, want)
						default:
							broken(t, on.on(t), pipeline.Point{Step: step, After: way == reportedLost}, own, want)
						}
					})
				}
			}
		}
	}
}

// broken lets the first of these steps fail.
func broken(t *testing.T, on base, point pipeline.Point, own bool, want string) {
	var met atomic.Bool
	r := newRig(t, rigOptions{base: on, own: own, hook: func(at pipeline.Point) error {
		if at == point && !met.Swap(true) {
			return errLost
		}
		return nil
	}})
	compareAfterLoad(t, r, want)
	if !met.Load() {
		t.Error("the step never came")
	}
}

// killed lets the process die by SIGKILL at the first of these steps, and another
// go on.
func killed(t *testing.T, on base, point pipeline.Point, own bool, want string) {
	r := newRig(t, rigOptions{base: on})
	r.close()
	plan, err := json.Marshal(crashPlan{r.dir, on, loadFiles(t), &point, own})
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
	resumed, err := openRig(r.dir, rigOptions{base: on, own: own})
	if err != nil {
		t.Fatal(err)
	}
	defer resumed.close()
	compareAfterLoad(t, resumed, want)
}

// TestEveryWriteBroken loses each write of the store, or lets it happen but reports
// it lost (SOHOA_CRASH=all: both of each); after trying again all is as in the
// undisturbed run. What the matrix does to the first write of a step, this does to
// every one.
func TestEveryWriteBroken(t *testing.T) {
	want := undisturbed(t)
	// Writes of the undisturbed run: an original and a last word for each
	// document, three archive copies, a corrected slip, a tombstone and four events.
	const writes = 19
	for n := 1; n <= writes; n++ {
		for _, applied := range []bool{false, true} {
			if os.Getenv("SOHOA_CRASH") != "all" && applied != (n%2 == 0) {
				continue
			}
			t.Run(fmt.Sprintf("write %d/applied=%v", n, applied), func(t *testing.T) {
				var count atomic.Int32
				plan := func(op string, key storage.Key) (bool, error) {
					if op == storagetest.OpPut && int(count.Add(1)) == n {
						return applied, errLost
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
	if found := r.deeply(t); len(found) > 0 {
		t.Errorf("verification finds %q", found)
	}
	if err := r.ledger.Recount(t.Context(), func(m ledger.Miscount) { t.Errorf("%s: %v", m.Unit, m) }); err != nil {
		t.Error(err)
	}
}
