package pdfa

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"

	"golang.org/x/image/ccitt"
	tifflzw "golang.org/x/image/tiff/lzw"

	"sohoa/dossier"
)

// tiff reads the directories of a TIFF or BigTIFF.
type tiff struct {
	r     io.ReaderAt
	size  int64
	order binary.ByteOrder
	big   bool
	first int64
}

var (
	errTIFF    = errors.New("damaged TIFF")
	errTIFFEnd = errors.New("the TIFF is cut off")
)

type tiffField struct {
	kind  uint16
	count int64
	data  []byte
}

type directory struct {
	t      *tiff
	fields map[uint16]tiffField
}

func newTIFF(r io.ReaderAt, size int64) (*tiff, error) {
	t := &tiff{r: r, size: size}
	h, err := t.read(0, 8)
	if err != nil {
		return nil, err
	}
	switch string(h[:2]) {
	case "II":
		t.order = binary.LittleEndian
	case "MM":
		t.order = binary.BigEndian
	default:
		return nil, fmt.Errorf("%w: no header", errTIFF)
	}
	switch t.order.Uint16(h[2:]) {
	case 42:
		t.first = int64(t.order.Uint32(h[4:]))
	case 43:
		t.big = true
		if h, err = t.read(0, 16); err != nil {
			return nil, err
		}
		t.first = int64(t.order.Uint64(h[8:]))
	default:
		return nil, fmt.Errorf("%w: no header", errTIFF)
	}
	return t, nil
}

// read returns n bytes at an offset, errTIFFEnd where the file ends before.
func (t *tiff) read(at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || n > 1<<30 {
		return nil, fmt.Errorf("%w: offset", errTIFF)
	}
	if at+n > t.size || at+n < at {
		return nil, errTIFFEnd
	}
	b := make([]byte, n)
	if got, err := t.r.ReadAt(b, at); int64(got) < n {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, sourceError{fmt.Errorf("reading the image: %w", err)}
	}
	return b, nil
}

var tiffSizes = map[uint16]int64{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}

// directory reads one directory and the offset of the next. Where only that
// offset cannot be read, the directory comes back with the error.
func (t *tiff) directory(at int64) (*directory, int64, error) {
	head, entry, inline := int64(2), int64(12), int64(4)
	if t.big {
		head, entry, inline = 8, 20, 8
	}
	b, err := t.read(at, head)
	if err != nil {
		return nil, 0, err
	}
	n := int64(t.order.Uint16(b))
	if t.big {
		n = int64(t.order.Uint64(b))
	}
	if n < 1 || n > 4096 {
		return nil, 0, fmt.Errorf("%w: directory of %d entries", errTIFF, n)
	}
	b, err = t.read(at+head, n*entry)
	if err != nil {
		return nil, 0, err
	}
	d := &directory{t, map[uint16]tiffField{}}
	for i := range n {
		e := b[i*entry:]
		tag, kind := t.order.Uint16(e), t.order.Uint16(e[2:])
		count, value := int64(t.order.Uint32(e[4:])), e[8:12]
		if t.big {
			count, value = int64(t.order.Uint64(e[4:])), e[12:20]
		}
		size := tiffSizes[kind]
		if size == 0 || count < 0 || count > 1<<27 {
			continue
		}
		if tag == 34675 && count > maxProfile || !wantedTag[tag] {
			continue
		}
		f := tiffField{kind, count, nil}
		if count*size <= inline {
			f.data = bytes.Clone(value[:count*size])
		} else {
			off := int64(t.order.Uint32(value))
			if t.big {
				off = int64(t.order.Uint64(value))
			}
			if f.data, err = t.read(off, count*size); err != nil {
				return nil, 0, err
			}
		}
		d.fields[tag] = f
	}
	b, err = t.read(at+head+n*entry, inline)
	if err != nil {
		// The directory is whole, its link is not: Exif is often written so.
		return d, 0, err
	}
	if t.big {
		return d, int64(t.order.Uint64(b)), nil
	}
	return d, int64(t.order.Uint32(b)), nil
}

var wantedTag = map[uint16]bool{254: true, 255: true, 256: true, 257: true, 258: true, 259: true, 262: true, 266: true, 273: true, 274: true,
	277: true, 278: true, 279: true, 282: true, 283: true, 284: true, 292: true, 296: true, 317: true, 320: true, 322: true, 323: true,
	324: true, 325: true, 332: true, 338: true, 339: true, 347: true, 530: true, 532: true, 34675: true}

