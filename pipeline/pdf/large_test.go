package pdf_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline/pdf"
)

// largeScan writes a scan of so many pages, each with an image of its own.
func largeScan(t testing.TB, pages int) string {
	t.Helper()
	img, err := os.ReadFile(filepath.Join(testneed.Shared(t, "scans"), "page_200dpi_colour.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "large.pdf")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	var at int64
	var offs []int64
	put := func(format string, a ...any) {
		n, err := fmt.Fprintf(w, format, a...)
		if err != nil {
			t.Fatal(err)
		}
		at += int64(n)
	}
	begin := func() {
		offs = append(offs, at)
		put("%d 0 obj\n", len(offs))
	}
	put("%%PDF-1.5\n")
	begin()
	put("<</Type/Catalog/Pages 2 0 R>>\nendobj\n")
	begin()
	put("<</Type/Pages/Count %d/Kids[", pages)
	for i := range pages {
		put("%d 0 R ", 3+3*i)
	}
	put("]>>\nendobj\n")
	const draw = "q 595.3 0 0 841.9 0 0 cm /I Do Q"
	for i := range pages {
		begin()
		put("<</Type/Page/Parent 2 0 R/MediaBox[0 0 595.3 841.9]/Contents %d 0 R/Resources<</XObject<</I %d 0 R>>>>>>\nendobj\n", 4+3*i, 5+3*i)
		begin()
		put("<</Length %d>>\nstream\n%s\nendstream\nendobj\n", len(draw), draw)
		begin()
		// A comment makes each image another one.
		note := fmt.Sprintf("\xff\xfe\x00\x08%06d\xff\xd9", i)
		put("<</Type/XObject/Subtype/Image/Width 1654/Height 2339/BitsPerComponent 8/ColorSpace/DeviceRGB/Filter/DCTDecode/Length %d>>\nstream\n", len(img)-2+len(note))
		put("%s%s\nendstream\nendobj\n", img[:len(img)-2], note)
	}
	x := at
	put("xref\n0 %d\n0000000000 65535 f \n", len(offs)+1)
	for _, o := range offs {
		put("%010d 00000 n \n", o)
	}
	put("trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(offs)+1, x)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLargeScanMemory: a child's memory does not grow with the file. The bound is
// that of the issue: 100 MB for a scan of 140 MB.
func TestLargeScanMemory(t *testing.T) {
	path := largeScan(t, 175)
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if st.Size() < 140<<20 {
		t.Fatalf("the scan has %d bytes only", st.Size())
	}
	pool := newPool(t, pdf.Options{Children: 1})
	s, err := pool.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v, err := s.Inspect(t.Context(), pdf.Question{Kind: dossier.Component})
	if err != nil || v.Pages != 175 || v.MinDPI != 200 {
		t.Fatalf("%+v, %v", v, err)
	}
	if _, err := s.Normalise(t.Context(), filepath.Join(t.TempDir(), "copy.pdf"), pdf.Label{}); err != nil {
		t.Fatal(err)
	}
	peak := peakMemory(t, children(t)[0])
	t.Logf("peak memory of the child on a scan of %d MB: %d MB", st.Size()>>20, peak>>20)
	if peak > 100<<20 {
		t.Error("more than 100 MB")
	}
}

// peakMemory is the most that a process has held.
func peakMemory(t testing.TB, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}
