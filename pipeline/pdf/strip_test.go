package pdf

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"testing"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/math/f64"

	"sohoa/internal/testneed"
)

// TestStripTellsSkew turns a scan by many angles and compares what the first rows
// say with the angle.
func TestStripTellsSkew(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testneed.Shared(t, "scans"), "page_200dpi_colour.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	small := 0
	for deg := -6.0; deg <= 6; deg += 0.5 {
		turned := turn(img, deg)
		_, strip, err := readJPEG(turned, false, nil)
		if err != nil || strip == nil {
			t.Fatal(deg, err)
		}
		if strip.h < (img.Bounds().Dy()/8)/6 {
			small++
		}
		l := strip.look()
		_, whole, err := readJPEG(turned, true, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := whole.look()
		t.Logf("%5.2f°: strip of %d rows of %d says %.1f°, contrast %d; the whole %.1f°, %d", deg, strip.h, whole.h, l.skew, l.contrast, w.skew, w.contrast)
		if math.Abs(l.skew-w.skew) > 1 {
			t.Errorf("%.2f°: the strip says %.1f°, the whole %.1f°", deg, l.skew, w.skew)
		}
		if (math.Abs(l.skew) >= skewedAbove) != (math.Abs(w.skew) >= skewedAbove) && math.Abs(math.Abs(deg)-skewedAbove) > 0.5 {
			t.Errorf("%.2f°: strip and whole disagree about the flag", deg)
		}
		if l.blank || l.contrast < faintBelow {
			t.Errorf("%.2f°: the strip calls the page blank or faint", deg)
		}
	}
	if small == 0 {
		t.Error("nowhere was an eighth enough: the test shows nothing")
	}
}

// turn turns a page about its middle on white paper.
func turn(img image.Image, deg float64) []byte {
	r := img.Bounds()
	dst := image.NewRGBA(r)
	xdraw.Draw(dst, r, image.White, image.Point{}, xdraw.Src)
	sin, cos := math.Sincos(deg * math.Pi / 180)
	cx, cy := float64(r.Dx())/2, float64(r.Dy())/2
	m := f64.Aff3{cos, -sin, cx - cos*cx + sin*cy, sin, cos, cy - sin*cx - cos*cy}
	xdraw.ApproxBiLinear.Transform(dst, m, img, r, xdraw.Over, nil)
	var buf bytes.Buffer
	_ = jpeg.Encode(&buf, dst, &jpeg.Options{Quality: 85}) // a bytes.Buffer takes everything
	return buf.Bytes()
}
