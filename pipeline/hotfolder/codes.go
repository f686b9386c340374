package hotfolder

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"

	"github.com/makiuchi-d/gozxing"
	multi "github.com/makiuchi-d/gozxing/multi/qrcode"
	"github.com/makiuchi-d/gozxing/oned"
	"github.com/makiuchi-d/gozxing/qrcode"
	"golang.org/x/image/draw"

	"sohoa/dossier"
)

// ReadCode reads the dossier code off the picture of a page: from a QR code
// (TCVN 7322) or a Code 128 barcode, at any of the four ways up and tilted as
// paper in a feeder is. A page that shows two different dossiers' codes answers
// none: which of them it belongs to, a person must say.
func ReadCode(page image.Image) (dossier.Code, bool) {
	grey := toGrey(page)
	found := map[dossier.Code]bool{}
	note := func(texts []string) {
		for _, t := range texts {
			for _, c := range dossier.FindCodes(t) {
				found[c] = true
			}
		}
	}
	// The cheapest first; what is found ends the search.
	half := scaled(grey, 2)
	for _, try := range []func() []string{
		func() []string { return squares(half) },
		func() []string { return squares(grey) },
		func() []string { return squares(blurred(grey)) },
		func() []string { return stripes(grey, 0) },
		func() []string { return stripes(grey, 5) },
		func() []string { return stripes(grey, -5) },
		func() []string { return stripes(grey, 10) },
		func() []string { return stripes(grey, -10) },
		func() []string { return stripes(blurred(grey), 0) },
		func() []string { return stripes(turned(grey), 0) },
	} {
		if note(try()); len(found) > 0 {
			break
		}
	}
	if len(found) != 1 {
		return "", false
	}
	for c := range found {
		return c, true
	}
	return "", false
}

