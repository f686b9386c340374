package pdfa

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io"

	"sohoa/dossier"
)

type pngInfo struct {
	width, height int
	bits          int
	kind          byte // colour type
	interlaced    bool
	palette       []byte
	trns          []byte
	icc           []byte
	dpiX, dpiY    float64
	idat          []span
	idatSize      int64
	orientation   int
}

type span struct{ at, n int64 }

var errPNG = errors.New("damaged PNG")

// readPNG walks the chunks and checks their checksums. whole is false where the
// file ends before IEND.
func readPNG(r io.ReaderAt, size int64) (p pngInfo, whole bool, err error) {
	p.orientation = 1
	br := bufio.NewReaderSize(io.NewSectionReader(r, 8, size-8), 64<<10)
	pos := int64(8)
	buf := make([]byte, 32<<10)
	for n := 0; ; n++ {
		var h [8]byte
		if _, err := io.ReadFull(br, h[:]); err != nil {
			return p, false, ended(err)
		}
		length, kind := int64(binary.BigEndian.Uint32(h[:])), string(h[4:])
		if length > 1<<31-1 {
			return p, false, fmt.Errorf("%w: chunk length", errPNG)
		}
		if n == 0 && kind != "IHDR" {
			return p, false, fmt.Errorf("%w: no header", errPNG)
		}
		sum := crc32.NewIEEE()
		sum.Write(h[4:])
		var keep *bytes.Buffer
		switch kind {
		case "IHDR", "PLTE", "tRNS", "pHYs", "iCCP", "eXIf":
			if length > maxProfile {
				return p, false, fmt.Errorf("%w: chunk %s too long", errPNG, kind)
			}
			keep = new(bytes.Buffer)
		}
		for left := length; left > 0; {
			m, err := br.Read(buf[:min(left, int64(len(buf)))])
			if m == 0 && err != nil {
				return p, false, ended(err)
			}
			sum.Write(buf[:m])
			if keep != nil {
				keep.Write(buf[:m])
			}
			left -= int64(m)
		}
		var crc [4]byte
		if _, err := io.ReadFull(br, crc[:]); err != nil {
			return p, false, ended(err)
		}
		if binary.BigEndian.Uint32(crc[:]) != sum.Sum32() && kind[0]&0x20 == 0 {
			return p, false, fmt.Errorf("%w: checksum of %s", errPNG, kind)
		}
		if kind == "IDAT" {
			p.idat = append(p.idat, span{pos + 8, length})
			p.idatSize += length
		}
		if kind == "IEND" {
			return p, true, nil
		}
		if keep != nil {
			if err := p.chunk(kind, keep.Bytes()); err != nil {
				return p, false, err
			}
		}
		pos += 12 + length
	}
}

// ended is nil at the end of the file and the error otherwise.
func ended(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return sourceError{fmt.Errorf("reading the image: %w", err)}
}

func (p *pngInfo) chunk(kind string, b []byte) error {
	switch kind {
	case "IHDR":
		if len(b) != 13 {
			return fmt.Errorf("%w: header", errPNG)
		}
		w, h := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
		if w == 0 || h == 0 || w > 1<<24 || h > 1<<24 {
			return fmt.Errorf("%w: %d × %d pixels", errPNG, w, h)
		}
		p.width, p.height, p.bits, p.kind, p.interlaced = int(w), int(h), int(b[8]), b[9], b[12] == 1
		ok := false
		switch p.kind {
		case 0:
			ok = p.bits == 1 || p.bits == 2 || p.bits == 4 || p.bits == 8 || p.bits == 16
		case 3:
			ok = p.bits == 1 || p.bits == 2 || p.bits == 4 || p.bits == 8
		case 2, 4, 6:
			ok = p.bits == 8 || p.bits == 16
		}
		if !ok || b[10] != 0 || b[11] != 0 || b[12] > 1 {
			return fmt.Errorf("%w: colour type %d of %d bits", errPNG, p.kind, p.bits)
		}
	case "PLTE":
		if len(b)%3 != 0 || len(b) > 768 {
			return fmt.Errorf("%w: palette", errPNG)
		}
		p.palette = b
	case "tRNS":
		p.trns = b
	case "pHYs":
		if len(b) == 9 && b[8] == 1 {
			p.dpiX, p.dpiY = saneBoth(float64(binary.BigEndian.Uint32(b))*0.0254, float64(binary.BigEndian.Uint32(b[4:]))*0.0254)
		}
	case "iCCP":
		if i := bytes.IndexByte(b, 0); i >= 0 && i+2 < len(b) {
			if prof, err := inflate(b[i+2:]); err == nil {
				p.icc = prof
			}
		}
	case "eXIf":
		o, x, y := readExif(b)
		p.orientation = o
		if p.dpiX == 0 {
			p.dpiX, p.dpiY = x, y
		}
	}
	return nil
}

