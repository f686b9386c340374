package pdf

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/pdfcpu/pdfcpu/pkg/filter"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// errCut: data ends before what it promised. errBad: the data is there and is
// not what it claims to be.
var (
	errCut = errors.New("image data is cut off")
	errBad = errors.New("image data is damaged")
)

// jpegInfo is what a JPEG's markers say.
type jpegInfo struct {
	width, height int
	components    int
	bits          int
	progressive   bool
	complete      bool // reached EOI
	scans         int
}

// scanJPEG goes over a JPEG marker by marker to its end. Entropy-coded data is
// passed by searching for the next 0xFF, so it costs far less than decoding;
// what it cannot see is data that is wrong without being short.
func scanJPEG(b []byte) (jpegInfo, error) {
	var info jpegInfo
	i := bytes.Index(b[:min(len(b), 64)], []byte{0xff, 0xd8}) // some writers put a line break first
	if i < 0 {
		return info, fmt.Errorf("%w: no JPEG", errBad)
	}
	i += 2
	for {
		// To the next marker.
		j := bytes.IndexByte(b[i:], 0xff)
		if j < 0 || i+j+1 >= len(b) {
			return info, errCut
		}
		i += j + 1
		for i < len(b) && b[i] == 0xff {
			i++
		}
		if i >= len(b) {
			return info, errCut
		}
		m := b[i]
		i++
		switch {
		case m == 0x00 || m >= 0xd0 && m <= 0xd7 || m == 0x01 || m == 0xd8:
			continue // stuffed byte, restart marker
		case m == 0xd9:
			if info.scans == 0 {
				return info, fmt.Errorf("%w: JPEG without a scan", errCut)
			}
			info.complete = true
			return info, nil
		}
		if i+2 > len(b) {
			return info, errCut
		}
		n := int(binary.BigEndian.Uint16(b[i:]))
		if n < 2 {
			continue // junk between segments: go on searching
		}
		if i+n > len(b) {
			return info, errCut
		}
		seg := b[i+2 : i+n]
		switch {
		case m >= 0xc0 && m <= 0xcf && m != 0xc4 && m != 0xc8 && m != 0xcc:
			if len(seg) >= 6 && info.width == 0 {
				info.bits = int(seg[0])
				info.height = int(binary.BigEndian.Uint16(seg[1:]))
				info.width = int(binary.BigEndian.Uint16(seg[3:]))
				info.components = int(seg[5])
				info.progressive = m == 0xc2 || m == 0xc6 || m == 0xca || m == 0xce
			}
		case m == 0xda:
			info.scans++
		case m == 0xdc: // DNL: the height comes after the first scan
			if len(seg) >= 2 && info.height == 0 {
				info.height = int(binary.BigEndian.Uint16(seg))
			}
		}
		i += n
	}
}

// rowBytes is how long a row of samples is; 0 where the picture's numbers make no
// sense.
func (p *picture) rowBytes() int64 {
	if p.width <= 0 || p.height <= 0 || p.bits <= 0 || p.bits > 16 || p.samples <= 0 || p.samples > 32 {
		return 0
	}
	return (int64(p.width)*int64(p.bits)*int64(p.samples) + 7) / 8
}

// errBomb: decoded it would be larger than the limit.
var errBomb = errors.New("decoded image data is beyond the limit")

// reading is how images are read.
type reading struct {
	src      *model.Context
	limit    int64   // decoded bytes of one image
	thorough bool    // read everything
	buf      *[]byte // for the data of one image after another
	known    codeTables
}

