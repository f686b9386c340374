package pdfa

import (
	"bytes"
	"compress/lzw"
	"compress/zlib"
	"encoding/ascii85"
	"errors"
	"fmt"
	"io"
	"sync"

	tifflzw "golang.org/x/image/tiff/lzw"
)

var errTooBig = errors.New("decoded data exceeds the limit")

// filter is one step of a stream's coding.
type filter struct {
	name  name
	parms dict
}

// filters returns the coding of a stream, outermost first, with the short names
// of inline images made long.
func filters(d document, sd dict) ([]filter, error) {
	f, err := d.resolve(sd["Filter"])
	if err != nil {
		return nil, err
	}
	p, err := d.resolve(sd["DecodeParms"])
	if err != nil {
		return nil, err
	}
	if p == nil {
		if p, err = d.resolve(sd["DP"]); err != nil {
			return nil, err
		}
	}
	var names, parms array
	switch f := f.(type) {
	case nil:
		return nil, nil
	case name:
		names = array{f}
		if pa, ok := p.(array); ok {
			parms = pa
		} else {
			parms = array{p}
		}
	case array:
		names = f
		switch p := p.(type) {
		case array:
			parms = p
		case dict:
			parms = array{p} // one dictionary for the first filter: seen in the wild
		}
	default:
		return nil, fmt.Errorf("%w: /Filter is a %T", errSyntax, f)
	}
	if len(names) > 8 {
		return nil, fmt.Errorf("%w: %d filters", errSyntax, len(names))
	}
	var out []filter
	for i, o := range names {
		o, err := d.resolve(o)
		if err != nil {
			return nil, err
		}
		n, ok := o.(name)
		if !ok {
			return nil, fmt.Errorf("%w: filter is a %T", errSyntax, o)
		}
		if long, ok := shortFilters[n]; ok {
			n = long
		}
		st := filter{name: n}
		if i < len(parms) {
			po, err := d.resolve(parms[i])
			if err != nil {
				return nil, err
			}
			if pd, ok := po.(dict); ok && len(pd) > 0 {
				st.parms = pd
			}
		}
		out = append(out, st)
	}
	return out, nil
}

var shortFilters = map[name]name{
	"AHx": "ASCIIHexDecode", "A85": "ASCII85Decode", "LZW": "LZWDecode", "Fl": "FlateDecode",
	"RL": "RunLengthDecode", "CCF": "CCITTFaxDecode", "DCT": "DCTDecode",
}

// decoded returns the whole decoded body of a stream that has no image coding,
// at most limit bytes, not to be written to. A Flate stream that breaks off gives
// what it has: that is what readers show.
func decoded(d document, s *stream, limit int64) ([]byte, error) {
	fs, err := filters(d, s.dict)
	if err != nil {
		return nil, err
	}
	if b := InMemory(s.body, 0, s.body.Size()); b != nil && len(fs) == 0 && int64(len(b)) <= limit {
		return b, nil
	}
	r, err := decoder(d, s.body, fs)
	if err != nil {
		return nil, err
	}
	return readAllLimit(r, limit)
}

func readAllLimit(r io.Reader, limit int64) ([]byte, error) {
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(r, limit+1))
	if n > limit {
		return nil, errTooBig
	}
	if err != nil && (n == 0 || !isDamage(err)) {
		return nil, err
	}
	return buf.Bytes(), nil
}

// damage marks an error of the coded data, as opposed to one of reading it.
type damage struct{ error }

func (d damage) Unwrap() error { return d.error }

func isDamage(err error) bool {
	var d damage
	return errors.As(err, &d)
}

// damaged marks every error but EOF of a decoder as damage of the data. Errors
// of the source below pass through decoders as they are, so they are recognised
// by the sourceError type and left alone.
type damagedReader struct{ r io.Reader }

func (d damagedReader) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if err != nil && err != io.EOF && !isDamage(err) {
		err = damage{err}
	}
	return n, err
}

