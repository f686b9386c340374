// Command normaliser sets what judging and normalising scans costs beside other
// programs that rewrite PDFs, on the same files in one run: time by the clock and
// of the processor. What is not installed is named and left out.
//
//	go run ./internal/bench/normaliser [-files 30] [-sohoa bin/sohoa]
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"sohoa/dossier"
	"sohoa/internal/program"
	"sohoa/pipeline/pdf"
	"sohoa/pipeline/pdf/pdfa"
)

func main() {
	files := flag.Int("files", 30, "scans, of 1 to 20 pages")
	slow := flag.Int("slow", 3, "of them for OCRmyPDF, which takes seconds a page")
	page := flag.String("page", "testdata/accept/page.jpg", "the JPEG that is each page")
	sohoa := flag.String("sohoa", "bin/sohoa", "the program")
	flag.Parse()
	if err := run(*files, *slow, *page, *sohoa); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(n, slow int, page, sohoa string) error {
	dir, err := os.MkdirTemp("", "sohoa-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	scans, size, pages, err := makeScans(dir, page, n)
	if err != nil {
		return err
	}
	fmt.Printf("%d scans, %d pages, %.1f MB\n\n", n, pages, float64(size)/1e6)
	if err := kinds(scans); err != nil {
		return err
	}

	var rows []row
	few := scans[:min(slow, n)]
	// The digest comes first and last, which shows how steady the machine was.
	for _, job := range []job{
		{"SHA-256, in process", func() error { return each(scans, digest) }},
		{"copy and check, in process", func() error { return each(scans, copyAndCheck()) }},
		{"judge and normalise, one child for all", func() error { return pooled(sohoa, scans, filepath.Join(dir, "copy.pdf")) }},
		{"of that, the child's start and end", onEach(dir, scans[:1], sohoa, "pdf-child")},
		{"sohoa normalise, a process a file", onEach(dir, scans, sohoa, "normalise", "IN", "OUT")},
		{"sha256sum", onEach(dir, scans, "sha256sum", "IN")},
		{"qpdf", onEach(dir, scans, "qpdf", "IN", "OUT")},
		{"mutool clean", onEach(dir, scans, "mutool", "clean", "IN", "OUT")},
		{"Ghostscript, PDF/A", onEach(dir, scans, "gs", "-q", "-dSAFER", "-dBATCH", "-dNOPAUSE", "-dPDFA=2", "-dPDFACompatibilityPolicy=1",
			"-sColorConversionStrategy=RGB", "-sDEVICE=pdfwrite", "-sOutputFile=OUT", "IN")},
		{fmt.Sprintf("judge and normalise the first %d, one child", len(few)), func() error { return pooled(sohoa, few, filepath.Join(dir, "copy.pdf")) }},
		{fmt.Sprintf("OCRmyPDF without OCR, PDF/A, the first %d", len(few)), onEach(dir, few, "ocrmypdf", "-q", "--tesseract-timeout", "0", "--output-type", "pdfa", "IN", "OUT")},
		{"SHA-256, in process, again", func() error { return each(scans, digest) }},
	} {
		r, err := job.measure()
		if errors.Is(err, exec.ErrNotFound) {
			fmt.Printf("left out: %s (not installed)\n", job.name)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", job.name, err)
		}
		rows = append(rows, r)
	}
	fmt.Printf("\n| on the same %d scans | clock s | processor s | processor, × SHA-256 in process |\n|---|---|---|---|\n", n)
	for _, r := range rows {
		fmt.Printf("| %s | %.2f | %.2f | %.1f |\n", r.name, r.clock.Seconds(), r.cpu.Seconds(), float64(r.cpu)/float64(rows[0].cpu))
	}
	return nil
}

// makeScans writes n scans, every page an image of its own.
func makeScans(dir, page string, n int) (paths []string, size int64, pages int, err error) {
	jpg, err := os.ReadFile(page)
	if err != nil {
		return nil, 0, 0, err
	}
	im, err := pdfa.InspectImage(bytes.NewReader(jpg), int64(len(jpg)))
	if err != nil {
		return nil, 0, 0, err
	}
	if len(im.Frames) != 1 || im.Frames[0].DPIX <= 0 || im.Frames[0].DPIY <= 0 {
		return nil, 0, 0, fmt.Errorf("%s: not one page that states its resolution", page)
	}
	for i := range n {
		long := 1 + i*19/max(1, n-1)
		b := scan(jpg, im.Frames[0], long)
		path := filepath.Join(dir, fmt.Sprintf("scan-%02d.pdf", i+1))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return nil, 0, 0, err
		}
		paths, size, pages = append(paths, path), size+int64(len(b)), pages+long
	}
	return paths, size, pages, nil
}

// scan is a PDF as scanners write it. A comment in each JPEG tells the pages apart.
func scan(jpg []byte, f pdfa.Frame, pages int) []byte {
	w, h := f.Width, f.Height
	wide, high := float64(w)*72/f.DPIX, float64(h)*72/f.DPIY
	var b bytes.Buffer
	b.WriteString("%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
	offsets := []int{0, 0}
	begin := func() int {
		offsets = append(offsets, b.Len())
		return len(offsets) - 1
	}
	kids := ""
	for i := range pages {
		data := append([]byte{0xff, 0xd8, 0xff, 0xfe, 0, 6}, binary.BigEndian.AppendUint32(nil, uint32(i))...)
		data = append(data, jpg[2:]...)
		im := begin()
		fmt.Fprintf(&b, "%d 0 obj\n<</Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent 8/ColorSpace/DeviceRGB/Filter/DCTDecode/Length %d>>\nstream\n%s\nendstream\nendobj\n", im, w, h, len(data), data)
		draw := fmt.Sprintf("q %.2f 0 0 %.2f 0 0 cm /Im Do Q", wide, high)
		content := begin()
		fmt.Fprintf(&b, "%d 0 obj\n<</Length %d>>\nstream\n%s\nendstream\nendobj\n", content, len(draw), draw)
		page := begin()
		fmt.Fprintf(&b, "%d 0 obj\n<</Type/Page/Parent 1 0 R/MediaBox[0 0 %.2f %.2f]/Contents %d 0 R/Resources<</XObject<</Im %d 0 R>>>>>>\nendobj\n", page, wide, high, content, im)
		kids += fmt.Sprintf("%d 0 R ", page)
	}
	offsets[1] = b.Len()
	fmt.Fprintf(&b, "1 0 obj\n<</Type/Pages/Count %d/Kids[%s]>>\nendobj\n", pages, kids)
	root := begin()
	fmt.Fprintf(&b, "%d 0 obj\n<</Type/Catalog/Pages 1 0 R>>\nendobj\n", root)
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(offsets))
	for _, o := range offsets[1:] {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d/Root %d 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(offsets), root, at)
	return b.Bytes()
}

type job struct {
	name string
	do   func() error
}

type row struct {
	name       string
	clock, cpu time.Duration
}

func (j job) measure() (row, error) {
	before, began := processor(), time.Now()
	if err := j.do(); err != nil {
		return row{}, err
	}
	return row{j.name, time.Since(began), processor() - before}, nil
}

// processor is the processor time of this process and of the children that ended.
func processor() time.Duration {
	spent := program.Spent()
	return spent[0] + spent[1]
}

func each(paths []string, do func([]byte) error) error {
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if err := do(b); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(p), err)
		}
	}
	return nil
}

