package pdfa_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/image/ccitt"
	"golang.org/x/image/webp"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline/pdf/pdfa"
	"sohoa/pipeline/pdf/pdfa/pdfatest"
)

// fromImage converts at 72 dpi where none is stated, so that a pixel is a point.
func fromImage(t testing.TB, b []byte) ([]byte, pdfa.Result) {
	t.Helper()
	var w bytes.Buffer
	res, err := pdfa.FromImage(context.Background(), bytes.NewReader(b), int64(len(b)), &w, label, 72)
	if err != nil {
		t.Fatal(err)
	}
	if res.Size != int64(w.Len()) {
		t.Errorf("said %d bytes, wrote %d", res.Size, w.Len())
	}
	if err := pdfa.Check(bytes.NewReader(w.Bytes()), int64(w.Len())); err != nil {
		t.Fatalf("the copy: %v", err)
	}
	return w.Bytes(), res
}

func noise(seed uint64) pixel {
	return func(x, y, s int) int {
		r := rand.New(rand.NewPCG(seed, uint64(x)<<40|uint64(y)<<16|uint64(s)))
		return int(r.Uint32() & 0xffff)
	}
}

func masked(p pixel, bits int) pixel {
	return func(x, y, s int) int { return p(x, y, s) & (1<<bits - 1) }
}

// TestImages goes through the image formats; what comes out is drawn, compared
// and validated together, because PDFium and Java are slow to start.
func TestImages(t *testing.T) {
	r, out := pdfatest.NewRenderer(t), t.TempDir()
	t.Run("TIFF", func(t *testing.T) { testTIFF(t, r, out) })
	t.Run("PNG", func(t *testing.T) { testPNG(t, r, out) })
	t.Run("JPEG", func(t *testing.T) { testJPEG(t, r, out) })
	t.Run("veraPDF", func(t *testing.T) { allPass(t, out) })
}