// decoder chains the decoders of the filters over r. The body must not be in
// use elsewhere while the reader is.
func decoder(d document, body io.Reader, fs []filter) (io.Reader, error) {
	r := body
	if s, ok := body.(*io.SectionReader); ok {
		if b := InMemory(s, 0, s.Size()); b != nil {
			r = bytes.NewReader(b)
		} else {
			r = io.NewSectionReader(s, 0, s.Size())
		}
	}
	for _, f := range fs {
		var next io.Reader
		switch f.name {
		case "FlateDecode":
			z, err := newInflater(r)
			if err != nil {
				return nil, damage{err}
			}
			next = z
		case "LZWDecode":
			early, err := intParm(d, f.parms, "EarlyChange", 1)
			if err != nil {
				return nil, err
			}
			if early == 0 {
				next = lzw.NewReader(r, lzw.MSB, 8)
			} else {
				next = tifflzw.NewReader(r, tifflzw.MSB, 8)
			}
		case "ASCII85Decode":
			next = ascii85.NewDecoder(&until{r: skipPrefix(r, "<~"), stop: '~'})
		case "ASCIIHexDecode":
			next = &hexReader{r: &until{r: r, stop: '>'}}
		case "RunLengthDecode":
			next = &runLength{r: newByteReader(r)}
		default:
			return nil, fmt.Errorf("no decoder for %s", f.name)
		}
		next = damagedReader{next}
		if f.name == "FlateDecode" || f.name == "LZWDecode" {
			p, err := predictorOf(d, f.parms)
			if err != nil {
				return nil, err
			}
			if p.kind > 1 {
				next = newPredictor(next, p)
			}
		}
		r = next
	}
	return r, nil
}

// inflater is a zlib reader that another stream uses once this one has ended: to
// make one costs more than to inflate what most streams hold.
type inflater struct {
	z   io.ReadCloser // nil after the end
	err error
}

var inflaters sync.Pool

func newInflater(r io.Reader) (*inflater, error) {
	z, ok := inflaters.Get().(io.ReadCloser)
	if !ok {
		var err error
		z, err = zlib.NewReader(r)
		return &inflater{z: z}, err
	}
	if err := z.(zlib.Resetter).Reset(r, nil); err != nil {
		inflaters.Put(z)
		return nil, err
	}
	return &inflater{z: z}, nil
}

func (f *inflater) Read(p []byte) (int, error) {
	if f.z == nil {
		return 0, f.err
	}
	n, err := f.z.Read(p)
	if err != nil {
		inflaters.Put(f.z)
		f.z, f.err = nil, err
	}
	return n, err
}

func intParm(d document, p dict, key name, def int) (int, error) {
	o, err := d.resolve(p[key])
	if err != nil {
		return 0, err
	}
	switch o := o.(type) {
	case int64:
		if o < -1<<30 || o > 1<<30 {
			return 0, fmt.Errorf("%w: /%s %d", errSyntax, key, o)
		}
		return int(o), nil
	case float64:
		if o == float64(int(o)) && o < 1<<30 && o > -1<<30 {
			return int(o), nil
		}
	}
	return def, nil
}

// maxRow bounds a row of samples, which is held in memory.
const maxRow = 16 << 20

type predictor struct{ kind, colors, bits, columns int }

func predictorOf(d document, p dict) (predictor, error) {
	out := predictor{}
	for _, f := range []struct {
		key name
		def int
		to  *int
	}{{"Predictor", 1, &out.kind}, {"Colors", 1, &out.colors}, {"BitsPerComponent", 8, &out.bits}, {"Columns", 1, &out.columns}} {
		v, err := intParm(d, p, f.key, f.def)
		if err != nil {
			return out, err
		}
		*f.to = v
	}
	if out.kind > 1 && (out.colors < 1 || out.colors > 64 || out.bits < 1 || out.bits > 16 || out.columns < 1 || out.columns > 1<<24 ||
		out.colors*out.bits*out.columns > 8*maxRow) {
		return out, damage{fmt.Errorf("predictor out of range")}
	}
	return out, nil
}

// predictorReader undoes the PNG and TIFF predictors row by row.
type predictorReader struct {
	r         io.Reader
	p         predictor
	bpp       int
	row, prev []byte
	out       []byte
	err       error
}

func newPredictor(r io.Reader, p predictor) io.Reader {
	n := (p.colors*p.bits*p.columns + 7) / 8
	head := 0
	if p.kind >= 10 {
		head = 1
	}
	return &predictorReader{r: r, p: p, bpp: max(1, p.colors*p.bits/8), row: make([]byte, n+head), prev: make([]byte, n)}
}

func (p *predictorReader) Read(b []byte) (int, error) {
	for len(p.out) == 0 {
		if p.err != nil {
			return 0, p.err
		}
		n, err := io.ReadFull(p.r, p.row)
		if err != nil {
			p.err = err
			if err == io.ErrUnexpectedEOF {
				p.err = io.EOF
			}
			if n == 0 || p.p.kind >= 10 && n == 1 {
				continue
			}
			clear(p.row[n:])
			if p.p.kind >= 10 {
				n--
			}
		} else if p.p.kind >= 10 {
			n--
		}
		if p.p.kind >= 10 {
			row := p.row[1:]
			unfilter(p.row[0], row, p.prev, p.bpp)
			copy(p.prev, row)
			p.out = p.prev[:n]
		} else {
			undiff(p.row, p.p.colors, p.p.bits)
			p.out = p.row[:n]
		}
	}
	n := copy(b, p.out)
	p.out = p.out[n:]
	return n, nil
}