// uints returns a field of whole numbers.
func (d *directory) uints(tag uint16) []uint64 {
	f, ok := d.fields[tag]
	if !ok {
		return nil
	}
	var out []uint64
	n := int(tiffSizes[f.kind])
	for i := 0; i+n <= len(f.data); i += n {
		switch f.kind {
		case 1, 6, 7:
			out = append(out, uint64(f.data[i]))
		case 3, 8:
			out = append(out, uint64(d.t.order.Uint16(f.data[i:])))
		case 4, 9, 13:
			out = append(out, uint64(d.t.order.Uint32(f.data[i:])))
		case 16, 17, 18:
			out = append(out, d.t.order.Uint64(f.data[i:]))
		}
	}
	return out
}

func (d *directory) uint(tag uint16, def uint64) uint64 {
	if v := d.uints(tag); len(v) > 0 {
		return v[0]
	}
	return def
}

func (d *directory) real(tag uint16) float64 {
	f := d.fields[tag]
	if f.kind == 5 && len(f.data) >= 8 {
		return float64(d.t.order.Uint32(f.data)) / float64(d.t.order.Uint32(f.data[4:]))
	}
	if f.kind == 11 && len(f.data) >= 4 {
		return float64(math.Float32frombits(d.t.order.Uint32(f.data)))
	}
	return float64(d.uint(tag, 0))
}

// resolution in dots per inch, 0 where none is stated.
func (d *directory) resolution() (x, y float64) {
	x, y = d.real(282), d.real(283)
	switch d.uint(296, 2) {
	case 2:
	case 3:
		x, y = x*2.54, y*2.54
	default:
		return 0, 0
	}
	return saneBoth(x, y)
}

// tiffPage is one directory read as an image.
type tiffPage struct {
	t             *tiff
	width, height int
	bits, samples int
	compression   int
	photometric   int
	predictor     int
	planar        bool
	reversed      bool // bits of a byte from low to high
	t4            int
	tiled         bool
	tw, th        int // of a strip or tile
	offs, counts  []uint64
	palette       []uint64
	tables        []byte // JPEG tables
	icc           []byte
	alpha         bool
	colours       int // samples that are colour
	subsampled    bool
}

func openTIFF(r io.ReaderAt, size int64) ([]picture, error) {
	t, err := newTIFF(r, size)
	if err != nil {
		return nil, tiffError(err)
	}
	var pics []picture
	seen := map[int64]bool{}
	for at := t.first; at != 0; {
		if seen[at] {
			return nil, damagedImage("the TIFF directories run in a circle")
		}
		if seen[at] = true; len(seen) > maxFrames {
			return nil, rejected(dossier.TooLarge, "quá nhiều trang", "too many pages", nil)
		}
		d, next, err := t.directory(at)
		if err != nil {
			return nil, tiffError(err)
		}
		at = next
		// A reduced image or a mask is no page of its own.
		if kind := d.uint(254, 0); kind&1 != 0 || kind&4 != 0 || d.uint(255, 0) == 2 {
			continue
		}
		p, err := newTIFFPage(t, d)
		if err != nil {
			return nil, tiffError(err)
		}
		pics = append(pics, p.picture(d))
	}
	return pics, nil
}

func tiffError(err error) error {
	switch {
	case errors.Is(err, errTIFFEnd):
		return truncated(err.Error())
	case errors.Is(err, errTIFF):
		return damagedImage("%v", err)
	}
	return err
}

