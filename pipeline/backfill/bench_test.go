package backfill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sohoa/dossier"
	"sohoa/internal/program"
	"sohoa/internal/testneed"
	"sohoa/pipeline"
	"sohoa/pipeline/sheet"
	"sohoa/storage/ledger"
)

// swallow is a door that keeps nothing.
type swallow struct{}

func (swallow) Submit(_ context.Context, s dossier.Slip, body io.ReadSeeker, _ int64) (dossier.Standing, error) {
	_, err := io.Copy(io.Discard, body)
	return dossier.Standing{Intake: dossier.Intake{ID: "0192e4a0-0000-7000-8000-" + string(s.Dossier[len(s.Dossier)-12:])}, State: dossier.Stored}, err
}

func (swallow) Standing(_ context.Context, id string) (dossier.Standing, error) {
	return dossier.Standing{Intake: dossier.Intake{ID: id}, State: dossier.Stored}, nil
}

// rowsFile is a manifest of any length over the same ten files.
func rowsFile(t testing.TB, dir string, n int) *sheet.Sheet {
	t.Helper()
	var b strings.Builder
	b.WriteString(manifestHeader)
	for i := range n {
		fmt.Fprintf(&b, "%d.pdf,H51.04-240830-%012d,component,,,,Giấy tờ,2024-08-30,,,\n", i%10, i)
	}
	name := filepath.Join(dir, "manifest.csv")
	if err := os.WriteFile(name, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sheet.Open("manifest.csv", f, int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = s.Close(), f.Close() })
	return s
}

// From 1,000 to 100,000 rows memory grows by the journal's index only.
func TestMemoryStaysFlat(t *testing.T) {
	dir := t.TempDir()
	for i := range 10 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.pdf", i)), plainFile(i), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	heap := func(n int) uint64 {
		top := uint64(0)
		rows := 0
		_, err := Run(t.Context(), rowsFile(t, dir, n), swallow{}, Options{Root: root, By: "x", Journal: journal(t, t.TempDir()),
			Progress: func(Progress) {
				if rows++; rows%(n/4) == 0 {
					var m runtime.MemStats
					runtime.GC()
					runtime.ReadMemStats(&m)
					top = max(top, m.HeapAlloc)
				}
			}})
		if err != nil {
			t.Fatal(err)
		}
		return top
	}
	small, large := heap(1000), heap(100_000)
	t.Logf("heap at 1,000 rows: %d KB, at 100,000: %d KB", small>>10, large>>10)
	if large > small+(8<<20) {
		t.Errorf("heap grew from %d to %d bytes", small, large)
	}
}

// BenchmarkBackfill is the whole way (real scans of 265 and 855 KB, directory store,
// SQLite, no counter open) beside plain durable copies in the same run: of the same files one after
// the other into one folder, of the same files as many at once as the backfill has
// in flight, each into folders of its own as the archive has them, and so of all
// that the archive then holds (original, archive copy and record of each), which
// is what a backfill that neither looks nor counts would have to do.
func BenchmarkBackfill(b *testing.B) {
	for _, name := range []string{"scan-a5-grey.pdf", "scan-a4-colour-linearised.pdf"} {
		b.Run(name, func(b *testing.B) { benchmarkBackfill(b, name) })
	}
}

