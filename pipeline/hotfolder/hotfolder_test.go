package hotfolder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/text/unicode/norm"

	"sohoa/dossier"
)

// desk is a door in memory: what a scan says of itself is its verdict.
type desk struct {
	mu     sync.Mutex
	taken  map[string]dossier.Slip // by dossier, kind, paper and bytes
	during func(body string)       // while a document is on its way
	fail   error
}

func (d *desk) Submit(_ context.Context, slip dossier.Slip, body io.ReadSeeker, size int64) (dossier.Standing, error) {
	b, err := io.ReadAll(body)
	if err != nil {
		return dossier.Standing{}, err
	}
	if d.during != nil {
		d.during(string(b))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if int64(len(b)) != size || slip.Door != dossier.DoorHot || slip.By != "scanner" {
		return dossier.Standing{}, fmt.Errorf("bad slip %+v", slip)
	}
	if d.fail != nil {
		return dossier.Standing{}, d.fail
	}
	switch {
	case strings.HasPrefix(string(slip.Dossier), "H99"):
		return dossier.Standing{}, dossier.ErrUnknownUnit
	case strings.HasPrefix(string(b), "taken"):
		return dossier.Standing{}, dossier.ErrPaperTaken
	case strings.HasPrefix(string(b), "large"):
		return dossier.Standing{}, dossier.Reject(dossier.TooLarge, dossier.Text{}, nil)
	}
	key := fmt.Sprintf("%s %s %s %s", slip.Dossier, slip.Kind, slip.Paper, b)
	st := dossier.Standing{Intake: dossier.Intake{ID: key}, State: dossier.Stored}
	if _, ok := d.taken[key]; ok {
		st.Again = true
	}
	d.taken[key] = slip
	switch {
	case strings.HasPrefix(string(b), "bad"):
		st.State, st.Refusal = dossier.Refused, &dossier.Refusal{Reason: dossier.LowResolution, Message: dossier.LowResolution.Text()}
	case strings.HasPrefix(string(b), "slow"):
		st.State = dossier.Pending
	case strings.HasPrefix(string(b), "fault") && !st.Again:
		st.State = dossier.Faulted
	}
	return st, nil
}

func (d *desk) Standing(_ context.Context, id string) (dossier.Standing, error) {
	return dossier.Standing{Intake: dossier.Intake{ID: id}, State: dossier.Stored}, nil
}

// place is a hot folder with a clock of its own.
type place struct {
	*Folder
	t   *testing.T
	dir string
	now time.Time
	log bytes.Buffer
	d   *desk
}

func newPlace(t *testing.T) *place {
	p := &place{t: t, dir: t.TempDir(), now: time.Date(2024, 8, 30, 8, 0, 0, 0, dossier.Zone), d: &desk{taken: map[string]dossier.Slip{}}}
	p.reopen()
	return p
}

// reopen is a restart: nothing is remembered but the files.
func (p *place) reopen() {
	p.t.Helper()
	f, err := Open(p.d, Options{Dir: p.dir, By: "scanner", Log: zerolog.New(&p.log), Now: func() time.Time { return p.now }, Finder: sayer{}})
	if err != nil {
		p.t.Fatal(err)
	}
	p.Folder = f
	p.t.Cleanup(func() { f.Close() })
}

// sayer finds the code that a text file says.
type sayer struct{}

func (sayer) Find(_ context.Context, path string) (dossier.Code, bool, error) {
	b, err := os.ReadFile(path)
	_, code, ok := strings.Cut(string(b), "QR ")
	return dossier.Code(code), ok, err
}

func (p *place) write(name, text string) {
	p.t.Helper()
	full := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o666); err != nil {
		p.t.Fatal(err)
	}
}

// settle looks twice, far enough apart.
func (p *place) settle() {
	p.t.Helper()
	for range 2 {
		if err := p.Sweep(p.t.Context()); err != nil {
			p.t.Fatal(err)
		}
		p.now = p.now.Add(5 * time.Second)
	}
}