// testTIFF writes every layout of a TIFF this package reads, draws the copy at
// one pixel a point, and compares each pixel with what went in.
func testTIFF(t *testing.T, r *pdfatest.Renderer, out string) {
	const w, h = 67, 53
	le, be := binary.ByteOrder(binary.LittleEndian), binary.ByteOrder(binary.BigEndian)
	cases := map[string]tiffShape{
		"grey":                    {order: le, compression: 1, photometric: 1, bits: 8, samples: 1},
		"grey-white-is-zero":      {order: be, compression: 1, photometric: 0, bits: 8, samples: 1},
		"grey-packbits-strips":    {order: be, compression: 32773, photometric: 1, bits: 8, samples: 1, rowsPer: 9},
		"grey-4-bits":             {order: le, compression: 8, photometric: 1, bits: 4, samples: 1, rowsPer: 10},
		"grey-2-bits":             {order: le, compression: 1, photometric: 0, bits: 2, samples: 1},
		"grey-16":                 {order: le, compression: 8, photometric: 1, bits: 16, samples: 1, predictor: true},
		"grey-16-big-endian":      {order: be, compression: 5, photometric: 1, bits: 16, samples: 1, predictor: true, rowsPer: 7},
		"rgb":                     {order: le, compression: 1, photometric: 2, bits: 8, samples: 3},
		"rgb-lzw-predictor":       {order: le, compression: 5, photometric: 2, bits: 8, samples: 3, predictor: true, rowsPer: 16},
		"rgb-deflate-tiles":       {order: be, compression: 8, photometric: 2, bits: 8, samples: 3, tile: 32},
		"rgb-planar":              {order: le, compression: 8, photometric: 2, bits: 8, samples: 3, planar: true, rowsPer: 20},
		"rgb-planar-tiles":        {order: le, compression: 32773, photometric: 2, bits: 8, samples: 3, planar: true, tile: 16},
		"rgb-16":                  {order: le, compression: 8, photometric: 2, bits: 16, samples: 3},
		"rgb-bigtiff":             {order: le, big: true, compression: 8, photometric: 2, bits: 8, samples: 3, rowsPer: 8},
		"rgba":                    {order: le, compression: 8, photometric: 2, bits: 8, samples: 4, extra: true},
		"palette":                 {order: le, compression: 5, photometric: 3, bits: 8, samples: 1},
		"palette-4":               {order: be, compression: 1, photometric: 3, bits: 4, samples: 1},
		"bw-raw":                  {order: le, compression: 1, photometric: 0, bits: 1, samples: 1},
		"bw-raw-black-is-zero":    {order: le, compression: 1, photometric: 1, bits: 1, samples: 1, rowsPer: 5},
		"bw-packbits-tiles":       {order: le, compression: 32773, photometric: 1, bits: 1, samples: 1, tile: 16},
		"bw-g4":                   {order: le, compression: 4, photometric: 0, bits: 1, samples: 1},
		"bw-g4-black-is-zero":     {order: be, compression: 4, photometric: 1, bits: 1, samples: 1},
		"bw-g4-reversed":          {order: le, compression: 4, photometric: 0, bits: 1, samples: 1, reversed: true},
		"bw-g4-strips":            {order: le, compression: 4, photometric: 0, bits: 1, samples: 1, rowsPer: 8},
		"bw-g4-strips-reversed":   {order: le, compression: 4, photometric: 1, bits: 1, samples: 1, rowsPer: 11, reversed: true},
		"bw-g4-tiles":             {order: le, compression: 4, photometric: 0, bits: 1, samples: 1, tile: 16},
		"grey-jpeg":               {order: le, compression: 7, photometric: 1, bits: 8, samples: 1},
		"grey-jpeg-tables":        {order: be, compression: 7, photometric: 1, bits: 8, samples: 1, tables: true},
		"grey-jpeg-strips":        {order: le, compression: 7, photometric: 1, bits: 8, samples: 1, rowsPer: 8},
		"grey-jpeg-strips-tab":    {order: le, compression: 7, photometric: 1, bits: 8, samples: 1, rowsPer: 24, tables: true},
		"ycc-jpeg":                {order: le, compression: 7, photometric: 6, bits: 8, samples: 3},
		"ycc-jpeg-strips":         {order: le, compression: 7, photometric: 6, bits: 8, samples: 3, rowsPer: 16, tables: true},
		"rgb-orientation-2":       {order: le, compression: 1, photometric: 2, bits: 8, samples: 3, orientation: 2},
		"rgb-orientation-3":       {order: le, compression: 1, photometric: 2, bits: 8, samples: 3, orientation: 3},
		"rgb-orientation-4":       {order: le, compression: 1, photometric: 2, bits: 8, samples: 3, orientation: 4},
		"rgb-orientation-5":       {order: le, compression: 1, photometric: 2, bits: 8, samples: 3, orientation: 5},
		"rgb-orientation-6":       {order: le, compression: 1, photometric: 2, bits: 8, samples: 3, orientation: 6},
		"rgb-orientation-7":       {order: le, compression: 1, photometric: 2, bits: 8, samples: 3, orientation: 7},
		"bw-g4-orientation-8":     {order: le, compression: 4, photometric: 0, bits: 1, samples: 1, orientation: 8},
		"bw-g4-several-pages-dpi": {order: le, compression: 4, photometric: 0, bits: 1, samples: 1, dpi: 72},
	}
	for name, sh := range cases {
		t.Run(name, func(t *testing.T) {
			px := []pixel{masked(noise(1), sh.bits)}
			if sh.compression == 7 {
				px[0] = slope // noise does not survive JPEG
			}
			if sh.dpi > 0 {
				px = append(px, masked(noise(2), sh.bits), masked(noise(3), sh.bits))
			}
			raw := makeTIFF(t, w, h, sh, px...)
			im, err := pdfa.InspectImage(bytes.NewReader(raw), int64(len(raw)))
			if err != nil {
				t.Fatal(err)
			}
			if im.Pages() != len(px) || im.MediaType != "image/tiff" || im.Frames[0].Width != w || im.Frames[0].Height != h {
				t.Errorf("found %+v", im)
			}
			copied, res := fromImage(t, raw)
			if res.Pages != len(px) {
				t.Errorf("%d pages, want %d", res.Pages, len(px))
			}
			if unknown := len(res.Findings) > 0; unknown != (sh.dpi == 0) {
				t.Errorf("findings %v with %d dpi stated", res.Findings, sh.dpi)
			}
			pdfatest.WriteFile(t, out, "tiff-"+name+".pdf", copied)
			got, err := r.Pages(copied, 72, 10)
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range px {
				want := expected(w, h, sh, p)
				if n, most := pdfatest.Difference(want, got[i]); most > tolerance(sh) {
					t.Errorf("page %d: %d of %d pixels differ, by up to %d", i+1, n, w*h, most)
				}
			}
		})
	}
}