// squares reads QR codes.
func squares(g *image.Gray) []string {
	var out []string
	hints := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true}
	for _, b := range binarizers(g) {
		bmp, err := gozxing.NewBinaryBitmap(b)
		if err != nil {
			continue
		}
		if results, err := multi.NewQRCodeMultiReader().DecodeMultiple(bmp, hints); err == nil {
			for _, r := range results {
				out = append(out, r.GetText())
			}
		}
		if len(out) == 0 {
			if r, err := qrcode.NewQRCodeReader().Decode(bmp, hints); err == nil {
				out = append(out, r.GetText())
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return out
}

// stripes reads a Code 128 barcode after turning the page by some degrees.
func stripes(g *image.Gray, degrees float64) []string {
	if degrees != 0 {
		g = rotated(g, degrees)
	}
	hints := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true}
	for _, b := range binarizers(g) {
		bmp, err := gozxing.NewBinaryBitmap(b)
		if err != nil {
			continue
		}
		if r, err := oned.NewCode128Reader().Decode(bmp, hints); err == nil {
			return []string{r.GetText()}
		}
	}
	return nil
}

func binarizers(g *image.Gray) []gozxing.Binarizer {
	src := gozxing.NewLuminanceSourceFromImage(g)
	return []gozxing.Binarizer{gozxing.NewHybridBinarizer(src), gozxing.NewGlobalHistgramBinarizer(src)}
}

func toGrey(m image.Image) *image.Gray {
	if g, ok := m.(*image.Gray); ok {
		return g
	}
	g := image.NewGray(image.Rect(0, 0, m.Bounds().Dx(), m.Bounds().Dy()))
	draw.Draw(g, g.Bounds(), m, m.Bounds().Min, draw.Src)
	return g
}

// scaled makes the picture n times smaller, averaging.
func scaled(g *image.Gray, n int) *image.Gray {
	out := image.NewGray(image.Rect(0, 0, g.Bounds().Dx()/n, g.Bounds().Dy()/n))
	draw.ApproxBiLinear.Scale(out, out.Bounds(), g, g.Bounds(), draw.Src, nil)
	return out
}

// blurred evens out noise: each pixel the mean of its 3 × 3.
func blurred(g *image.Gray) *image.Gray {
	w, h := g.Bounds().Dx(), g.Bounds().Dy()
	out := image.NewGray(image.Rect(0, 0, w, h))
	for y := 1; y < h-1; y++ {
		a, b, c := g.Pix[(y-1)*g.Stride:], g.Pix[y*g.Stride:], g.Pix[(y+1)*g.Stride:]
		o := out.Pix[y*out.Stride:]
		for x := 1; x < w-1; x++ {
			sum := int(a[x-1]) + int(a[x]) + int(a[x+1]) + int(b[x-1]) + int(b[x]) + int(b[x+1]) + int(c[x-1]) + int(c[x]) + int(c[x+1])
			o[x] = uint8(sum / 9)
		}
	}
	return out
}

// turned is the picture turned by a right angle.
func turned(g *image.Gray) *image.Gray {
	w, h := g.Bounds().Dx(), g.Bounds().Dy()
	out := image.NewGray(image.Rect(0, 0, h, w))
	for y := range h {
		for x := range w {
			out.Pix[x*out.Stride+h-1-y] = g.Pix[y*g.Stride+x]
		}
	}
	return out
}

// rotated is the picture turned about its middle, on white. It is written out
// because the general routines spend twenty times as long on interfaces.
func rotated(g *image.Gray, degrees float64) *image.Gray {
	w, h := g.Bounds().Dx(), g.Bounds().Dy()
	out := image.NewGray(image.Rect(0, 0, w, h))
	const one = 1 << 16
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	stepX, stepY := int(cos*one), int(-sin*one)
	for y := range h {
		// Where the row's first pixel comes from.
		dx, dy := -float64(w)/2, float64(y)-float64(h)/2
		sx, sy := int((cos*dx+sin*dy+float64(w)/2)*one), int((cos*dy-sin*dx+float64(h)/2)*one)
		o := out.Pix[y*out.Stride:][:w]
		for x := range o {
			ix, iy := sx>>16, sy>>16
			if ix < 0 || iy < 0 || ix >= w-1 || iy >= h-1 {
				o[x] = 255
			} else {
				p := g.Pix[iy*g.Stride+ix:]
				q := g.Pix[(iy+1)*g.Stride+ix:]
				fx, fy := (sx&(one-1))>>8, (sy&(one-1))>>8
				top, bottom := int(p[0])*(256-fx)+int(p[1])*fx, int(q[0])*(256-fx)+int(q[1])*fx
				o[x] = uint8((top*(256-fy) + bottom*fy) >> 16)
			}
			sx, sy = sx+stepX, sy+stepY
		}
	}
	return out
}

// Scan is a file in the hands of a child process: foreign bytes are not touched
// here.
type Scan interface {
	Pages(ctx context.Context, dpi int) (int, error)
	Picture(ctx context.Context, page, dpi int) ([]byte, error)
	Extract(ctx context.Context, first, last, dpi int, out string) error
	Close()
}

// Scans reads codes off pictures of pages: a Finder, and a Pile.
type Scans struct {
	With func(ctx context.Context, path string) (Scan, error) // opens a file
	DPI  int                                                  // of images that state none; 0: 200
}

// Find reads the code off the first page.
func (s Scans) Find(ctx context.Context, path string) (dossier.Code, bool, error) {
	p, err := s.Open(ctx, path)
	if err != nil {
		return "", false, err
	}
	defer p.Close()
	return p.Code(ctx, 1)
}

// Open opens a file for its pages.
func (s Scans) Open(ctx context.Context, path string) (Pages, error) {
	scan, err := s.With(ctx, path)
	if err != nil {
		return nil, err
	}
	return scanPages{scan, cmp.Or(s.DPI, 200)}, nil
}

type scanPages struct {
	Scan
	dpi int
}

func (s scanPages) Count(ctx context.Context) (int, error) { return s.Pages(ctx, s.dpi) }

func (s scanPages) Extract(ctx context.Context, first, last int, out string) error {
	return s.Scan.Extract(ctx, first, last, s.dpi, out)
}

// codeDPI is the resolution at which codes are looked for: what counters scan at.
const codeDPI = 200

func (s scanPages) Code(ctx context.Context, page int) (dossier.Code, bool, error) {
	b, err := s.Picture(ctx, page, codeDPI)
	var bad *dossier.Rejection
	if errors.As(err, &bad) {
		return "", false, nil // it goes to the tray, where a person sees that it is no good
	}
	if err != nil {
		return "", false, err
	}
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return "", false, fmt.Errorf("hot folder: picture of a page: %w", err)
	}
	code, ok := ReadCode(m)
	return code, ok, nil
}
