package hotfolder

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sohoa/internal/testneed"
)

func jpegPage(t testing.TB, n int) string {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 160+n, 220))
	for i := range m.Pix {
		m.Pix[i] = uint8(i * n)
	}
	m.SetGray(0, 0, color.Gray{uint8(n)})
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func joining(t *testing.T) *place {
	p := newPlace(t)
	p.Folder.Join, p.Folder.Quiet = true, 12*time.Second
	return p
}

func TestSeries(t *testing.T) {
	p := joining(t)
	const dir = "H51-240830-0001/component/"
	for i := 1; i <= 3; i++ {
		p.write(fmt.Sprintf(dir+"scan_%03d.jpg", i), jpegPage(t, i))
	}
	p.settle() // settled, but not yet quiet
	p.write(dir+"scan_004.jpg", jpegPage(t, 4))
	p.write(dir+"H51-240830-0009.jpg", "good, by itself")
	p.settle()
	if len(p.d.taken) != 1 {
		t.Fatalf("taken too early: %d", len(p.d.taken))
	}
	p.settle()
	p.settle()
	p.want("done/"+dir+"scan_001.jpg", "done/"+dir+"scan_002.jpg", "done/"+dir+"scan_003.jpg", "done/"+dir+"scan_004.jpg", "done/"+dir+"H51-240830-0009.jpg")
	if len(p.d.taken) != 2 {
		t.Errorf("%d documents", len(p.d.taken))
	}
	for key, slip := range p.d.taken {
		if slip.FileName == "scan.pdf" {
			for i := 1; i <= 4; i++ {
				if !strings.Contains(key, jpegPage(t, i)) {
					t.Errorf("page %d is not in the document as it is", i)
				}
			}
		}
	}

	// A page is lacking: a person must look.
	p.write(dir+"b1.jpg", jpegPage(t, 1))
	p.write(dir+"b3.jpg", jpegPage(t, 3))
	// One page is no JPEG: the judge's verdict on it is the series'.
	p.write(dir+"c1.jpg", jpegPage(t, 1))
	p.write(dir+"c2.jpg", "bad page")
	// A single page with a number is a series of one.
	p.write(dir+"d07.jpg", "good alone")
	for range 3 {
		p.settle()
	}
	for _, name := range []string{"tray/" + dir + "b1.jpg", "tray/" + dir + "b3.jpg", "rejected/" + dir + "c1.jpg", "rejected/" + dir + "c2.jpg", "rejected/" + dir + "c1.jpg.txt", "done/" + dir + "d07.jpg"} {
		if _, err := os.Stat(filepath.Join(p.dir, name)); err != nil {
			t.Error(err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(p.dir, "rejected/"+dir+"c1.jpg.txt")); err != nil || !strings.Contains(string(b), "Trang 2: ") {
		t.Errorf("%s %v", b, err)
	}
}

// A crash between the moves of a series: what is left is no document of its own.
func TestSeriesMovedByHalf(t *testing.T) {
	p := joining(t)
	var names []string
	for i := 1; i <= 4; i++ {
		names = append(names, fmt.Sprintf("H51-240830-0001 %d.jpg", i))
		p.write(names[i-1], jpegPage(t, i))
	}
	for range 3 {
		p.settle()
	}
	if len(p.d.taken) != 1 {
		t.Fatalf("%d documents", len(p.d.taken))
	}
	// Back to the moment after the note was written and two files were moved.
	for _, n := range names[2:] {
		if err := os.Rename(filepath.Join(p.dir, "done", n), filepath.Join(p.dir, n)); err != nil {
			t.Fatal(err)
		}
	}
	note := fmt.Sprintf(`{"from":["%s"],"to":["done/%s"]}`, strings.Join(names, `","`), strings.Join(names, `","done/`))
	p.write(movesPrefix+"x.json", note)
	p.write(movesPrefix+"y.json.tmp", `{"fro`) // cut off: it never counted
	p.write(names[0], "bad new page of another document, by the same name")
	p.reopen()
	p.Folder.Join, p.Folder.Quiet = true, 12*time.Second
	for range 3 {
		p.settle()
	}
	if len(p.d.taken) != 2 {
		t.Errorf("%d documents", len(p.d.taken))
	}
	p.want("done/"+names[0], "done/"+names[1], "done/"+names[2], "done/"+names[3], "rejected/"+names[0], "rejected/"+names[0]+".txt", movesPrefix+"y.json.tmp")
}

func TestJoin(t *testing.T) {
	base := filepath.Join(testneed.Root(t), "testdata")
	var pages []*os.File
	for _, name := range []string{"accept/page.jpg", "accept/cmyk.jpg", "accept/exif-rotated.jpg", "accept/progressive.jpg", "make/base/grey.jpg"} {
		f, err := os.Open(filepath.Join(base, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		pages = append(pages, f)
	}
	var a, b bytes.Buffer
	for _, w := range []*bytes.Buffer{&a, &b} {
		if err := join(w, pages, 200); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("the same pages give other bytes")
	}
	out := filepath.Join(t.TempDir(), "joined.pdf")
	if err := os.WriteFile(out, a.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	if msg, err := exec.Command(testneed.Tool(t, "qpdf", "apt-get install qpdf"), "--check", out).CombinedOutput(); err != nil {
		t.Errorf("qpdf: %s", msg)
	}
	info, err := exec.Command(testneed.Tool(t, "pdfinfo", "apt-get install poppler-utils"), "-f", "1", "-l", "9", out).CombinedOutput()
	if err != nil {
		t.Fatalf("pdfinfo: %s", info)
	}
	// A5, upright, also the page whose picture lies on its side.
	if n := strings.Count(string(info), "size:"); n != 6 {
		t.Errorf("%s", info)
	}
	for _, line := range strings.Split(string(info), "\n") {
		var n int
		var w, h float64
		if k, _ := fmt.Sscanf(line, "Page %d size: %f x %f", &n, &w, &h); k == 3 && (w < 410 || w > 430 || h < 585 || h > 605) {
			t.Errorf("page %d is %.0f × %.0f points", n, w, h)
		}
	}
	images, err := exec.Command(testneed.Tool(t, "pdfimages", "apt-get install poppler-utils"), "-list", out).CombinedOutput()
	if err != nil {
		t.Fatalf("pdfimages: %s", images)
	}
	if n := strings.Count(string(images), " jpeg "); n != 5 {
		t.Errorf("%s", images)
	}
}

func FuzzJPEGHead(f *testing.F) {
	f.Add([]byte(jpegPage(f, 1)))
	if b, err := os.ReadFile(filepath.Join(testneed.Root(f), "testdata/accept/exif-rotated.jpg")); err == nil {
		f.Add(b[:min(len(b), 4096)])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readJPEGHead(bytes.NewReader(b))
		if err == nil && (h.width <= 0 || h.height <= 0 || h.orientation < 1 || h.orientation > 8 || h.dpi < 0) {
			t.Errorf("%+v", h)
		}
	})
}