func slope(x, y, s int) int { return []int{2*x + y, 255 - 3*y, 128}[s] & 0xff }

// tolerance: PDFium composes alpha and cuts 16 bits its own way, by one step.
func tolerance(sh tiffShape) int {
	switch {
	case sh.extra || sh.bits == 16:
		return 1
	case sh.compression == 7 && sh.samples == 1:
		return 6
	case sh.compression == 7:
		return 24
	}
	return 0
}

func allPass(t *testing.T, dir string) {
	t.Helper()
	for name, broken := range pdfatest.VeraPDF(t, dir) {
		if len(broken) > 0 {
			t.Errorf("%s: %v", name, broken)
		}
	}
}

// expected is the picture a TIFF of the shape means.
func expected(w, h int, sh tiffShape, px pixel) *image.RGBA {
	ow, oh := w, h
	if sh.orientation >= 5 {
		ow, oh = h, w
	}
	im := image.NewRGBA(image.Rect(0, 0, ow, oh))
	scale := func(v int) uint8 {
		if sh.bits == 16 {
			return uint8(v >> 8)
		}
		return uint8(v * 255 / (1<<sh.bits - 1))
	}
	for y := range h {
		for x := range w {
			var c color.RGBA
			switch sh.photometric {
			case 0:
				v := 255 - scale(px(x, y, 0))
				c = color.RGBA{v, v, v, 255}
			case 1:
				v := scale(px(x, y, 0))
				c = color.RGBA{v, v, v, 255}
			case 2, 6:
				c = color.RGBA{scale(px(x, y, 0)), scale(px(x, y, 1)), scale(px(x, y, 2)), 255}
				if sh.extra {
					a := int(scale(px(x, y, 3)))
					over := func(v uint8) uint8 { return uint8((int(v)*a + 255*(255-a) + 127) / 255) }
					c = color.RGBA{over(c.R), over(c.G), over(c.B), 255}
				}
			case 3:
				p := palette(sh.bits)[px(x, y, 0)]
				c = color.RGBA{p[0], p[1], p[2], 255}
			}
			dx, dy := x, y
			switch sh.orientation {
			case 2:
				dx = w - 1 - x
			case 3:
				dx, dy = w-1-x, h-1-y
			case 4:
				dy = h - 1 - y
			case 5:
				dx, dy = y, x
			case 6:
				dx, dy = h-1-y, x
			case 7:
				dx, dy = h-1-y, w-1-x
			case 8:
				dx, dy = y, w-1-x
			}
			im.SetRGBA(dx, dy, c)
		}
	}
	return im
}

// TestG4 encodes rows of every kind and reads them back with another decoder.
func TestG4(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(7, seed))
		w, h := 1+r.IntN(3000), 1+r.IntN(40)
		stride := (w + 7) / 8
		rows := make([]byte, stride*h)
		density := r.IntN(4)
		for y := range h {
			black, left := false, 0
			for x := range w {
				if left == 0 {
					black = !black
					left = 1 + r.IntN([]int{2, 20, 300, 3000}[density])
					if y > 0 && r.IntN(2) == 0 {
						// follow the row above, more or less
						above := rows[(y-1)*stride+x/8]>>(7-x%8)&1 == 1
						black = above
						left = 1 + r.IntN(5)
					}
				}
				if black {
					rows[y*stride+x/8] |= 0x80 >> (x % 8)
				}
				left--
			}
		}
		enc := pdfa.EncodeG4(rows, w, h)
		got := make([]byte, len(rows))
		dec := ccitt.NewReader(bytes.NewReader(enc), ccitt.MSB, ccitt.Group4, w, h, &ccitt.Options{Invert: true})
		for at := 0; at < len(got); {
			n, err := dec.Read(got[at:])
			if at += n; err != nil && at < len(got) {
				t.Fatalf("seed %d, %d × %d: %v at %d of %d", seed, w, h, err, at, len(got))
			}
		}
		if !bytes.Equal(got, rows) {
			t.Fatalf("seed %d: %d × %d pixels come back otherwise", seed, w, h)
		}
	}
}