func digest(b []byte) error {
	sha256.Sum256(b)
	return nil
}

// copyAndCheck works in memory that one document after another uses, as a child
// does.
func copyAndCheck() func([]byte) error {
	var room []byte
	return func(b []byte) error {
		w := bytes.NewBuffer(room[:0])
		w.Grow(len(b) + 64<<10)
		_, err := pdfa.Convert(context.Background(), pdfa.Memory(b), int64(len(b)), w, pdfa.Label{Title: "bench"})
		if room = w.Bytes(); err != nil {
			return err
		}
		return pdfa.Check(pdfa.Memory(room), int64(len(room)))
	}
}

// pooled judges and normalises as a worker does: in a child that is kept.
func pooled(sohoa string, paths []string, out string) (err error) {
	pool, err := pdf.NewPool(pdf.Options{Executable: []string{sohoa, "pdf-child"}, Children: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	q := pdf.Question{Kind: dossier.Component, Profile: dossier.Profiles()[0], DefaultDPI: 200}
	for _, p := range paths {
		s, err := pool.Open(context.Background(), p)
		if err != nil {
			return err
		}
		if _, err := s.Inspect(context.Background(), q); err != nil {
			return err
		}
		c, err := s.Normalise(context.Background(), out, pdf.Label{Title: "bench"})
		if err != nil {
			return err
		}
		if c.Conforms != dossier.PDFA2b {
			return fmt.Errorf("%s did not become PDF/A", filepath.Base(p))
		}
		s.Close()
	}
	return nil
}

// onEach runs a program on each file, a process each.
func onEach(dir string, paths []string, name string, args ...string) func() error {
	return func() error {
		path, err := exec.LookPath(name)
		if err != nil {
			return err
		}
		out := filepath.Join(dir, "out.pdf")
		for _, p := range paths {
			a := slices.Clone(args)
			for i := range a {
				switch a[i] {
				case "IN":
					a[i] = p
				case "OUT":
					a[i] = out
				case "-sOutputFile=OUT":
					a[i] = "-sOutputFile=" + out
				}
			}
			if err := os.Remove(out); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			var said bytes.Buffer
			cmd := exec.Command(path, a...)
			cmd.Stderr = &said
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("%w: %s", err, said.Bytes()[:min(said.Len(), 300)])
			}
		}
		return nil
	}
}

// kinds prints copy and check beside the digest of the same bytes for each kind of
// scan in testdata, in turns.
func kinds(scans []string) error {
	files := []string{scans[0], scans[len(scans)-1]}
	more, err := filepath.Glob(filepath.Join("testdata", "accept", "scan-*.pdf"))
	if err != nil {
		return err
	}
	fmt.Printf("| kind of scan | MB | copy and check, × SHA-256 of the same bytes (processor, in process) |\n|---|---|---|\n")
	for _, p := range append(files, more...) {
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		again := copyAndCheck()
		var spent [2]time.Duration
		for range max(3, 40<<20/len(b)) {
			for i, do := range []func([]byte) error{digest, again} {
				before := processor()
				if err := do(b); err != nil {
					return fmt.Errorf("%s: %w", filepath.Base(p), err)
				}
				spent[i] += processor() - before
			}
		}
		fmt.Printf("| %s | %.2f | %.1f |\n", filepath.Base(p), float64(len(b))/1e6, float64(spent[1])/float64(spent[0]))
	}
	return nil
}