func newTIFFPage(t *tiff, d *directory) (*tiffPage, error) {
	w, h := d.uint(256, 0), d.uint(257, 0)
	if w == 0 || h == 0 || w > maxSide || h > maxSide || w*h > maxPixels {
		return nil, fmt.Errorf("%w: %d × %d pixels", errTIFF, w, h)
	}
	p := &tiffPage{t: t, width: int(w), height: int(h), compression: int(d.uint(259, 1)), photometric: int(d.uint(262, 0)),
		predictor: int(d.uint(317, 1)), planar: d.uint(284, 1) == 2, reversed: d.uint(266, 1) == 2, t4: int(d.uint(292, 0)),
		palette: d.uints(320), icc: d.fields[34675].data, tables: d.fields[347].data, samples: int(d.uint(277, 1))}
	if _, ok := d.fields[262]; !ok && p.compression >= 2 && p.compression <= 4 {
		p.photometric = 0
	}
	p.bits = int(d.uint(258, 1))
	for _, b := range d.uints(258) {
		if int(b) != p.bits {
			p.bits = 0
		}
	}
	if f := d.uint(339, 1); f != 1 && f != 4 {
		p.bits = 0 // floating point and signed samples are no scan
	}
	if p.samples < 1 || p.samples > 16 {
		return nil, fmt.Errorf("%w: %d samples", errTIFF, p.samples)
	}
	if s := d.uints(530); p.photometric == 6 && p.compression != 7 && p.compression != 6 {
		p.subsampled = len(s) != 2 || s[0] != 1 || s[1] != 1
	}
	p.colours = map[int]int{0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3}[p.photometric]
	if ex := d.uints(338); p.colours > 0 && p.samples == p.colours+1 && len(ex) == 1 {
		p.alpha = true
	}
	p.tw, p.th = p.width, int(min(d.uint(278, h), h))
	if p.th <= 0 {
		p.th = p.height
	}
	p.offs, p.counts = d.uints(273), d.uints(279)
	if tw := d.uint(322, 0); tw > 0 {
		p.tiled = true
		p.tw, p.th = int(tw), int(d.uint(323, 0))
		if p.offs = d.uints(324); p.offs == nil {
			p.offs = d.uints(273)
		}
		if p.counts = d.uints(325); p.counts == nil {
			p.counts = d.uints(279)
		}
		if p.tw <= 0 || p.th <= 0 || p.tw > maxSide || p.th > maxSide || p.tw*p.th > maxPixels {
			return nil, fmt.Errorf("%w: tiles of %d × %d", errTIFF, p.tw, p.th)
		}
	}
	if len(p.counts) == 0 && len(p.offs) == 1 && p.compression == 1 {
		p.counts = []uint64{uint64(p.rowBytes(p.width)) * h}
	}
	across, down := p.grid()
	want := across * down
	if p.planar {
		want *= p.samples
	}
	if len(p.offs) < want || len(p.counts) < want {
		return nil, fmt.Errorf("%w: %d of %d strips", errTIFF, min(len(p.offs), len(p.counts)), want)
	}
	p.offs, p.counts = p.offs[:want], p.counts[:want]
	for i := range p.offs {
		if p.counts[i] == 0 {
			return nil, fmt.Errorf("%w: an empty strip", errTIFF)
		}
		if p.offs[i] > uint64(t.size) || p.counts[i] > uint64(t.size)-p.offs[i] {
			return nil, errTIFFEnd
		}
	}
	// Uncompressed strips must hold the rows they promise.
	if p.compression == 1 && p.bits > 0 {
		for i := range p.offs {
			if need := uint64(p.pieceBytes(i)); p.counts[i] < need {
				return nil, errTIFFEnd
			}
		}
	}
	return p, nil
}

func (p *tiffPage) grid() (across, down int) {
	return (p.width + p.tw - 1) / p.tw, (p.height + p.th - 1) / p.th
}

// perPiece is the samples of a pixel in one strip or tile.
func (p *tiffPage) perPiece() int {
	if p.planar {
		return 1
	}
	return p.samples
}

func (p *tiffPage) rowBytes(width int) int { return (width*p.perPiece()*p.bits + 7) / 8 }

func (p *tiffPage) pieceRows(i int) int {
	if p.tiled {
		return p.th
	}
	_, down := p.grid()
	if i%down == down-1 {
		return p.height - (down-1)*p.th
	}
	return p.th
}

func (p *tiffPage) pieceBytes(i int) int { return p.rowBytes(p.tw) * p.pieceRows(i) }

func (p *tiffPage) picture(d *directory) picture {
	x, y := d.resolution()
	o := int(d.uint(274, 1))
	if o < 1 || o > 8 {
		o = 1
	}
	pic := picture{Frame: Frame{Width: p.width, Height: p.height, DPIX: x, DPIY: y, Bits: p.bits, Components: max(p.colours, 1),
		Alpha: p.alpha, Orientation: o, Colour: dossier.FullColour, Coding: p.coding()}}
	switch {
	case p.colours == 1 && p.bits == 1 && p.photometric != 3:
		pic.Colour = dossier.BlackWhite
	case p.colours == 1 && p.photometric != 3:
		pic.Colour = dossier.Grey
	case p.photometric == 3:
		pic.Components = 3
	}
	pic.stop = p.unfit()
	pic.write = p.write
	return pic
}