// read says whether the picture's data is all there, and returns a small grey
// picture where that falls off on the way. errCut, errBad and errBomb are about
// the data; nil says that nothing is wrong as far as was looked.
//
// What is looked at: JPEG by its markers to the end, and a quarter of its blocks
// (all of them where the reading is thorough); CCITT and Flate in full, for
// nothing else tells where they end; JPEG 2000 and JBIG2 by the lengths their
// segments state (decodeAll reads them to the last row).
func (r reading) read(p *picture) (*thumb, error) {
	if p.stream == nil {
		return nil, nil
	}
	if row := p.rowBytes(); row > 0 && row*int64(p.height) > r.limit {
		return nil, errBomb
	}
	data, err := r.beforeLast(p)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, errCut
	}
	switch p.filter {
	case "DCTDecode":
		info, t, err := readJPEG(data, r.thorough, r.known)
		if err != nil {
			return nil, err
		}
		if p.colours == 0 {
			p.samples, p.colours = info.components, info.components
		}
		if info.height > 0 && info.height < p.height*9/10 {
			return nil, errCut
		}
		return t, nil
	case "CCITTFaxDecode":
		return r.fax(p, data)
	case "JPXDecode":
		info, err := scanJPX(data)
		if err == nil && p.colours == 0 {
			p.samples, p.colours, p.bits = info.components, info.components, info.bits
		}
		return nil, err
	case "JBIG2Decode":
		return nil, scanJBIG2(data)
	case "FlateDecode":
		z, err := zlib.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, errBad
		}
		return r.samples(p, z)
	case "":
		return r.samples(p, bytes.NewReader(data))
	}
	// LZW, run lengths and the like: rare in scans, so decoded in one piece.
	all := *p.stream
	body, err := decodedFrom(r.src, &all, r.limit)
	if errors.Is(err, filter.ErrDecodeLimitExceeded) {
		return nil, errBomb
	}
	if err != nil {
		return nil, errBad
	}
	return r.samples(p, bytes.NewReader(body))
}

// beforeLast is the data with every filter but the last one undone.
func (r reading) beforeLast(p *picture) ([]byte, error) {
	pipe := p.stream.FilterPipeline
	if len(pipe) < 2 {
		return rawBytes(r.src, p.stream, r.buf)
	}
	inner := *p.stream
	inner.Content = nil
	inner.FilterPipeline = pipe[:len(pipe)-1]
	body, err := decodedFrom(r.src, &inner, r.limit)
	if errors.Is(err, filter.ErrDecodeLimitExceeded) {
		return nil, errBomb
	}
	if err != nil {
		return nil, errBad
	}
	return body, nil
}

func (r reading) parms(p *picture) types.Dict {
	if n := len(p.stream.FilterPipeline); n > 0 {
		return p.stream.FilterPipeline[n-1].DecodeParms
	}
	return nil
}

func (r reading) fax(p *picture, data []byte) (*thumb, error) {
	d := r.parms(p)
	f := faxParams{
		k: lookInt(r.src, d["K"]), columns: lookInt(r.src, d["Columns"]), rows: p.height,
		byteAlign: lookBool(r.src, d["EncodedByteAlign"]),
	}
	if f.columns == 0 {
		f.columns = 1728
	}
	if int64(f.columns)*int64(max(f.rows, 1))/8 > r.limit {
		return nil, errBomb
	}
	s := newShrinker(f.columns, p.height)
	if _, err := readFax(data, f, s.runs); err != nil {
		return nil, err
	}
	return s.thumb(), nil
}

