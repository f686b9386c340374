package hotfolder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline"
	"sohoa/pipeline/pdf"
	"sohoa/storage/disk"
	"sohoa/storage/ledger"
)

// sweepEnv is the folder of a house whose hot folder a process of its own sweeps.
const sweepEnv = "SOHOA_TEST_HOTFOLDER"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "pdf-child" {
		os.Exit(pdf.ChildMain(os.Stdin, os.Stdout))
	}
	if dir := os.Getenv(sweepEnv); dir != "" {
		if err := sweepIn(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func sweepIn(dir string) error {
	h, err := openHouse(dir)
	if err != nil {
		return err
	}
	return errors.Join(h.sweep(context.Background(), Options{}), h.close())
}

// door is the real pipeline.
type door struct{ p *pipeline.Pipeline }

func (d door) Submit(ctx context.Context, slip dossier.Slip, body io.ReadSeeker, _ int64) (dossier.Standing, error) {
	st, err := d.p.Receive(ctx, slip, body, pipeline.ReceiveOptions{})
	if err != nil || st.State != dossier.Pending {
		return st, err
	}
	return d.p.Wait(ctx, st.Intake.ID, time.Minute)
}

func (d door) Standing(ctx context.Context, id string) (dossier.Standing, error) {
	return d.p.Standing(ctx, id)
}

// house is the real thing on a folder, with a hot folder in it.
type house struct {
	dir    string
	log    zerolog.Logger
	judge  *pdf.Pool
	pipe   *pipeline.Pipeline
	ledger *ledger.Ledger
	close  func() error
}

func openHouse(dir string) (*house, error) {
	ctx := context.Background()
	log := zerolog.New(os.Stderr).Level(zerolog.ErrorLevel)
	store, err := disk.Open(filepath.Join(dir, "archive"))
	if err != nil {
		return nil, err
	}
	l, err := ledger.Open(ctx, "sqlite:"+filepath.Join(dir, "ledger.db"), ledger.Options{Log: log})
	if err != nil {
		return nil, err
	}
	if err := l.Migrate(ctx); err != nil {
		return nil, err
	}
	if _, err := l.ImportUnits(ctx, []dossier.Unit{{Code: "H51", Name: "Tỉnh", Level: dossier.Province}, {Code: "H51.04", Name: "Sở", Level: dossier.Department, Parent: "H51"}}); err != nil {
		return nil, err
	}
	judge, err := pdf.NewPool(pdf.Options{Executable: []string{"/proc/self/exe", "pdf-child"}, Children: 2, Log: log})
	if err != nil {
		return nil, err
	}
	h := &house{dir: dir, log: log, judge: judge, ledger: l}
	h.pipe = pipeline.New(pipeline.Options{Store: store, Ledger: l, Judge: judge, SpoolDir: store.SpoolDir(),
		Profile: func(d dossier.Date) dossier.Profile { return dossier.ProfileFor(d) },
		Limit:   64 << 20, DPI: 200, Tool: "sohoa test", Now: time.Now, Log: log})
	working, stop := context.WithCancel(ctx)
	worked := make(chan error, 1)
	go func() {
		worked <- l.Work(working, ledger.WorkOptions{Workers: 2, Timeout: time.Minute}, h.pipe.Process)
	}()
	h.close = func() error {
		stop()
		return errors.Join(<-worked, judge.Close(), l.Close())
	}
	return h, nil
}

func (h *house) hot() string { return filepath.Join(h.dir, "hot") }

// sweep brings what lies in the hot folder to its end.
func (h *house) sweep(ctx context.Context, o Options) error {
	now := time.Now()
	scans := Scans{With: func(ctx context.Context, path string) (Scan, error) { return h.judge.Open(ctx, path) }}
	o.Dir, o.By, o.Log, o.Now, o.Finder, o.Pile, o.Spool = h.hot(), "scanner", h.log, func() time.Time { return now }, scans, scans, h.pipe.SpoolDir
	f, err := Open(door{h.pipe}, o)
	if err != nil {
		return err
	}
	defer f.Close()
	for range 2 {
		if err := f.Sweep(ctx); err != nil {
			return err
		}
		now = now.Add(time.Minute)
	}
	return nil
}

// put writes files into the hot folder of a house that nobody has opened yet.
func put(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	full := filepath.Join(dir, "hot", name)
	if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, b, 0o666); err != nil {
		t.Fatal(err)
	}
}

// sheetOf is a page of a pile: the receipt of a dossier, or (code empty) a paper.
func sheetOf(t *testing.T, seed uint64, code string, barcode bool) []byte {
	t.Helper()
	if code == "" {
		b, err := os.ReadFile(filepath.Join(testneed.Root(t), "testdata/accept/page.jpg"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, receipt(t, rand.New(rand.NewPCG(seed, seed)), code, barcode), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pile joins JPEG pages into a PDF.
func pile(t *testing.T, pages ...[]byte) []byte {
	t.Helper()
	var files []*os.File
	for i, b := range pages {
		name := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if err := os.WriteFile(name, b, 0o666); err != nil {
			t.Fatal(err)
		}
		h, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		files = append(files, h)
	}
	var joined bytes.Buffer
	if err := join(&joined, files, 200); err != nil {
		t.Fatal(err)
	}
	return joined.Bytes()
}

// documents counts the verdicts in the archive, by dossier and kind of verdict.
func documents(t *testing.T, dir string) map[string]int {
	t.Helper()
	out := map[string]int{}
	if err := filepath.WalkDir(filepath.Join(dir, "archive", "dossiers"), func(p string, d fs.DirEntry, err error) error {
		if err == nil && (d.Name() == "record.json" || d.Name() == "rejected.json") {
			out[filepath.Base(filepath.Dir(filepath.Dir(p)))+" "+strings.TrimSuffix(d.Name(), ".json")]++
		}
		return err
	}); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return out
}

// pagesOf is the number of pages of the only document of each dossier.
func pagesOf(t *testing.T, h *house, codes ...dossier.Code) (out []int) {
	t.Helper()
	for _, c := range codes {
		docs, err := h.ledger.Documents(t.Context(), c)
		if err != nil || len(docs) != 1 || docs[0].Record == nil {
			t.Fatalf("%s: %d documents, %v", c, len(docs), err)
		}
		out = append(out, docs[0].Record.Verdict.Pages)
	}
	return out
}

// The whole way on real scans: by name, by folder, by the receipt's QR code on a
// JPEG and by its barcode on a PDF, a bad scan, one that nobody can file.
func TestHouse(t *testing.T) {
	dir := t.TempDir()
	scan := func(name string) []byte {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(testneed.Root(t), "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	put(t, dir, "H51.04-240830-0001.001.pdf", scan("accept/scan-a5-grey.pdf"))
	put(t, dir, "H51.04/H51.04-240830-0001/result/signed.pdf", scan("accept/signed-ec.pdf"))
	put(t, dir, "IMG 0001.jpg", sheetOf(t, 3, "H51.04-240830-0003", false))
	put(t, dir, "result/H51.04-240830-0002.pdf", scan("reject/low-resolution/100-dpi.pdf"))
	put(t, dir, "page.pdf", scan("accept/scan-a5-colour.pdf"))
	put(t, dir, "one.pdf", pile(t, sheetOf(t, 4, "H51.04-240830-0004", true)))
	h, err := openHouse(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := h.sweep(t.Context(), Options{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"done/H51.04-240830-0001.001.pdf", "done/H51.04/H51.04-240830-0001/result/signed.pdf", "done/IMG 0001.jpg", "done/one.pdf",
		"rejected/result/H51.04-240830-0002.pdf", "rejected/result/H51.04-240830-0002.pdf.txt", "tray/page.pdf"} {
		if _, err := os.Stat(filepath.Join(h.hot(), name)); err != nil {
			t.Error(err)
		}
	}
	want := map[string]int{"H51.04-240830-0001 record": 2, "H51.04-240830-0002 rejected": 1, "H51.04-240830-0003 record": 1, "H51.04-240830-0004 record": 1}
	if got := documents(t, dir); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// mixed is a pile of three dossiers: a receipt by QR code with two papers behind
// it, one by barcode with one, one by QR code with one.
func mixed(t *testing.T) []byte {
	return pile(t, sheetOf(t, 11, "H51.04-240830-0011", false), sheetOf(t, 12, "", false), sheetOf(t, 13, "", true),
		sheetOf(t, 14, "H51.04-240830-0012", true), sheetOf(t, 15, "", false),
		sheetOf(t, 16, "H51.04-240830-0013", false), sheetOf(t, 17, "", true))
}

// A pile with three receipts becomes a document of each dossier, with the receipt
// pages or without, also where it comes as a series of JPEG files.
func TestPileHouse(t *testing.T) {
	codes := []dossier.Code{"H51.04-240830-0011", "H51.04-240830-0012", "H51.04-240830-0013"}
	for _, c := range []struct {
		name     string
		receipts bool
		series   bool
		pages    string
	}{{"kept", true, false, "[3 2 2]"}, {"dropped", false, false, "[2 1 1]"}, {"a series, dropped", false, true, "[2 1 1]"}} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			done := []string{"done/pile.pdf"}
			if c.series {
				done = nil
				for i, p := range []struct {
					code    string
					barcode bool
				}{{"H51.04-240830-0011", false}, {"", false}, {"", true}, {"H51.04-240830-0012", true}, {"", false}, {"H51.04-240830-0013", false}, {"", true}} {
					name := fmt.Sprintf("scan_%03d.jpg", i+1)
					put(t, dir, name, sheetOf(t, uint64(11+i), p.code, p.barcode))
					done = append(done, "done/"+name)
				}
			} else {
				put(t, dir, "pile.pdf", mixed(t))
			}
			h, err := openHouse(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := h.close(); err != nil {
					t.Error(err)
				}
			}()
			if err := h.sweep(t.Context(), Options{Receipts: c.receipts, Join: c.series}); err != nil {
				t.Fatal(err)
			}
			for _, name := range done {
				if _, err := os.Stat(filepath.Join(h.hot(), name)); err != nil {
					t.Error(err)
				}
			}
			if got := fmt.Sprint(pagesOf(t, h, codes...)); got != c.pages {
				t.Errorf("pages %s, want %s", got, c.pages)
			}
		})
	}
}

// Killed in the midst of a pile, after each of its parts and again, no part is
// lost and none is there twice.
func TestPileKilled(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "pile.pdf", pile(t, sheetOf(t, 11, "H51.04-240830-0011", false), sheetOf(t, 12, "", false), sheetOf(t, 16, "H51.04-240830-0013", false), sheetOf(t, 17, "", false)))
	total := func() (n int) {
		for _, k := range documents(t, dir) {
			n += k
		}
		return n
	}
	for parts := 0; parts < 2; parts++ { // killed when so many verdicts stand
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), sweepEnv+"="+dir)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for killed := false; !killed; {
			select {
			case err := <-ended:
				t.Fatalf("it ended before it could be killed: %v", err)
			case <-time.After(5 * time.Millisecond):
				entries, err := os.ReadDir(filepath.Join(dir, "archive"))
				if parts > 0 && total() >= parts || parts == 0 && err == nil && len(entries) > 0 {
					if err := cmd.Process.Kill(); err != nil {
						t.Fatal(err)
					}
					<-ended
					killed = true
				}
			}
		}
		if _, err := os.Stat(filepath.Join(dir, "hot", "pile.pdf")); err != nil {
			t.Fatal("the pile was moved before its parts stood:", err)
		}
	}
	h, err := openHouse(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := h.sweep(t.Context(), Options{}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(pagesOf(t, h, "H51.04-240830-0011", "H51.04-240830-0013")); got != "[1 1]" {
		t.Errorf("pages %s", got)
	}
	if n := total(); n != 2 {
		t.Errorf("%d documents", n)
	}
	if _, err := os.Stat(filepath.Join(dir, "hot", "done", "pile.pdf")); err != nil {
		t.Error(err)
	}
}
