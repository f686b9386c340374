package pdfa_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	imagedraw "image/draw"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"

	"sohoa/internal/testneed"
	"sohoa/pipeline/pdf/pdfa"
	"sohoa/pipeline/pdf/pdfa/pdfatest"
)

// keptAsOriginal says which of the project's accepted files get no copy.
var keptAsOriginal = map[string]string{
	"born-digital-helvetica.pdf":    "a font that is not embedded",
	"signed-ec.pdf":                 "signed",
	"signed-rsa-pades.pdf":          "signed",
	"signed-twice-born-digital.pdf": "signed",
}

// TestAccepted converts the project's own accepted files. Scans, and what is
// born digital with its fonts, become PDF/A with the same picture; signed files and
// those without their fonts are left alone.
func TestAccepted(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testneed.Root(t), "testdata", "accept", "*"))
	if err != nil || len(files) < 10 {
		t.Fatalf("testdata/accept is nearly empty: %v", err)
	}
	r, out := pdfatest.NewRenderer(t), t.TempDir()
	for _, path := range files {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var copied []byte
			isPDF := filepath.Ext(path) == ".pdf"
			if isPDF {
				_, copied, err = convertForeign(raw)
			} else {
				var w bytes.Buffer
				_, err = pdfa.FromImage(context.Background(), bytes.NewReader(raw), int64(len(raw)), &w, label, 200)
				copied = w.Bytes()
			}
			if why, kept := keptAsOriginal[name]; kept {
				if !errors.Is(err, pdfa.ErrNotConvertible) {
					t.Errorf("got %v, want a refusal: %s", err, why)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := pdfa.Check(bytes.NewReader(copied), int64(len(copied))); err != nil {
				t.Fatal(err)
			}
			pdfatest.WriteFile(t, out, name+".pdf", copied)
			if !isPDF {
				return // what images look like is held against their pixels elsewhere
			}
			a, err := r.Pages(raw, 100, 10)
			if err != nil {
				t.Fatal(err)
			}
			b, err := r.Pages(copied, 100, 10)
			if err != nil || len(a) != len(b) {
				t.Fatalf("%d pages, the copy %d: %v", len(a), len(b), err)
			}
			for i := range a {
				if n, most := pdfatest.Difference(a[i], b[i]); n > 0 {
					t.Errorf("page %d: %d pixels differ, by up to %d", i+1, n, most)
				}
			}
		})
	}
	// JPEGs drawn beside what Go's decoder makes of them: the same picture but
	// for rounding, which shows that CMYK is not inverted and nothing mirrored.
	for _, name := range []string{"cmyk.jpg", "progressive.jpg", "page.jpg"} {
		t.Run("pixels of "+name, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(testneed.Root(t), "testdata", "accept", name))
			if err != nil {
				t.Fatal(err)
			}
			want, err := jpeg.Decode(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			var w bytes.Buffer
			res, err := pdfa.FromImage(context.Background(), bytes.NewReader(raw), int64(len(raw)), &w, label, 200)
			if err != nil || res.Pages != 1 {
				t.Fatal(err)
			}
			got, err := r.Pages(w.Bytes(), 72, 1)
			if err != nil {
				t.Fatal(err)
			}
			if d := brightness(want) - brightness(got[0]); d > 25 || d < -25 {
				t.Errorf("the copy is %.0f brighter than the picture", -d)
			}
		})
	}
	t.Run("veraPDF", func(t *testing.T) { allPass(t, out) })
}

// brightness is the mean of all samples.
func brightness(im image.Image) float64 {
	rgba := image.NewRGBA(im.Bounds())
	imagedraw.Draw(rgba, rgba.Rect, im, im.Bounds().Min, imagedraw.Src)
	sum := 0
	for i := 0; i < len(rgba.Pix); i += 4 {
		sum += int(rgba.Pix[i]) + int(rgba.Pix[i+1]) + int(rgba.Pix[i+2])
	}
	return float64(sum) / float64(len(rgba.Pix)/4*3)
}