// samples reads rows of samples, undoing a PNG predictor.
func (r reading) samples(p *picture, body io.Reader) (*thumb, error) {
	row := p.rowBytes()
	if row == 0 {
		// Numbers that make no sense: nothing is promised, so nothing is missing.
		n, err := io.Copy(io.Discard, io.LimitReader(body, r.limit+1))
		if n > r.limit {
			return nil, errBomb
		}
		if n == 0 && err != nil {
			return nil, errCut
		}
		return nil, nil
	}
	d := r.parms(p)
	predictor := lookInt(r.src, d["Predictor"])
	bpp := (p.bits*p.samples + 7) / 8
	buf := make([]byte, row)
	prev := make([]byte, row)
	var kind [1]byte
	s := newShrinker(p.width, p.height)
	usable := p.bits == 8 && (p.samples == 1 && p.colours == 1 || p.samples == 3) || p.bits == 1 && p.samples == 1
	if predictor >= 10 {
		// The predictor's own idea of a row decides.
		colors, columns, bits := max(1, lookInt(r.src, d["Colors"])), lookInt(r.src, d["Columns"]), lookInt(r.src, d["BitsPerComponent"])
		if columns == 0 {
			columns = 1
		}
		if bits == 0 {
			bits = 8
		}
		if own := (int64(columns)*int64(bits)*int64(colors) + 7) / 8; own != row {
			n, err := io.Copy(io.Discard, io.LimitReader(body, r.limit+1))
			if n > r.limit {
				return nil, errBomb
			}
			if want := row * int64(p.height); n < want {
				return nil, shortOf(err)
			}
			return nil, nil
		}
	} else if predictor == 2 {
		usable = false
	}
	for y := range p.height {
		if predictor >= 10 {
			if _, err := io.ReadFull(body, kind[:]); err != nil {
				return nil, rowsLeft(p.height-y, p.height, err)
			}
		}
		if n, err := io.ReadFull(body, buf); err != nil && (y < p.height-1 || int64(n) < row/2) {
			return nil, rowsLeft(p.height-y, p.height, err)
		}
		if !usable {
			continue
		}
		if predictor >= 10 {
			unfilter(kind[0], buf, prev, bpp)
		}
		switch {
		case p.bits == 1:
			s.bits(y, buf)
		case p.samples == 3:
			s.bytes(y, buf, 1, 3)
		default:
			s.bytes(y, buf, 0, 1)
		}
		buf, prev = prev, buf
	}
	if !usable {
		return nil, nil
	}
	return s.thumb(), nil
}

// rowsLeft says what it means that the last rows are not there.
func rowsLeft(left, all int, err error) error {
	if left <= 1+all/500 && all > 10 {
		return nil
	}
	return shortOf(err)
}

func shortOf(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCut
	}
	return errBad
}

// unfilter undoes a PNG row filter.
func unfilter(kind byte, row, prev []byte, bpp int) {
	switch kind {
	case 1:
		for i := bpp; i < len(row); i++ {
			row[i] += row[i-bpp]
		}
	case 2:
		for i, v := range prev {
			row[i] += v
		}
	case 3:
		for i := range row {
			left := 0
			if i >= bpp {
				left = int(row[i-bpp])
			}
			row[i] += byte((left + int(prev[i])) / 2)
		}
	case 4:
		for i := range row {
			var a, c int
			if i >= bpp {
				a, c = int(row[i-bpp]), int(prev[i-bpp])
			}
			b := int(prev[i])
			pa, pb, pc := distance(b, c), distance(a, c), distance(a+b, 2*c)
			switch {
			case pa <= pb && pa <= pc:
				row[i] += byte(a)
			case pb <= pc:
				row[i] += byte(b)
			default:
				row[i] += byte(c)
			}
		}
	}
}

func distance(a, b int) int {
	if a < b {
		return b - a
	}
	return a - b
}

// jpxInfo is what a JPEG 2000 codestream says of itself.
type jpxInfo struct{ width, height, components, bits int }

