package pdf_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline/pdf"
)

// plainPDF builds a PDF of one page from its content stream and further objects
// (numbered from 5).
func plainPDF(content []byte, more ...string) []byte {
	var b bytes.Buffer
	var offs []int
	obj := func(s string) {
		offs = append(offs, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(offs), s)
	}
	b.WriteString("%PDF-1.7\n")
	obj("<</Type/Catalog/Pages 2 0 R>>")
	obj("<</Type/Pages/Kids[3 0 R]/Count 1>>")
	obj("<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<<>>>>")
	obj(fmt.Sprintf("<</Length %d>>\nstream\n%s\nendstream", len(content), content))
	for _, s := range more {
		obj(s)
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(offs)+1)
	for _, o := range offs {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(offs)+1, at)
	return b.Bytes()
}

func tempFile(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// slowPDF keeps a child busy for seconds: it draws a form that draws a form …
func slowPDF(t testing.TB) string {
	body := strings.Repeat("q /F Do Q\n", 24)
	form := func(next int, body string) string {
		return fmt.Sprintf("<</Type/XObject/Subtype/Form/BBox[0 0 1 1]/Resources<</XObject<</F %d 0 R>>>>/Length %d>>\nstream\n%s\nendstream", next, len(body), body)
	}
	var more []string
	for n := 5; n < 15; n++ {
		more = append(more, form(n+1, body))
	}
	more = append(more, form(15, "q Q\n"))
	b := plainPDF([]byte(body), more...)
	return tempFile(t, "slow.pdf", bytes.Replace(b, []byte("/Resources<<>>"), []byte("/Resources<</XObject<</F 5 0 R>>>>"), 1))
}

func wantReason(t *testing.T, err error, want dossier.Reason) {
	t.Helper()
	var rej *dossier.Rejection
	if !errors.As(err, &rej) || rej.Reason != want {
		t.Errorf("got %v, want the reason %s", err, want)
	}
}

// TestTooManyOperators: a document that would draw for ever is told apart by
// counting, without a death.
func TestTooManyOperators(t *testing.T) {
	pool := newPool(t, pdf.Options{Children: 1})
	_, err := inspect(t, pool, slowPDF(t), pdf.Question{Kind: dossier.Component})
	wantReason(t, err, dossier.TooComplex)
}

func TestTimeLimit(t *testing.T) {
	var log bytes.Buffer
	pool := newPool(t, pdf.Options{Children: 1, Limits: pdf.Limits{Time: 20 * time.Millisecond, TimePerPage: time.Millisecond},
		Log: zerolog.New(zerolog.SyncWriter(&log))})
	_, err := inspect(t, pool, slowPDF(t), pdf.Question{Kind: dossier.Component})
	wantReason(t, err, dossier.TooComplex)
	if n := strings.Count(log.String(), `"cause":"processor-limit"`); n != 2 {
		t.Errorf("%d children were killed for their time, want 2:\n%s", n, &log)
	}
}

func TestMemoryLimit(t *testing.T) {
	var log bytes.Buffer
	pool := newPool(t, pdf.Options{Children: 1, Limits: pdf.Limits{Memory: 128 << 20},
		Log: zerolog.New(zerolog.SyncWriter(&log))})
	// Two hundred million bytes of one flat dictionary cannot be held in 128 MB.
	path := tempFile(t, "large.pdf", plainPDF(nil, "["+strings.Repeat("[0 0]", 12<<20)+"]"))
	_, err := inspect(t, pool, path, pdf.Question{Kind: dossier.Component})
	wantReason(t, err, dossier.TooComplex)
	if !strings.Contains(log.String(), `"cause":"memory-limit"`) {
		t.Errorf("no child was killed for its memory:\n%s", &log)
	}
}

func TestCancelIsNoVerdict(t *testing.T) {
	pool := newPool(t, pdf.Options{Children: 1})
	s, err := pool.Open(t.Context(), slowPDF(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for len(children(t)) == 0 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(50 * time.Millisecond)
		cancel()
	}()
	_, err = s.Inspect(ctx, pdf.Question{Kind: dossier.Component})
	var rej *dossier.Rejection
	if errors.As(err, &rej) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// children lists the processes whose parent is this one.
func children(t testing.TB) []int {
	t.Helper()
	return childrenOf(t, os.Getpid())
}

func childrenOf(t testing.TB, parent int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		testneed.Missing(t, "/proc", "run on Linux")
	}
	var out []int
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if f[1] == strconv.Itoa(parent) && f[0] != "Z" {
			pid, _ := strconv.Atoi(strings.Fields(string(b))[0])
			out = append(out, pid)
		}
	}
	return out
}

// TestKilledFromOutside: somebody kills the child between two calls; the second
// call is answered by a fresh one. Killed again and again, it is our fault.
func TestKilledFromOutside(t *testing.T) {
	path := filepath.Join(testneed.Shared(t, "scans"), "c200_01p_01.pdf")
	pool := newPool(t, pdf.Options{Children: 1})
	s, err := pool.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Inspect(t.Context(), pdf.Question{Kind: dossier.Component}); err != nil {
		t.Fatal(err)
	}
	before := children(t)
	if len(before) != 1 {
		t.Fatalf("children: %v, want one", before)
	}
	if err := syscall.Kill(before[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	c, err := s.Normalise(t.Context(), filepath.Join(t.TempDir(), "copy.pdf"), pdf.Label{})
	if err != nil || c.Conforms != dossier.PDFA2b {
		t.Errorf("after the child was killed: %+v, %v", c, err)
	}
	s.Close()

	stop := make(chan struct{})
	var killer sync.WaitGroup
	killer.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, pid := range children(t) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	_, err = inspect(t, pool, slowPDF(t), pdf.Question{Kind: dossier.Component})
	close(stop)
	killer.Wait()
	if !errors.Is(err, pdf.ErrChildDied) {
		t.Errorf("got %v, want ErrChildDied", err)
	}
}

// TestBadExecutable: a child that never works must not make good scans look bad.
func TestBadExecutable(t *testing.T) {
	path := filepath.Join(testneed.Shared(t, "scans"), "c200_01p_01.pdf")
	for _, cmd := range [][]string{{"/bin/true"}, {"/bin/false"}, {"/bin/cat"}, {"/bin/echo", "hello, this is no frame"}, {"/does/not/exist"}} {
		t.Run(filepath.Base(cmd[0]), func(t *testing.T) {
			pool := newPool(t, pdf.Options{Executable: cmd, Children: 1})
			s, err := pool.Open(t.Context(), path)
			if err == nil {
				_, err = s.Inspect(t.Context(), pdf.Question{Kind: dossier.Component})
				s.Close()
			}
			var rej *dossier.Rejection
			if err == nil || errors.As(err, &rej) {
				t.Errorf("got %v, want a fault", err)
			}
		})
	}
}

func TestOpenWaitsForAChild(t *testing.T) {
	path := filepath.Join(testneed.Shared(t, "scans"), "g4_02p_22.pdf")
	pool := newPool(t, pdf.Options{Children: 1})
	first, err := pool.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := pool.Open(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want to wait until the deadline", err)
	}
	first.Close()
	first.Close()
	second, err := pool.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}

func TestCloseEndsChildren(t *testing.T) {
	path := filepath.Join(testneed.Shared(t, "scans"), "g4_02p_22.pdf")
	pool := newPool(t, pdf.Options{Children: 2})
	s, err := pool.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Inspect(t.Context(), pdf.Question{Kind: dossier.Component}); err != nil {
		t.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	if left := children(t); len(left) != 0 {
		t.Errorf("children are left: %v", left)
	}
	if _, err := s.Inspect(t.Context(), pdf.Question{Kind: dossier.Component}); !errors.Is(err, pdf.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	s.Close()
	if _, err := pool.Open(t.Context(), path); !errors.Is(err, pdf.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

// TestChildReuse: many documents, one process.
func TestChildReuse(t *testing.T) {
	path := filepath.Join(testneed.Shared(t, "scans"), "g4_02p_22.pdf")
	pool := newPool(t, pdf.Options{Children: 1, Rest: time.Hour})
	var pid int
	for i := range 10 {
		if _, err := inspect(t, pool, path, pdf.Question{Kind: dossier.Component}); err != nil {
			t.Fatal(err)
		}
		c := children(t)
		if len(c) != 1 || i > 0 && c[0] != pid {
			t.Fatalf("document %d: children %v, before %d", i, c, pid)
		}
		pid = c[0]
	}
}

// Children that nobody needs end; who comes later gets a new one.
func TestRestedChildrenEnd(t *testing.T) {
	path := filepath.Join(testneed.Shared(t, "scans"), "g4_02p_22.pdf")
	pool := newPool(t, pdf.Options{Children: 2, Rest: time.Millisecond})
	for range 2 {
		var sessions []*pdf.Session
		for range 2 {
			s, err := pool.Open(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Inspect(t.Context(), pdf.Question{Kind: dossier.Component}); err != nil {
				t.Fatal(err)
			}
			sessions = append(sessions, s)
		}
		if n := len(children(t)); n != 2 {
			t.Fatalf("%d children at work, want 2", n)
		}
		for _, s := range sessions {
			s.Close()
		}
		for len(children(t)) > 0 { // until the test's own time is over
			time.Sleep(time.Millisecond)
		}
	}
}

// A pool's children stand back as far as they were told to, its own parent not.
func TestNice(t *testing.T) {
	before, err := syscall.Getpriority(syscall.PRIO_PROCESS, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	pool := newPool(t, pdf.Options{Children: 1, Nice: 20 - before + 3}) // three further than this process
	s, err := pool.Open(t.Context(), filepath.Join(testneed.Root(t), "testdata/accept/page.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	children, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(children) == 0 {
		t.Fatal(children, err)
	}
	found := 0
	for _, name := range children {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		for _, f := range strings.Fields(string(b)) {
			pid, err := strconv.Atoi(f)
			if err != nil {
				t.Fatal(err)
			}
			if now, err := syscall.Getpriority(syscall.PRIO_PROCESS, pid); err == nil && now == max(1, before-3) {
				found++
			}
		}
	}
	if after, err := syscall.Getpriority(syscall.PRIO_PROCESS, os.Getpid()); err != nil || after != before {
		t.Errorf("this process went from %d to %d (%v)", before, after, err)
	}
	if found == 0 && before > 1 {
		t.Error("no child stands back")
	}
}

// parentMode is the argument with which the test binary opens a file in a child of
// its own and waits.
const parentMode = "pdf-parent"

func parentMain(path string) error {
	pool, err := pdf.NewPool(pdf.Options{Children: 1, Limits: pdf.Limits{Time: time.Hour}, Log: zerolog.Nop()})
	if err != nil {
		return err
	}
	s, err := pool.Open(context.Background(), path)
	if err != nil {
		return err
	}
	_, err = s.Inspect(context.Background(), pdf.Question{Kind: dossier.Component})
	return err
}

// A child that is at work when its parent is killed ends soon after it. It is at
// work on what never ends: a pipe that nobody writes to.
func TestChildLeavesWithItsParent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "endless.pdf")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(os.Args[0], parentMode, path)
	parent.Stderr = os.Stderr
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	until := func(what string, done func() bool) {
		for range 600 {
			if done() {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatal(what)
	}
	var child []int
	until("there is no child", func() bool { child = childrenOf(t, parent.Process.Pid); return len(child) == 1 })
	t.Cleanup(func() { syscall.Kill(child[0], syscall.SIGKILL) })
	// One that waits for its first request ends with its input; this one is to wait
	// for the pipe.
	time.Sleep(500 * time.Millisecond)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // killed
	until("the child outlives its parent", func() bool { return errors.Is(syscall.Kill(child[0], 0), syscall.ESRCH) })
}