func (p *tiffPage) coding() string {
	if s, ok := map[int]string{1: "raw", 2: "CCITT", 3: "G3", 4: "G4", 5: "LZW", 6: "old JPEG", 7: "JPEG", 8: "Deflate", 32946: "Deflate", 32773: "PackBits"}[p.compression]; ok {
		return s
	}
	return fmt.Sprintf("compression %d", p.compression)
}

func (p *tiffPage) unfit() error {
	switch p.compression {
	case 1, 5, 8, 32946, 32773:
	case 2, 3, 4:
		if p.bits != 1 || p.samples != 1 {
			return refuse("TIFF: CCITT of %d × %d bits", p.samples, p.bits)
		}
		return nil
	case 7:
		if len(p.offs) != 1 && (p.tiled || p.planar) {
			return refuse("TIFF with JPEG tiles or planes")
		}
		return nil
	default:
		return refuse("TIFF compressed as %s", p.coding())
	}
	across, _ := p.grid()
	switch {
	case int64(p.tw)*int64(p.th)*int64(across)*int64(p.samples)*int64(p.bits)/8 > maxPiece:
		return refuse("TIFF strips of %d × %d pixels", p.tw, p.th)
	case p.colours == 0 || p.subsampled || p.photometric == 6:
		return refuse("TIFF of photometric interpretation %d", p.photometric)
	case p.bits != 1 && p.bits != 2 && p.bits != 4 && p.bits != 8 && p.bits != 16:
		return refuse("TIFF of %d bits", p.bits)
	case p.samples != p.colours && p.bits < 8:
		return refuse("TIFF with extra samples of %d bits", p.bits)
	case p.predictor != 1 && p.predictor != 2:
		return refuse("TIFF predictor %d", p.predictor)
	case p.photometric == 3 && (p.bits > 8 || len(p.palette) < 3<<p.bits):
		return refuse("TIFF palette")
	case p.planar && p.bits < 8 && p.samples > 1:
		return refuse("TIFF planes of %d bits", p.bits)
	case p.tiled && p.bits < 8 && (p.tw*p.bits)%8 != 0:
		return refuse("TIFF tiles off byte boundaries")
	}
	return nil
}

func (p *tiffPage) write(w *imageWriter) (ref, error) {
	switch p.compression {
	case 2, 3, 4:
		return p.writeFax(w)
	case 7:
		return p.writeJPEG(w)
	}
	return p.writeSamples(w)
}

func (p *tiffPage) piece(i int) ([]byte, error) {
	b, err := p.t.read(int64(p.offs[i]), int64(p.counts[i]))
	if err != nil {
		return nil, tiffError(err)
	}
	if p.reversed {
		for j := range b {
			b[j] = bits.Reverse8(b[j])
		}
	}
	return b, nil
}