func encodePNG(t testing.TB, im image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, im); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// testPNG compares every pixel of what PNG can say.
func testPNG(t *testing.T, r *pdfatest.Renderer, out string) {
	const w, h = 61, 47
	rect := image.Rect(0, 0, w, h)
	px := noise(5)
	grey, grey16 := image.NewGray(rect), image.NewGray16(rect)
	rgba, nrgba, rgba64 := image.NewRGBA(rect), image.NewNRGBA(rect), image.NewNRGBA64(rect)
	bw := image.NewPaletted(rect, color.Palette{color.Black, color.White})
	pal := image.NewPaletted(rect, nil)
	for i := range 200 {
		pal.Palette = append(pal.Palette, color.RGBA{uint8(i), uint8(255 - i), uint8(i * 3), 255})
	}
	clear := image.NewPaletted(rect, color.Palette{color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 255, 0, 128}, color.NRGBA{0, 0, 255, 0}, color.NRGBA{9, 9, 9, 77}})
	for y := range h {
		for x := range w {
			a, b, c, d := uint8(px(x, y, 0)), uint8(px(x, y, 1)), uint8(px(x, y, 2)), uint8(px(x, y, 3))
			grey.SetGray(x, y, color.Gray{a})
			grey16.SetGray16(x, y, color.Gray16{uint16(px(x, y, 0))})
			rgba.SetRGBA(x, y, color.RGBA{a, b, c, 255})
			nrgba.SetNRGBA(x, y, color.NRGBA{a, b, c, d})
			rgba64.SetNRGBA64(x, y, color.NRGBA64{uint16(px(x, y, 0)), uint16(px(x, y, 1)), uint16(px(x, y, 2)), uint16(px(x, y, 3))})
			bw.SetColorIndex(x, y, a&1)
			pal.SetColorIndex(x, y, a%200)
			clear.SetColorIndex(x, y, a%4)
		}
	}
	for name, im := range map[string]image.Image{"grey": grey, "grey-16": grey16, "rgb": rgba, "rgba": nrgba, "rgba-16": rgba64,
		"bw": bw, "palette": pal, "palette-alpha": clear} {
		t.Run(name, func(t *testing.T) {
			raw := encodePNG(t, im)
			copied, _ := fromImage(t, raw)
			pdfatest.WriteFile(t, out, "png-"+name+".pdf", copied)
			got, err := r.Pages(copied, 72, 1)
			if err != nil {
				t.Fatal(err)
			}
			want := image.NewRGBA(rect)
			for y := range h {
				for x := range w {
					n := color.NRGBAModel.Convert(im.At(x, y)).(color.NRGBA)
					over := func(v uint8) uint8 { return uint8((int(v)*int(n.A) + 255*(255-int(n.A)) + 127) / 255) }
					want.SetRGBA(x, y, color.RGBA{over(n.R), over(n.G), over(n.B), 255})
				}
			}
			if n, most := pdfatest.Difference(want, got[0]); most > 1 || n > 0 && (name == "grey" || name == "rgb" || name == "bw" || name == "palette") {
				t.Errorf("%d pixels differ, by up to %d", n, most)
			}
		})
	}
}

// withExif puts an Exif block with orientation and resolution into a JPEG.
func withExif(jpg []byte, orientation uint16, dpi uint32) []byte {
	var e bytes.Buffer
	e.WriteString("Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x04")
	put := func(id, kind uint16, n, v uint32) {
		_ = binary.Write(&e, binary.BigEndian, []uint16{id, kind})
		_ = binary.Write(&e, binary.BigEndian, []uint32{n, v})
	}
	put(274, 3, 1, uint32(orientation)<<16)
	put(282, 5, 1, 62)
	put(283, 5, 1, 62)
	put(296, 3, 1, 2<<16)
	_ = binary.Write(&e, binary.BigEndian, []uint32{0, dpi, 1})
	out := []byte{0xff, 0xd8, 0xff, 0xe1}
	out = binary.BigEndian.AppendUint16(out, uint16(e.Len()+2))
	out = append(out, e.Bytes()...)
	return append(out, jpg[2:]...)
}

