package pdfa_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sohoa/internal/testneed"
	"sohoa/pipeline/pdf/pdfa"
)

func scan(b testing.TB, name string) []byte {
	b.Helper()
	raw, err := os.ReadFile(filepath.Join(testneed.Shared(b, "scans"), name))
	if err != nil {
		b.Fatal(err)
	}
	return raw
}

// BenchmarkNormalise sets the conversion of a 0.9 MB colour scan, and the check
// of its copy, beside the SHA-256 of the same bytes.
func BenchmarkNormalise(b *testing.B) {
	raw := scan(b, "c200_01p_01.pdf")
	b.Run("sha256", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		for b.Loop() {
			sha256.Sum256(raw)
		}
	})
	b.Run("Convert", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := pdfa.Convert(context.Background(), bytes.NewReader(raw), int64(len(raw)), io.Discard, label); err != nil {
				b.Fatal(err)
			}
		}
	})
	var w bytes.Buffer
	if _, err := pdfa.Convert(context.Background(), bytes.NewReader(raw), int64(len(raw)), &w, label); err != nil {
		b.Fatal(err)
	}
	b.Run("Check", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			if err := pdfa.Check(bytes.NewReader(w.Bytes()), int64(w.Len())); err != nil {
				b.Fatal(err)
			}
		}
	})
	jpg := scan(b, "page_200dpi_colour.jpg")
	b.Run("FromImage", func(b *testing.B) {
		b.SetBytes(int64(len(jpg)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := pdfa.FromImage(context.Background(), bytes.NewReader(jpg), int64(len(jpg)), io.Discard, label, 200); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// bigScan writes a scan of the pages to a file: the JPEG again and again, each
// an image of its own.
func bigScan(t testing.TB, path string, jpg []byte, pages int) int64 {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var n int64
	var offs []int64
	put := func(format string, a ...any) {
		m, err := fmt.Fprintf(f, format, a...)
		if err != nil {
			t.Fatal(err)
		}
		n += int64(m)
	}
	obj := func(format string, a ...any) {
		offs = append(offs, n)
		put("%d 0 obj\n", len(offs))
		put(format, a...)
		put("\nendobj\n")
	}
	put("%%PDF-1.4\n")
	obj("<</Type /Catalog /Pages 2 0 R>>")
	var kids strings.Builder
	for i := range pages {
		fmt.Fprintf(&kids, "%d 0 R ", 3+3*i)
	}
	obj("<</Type /Pages /Count %d /Kids [%s]>>", pages, kids.String())
	for i := range pages {
		obj("<</Type /Page /Parent 2 0 R /MediaBox [0 0 595.44 841.68] /Contents %d 0 R /Resources <</XObject <</Im %d 0 R>>>>>>", 4+3*i, 5+3*i)
		c := "q 595.44 0 0 841.68 0 0 cm /Im Do Q"
		obj("<</Length %d>>\nstream\n%s\nendstream", len(c), c)
		offs = append(offs, n)
		put("%d 0 obj\n<</Type /XObject /Subtype /Image /Width 1654 /Height 2338 /BitsPerComponent 8 /ColorSpace /DeviceRGB /Filter /DCTDecode /Length %d>>\nstream\n", len(offs), len(jpg))
		m, err := f.Write(jpg)
		if err != nil {
			t.Fatal(err)
		}
		n += int64(m)
		put("\nendstream\nendobj\n")
	}
	start := n
	put("xref\n0 %d\n0000000000 65535 f \n", len(offs)+1)
	for _, o := range offs {
		put("%010d 00000 n \n", o)
	}
	put("trailer\n<</Size %d /Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(offs)+1, start)
	return n
}

// TestMemory converts and checks a scan of 200 pages and some 170 MB, file to
// file. The heap stays far below the size of the file, and far below the
// 100 MB that the whole process may take.
func TestMemory(t *testing.T) {
	dir := t.TempDir()
	src := filepath.Join(dir, "big.pdf")
	size := bigScan(t, src, scan(t, "page_200dpi_colour.jpg"), 200)
	if size < 140<<20 {
		t.Fatalf("the scan has only %d bytes", size)
	}
	in, err := os.Open(src)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(filepath.Join(dir, "copy.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	runtime.GC()
	debug.FreeOSMemory()
	var peak atomic.Uint64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapAlloc))
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	start := time.Now()
	res, err := pdfa.Convert(context.Background(), in, size, out, label)
	if err != nil {
		t.Fatal(err)
	}
	if err := pdfa.Check(out, res.Size); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	close(stop)
	<-done
	if res.Pages != 200 {
		t.Errorf("%d pages", res.Pages)
	}
	if peak.Load() > 32<<20 {
		t.Errorf("heap of %d MB for a file of %d MB", peak.Load()>>20, size>>20)
	}
	t.Logf("%d MB, 200 pages: heap at most %.1f MB, %v for copy and check", size>>20, float64(peak.Load())/(1<<20), took.Round(time.Millisecond))
}

// BenchmarkBatch sets a batch of scans beside the programs people use, each
// started once a file, as a shell loop would. The first is this package in this
// process, file to file.
func BenchmarkBatch(b *testing.B) {
	dir := testneed.Shared(b, "scans")
	files, err := filepath.Glob(filepath.Join(dir, "*.pdf"))
	if err != nil || len(files) == 0 {
		b.Fatalf("no scans: %v", err)
	}
	tmp := b.TempDir()
	dst := filepath.Join(tmp, "out.pdf")
	b.Run("pdfa", func(b *testing.B) {
		for b.Loop() {
			for _, path := range files {
				in, err := os.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				st, err := in.Stat()
				if err != nil {
					b.Fatal(err)
				}
				out, err := os.Create(dst)
				if err != nil {
					b.Fatal(err)
				}
				res, err := pdfa.Convert(context.Background(), in, st.Size(), out, label)
				if err == nil {
					err = pdfa.Check(out, res.Size)
				}
				if err != nil {
					b.Fatal(err)
				}
				in.Close()
				out.Close()
			}
		}
	})
	for _, tool := range []struct {
		name string
		args func(src string) []string
	}{
		{"sha256sum", func(src string) []string { return []string{src} }},
		{"qpdf", func(src string) []string { return []string{src, dst} }},
		{"mutool", func(src string) []string { return []string{"clean", src, dst} }},
		{"gs", func(src string) []string {
			return []string{"-q", "-dPDFA=2", "-dBATCH", "-dNOPAUSE", "-sColorConversionStrategy=RGB", "-sDEVICE=pdfwrite", "-dPDFACompatibilityPolicy=1", "-o", dst, src}
		}},
	} {
		path, err := exec.LookPath(tool.name)
		if err != nil {
			b.Logf("%s is not here", tool.name)
			continue
		}
		b.Run(tool.name, func(b *testing.B) {
			for b.Loop() {
				for _, src := range files {
					if out, err := exec.Command(path, tool.args(src)...).CombinedOutput(); err != nil {
						b.Fatalf("%v: %s", err, out)
					}
				}
			}
		})
	}
}