func benchmarkBackfill(b *testing.B, name string) {
	scan, err := os.ReadFile(filepath.Join(testneed.Root(b), "testdata/accept", name))
	if err != nil {
		b.Fatal(err)
	}
	const n = 500
	var flat, alike, objects, filling time.Duration
	var used [2]time.Duration
	var mu sync.Mutex
	spent := map[string]time.Duration{}
	observe := func(_ context.Context, o pipeline.Observation) {
		mu.Lock()
		defer mu.Unlock()
		spent[o.Stage] += o.End.Sub(o.Start)
	}
	for b.Loop() {
		dir := b.TempDir()
		files := filepath.Join(dir, "files")
		if err := os.Mkdir(files, 0o777); err != nil {
			b.Fatal(err)
		}
		var text strings.Builder
		text.WriteString(manifestHeader)
		for i := range n {
			if err := os.WriteFile(filepath.Join(files, scanName(i)), append(bytes.Clone(scan), fmt.Sprintf("%%%d\n", i)...), 0o666); err != nil {
				b.Fatal(err)
			}
			fmt.Fprintf(&text, "%s,H51.04-240830-%04d,component,,,,,,,,\n", scanName(i), i)
		}
		if err := os.WriteFile(filepath.Join(dir, "manifest.csv"), []byte(text.String()), 0o666); err != nil {
			b.Fatal(err)
		}
		var toFlat, toAlike []paths
		for i := range n {
			toFlat = append(toFlat, paths{filepath.Join(files, scanName(i)), filepath.Join(dir, "flat", scanName(i))})
			toAlike = append(toAlike, paths{filepath.Join(files, scanName(i)),
				filepath.Join(dir, "alike", "dossiers", "H51.04", fmt.Sprintf("H51.04-240830-%04d", i), fmt.Sprintf("%036d", i), "original.pdf")})
		}
		flat += copyAll(b, toFlat, 1)
		alike += copyAll(b, toAlike, Alone())

		h, err := openHouse(dir, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := units(h.ledger); err != nil {
			b.Fatal(err)
		}
		h.close()
		before := program.Spent()
		start := time.Now()
		if err := backfillIn(dir, observe); err != nil {
			b.Fatal(err)
		}
		filling += time.Since(start)
		objects += copyAll(b, objectsIn(b, filepath.Join(dir, "archive"), filepath.Join(dir, "objects")), Alone())
		for i, d := range program.Spent() {
			used[i] += d - before[i]
		}
	}
	rows := float64(b.N * n)
	b.ReportMetric(1000*used[0].Seconds()/rows, "cpu-ms/row")
	b.ReportMetric(1000*used[1].Seconds()/rows, "children-ms/row")
	b.ReportMetric(rows/flat.Seconds(), "copies/s")
	b.ReportMetric(rows/alike.Seconds(), "copies-alike/s")
	b.ReportMetric(rows/filling.Seconds(), "rows/s")
	b.ReportMetric(100*flat.Seconds()/filling.Seconds(), "%of-copy")
	b.ReportMetric(100*alike.Seconds()/filling.Seconds(), "%of-copy-alike")
	b.ReportMetric(rows/objects.Seconds(), "rows-of-objects-copied/s")
	b.ReportMetric(100*objects.Seconds()/filling.Seconds(), "%of-copying-the-objects")
	b.ReportMetric(100*flat.Seconds()/objects.Seconds(), "%of-copy-that-copying-the-objects-reaches")
	// The share of each stage in the time documents spent in all of them, waiting
	// for the disk and for each other included.
	var all time.Duration
	for _, d := range spent {
		all += d
	}
	for stage, d := range spent {
		b.ReportMetric(100*d.Seconds()/all.Seconds(), "%in-"+stage)
	}
	b.ReportMetric(0, "ns/op")
}

func scanName(i int) string { return fmt.Sprintf("%05d.pdf", i) }

// paths are a file and where it is copied to.
type paths struct{ from, to string }

// objectsIn lists the archive's objects, to be copied into another folder.
func objectsIn(b *testing.B, archive, to string) (all []paths) {
	b.Helper()
	err := filepath.WalkDir(archive, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir // the spool
		case d.Type().IsRegular():
			all = append(all, paths{name, filepath.Join(to, strings.TrimPrefix(name, archive))})
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return all
}

// copyAll copies the files durably, so many at once, and says how long it took.
func copyAll(b *testing.B, files []paths, atOnce int) time.Duration {
	b.Helper()
	start := time.Now()
	var next atomic.Int64
	var g errgroup.Group
	for range atOnce {
		g.Go(func() error {
			for i := int(next.Add(1) - 1); i < len(files); i = int(next.Add(1) - 1) {
				if err := makeDurably(filepath.Dir(files[i].to)); err != nil {
					return err
				}
				if err := durableCopy(files[i].from, files[i].to); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// makeDurably makes the folder and those above it.
func makeDurably(dir string) error {
	err := os.Mkdir(dir, 0o777)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		if err := makeDurably(filepath.Dir(dir)); err != nil {
			return err
		}
		return makeDurably(dir)
	case err != nil:
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func units(l *ledger.Ledger) error {
	_, err := l.ImportUnits(context.Background(), []dossier.Unit{{Code: "H51", Name: "Tỉnh", Level: dossier.Province},
		{Code: "H51.04", Name: "Sở", Level: dossier.Department, Parent: "H51"}})
	return err
}

// durableCopy is what cp, sync and rename do.
func durableCopy(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to + ".tmp")
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	if err := os.Rename(to+".tmp", to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