// writeFax passes a single strip through as it is and puts several together as
// Group 4.
func (p *tiffPage) writeFax(w *imageWriter) (ref, error) {
	d := dict{"Type": name("XObject"), "Subtype": name("Image"), "Width": p.width, "Height": p.height, "BitsPerComponent": 1,
		"ColorSpace": name("DeviceGray"), "Filter": name("CCITTFaxDecode")}
	parms := dict{"K": -1, "Columns": p.width, "Rows": p.height}
	if p.photometric == 1 {
		parms["BlackIs1"] = true
	}
	d["DecodeParms"] = parms
	if len(p.offs) == 1 && p.tw == p.width {
		switch p.compression {
		case 2:
			parms["K"], parms["EncodedByteAlign"], parms["EndOfBlock"] = 0, true, false
		case 3:
			parms["K"] = p.t4 & 1
			parms["EndOfBlock"] = false
			if p.t4&4 != 0 {
				parms["EncodedByteAlign"] = true
			}
		}
		num := w.out.reserve()
		if p.reversed {
			b, err := p.piece(0)
			if err != nil {
				return ref{}, err
			}
			w.out.body(num, d, bytes.NewReader(b), int64(len(b)))
		} else {
			n := int64(p.counts[0])
			w.out.body(num, d, io.NewSectionReader(p.t.r, int64(p.offs[0]), n), n)
		}
		return ref{num, 0}, w.out.err
	}
	if p.compression != 4 && p.t4&1 != 0 {
		return ref{}, refuse("TIFF: two-dimensional G3 in strips")
	}
	enc := newG4(p.width)
	across, down := p.grid()
	stride := (p.width + 7) / 8
	for y := range down {
		rows := min(p.th, p.height-y*p.th)
		band := make([]byte, rows*stride)
		for x := range across {
			pw, ph := p.tw, p.pieceRows(y)
			b, err := p.piece(y*across + x)
			if err != nil {
				return ref{}, err
			}
			sf := ccitt.Group4
			if p.compression != 4 {
				sf = ccitt.Group3
			}
			if p.compression == 2 {
				return ref{}, refuse("TIFF: modified Huffman in strips")
			}
			got := make([]byte, (pw+7)/8*ph)
			if n, err := io.ReadFull(ccitt.NewReader(bytes.NewReader(b), ccitt.MSB, sf, pw, ph, &ccitt.Options{Invert: true, Align: p.t4&4 != 0 && p.compression == 3}), got); err != nil {
				if err == io.ErrUnexpectedEOF || err == io.EOF {
					return ref{}, truncated(fmt.Sprintf("a strip gives %d of %d bytes", n, len(got)))
				}
				return ref{}, damagedImage("CCITT: %v", err)
			}
			if across == 1 {
				copy(band, got)
				continue
			}
			if pw%8 != 0 {
				return ref{}, refuse("TIFF tiles off byte boundaries")
			}
			for r := range rows {
				copy(band[r*stride+x*pw/8:(r+1)*stride], got[r*pw/8:(r+1)*pw/8])
			}
		}
		for r := range rows {
			enc.row(band[r*stride : (r+1)*stride])
		}
		if err := w.ctx.Err(); err != nil {
			return ref{}, err
		}
	}
	b := enc.finish()
	num := w.out.reserve()
	w.out.body(num, d, bytes.NewReader(b), int64(len(b)))
	return ref{num, 0}, w.out.err
}

// decodePiece returns the raw rows of a strip or tile.
func (p *tiffPage) decodePiece(i int) ([]byte, error) {
	b, err := p.piece(i)
	if err != nil {
		return nil, err
	}
	need := p.pieceBytes(i)
	switch p.compression {
	case 1:
	case 5:
		b, err = readUpTo(tifflzw.NewReader(bytes.NewReader(b), tifflzw.MSB, 8), need)
	case 8, 32946:
		var z io.ReadCloser
		if z, err = zlib.NewReader(bytes.NewReader(b)); err == nil {
			b, err = readUpTo(z, need)
		}
	case 32773:
		b, err = unpackBits(b, need)
	}
	if err != nil {
		return nil, damagedImage("TIFF strip: %v", err)
	}
	if len(b) < need {
		return nil, truncated(fmt.Sprintf("a strip gives %d of %d bytes", len(b), need))
	}
	b = b[:need]
	row := p.rowBytes(p.tw)
	if p.bits == 16 && p.t.order == binary.LittleEndian {
		for j := 0; j+1 < len(b); j += 2 {
			b[j], b[j+1] = b[j+1], b[j]
		}
	}
	if p.predictor == 2 {
		for j := 0; j < len(b); j += row {
			undiff(b[j:j+row], p.perPiece(), p.bits)
		}
	}
	return b, nil
}