// samples is the number of samples of a pixel, alpha among them.
func (p pngInfo) samples() int { return map[byte]int{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[p.kind] }

func (p pngInfo) rowBytes() int { return (p.width*p.samples()*p.bits + 7) / 8 }

// promised is the number of bytes the pixels inflate to.
func (p pngInfo) promised() int64 {
	if !p.interlaced {
		return int64(p.height) * int64(1+p.rowBytes())
	}
	var n int64
	for _, a := range [7][4]int{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}} {
		w, h := (p.width-a[0]+a[2]-1)/a[2], (p.height-a[1]+a[3]-1)/a[3]
		if w > 0 && h > 0 {
			n += int64(h) * int64(1+(w*p.samples()*p.bits+7)/8)
		}
	}
	return n
}

func (p pngInfo) data(r io.ReaderAt) io.Reader {
	var rs []io.Reader
	for _, s := range p.idat {
		rs = append(rs, io.NewSectionReader(r, s.at, s.n))
	}
	return io.MultiReader(rs...)
}

func openPNG(r io.ReaderAt, size int64) ([]picture, error) {
	p, whole, err := readPNG(r, size)
	if err != nil {
		if errors.Is(err, errPNG) {
			return nil, damagedImage("%v", err)
		}
		return nil, err
	}
	if !whole {
		return nil, truncated("no end of image")
	}
	if p.width == 0 || p.kind == 3 && len(p.palette) == 0 {
		return nil, damagedImage("PNG without header or palette")
	}
	if p.width > maxSide || p.height > maxSide || int64(p.width)*int64(p.height) > maxPixels {
		return nil, rejected(dossier.TooLarge, "ảnh quá lớn", "too many pixels", nil)
	}
	z, err := zlib.NewReader(bufio.NewReaderSize(p.data(r), 64<<10))
	if err != nil {
		return nil, damagedImage("PNG data: %v", err)
	}
	n, err := io.Copy(io.Discard, io.LimitReader(z, p.promised()+1))
	switch {
	case err == io.ErrUnexpectedEOF || err == nil && n < p.promised():
		return nil, truncated(fmt.Sprintf("%d of %d bytes of pixels", n, p.promised()))
	case err != nil:
		if isSourceError(err) {
			return nil, err
		}
		return nil, damagedImage("PNG data: %v", err)
	}
	pic := picture{Frame: Frame{Width: p.width, Height: p.height, DPIX: p.dpiX, DPIY: p.dpiY, Bits: p.bits,
		Components: 3, Orientation: p.orientation, Colour: dossier.FullColour, Coding: "PNG", Alpha: p.kind >= 4 || p.trns != nil}}
	switch {
	case (p.kind == 0 || p.kind == 3) && p.bits == 1:
		pic.Components, pic.Colour = 1, dossier.BlackWhite
		if p.kind == 3 && !greyPalette(p.palette) {
			pic.Components, pic.Colour = 3, dossier.FullColour
		}
	case p.kind == 0 || p.kind == 4 || p.kind == 3 && greyPalette(p.palette):
		pic.Components, pic.Colour = 1, dossier.Grey
	}
	if p.interlaced && int64(p.width)*int64(p.height) > maxWhole {
		pic.stop = refuse("an interlaced PNG of %d × %d pixels", p.width, p.height)
	}
	pic.write = func(w *imageWriter) (ref, error) { return w.png(p, r, size) }
	return []picture{pic}, nil
}