// scanJPX goes over a JPEG 2000 file, boxed or bare, tile part by tile part.
func scanJPX(b []byte) (jpxInfo, error) {
	var info jpxInfo
	if len(b) >= 12 && string(b[4:8]) == "jP  " {
		var err error
		if b, err = jpxCodestream(b); err != nil {
			return info, err
		}
	}
	if len(b) < 4 || b[0] != 0xff || b[1] != 0x4f {
		return info, fmt.Errorf("%w: no JPEG 2000", errBad)
	}
	for i := 2; ; {
		if i+4 > len(b) {
			if i+2 <= len(b) && b[i] == 0xff && b[i+1] == 0xd9 {
				return info, nil
			}
			return info, errCut
		}
		m := binary.BigEndian.Uint16(b[i:])
		n := int(binary.BigEndian.Uint16(b[i+2:]))
		switch {
		case m == 0xffd9:
			return info, nil
		case m == 0xff90: // SOT: the tile part's length counts from here
			if i+12 > len(b) {
				return info, errCut
			}
			long := int64(binary.BigEndian.Uint32(b[i+6:]))
			if long == 0 { // to the end
				if !bytes.HasSuffix(bytes.TrimRight(b, "\r\n\x00 "), []byte{0xff, 0xd9}) {
					return info, errCut
				}
				return info, nil
			}
			if long < 14 || int64(i)+long > int64(len(b)) {
				return info, errCut
			}
			i += int(long)
			continue
		case m == 0xff51 && i+2+n <= len(b) && n >= 41: // SIZ
			s := b[i+4:]
			info.width = int(binary.BigEndian.Uint32(s[2:])) - int(binary.BigEndian.Uint32(s[10:]))
			info.height = int(binary.BigEndian.Uint32(s[6:])) - int(binary.BigEndian.Uint32(s[14:]))
			info.components = int(binary.BigEndian.Uint16(s[34:]))
			info.bits = int(s[36]&0x7f) + 1
		case m < 0xff00 || n < 2:
			return info, fmt.Errorf("%w: JPEG 2000 marker", errBad)
		}
		i += 2 + n
	}
}

// jpxCodestream finds the codestream among the boxes.
func jpxCodestream(b []byte) ([]byte, error) {
	for len(b) >= 8 {
		n, head := int64(binary.BigEndian.Uint32(b)), int64(8)
		kind := string(b[4:8])
		if n == 1 && len(b) >= 16 {
			n, head = int64(binary.BigEndian.Uint64(b[8:])), 16
		}
		if n == 0 {
			n = int64(len(b))
		}
		if kind == "jp2c" {
			return b[head:], nil // a length that lies is found out by the tile parts
		}
		if n < head || n > int64(len(b)) {
			return nil, errCut
		}
		b = b[n:]
	}
	return nil, errCut
}

// jbig2Segment is the head of a JBIG2 segment.
type jbig2Segment struct {
	head int // bytes of the head; the last four are the length
	kind int
	long int64 // of its data; jbig2Unknown where it was not known when it was written
}

const jbig2Unknown = 0xffffffff

// readSegment reads the head of the segment that b begins with.
func readSegment(b []byte) (jbig2Segment, error) {
	if len(b) < 11 {
		return jbig2Segment{}, errCut
	}
	number := binary.BigEndian.Uint32(b)
	flags := b[4]
	refs, i := int(b[5]>>5), 6
	if refs == 7 {
		refs = int(binary.BigEndian.Uint32(b[5:]) & 0x1fffffff)
		i = 9 + (refs+8)/8
	} else if refs > 4 {
		return jbig2Segment{}, fmt.Errorf("%w: JBIG2 segment", errBad)
	}
	size := 1
	if number > 256 {
		size = 2
	}
	if number > 65536 {
		size = 4
	}
	if refs > len(b) {
		return jbig2Segment{}, errCut
	}
	i += refs * size
	if flags&0x40 != 0 {
		i += 4
	} else {
		i++
	}
	if i+4 > len(b) {
		return jbig2Segment{}, errCut
	}
	return jbig2Segment{i + 4, int(flags & 63), int64(binary.BigEndian.Uint32(b[i:]))}, nil
}

// scanJBIG2 goes over the segments of an embedded JBIG2 stream.
func scanJBIG2(b []byte) error {
	if bytes.HasPrefix(b, []byte("\x97JB2")) {
		return nil // with a file header, which does not belong here: only a decoder can tell
	}
	regions := 0
	for len(b) > 0 {
		if len(b) < 11 && regions > 0 && len(bytes.TrimLeft(b, "\x00\r\n ")) == 0 {
			return nil
		}
		s, err := readSegment(b)
		if err != nil {
			return err
		}
		if s.kind >= 4 && s.kind <= 43 {
			regions++
		}
		if s.long == jbig2Unknown { // only a decoder can tell
			return nil
		}
		if int64(s.head)+s.long > int64(len(b)) {
			return errCut
		}
		b = b[int64(s.head)+s.long:]
	}
	if regions == 0 {
		return errCut
	}
	return nil
}