func withJFIF(jpg []byte, dpi uint16) []byte {
	out := []byte{0xff, 0xd8, 0xff, 0xe0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 1}
	out = binary.BigEndian.AppendUint16(out, dpi)
	out = binary.BigEndian.AppendUint16(out, dpi)
	return append(append(out, 0, 0), jpg[2:]...)
}

// testJPEG: the bytes go through untouched, the size is true, the picture is
// upright.
func testJPEG(t *testing.T, r *pdfatest.Renderer, out string) {
	const w, h = 80, 48
	colour, grey := encodeJPEG(t, w, h, false), encodeJPEG(t, w, h, true)
	upright, _ := fromImage(t, colour)
	ref, err := r.Pages(upright, 72, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name        string
		raw         []byte
		orientation int
		dpi         float64
		unknown     bool
	}{
		{"grey", grey, 1, 0, true},
		{"jfif-200", withJFIF(colour, 200), 1, 200, false},
		{"jfif-1", withJFIF(colour, 1), 1, 0, true},
		{"exif-72-is-unknown", withExif(colour, 1, 72), 1, 0, true},
		{"exif-300", withExif(colour, 1, 300), 1, 300, false},
		{"exif-2", withExif(colour, 2, 72), 2, 0, true},
		{"exif-3", withExif(colour, 3, 72), 3, 0, true},
		{"exif-6", withExif(colour, 6, 72), 6, 0, true},
		{"exif-8", withExif(colour, 8, 150), 8, 150, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			im, err := pdfa.InspectImage(bytes.NewReader(c.raw), int64(len(c.raw)))
			if err != nil {
				t.Fatal(err)
			}
			f := im.Frames[0]
			if f.Width != w || f.Height != h || f.Orientation != c.orientation || f.DPIX != c.dpi || f.DPIY != c.dpi {
				t.Errorf("found %+v", f)
			}
			copied, res := fromImage(t, c.raw)
			pdfatest.WriteFile(t, out, "jpeg-"+c.name+".pdf", copied)
			if !bytes.Contains(copied, c.raw) {
				t.Error("the JPEG's bytes are not in the copy")
			}
			if c.unknown != (len(res.Findings) == 1 && res.Findings[0].Flag == dossier.ResolutionUnknown) {
				t.Errorf("findings %v", res.Findings)
			}
			pw, ph := float64(w), float64(h)
			if c.dpi > 0 {
				pw, ph = pw*72/c.dpi, ph*72/c.dpi
			}
			if c.orientation >= 5 {
				pw, ph = ph, pw
			}
			if box := fmt.Sprintf("/MediaBox [0 0 %v %v]", pw, ph); !bytes.Contains(copied, []byte(box)) {
				t.Errorf("the page is not of true size: no %s", box)
			}
			if c.dpi > 0 {
				return // fractions of a point: not to be compared pixel by pixel
			}
			got, err := r.Pages(copied, 72, 1)
			if err != nil {
				t.Fatal(err)
			}
			if c.name == "grey" {
				return
			}
			want := expected(w, h, tiffShape{photometric: 2, bits: 8, orientation: c.orientation}, func(x, y, s int) int {
				return int(ref[0].Pix[ref[0].PixOffset(x, y)+s])
			})
			if n, most := pdfatest.Difference(want, got[0]); n > 0 {
				t.Errorf("%d pixels differ, by up to %d", n, most)
			}
		})
	}
}

// TestCutImages cuts every kind of image file at every tenth of its length and
// near its end: none is taken for whole.
func TestCutImages(t *testing.T) {
	le := binary.ByteOrder(binary.LittleEndian)
	px := masked(noise(9), 8)
	files := map[string][]byte{
		"jpeg":      encodeJPEG(t, 200, 150, false),
		"png":       encodePNG(t, expected(90, 70, tiffShape{photometric: 2, bits: 8}, px)),
		"tiff-raw":  makeTIFF(t, 90, 70, tiffShape{order: le, compression: 1, photometric: 2, bits: 8, samples: 3, rowsPer: 10}, px),
		"tiff-zip":  makeTIFF(t, 90, 70, tiffShape{order: le, compression: 8, photometric: 2, bits: 8, samples: 3}, px, px),
		"tiff-g4":   makeTIFF(t, 90, 70, tiffShape{order: le, compression: 4, photometric: 0, bits: 1, samples: 1}, masked(px, 1)),
		"tiff-tile": makeTIFF(t, 90, 70, tiffShape{order: le, compression: 5, photometric: 1, bits: 8, samples: 1, tile: 32}, px),
	}
	if dir, err := filepath.Glob(filepath.Join(testneed.Shared(t, "scans"), "*")); err == nil {
		for _, path := range dir {
			switch filepath.Ext(path) {
			case ".jpg", ".png", ".tif":
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				files[filepath.Base(path)] = b
			}
		}
	}
	for name, b := range files {
		if _, err := pdfa.InspectImage(bytes.NewReader(b), int64(len(b))); err != nil {
			t.Fatalf("%s whole: %v", name, err)
		}
		for i := range 10 {
			cutAt(t, name, b, len(b)*i/10)
		}
		for _, n := range []int{1, 2, 3, 5, 9, 40} {
			cutAt(t, name, b, len(b)-n)
		}
	}
}