// unfilter undoes one PNG row filter in place.
func unfilter(kind byte, row, prev []byte, bpp int) {
	switch kind {
	case 1:
		for i := bpp; i < len(row); i++ {
			row[i] += row[i-bpp]
		}
	case 2:
		for i := range row {
			row[i] += prev[i]
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
			row[i] += paeth(a, int(prev[i]), c)
		}
	}
}

func paeth(a, b, c int) byte {
	p := a + b - c
	pa, pb, pc := abs(p-a), abs(p-b), abs(p-c)
	switch {
	case pa <= pb && pa <= pc:
		return byte(a)
	case pb <= pc:
		return byte(b)
	}
	return byte(c)
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// undiff undoes the TIFF predictor (horizontal differencing) of a row in place.
func undiff(row []byte, colors, bits int) {
	switch bits {
	case 8:
		for i := colors; i < len(row); i++ {
			row[i] += row[i-colors]
		}
	case 16:
		for i := 2 * colors; i+1 < len(row); i += 2 {
			v := uint16(row[i])<<8 | uint16(row[i+1])
			v += uint16(row[i-2*colors])<<8 | uint16(row[i-2*colors+1])
			row[i], row[i+1] = byte(v>>8), byte(v)
		}
	default:
		mask := 1<<bits - 1
		prev := make([]int, colors)
		for i := 0; (i+1)*bits <= len(row)*8; i++ {
			shift := 8 - bits - i*bits%8
			at := i * bits / 8
			v := (int(row[at])>>shift + prev[i%colors]) & mask
			prev[i%colors] = v
			row[at] = row[at]&^byte(mask<<shift) | byte(v<<shift)
		}
	}
}

// until ends the stream before the first stop byte.
type until struct {
	r    io.Reader
	stop byte
	done bool
}

func (u *until) Read(p []byte) (int, error) {
	if u.done {
		return 0, io.EOF
	}
	n, err := u.r.Read(p)
	if i := bytes.IndexByte(p[:n], u.stop); i >= 0 {
		u.done = true
		return i, nil
	}
	return n, err
}

func skipPrefix(r io.Reader, prefix string) io.Reader {
	head := make([]byte, len(prefix))
	n, _ := io.ReadFull(r, head) // an error comes again from r
	if string(head[:n]) == prefix {
		return r
	}
	return io.MultiReader(bytes.NewReader(head[:n]), r)
}

type hexReader struct {
	r    io.Reader
	buf  [512]byte
	half int // a pending digit + 1
	end  bool
}

func (h *hexReader) Read(p []byte) (int, error) {
	if h.end {
		return 0, io.EOF
	}
	n, err := h.r.Read(h.buf[:min(len(h.buf), max(1, len(p)))])
	out := 0
	for _, c := range h.buf[:n] {
		var v int
		switch {
		case c >= '0' && c <= '9':
			v = int(c - '0')
		case c >= 'a' && c <= 'f':
			v = int(c-'a') + 10
		case c >= 'A' && c <= 'F':
			v = int(c-'A') + 10
		default:
			continue
		}
		if h.half == 0 {
			h.half = v + 1
		} else {
			p[out] = byte((h.half-1)<<4 | v)
			out++
			h.half = 0
		}
	}
	if err == io.EOF && h.half > 0 && out < len(p) {
		p[out] = byte((h.half - 1) << 4)
		out++
		h.half = 0
		h.end = true
		return out, nil
	}
	return out, err
}

type runLength struct {
	r     io.ByteReader
	lit   int
	rep   int
	value byte
	end   bool
}

func (l *runLength) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		switch {
		case l.rep > 0:
			p[n] = l.value
			n++
			l.rep--
		case l.lit > 0:
			c, err := l.r.ReadByte()
			if err != nil {
				return n, err
			}
			p[n] = c
			n++
			l.lit--
		case l.end:
			return n, io.EOF
		default:
			c, err := l.r.ReadByte()
			if err != nil {
				return n, err
			}
			switch {
			case c < 128:
				l.lit = int(c) + 1
			case c == 128:
				l.end = true
			default:
				if l.value, err = l.r.ReadByte(); err != nil {
					return n, err
				}
				l.rep = 257 - int(c)
			}
		}
	}
	return n, nil
}
