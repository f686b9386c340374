package hotfolder

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
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

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "pdf-child" {
		os.Exit(pdf.ChildMain(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
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

// The whole way on real scans: by name, by folder, by the receipt's QR code on a
// JPEG and on a PDF, a bad scan, one that nobody can file.
func TestHouse(t *testing.T) {
	dir := t.TempDir()
	ctx := t.Context()
	log := zerolog.New(os.Stderr).Level(zerolog.ErrorLevel)
	store, err := disk.Open(filepath.Join(dir, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(ctx, "sqlite:"+filepath.Join(dir, "ledger.db"), ledger.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := l.ImportUnits(ctx, []dossier.Unit{{Code: "H51", Name: "Tỉnh", Level: dossier.Province}, {Code: "H51.04", Name: "Sở", Level: dossier.Department, Parent: "H51"}}); err != nil {
		t.Fatal(err)
	}
	judge, err := pdf.NewPool(pdf.Options{Executable: []string{"/proc/self/exe", "pdf-child"}, Children: 2, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer judge.Close()
	pipe := pipeline.New(pipeline.Options{Store: store, Ledger: l, Judge: judge, SpoolDir: store.SpoolDir(),
		Profile: func(d dossier.Date) dossier.Profile { return dossier.ProfileFor(d) },
		Limit:   64 << 20, DPI: 200, Tool: "sohoa test", Now: time.Now, Log: log})
	working, stop := context.WithCancel(context.Background())
	worked := make(chan error, 1)
	go func() { worked <- l.Work(working, ledger.WorkOptions{Workers: 2, Timeout: time.Minute}, pipe.Process) }()
	defer func() {
		stop()
		if err := <-worked; err != nil {
			t.Error(err)
		}
	}()

	hot := filepath.Join(dir, "hot")
	put := func(name string, b []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(hot, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(hot, name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	scan := func(name string) []byte {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(testneed.Root(t), "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, receipt(t, rand.New(rand.NewPCG(3, 3)), "H51.04-240830-0003", false), nil); err != nil {
		t.Fatal(err)
	}
	put("H51.04-240830-0001.001.pdf", scan("accept/scan-a5-grey.pdf"))
	put("H51.04/H51.04-240830-0001/result/signed.pdf", scan("accept/signed-ec.pdf"))
	put("IMG 0001.jpg", photo.Bytes())
	put("result/H51.04-240830-0002.pdf", scan("reject/low-resolution/100-dpi.pdf"))
	put("page.pdf", scan("accept/scan-a5-colour.pdf"))

	page := filepath.Join(dir, "page.jpg")
	photo.Reset()
	if err := jpeg.Encode(&photo, receipt(t, rand.New(rand.NewPCG(4, 4)), "H51.04-240830-0004", true), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(page, photo.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	h, err := os.Open(page)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	var joined bytes.Buffer
	if err := join(&joined, []*os.File{h}, 200); err != nil {
		t.Fatal(err)
	}
	put("pile.pdf", joined.Bytes())

	now := time.Now()
	f, err := Open(door{pipe}, Options{Dir: hot, By: "scanner", Log: log, Now: func() time.Time { return now },
		Finder: Pictures{Draw: func(ctx context.Context, path string, page, dpi int) ([]byte, error) {
			s, err := judge.Open(ctx, path)
			if err != nil {
				return nil, err
			}
			defer s.Close()
			return s.Picture(ctx, page, dpi)
		}}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 2 {
		if err := f.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
	}
	for _, name := range []string{"done/H51.04-240830-0001.001.pdf", "done/H51.04/H51.04-240830-0001/result/signed.pdf", "done/IMG 0001.jpg", "done/pile.pdf",
		"rejected/result/H51.04-240830-0002.pdf", "rejected/result/H51.04-240830-0002.pdf.txt", "tray/page.pdf"} {
		if _, err := os.Stat(filepath.Join(hot, name)); err != nil {
			t.Error(err)
		}
	}
	documents := map[string]int{}
	if err := filepath.WalkDir(filepath.Join(dir, "archive", "dossiers"), func(p string, d fs.DirEntry, err error) error {
		if err == nil && (d.Name() == "record.json" || d.Name() == "rejected.json") {
			documents[filepath.Base(filepath.Dir(filepath.Dir(p)))+" "+strings.TrimSuffix(d.Name(), ".json")]++
		}
		return err
	}); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for want, n := range map[string]int{"H51.04-240830-0001 record": 2, "H51.04-240830-0002 rejected": 1, "H51.04-240830-0003 record": 1, "H51.04-240830-0004 record": 1} {
		if documents[want] != n {
			t.Errorf("%s: %d, want %d (%v)", want, documents[want], n, documents)
		}
	}
}
