package pdf

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"

	"sohoa/internal/testneed"
)

// seed adds the small files of testdata that match a pattern.
func seed(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join(testneed.Root(f), "testdata", pattern))
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if len(b) < 1<<18 {
			f.Add(b)
		}
	}
}

func FuzzSniff(f *testing.F) {
	for _, s := range []string{"%PDF-1.4\n", "\xff\xd8\xff\xe0", "\x89PNG\r\n\x1a\n", "II*\x00", "MM\x00*", "RIFF....WEBPVP8 ", "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "%\n1 0 obj"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		media, ext, ok := Sniff(b)
		if ok != (media != "") || ok != strings.HasPrefix(ext, ".") {
			t.Errorf("%q, %q, %v", media, ext, ok)
		}
	})
}

// FuzzChildTalk gives a child any bytes for requests: it answers in frames or
// ends.
func FuzzChildTalk(f *testing.F) {
	for _, r := range []request{{Op: opInspect, Path: "/dev/null", Setup: &setup{}}, {Op: opInspect}, {Op: opNormalise}, {Op: opPicture, Page: 1}, {Op: opClose}} {
		var b bytes.Buffer
		if err := writeFrame(&b, r); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Fuzz(func(t *testing.T, b []byte) {
		var out bytes.Buffer
		ChildMain(bytes.NewReader(b), &out)
		for {
			var res response
			if err := readFrame(&out, &res); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("what the child said is no frame: %v", err)
			}
		}
	})
}

// FuzzAnswer gives the parent any bytes for an answer.
func FuzzAnswer(f *testing.F) {
	var b bytes.Buffer
	if err := writeFrame(&b, response{Rejected: &wireRejection{Reason: "damaged"}}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		var res response
		if err := readFrame(bytes.NewReader(b), &res); err == nil {
			_ = res.err()
		}
	})
}

// FuzzLazyReader reads any bytes as a PDF and walks its pages.
func FuzzLazyReader(f *testing.F) {
	model.ConfigPath = "disable"
	seed(f, "accept/*.pdf")
	seed(f, "reject/*/*.pdf")
	lim := Limits{Decoded: 1 << 20}.withDefaults()
	f.Fuzz(func(t *testing.T, b []byte) {
		src, err := lazyReader(io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b))), lim)
		if err != nil {
			return
		}
		pages, err := pageTree(src, 50)
		if err != nil {
			return
		}
		w := newWalker(src, lim)
		w.budget = 100_000
		var buf []byte
		r := reading{src: src, limit: 1 << 20, thorough: true, buf: &buf}
		for _, p := range pages {
			facts, err := w.page(p)
			if err != nil {
				return
			}
			for _, d := range facts.draws {
				_ = d.img.read(r)
			}
			facts.dpi()
		}
		activeContent(src)
		dangling(src)
	})
}

func FuzzContent(f *testing.F) {
	f.Add([]byte("q 595 0 0 842 0 0 cm /I Do Q"))
	f.Add([]byte("BI /W 2 /H 2 /BPC 8 /CS /G ID \x00\x01\x02\x03 EI Q"))
	f.Add([]byte("BT /F 12 Tf 3 Tr (a\\)b) Tj [(x) -12 <4142>] TJ ET"))
	conf := model.Configuration{}
	f.Fuzz(func(t *testing.T, b []byte) {
		src, err := model.NewContext(bytes.NewReader(nil), &conf)
		if err != nil {
			t.Fatal(err)
		}
		w := newWalker(src, Limits{}.withDefaults())
		p := page{media: box{0, 0, 595, 842}, unit: 1}
		facts := &pageFacts{}
		if err := w.run(b, nil, graphics{ctm: identity}, p, facts, 0); err != nil && !errors.Is(err, errBudget) {
			t.Fatal(err)
		}
	})
}

func FuzzReadJPEG(f *testing.F) {
	seed(f, "accept/*.jpg")
	seed(f, "reject/*/*.jpg")
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, thorough := range []bool{false, true} {
			_, th, err := readJPEG(b, thorough, nil)
			if err != nil && !errors.Is(err, errCut) && !errors.Is(err, errBad) {
				t.Fatal(err)
			}
			if th != nil {
				th.look()
			}
		}
	})
}

func FuzzReadFax(f *testing.F) {
	f.Add([]byte{0x26, 0xa0, 0x00, 0x10, 0x01}, -1, 16, 4)
	f.Add([]byte{0x00, 0x1b, 0x35}, 0, 8, 1)
	f.Add([]byte{0x00, 0x18, 0x4d}, 4, 8, 1)
	f.Fuzz(func(t *testing.T, b []byte, k, columns, rows int) {
		if columns > 1<<12 || rows > 1<<12 {
			return
		}
		s := newShrinker(max(columns, 1), max(rows, 1))
		_, err := readFax(b, faxParams{k: k, columns: columns, rows: rows}, s.runs)
		if err != nil && !errors.Is(err, errCut) && !errors.Is(err, errBad) {
			t.Fatal(err)
		}
		s.thumb()
	})
}

func FuzzScanSegments(f *testing.F) {
	f.Add([]byte("\xff\x4f\xff\x51\x00\x29"))
	f.Add([]byte{0, 0, 0, 0, 48, 0, 1, 0, 0, 0, 19})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = scanJPX(b)
		_ = scanJBIG2(b)
	})
}

// FuzzTrace: whatever a child writes to its standard error, the log gets names
// of code only.
func FuzzTrace(f *testing.F) {
	f.Add([]byte("panic: Nguyễn Văn A\n\ngoroutine 1 [running]:\nmain.main()\n\t/x/y/main.go:12 +0x1\n"))
	f.Add([]byte("fatal error: stack overflow\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var tl tail
		if _, err := tl.Write(b); err != nil {
			t.Fatal(err)
		}
		for _, line := range tl.trace() {
			if strings.ContainsAny(line, "\"'\n") || len(line) > 400 {
				t.Errorf("%q goes into the log", line)
			}
		}
	})
}