func (p *place) files() []string {
	p.t.Helper()
	var out []string
	if err := filepath.WalkDir(p.dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(p.dir, name)
			out = append(out, rel)
		}
		return err
	}); err != nil {
		p.t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

func (p *place) want(names ...string) {
	p.t.Helper()
	slices.Sort(names)
	if got := p.files(); !slices.Equal(got, names) {
		p.t.Errorf("got  %q\nwant %q", got, names)
	}
}

func TestEnds(t *testing.T) {
	p := newPlace(t)
	p.write("H51.04/H51.04-240830-0001/component/TK-01/quét 1.pdf", "good")
	p.write("H51.04-240830-0002/result/kq.pdf", "good")
	p.write("H51.04-240830-0003.001.jpg", "slow")
	p.write("H51.04-240830-0003-KQ1.pdf", "bad")
	p.write("large H51.pdf", "QR H51.04-240830-0004")
	p.write("h51.04-240830-0005.pdf", "taken")
	p.write("H99-240830-0001.pdf", "good")
	p.write("scan0001.pdf", "nobody knows")
	p.write("result/scan0002.pdf", "good QR H51.04-240830-0006")
	p.settle()
	p.want("done/H51.04/H51.04-240830-0001/component/TK-01/quét 1.pdf", "done/H51.04-240830-0002/result/kq.pdf", "done/H51.04-240830-0003.001.jpg",
		"rejected/H51.04-240830-0003-KQ1.pdf", "rejected/H51.04-240830-0003-KQ1.pdf.txt", "done/large H51.pdf",
		"rejected/h51.04-240830-0005.pdf", "rejected/h51.04-240830-0005.pdf.txt", "tray/H99-240830-0001.pdf", "tray/scan0001.pdf", "done/result/scan0002.pdf")
	text, err := os.ReadFile(filepath.Join(p.dir, "rejected/H51.04-240830-0003-KQ1.pdf.txt"))
	if err != nil || !strings.Contains(string(text), dossier.LowResolution.Text().VI) || !strings.Contains(string(text), "low-resolution") {
		t.Errorf("%s %v", text, err)
	}
	for key, slip := range p.d.taken {
		if want := map[bool]dossier.Kind{true: dossier.ResultKind, false: dossier.Component}[strings.Contains(slip.FileName, "kq") || strings.Contains(slip.FileName, "KQ") || slip.FileName == "scan0002.pdf"]; slip.Kind != want {
			t.Errorf("%s: %s", key, slip.Kind)
		}
		if (slip.Paper == "TK-01") != (slip.FileName == "quét 1.pdf") {
			t.Errorf("%s: paper %s", key, slip.Paper)
		}
	}
}

func TestSettling(t *testing.T) {
	p := newPlace(t)
	p.write("H51-240830-0001.pdf", "half")
	p.write("H51-240830-0002.pdf.part", "half")
	p.write("H51-240830-0003.pdf", "held")
	p.write(".~lock.H51-240830-0003.pdf#", "")
	p.write("~$H51-240830-0004.pdf", "x")
	p.write("Thumbs.db", "x")
	p.write(".hidden/H51-240830-0005.pdf", "x")
	for i := range 4 { // it grows while we look
		if err := p.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.now = p.now.Add(time.Minute)
		p.write("H51-240830-0001.pdf", strings.Repeat("half", i+2))
	}
	if len(p.d.taken) != 0 {
		t.Fatalf("taken: %v", p.d.taken)
	}
	p.settle()
	p.want("done/H51-240830-0001.pdf", "H51-240830-0002.pdf.part", "H51-240830-0003.pdf", ".~lock.H51-240830-0003.pdf#", "~$H51-240830-0004.pdf", "Thumbs.db", ".hidden/H51-240830-0005.pdf")
	if err := os.Remove(filepath.Join(p.dir, ".~lock.H51-240830-0003.pdf#")); err != nil {
		t.Fatal(err)
	}
	p.settle()
	if _, err := os.Stat(filepath.Join(p.dir, "done/H51-240830-0003.pdf")); err != nil {
		t.Error(err)
	}
}

// A file that changes while it is on its way stays, and its new bytes follow.
func TestChangedMeanwhile(t *testing.T) {
	p := newPlace(t)
	p.write("H51-240830-0001.pdf", "first")
	p.d.during = func(body string) {
		if body == "first" {
			p.write("H51-240830-0001.pdf", "second half")
		}
	}
	p.settle()
	p.want("H51-240830-0001.pdf")
	p.settle()
	p.want("done/H51-240830-0001.pdf")
	if b, err := os.ReadFile(filepath.Join(p.dir, "done/H51-240830-0001.pdf")); err != nil || string(b) != "second half" || len(p.d.taken) != 2 {
		t.Errorf("%q %v %v", b, err, p.d.taken)
	}
}

func TestFaultsStay(t *testing.T) {
	p := newPlace(t)
	const name = "Nguyễn Văn A 079123456789/H51-240830-0001.pdf"
	p.write(name, "good")
	p.d.fail = &fs.PathError{Op: "write", Path: "/secret/" + name, Err: errors.New("disk is full")}
	for range 20 {
		p.settle()
	}
	p.want(name)
	lines := strings.Count(p.log.String(), "\n")
	if lines < 1 || lines > 6 { // 200 seconds: 10 + 20 + 40 + 80 …
		t.Errorf("%d lines in the log", lines)
	}
	if s := p.log.String(); strings.Contains(s, "Nguy") || strings.Contains(s, "0791") || !strings.Contains(s, "disk is full") {
		t.Error(s)
	}
	p.d.fail = nil
	p.now = p.now.Add(time.Hour)
	p.settle()
	p.want("done/" + name)

	p.write("H51-240830-0002.pdf", "fault")
	p.settle()
	p.want("done/"+name, "H51-240830-0002.pdf")
	p.now = p.now.Add(time.Hour)
	p.settle()
	p.want("done/"+name, "done/H51-240830-0002.pdf")
}

// Stopped after any step and started again, each file ends once, and nothing
// is lost: the same name and the same bytes come again too.
func TestRestart(t *testing.T) {
	rnd := rand.New(rand.NewPCG(8, 30))
	p := newPlace(t)
	all := map[string]bool{}
	for i := range 60 {
		text := fmt.Sprintf("%s %d", []string{"good", "bad", "slow", "nobody"}[i%4], i)
		name := fmt.Sprintf("H51-240830-%04d.pdf", i%20)
		if i%4 == 3 {
			name = fmt.Sprintf("scan%d.pdf", i%5)
		}
		p.write(name, text)
		all[text] = true
		if rnd.IntN(3) > 0 {
			// The process dies while documents are on their way: their verdicts stand,
			// the files were not moved.
			ready, err := p.look()
			if err != nil {
				t.Fatal(err)
			}
			for _, names := range ready {
				r := names[0]
				h, err := os.Open(filepath.Join(p.dir, r))
				if err != nil {
					t.Fatal(err)
				}
				if slip, ok := Filed(r); ok {
					st, err := h.Stat()
					if err != nil {
						t.Fatal(err)
					}
					slip.By, slip.Door = "scanner", dossier.DoorHot
					if _, err := p.d.Submit(t.Context(), slip, h, st.Size()); err != nil {
						t.Fatal(err)
					}
				}
				h.Close()
			}
			p.reopen()
		}
		p.settle()
	}
	p.reopen()
	p.settle()
	left := map[string]bool{}
	for _, name := range p.files() {
		b, err := os.ReadFile(filepath.Join(p.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		folder, _, _ := strings.Cut(name, "/")
		if strings.HasSuffix(name, ".txt") {
			continue
		}
		if left[string(b)] {
			t.Errorf("%s is there twice", b)
		}
		left[string(b)] = true
		if want := map[string]string{"good": Done, "slow": Done, "bad": Refused, "nobody": TrayName}[strings.Fields(string(b))[0]]; folder != want {
			t.Errorf("%s lies in %s", b, folder)
		}
		if _, err := os.Stat(filepath.Join(p.dir, name+".txt")); (err == nil) != (folder == Refused) {
			t.Errorf("%s: text beside it: %v", name, err)
		}
	}
	for text := range all {
		if !left[text] {
			t.Errorf("%s is lost", text)
		}
	}
}

func TestTray(t *testing.T) {
	p := newPlace(t)
	p.Folder.Unit = "H51"
	p.write("result/a.pdf", "one")
	p.write("b.pdf", "bad")
	p.write("H51.04/c.pdf", "large")
	p.write("H92.04/d.pdf", "taken")
	p.settle()
	trays := Trays{p.Folder}
	if w, err := trays.Waiting([]dossier.UnitCode{"H51.04"}); err != nil || len(w) != 1 || w[0].Name != "c.pdf" {
		t.Errorf("of H51.04: %v %v", w, err)
	}
	w, err := trays.Waiting([]dossier.UnitCode{"H51", "H51.04"})
	if err != nil || len(w) != 4 {
		t.Fatal(w, err)
	}
	by := dossier.Slip{By: "scanner", Kind: dossier.Component, Dossier: "H51-240830-0001"}
	var rej *dossier.Rejection
	for _, one := range w {
		f, again, err := trays.Find(one.ID)
		if err != nil || again != one {
			t.Fatal(again, err)
		}
		if at, err := f.Path(one.ID); err != nil {
			t.Error(err)
		} else if _, err := os.Stat(at); err != nil {
			t.Error(err)
		}
		other := by
		other.Dossier = "H99-240830-0001"
		if _, err := f.File(t.Context(), one.ID, other); !errors.Is(err, dossier.ErrUnknownUnit) {
			t.Error(err)
		}
		st, err := f.File(t.Context(), one.ID, by)
		switch one.Name {
		case "a.pdf":
			if err != nil || st.State != dossier.Stored {
				t.Error(st, err)
			}
		case "b.pdf":
			if err != nil || st.State != dossier.Refused {
				t.Error(st, err)
			}
		case "c.pdf":
			if !errors.As(err, &rej) {
				t.Error(st, err)
			}
		case "d.pdf": // it waits for another paper code
			if !errors.Is(err, dossier.ErrPaperTaken) {
				t.Error(st, err)
			}
			if err := f.Discard(one.ID); err != nil {
				t.Error(err)
			}
		}
		if _, err := f.File(t.Context(), one.ID, dossier.Slip{}); !errors.Is(err, ErrNotWaiting) {
			t.Error(err)
		}
		if err := f.Discard(one.ID); !errors.Is(err, ErrNotWaiting) {
			t.Error(err)
		}
	}
	p.want("done/result/a.pdf", "rejected/b.pdf", "rejected/b.pdf.txt", "rejected/H51.04/c.pdf", "rejected/H51.04/c.pdf.txt",
		"rejected/H92.04/d.pdf", "rejected/H92.04/d.pdf.txt")
	if _, err := p.Path("../../etc/passwd"); !errors.Is(err, ErrNotWaiting) {
		t.Error(err)
	}
}

// Of two who file the same scan at once, one does; a verdict that is long in
// coming leaves the scan where it is, and asking again finds it.
func TestTrayRace(t *testing.T) {
	p := newPlace(t)
	p.write("a.pdf", "slow")
	p.settle()
	w, err := p.Tray()
	if err != nil || len(w) != 1 {
		t.Fatal(w, err)
	}
	slip := dossier.Slip{By: "scanner", Kind: dossier.Component, Dossier: "H51-240830-0001"}
	p.d.during = func(string) {
		if _, err := p.File(t.Context(), w[0].ID, slip); !errors.Is(err, ErrNotWaiting) {
			t.Error("it was filed by two:", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if st, err := p.File(ctx, w[0].ID, slip); err != nil || st.State != dossier.Pending {
		t.Error(st, err)
	}
	p.want("tray/a.pdf")
	p.d.during = nil
	if st, err := p.File(t.Context(), w[0].ID, slip); err != nil || st.State != dossier.Stored {
		t.Error(st, err)
	}
	p.want("done/a.pdf")
}

func TestFiled(t *testing.T) {
	for name, want := range map[string]string{
		"H51.04/H51.04-240830-0001/component/x.pdf":              "H51.04-240830-0001 component ",
		"H51.04-240830-0001/component/TK-01/x.pdf":               "H51.04-240830-0001 component TK-01",
		"H51.04-240830-0001/Kết quả/x.pdf":                       "H51.04-240830-0001 result ",
		norm.NFD.String("kết quả/000.00.04.h51-200221-0001.pdf"): "000.00.04.H51-200221-0001 result ",
		"H51.04-240830-0001.0002.pdf":                            "H51.04-240830-0001 component ",
		"H51.04-240830-0001-KQ2.pdf":                             "H51.04-240830-0001 result ",
		"H51.04-240830-0001 kết quả.pdf":                         "H51.04-240830-0001 result ",
		"H51.04-240830-0001_result_3.tif":                        "H51.04-240830-0001 result ",
		"H51.04-241330-0001.pdf":                                 "",
		"scan.pdf":                                               "",
		"component/scan.pdf":                                     "",
	} {
		slip, ok := Filed(name)
		got := fmt.Sprintf("%s %s %s", slip.Dossier, slip.Kind, slip.Paper)
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// Watch itself: files that come while it runs are brought to their end, and it
// stops when told.
func TestWatch(t *testing.T) {
	d := &desk{taken: map[string]dossier.Slip{}}
	dir := t.TempDir()
	f, err := Open(d, Options{Dir: dir, By: "scanner", Log: zerolog.Nop(), Settle: 10 * time.Millisecond, Poll: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Watch(ctx) }()
	for i := range 20 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("H51-240830-%04d.pdf", i)), []byte("good"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for {
		entries, err := os.ReadDir(filepath.Join(dir, Done))
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 20 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