func cutAt(t *testing.T, name string, b []byte, n int) {
	t.Helper()
	var w bytes.Buffer
	_, err := pdfa.FromImage(context.Background(), bytes.NewReader(b[:n]), int64(n), &w, label, 200)
	var r *dossier.Rejection
	if !errors.As(err, &r) {
		t.Errorf("%s cut to %d of %d bytes: %v", name, n, len(b), err)
		return
	}
	switch r.Reason {
	case dossier.Truncated, dossier.Damaged, dossier.NotADocument:
	default:
		t.Errorf("%s cut to %d of %d bytes: %s", name, n, len(b), r.Reason)
	}
}

// TestWebP: PDF knows no WebP, so its pixels are kept without loss.
func TestWebP(t *testing.T) {
	// 1 × 1 pixel, lossless
	raw := []byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00")
	want, err := webp.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	im, err := pdfa.InspectImage(bytes.NewReader(raw), int64(len(raw)))
	if err != nil || im.MediaType != "image/webp" || im.Pages() != 1 || im.Frames[0].Width != want.Bounds().Dx() {
		t.Fatalf("found %+v, %v", im, err)
	}
	// one pixel at 24 dpi is a page of three points, the smallest there may be
	var w bytes.Buffer
	if _, err := pdfa.FromImage(context.Background(), bytes.NewReader(raw), int64(len(raw)), &w, label, 24); err != nil {
		t.Fatal(err)
	}
	if err := pdfa.Check(bytes.NewReader(w.Bytes()), int64(w.Len())); err != nil {
		t.Fatal(err)
	}
	for n := range raw {
		cutAt(t, "webp", raw, n)
	}
}

func TestNotAnImage(t *testing.T) {
	for _, b := range [][]byte{nil, []byte("hello"), []byte("%PDF-1.7\n"), []byte("II*\x00"), {0xff, 0xd8, 0xff}} {
		_, err := pdfa.InspectImage(bytes.NewReader(b), int64(len(b)))
		var r *dossier.Rejection
		if !errors.As(err, &r) {
			t.Errorf("%q: %v", b, err)
		}
	}
}

// failing is a source that breaks.
type failing struct {
	*bytes.Reader
	after int64
}

var errBroken = errors.New("the disk is gone")

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.after {
		return 0, errBroken
	}
	return f.Reader.ReadAt(p, off)
}

// TestBrokenSource: what is not the file's fault is never said to be.
func TestBrokenSource(t *testing.T) {
	files := map[string][]byte{"jpeg": encodeJPEG(t, 400, 300, false), "png": encodePNG(t, expected(190, 170, tiffShape{photometric: 2, bits: 8}, masked(noise(3), 8))),
		"tiff": makeTIFF(t, 90, 70, tiffShape{order: binary.LittleEndian, compression: 8, photometric: 2, bits: 8, samples: 3}, masked(noise(3), 8))}
	for name, b := range files {
		for i := range 8 {
			after := int64(len(b) * i / 8)
			t.Run(fmt.Sprintf("%s/%d", name, after), func(t *testing.T) {
				var w bytes.Buffer
				_, err := pdfa.FromImage(context.Background(), failing{bytes.NewReader(b), after}, int64(len(b)), &w, label, 200)
				var r *dossier.Rejection
				if err == nil || errors.As(err, &r) || !errors.Is(err, errBroken) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}