func readUpTo(r io.Reader, n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := io.ReadFull(r, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return b[:got], err
}

func unpackBits(b []byte, need int) ([]byte, error) {
	out := make([]byte, 0, need)
	for len(b) > 0 && len(out) < need {
		n := int(int8(b[0]))
		b = b[1:]
		switch {
		case n >= 0:
			if n+1 > len(b) {
				return append(out, b...), nil
			}
			out = append(out, b[:n+1]...)
			b = b[n+1:]
		case n != -128:
			if len(b) == 0 {
				return out, nil
			}
			for range 1 - n {
				out = append(out, b[0])
			}
			b = b[1:]
		}
	}
	return out, nil
}

// rows gives the page's rows with all samples side by side.
func (p *tiffPage) rows(w *imageWriter) func() ([]byte, error) {
	across, down := p.grid()
	stride := (p.width*p.samples*p.bits + 7) / 8
	var band []byte
	y, inBand := 0, 0
	return func() ([]byte, error) {
		if len(band) == 0 {
			if err := w.ctx.Err(); err != nil {
				return nil, err
			}
			if y >= down {
				return nil, io.ErrUnexpectedEOF
			}
			inBand = min(p.th, p.height-y*p.th)
			full := make([]byte, stride*inBand)
			planes := 1
			if p.planar {
				planes = p.samples
			}
			for s := range planes {
				for x := range across {
					b, err := p.decodePiece(s*across*down + y*across + x)
					if err != nil {
						return nil, err
					}
					pr := p.rowBytes(p.tw)
					for r := range inBand {
						src := b[r*pr : (r+1)*pr]
						dst := full[r*stride : (r+1)*stride]
						if planes == 1 {
							copy(dst[x*pr:], src)
							continue
						}
						n := p.bits / 8
						for i := 0; i < p.tw && x*p.tw+i < p.width; i++ {
							copy(dst[((x*p.tw+i)*p.samples+s)*n:], src[i*n:(i+1)*n])
						}
					}
				}
			}
			band = full
			y++
		}
		row := band[:stride]
		band = band[stride:]
		return row, nil
	}
}

// writeSamples decodes the strips and writes their samples deflated.
func (p *tiffPage) writeSamples(w *imageWriter) (ref, error) {
	d := dict{"Width": p.width, "Height": p.height, "BitsPerComponent": p.bits}
	if p.bits == 1 && p.samples == 1 && p.photometric <= 1 {
		return p.writeBits(w, d)
	}
	part := func(from, count int) func() ([]byte, error) {
		next := p.rows(w)
		if count == p.samples {
			return next
		}
		n := p.bits / 8
		out := make([]byte, p.width*count*n)
		return func() ([]byte, error) {
			row, err := next()
			if err != nil {
				return nil, err
			}
			for x := range p.width {
				copy(out[x*count*n:(x+1)*count*n], row[(x*p.samples+from)*n:])
			}
			return out, nil
		}
	}
	rowOf := func(count int) int { return (p.width*count*p.bits + 7) / 8 }
	if p.alpha {
		m, err := w.raster(with(d, "ColorSpace", name("DeviceGray")), p.height, rowOf(1), 1, p.bits, p.width, part(p.colours, 1))
		if err != nil {
			return ref{}, err
		}
		d["SMask"] = m
	}
	switch p.photometric {
	case 0:
		d["ColorSpace"] = w.colour(1, p.icc)
		d["Decode"] = array{1, 0}
	case 1:
		d["ColorSpace"] = w.colour(1, p.icc)
	case 3:
		n := 1 << p.bits
		table := make([]byte, 3*n)
		shift := 0
		for _, v := range p.palette {
			if v > 255 {
				shift = 8
			}
		}
		for i := range n {
			for c := range 3 {
				table[3*i+c] = byte(p.palette[c*n+i] >> shift)
			}
		}
		d["ColorSpace"] = array{name("Indexed"), w.colour(3, p.icc), n - 1, str(table)}
	default:
		d["ColorSpace"] = w.colour(p.colours, p.icc)
	}
	return w.raster(d, p.height, rowOf(p.colours), p.colours, p.bits, p.width, part(0, p.colours))
}

// writeBits writes black-and-white pixels as Group 4.
func (p *tiffPage) writeBits(w *imageWriter, d dict) (ref, error) {
	d["Type"], d["Subtype"], d["ColorSpace"], d["Filter"] = name("XObject"), name("Image"), name("DeviceGray"), name("CCITTFaxDecode")
	parms := dict{"K": -1, "Columns": p.width, "Rows": p.height}
	if p.photometric == 1 {
		parms["BlackIs1"] = true // as in the file: 1 is white there, and the code calls ones black
	}
	d["DecodeParms"] = parms
	enc, next := newG4(p.width), p.rows(w)
	for range p.height {
		row, err := next()
		if err != nil {
			return ref{}, err
		}
		enc.row(row)
	}
	b := enc.finish()
	num := w.out.reserve()
	w.out.body(num, d, bytes.NewReader(b), int64(len(b)))
	return ref{num, 0}, w.out.err
}