func greyPalette(p []byte) bool {
	for i := 0; i+2 < len(p); i += 3 {
		if p[i] != p[i+1] || p[i] != p[i+2] {
			return false
		}
	}
	return true
}

// png writes a PNG: its compressed data as they are where PDF can read them,
// which is wherever there is neither alpha in the pixels nor interlacing.
func (w *imageWriter) png(p pngInfo, r io.ReaderAt, size int64) (ref, error) {
	d := dict{"Width": p.width, "Height": p.height, "BitsPerComponent": p.bits}
	if p.interlaced {
		return w.interlaced(io.NewSectionReader(r, 0, size), p)
	}
	switch p.kind {
	case 4, 6:
		return w.pngAlpha(p, r, d)
	case 0:
		d["ColorSpace"] = w.colour(1, p.icc)
		if len(p.trns) == 2 {
			v := int(binary.BigEndian.Uint16(p.trns)) & (1<<p.bits - 1)
			d["Mask"] = array{v, v}
		}
	case 2:
		d["ColorSpace"] = w.colour(3, p.icc)
		if len(p.trns) == 6 {
			var m array
			for i := range 3 {
				v := int(binary.BigEndian.Uint16(p.trns[2*i:])) & (1<<p.bits - 1)
				m = append(m, v, v)
			}
			d["Mask"] = m
		}
	case 3:
		table := make([]byte, 3<<p.bits)
		copy(table, p.palette)
		d["ColorSpace"] = array{name("Indexed"), w.colour(3, p.icc), 1<<p.bits - 1, str(table)}
		if len(p.trns) > 0 {
			m, err := w.paletteAlpha(p, r)
			if err != nil {
				return ref{}, err
			}
			d["SMask"] = m
		}
	}
	d["Type"], d["Subtype"], d["Filter"] = name("XObject"), name("Image"), name("FlateDecode")
	d["DecodeParms"] = dict{"Predictor": 15, "Colors": p.samples(), "BitsPerComponent": p.bits, "Columns": p.width}
	num := w.out.reserve()
	w.out.body(num, d, p.data(r), p.idatSize)
	return ref{num, 0}, w.out.err
}

// rows reads the unfiltered rows one after the other.
func (p pngInfo) rows(r io.ReaderAt) (func() ([]byte, error), error) {
	z, err := zlib.NewReader(bufio.NewReaderSize(p.data(r), 64<<10))
	if err != nil {
		return nil, err
	}
	line, prev := make([]byte, 1+p.rowBytes()), make([]byte, p.rowBytes())
	return func() ([]byte, error) {
		if _, err := io.ReadFull(z, line); err != nil {
			return nil, err
		}
		unfilter(line[0], line[1:], prev, max(1, p.samples()*p.bits/8))
		copy(prev, line[1:])
		return prev, nil
	}, nil
}

// pngAlpha splits colour and alpha into an image and its soft mask.
func (w *imageWriter) pngAlpha(p pngInfo, r io.ReaderAt, d dict) (ref, error) {
	b, n := p.bits/8, p.samples()
	part := func(from, count int) (func() ([]byte, error), error) {
		next, err := p.rows(r)
		out := make([]byte, p.width*count*b)
		return func() ([]byte, error) {
			row, err := next()
			if err != nil {
				return nil, err
			}
			for x := range p.width {
				copy(out[x*count*b:(x+1)*count*b], row[(x*n+from)*b:])
			}
			return out, nil
		}, err
	}
	next, err := part(n-1, 1)
	if err != nil {
		return ref{}, err
	}
	mask, err := w.raster(with(d, "ColorSpace", name("DeviceGray")), p.height, p.width*b, 1, p.bits, p.width, next)
	if err != nil {
		return ref{}, err
	}
	if next, err = part(0, n-1); err != nil {
		return ref{}, err
	}
	d["ColorSpace"] = w.colour(n-1, p.icc)
	d["SMask"] = mask
	return w.raster(d, p.height, p.width*b*(n-1), n-1, p.bits, p.width, next)
}

// paletteAlpha makes the soft mask that a palette's alpha means.
func (w *imageWriter) paletteAlpha(p pngInfo, r io.ReaderAt) (ref, error) {
	next, err := p.rows(r)
	if err != nil {
		return ref{}, err
	}
	out := make([]byte, p.width)
	return w.raster(dict{"Width": p.width, "Height": p.height, "BitsPerComponent": 8, "ColorSpace": name("DeviceGray")},
		p.height, p.width, 1, 8, p.width, func() ([]byte, error) {
			row, err := next()
			if err != nil {
				return nil, err
			}
			for x := range out {
				v := int(row[x*p.bits/8]) >> (8 - p.bits - x*p.bits%8) & (1<<p.bits - 1)
				out[x] = 255
				if v < len(p.trns) {
					out[x] = p.trns[v]
				}
			}
			return out, nil
		})
}

func (w *imageWriter) interlaced(r io.Reader, p pngInfo) (ref, error) {
	im, err := png.Decode(bufio.NewReader(r))
	if err != nil {
		return ref{}, damagedImage("PNG: %v", err)
	}
	return w.decoded(im, p.icc)
}

// decoded writes an image that had to be decoded, at the depth it has.
func (w *imageWriter) decoded(im image.Image, icc []byte) (ref, error) {
	b := im.Bounds()
	bits, comps := 8, 3
	switch im.ColorModel() {
	case color.GrayModel:
		comps = 1
	case color.Gray16Model:
		bits, comps = 16, 1
	case color.RGBA64Model, color.NRGBA64Model:
		bits = 16
	}
	opaque := true
	if o, ok := im.(interface{ Opaque() bool }); ok {
		opaque = o.Opaque()
	}
	rows := func(alpha bool) func() ([]byte, error) {
		y := b.Min.Y
		var out []byte
		return func() ([]byte, error) {
			out = out[:0]
			put := func(v uint16) {
				out = append(out, byte(v>>8))
				if bits == 16 {
					out = append(out, byte(v))
				}
			}
			for x := b.Min.X; x < b.Max.X; x++ {
				c := color.NRGBA64Model.Convert(im.At(x, y)).(color.NRGBA64)
				if bits == 8 {
					// eight bits of colour must come out as they went in
					n := color.NRGBAModel.Convert(im.At(x, y)).(color.NRGBA)
					c = color.NRGBA64{uint16(n.R) << 8, uint16(n.G) << 8, uint16(n.B) << 8, uint16(n.A) << 8}
				}
				switch {
				case alpha:
					put(c.A)
				case comps == 1:
					put(c.R)
				default:
					put(c.R)
					put(c.G)
					put(c.B)
				}
			}
			y++
			return out, nil
		}
	}
	d := dict{"Width": b.Dx(), "Height": b.Dy(), "BitsPerComponent": bits}
	if !opaque {
		m, err := w.raster(with(d, "ColorSpace", name("DeviceGray")), b.Dy(), b.Dx()*bits/8, 1, bits, b.Dx(), rows(true))
		if err != nil {
			return ref{}, err
		}
		d["SMask"] = m
	}
	d["ColorSpace"] = w.colour(comps, icc)
	return w.raster(d, b.Dy(), b.Dx()*comps*bits/8, comps, bits, b.Dx(), rows(false))
}
