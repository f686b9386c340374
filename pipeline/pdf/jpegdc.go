package pdf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
)

// readJPEG decodes of a JPEG no more than the mean of every block of 8×8 pixels:
// all Huffman codes are read, so every block is known to be there, and no cosine
// is computed. It returns the picture at an eighth of the size, or nil where the
// colour coding gives none cheaply (CMYK), and errCut or errBad.
//
// Where it need not be thorough it ends after the first eighth of the picture, or
// the first quarter, if enough is to be seen in it; the picture is as high as what
// was read.
//
// Of a progressive JPEG only the first scans are read in this way; that the
// others are there, their markers say.
//
// Code tables are taken from known, and those built are left there; nil keeps none.
func readJPEG(b []byte, thorough bool, known codeTables) (jpegInfo, *thumb, error) {
	info, err := scanJPEG(b)
	if err != nil {
		return info, nil, err
	}
	d := jpegDC{b: b, brief: !thorough, known: known}
	if err := d.run(); err != nil {
		return info, nil, err
	}
	if d.enough != nil {
		return info, d.enough, nil
	}
	if thorough && d.progressive && info.width*info.height <= maxProgressive {
		// The detail is in the scans that were passed over.
		if _, err := jpeg.Decode(bytes.NewReader(b)); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return info, nil, errCut
		} else if _, strange := errors.AsType[jpeg.UnsupportedError](err); err != nil && !strange {
			return info, nil, fmt.Errorf("%w: %T", errBad, err)
		}
	}
	return info, d.thumb(d.mcuY), nil
}

// maxProgressive bounds the pixels of a progressive JPEG that is decoded in full,
// which takes sixteen bytes for each.
const maxProgressive = 16 << 20

// thumb is so many rows of MCUs, or nil where they make no picture.
func (d *jpegDC) thumb(rows int) *thumb {
	if len(d.comp) == 0 || d.comp[0].dc == nil || len(d.comp) == 4 || len(d.comp) == 2 {
		return nil
	}
	c := &d.comp[0]
	if c.h != d.hmax || c.v != d.vmax {
		return nil // luminance coarser than colour: nobody does that
	}
	t := &thumb{w: (d.width + 7) / 8, h: min((d.height+7)/8, rows*c.v)}
	t.pix = make([]uint8, t.w*t.h)
	for y := range t.h {
		row := c.dc[y*c.stride:]
		for x := range t.w {
			t.pix[y*t.w+x] = uint8(min(max(int(row[x])*c.q/8+128, 0), 255))
		}
	}
	return t
}

type jpegComponent struct {
	id, h, v, tq int
	blocksX      int // of the component alone, for scans of it alone
	blocksY      int
	stride       int // blocks a row with the padding of whole MCUs
	dc           []int16
	q            int // quantiser of the mean
	pred         int
	dcTab, acTab *huffman
}

type jpegDC struct {
	b             []byte
	width, height int
	hmax, vmax    int
	mcuX, mcuY    int
	progressive   bool
	unknown       bool // a coding we do not read
	comp          []jpegComponent
	quant         [4]int
	huff          [2][4]*huffman
	restart       int
	brief         bool       // end as soon as enough has been seen …
	enough        *thumb     // … which is this; nil: all was read
	known         codeTables // of this and other pictures
}

// maxBlocks bounds what is kept of an image: 1.6 gigapixels.
const maxBlocks = 25 << 20

func (d *jpegDC) run() error {
	i := 0
	for i+1 < len(d.b) && !(d.b[i] == 0xff && d.b[i+1] == 0xd8) {
		i++
	}
	i += 2
	for {
		for i < len(d.b) && d.b[i] != 0xff {
			i++
		}
		for i < len(d.b) && d.b[i] == 0xff {
			i++
		}
		if i >= len(d.b) {
			return errCut
		}
		m := d.b[i]
		i++
		if m == 0xd9 {
			return nil
		}
		if m == 0 || m == 1 || m >= 0xd0 && m <= 0xd8 {
			continue
		}
		if i+2 > len(d.b) {
			return errCut
		}
		n := int(binary.BigEndian.Uint16(d.b[i:]))
		if n < 2 {
			continue
		}
		if i+n > len(d.b) {
			return errCut
		}
		seg := d.b[i+2 : i+n]
		i += n
		switch {
		case m == 0xdb:
			d.dqt(seg)
		case m == 0xc4:
			if err := d.dht(seg); err != nil {
				return err
			}
		case m == 0xdd && len(seg) >= 2:
			d.restart = int(binary.BigEndian.Uint16(seg))
		case m == 0xc0 || m == 0xc1 || m == 0xc2:
			d.progressive = m == 0xc2
			if err := d.sof(seg); err != nil {
				return err
			}
		case m >= 0xc3 && m <= 0xcf && m != 0xc8 && m != 0xcc:
			d.unknown = true // lossless, arithmetic
		case m == 0xda && !d.unknown && d.comp != nil:
			n, err := d.sos(seg, d.b[i:])
			if err != nil || d.enough != nil {
				return err
			}
			i += n
		}
	}
}

func (d *jpegDC) dqt(seg []byte) {
	for len(seg) > 0 {
		wide, id := seg[0]>>4, seg[0]&3
		if wide == 0 && len(seg) >= 65 {
			d.quant[id] = int(seg[1])
			seg = seg[65:]
		} else if wide != 0 && len(seg) >= 129 {
			d.quant[id] = int(binary.BigEndian.Uint16(seg[1:]))
			seg = seg[129:]
		} else {
			return
		}
	}
}

func (d *jpegDC) dht(seg []byte) error {
	for len(seg) >= 17 {
		class, id := seg[0]>>4&1, seg[0]&3
		n := 0
		for _, c := range seg[1:17] {
			n += int(c)
		}
		if n > 256 || len(seg) < 17+n {
			return fmt.Errorf("%w: JPEG code table", errBad)
		}
		h, err := d.known.table(class == 1, seg[1:17+n])
		if err != nil {
			return err
		}
		d.huff[class][id] = h
		seg = seg[17+n:]
	}
	return nil
}

func (d *jpegDC) sof(seg []byte) error {
	if d.comp != nil || len(seg) < 6 {
		d.unknown = true
		return nil
	}
	d.height, d.width = int(binary.BigEndian.Uint16(seg[1:])), int(binary.BigEndian.Uint16(seg[3:]))
	n := int(seg[5])
	if seg[0] != 8 || d.width == 0 || d.height == 0 || n == 0 || n > 4 || len(seg) < 6+3*n {
		d.unknown = true // 12 bits, or a height that comes later
		return nil
	}
	d.comp = make([]jpegComponent, n)
	for i := range d.comp {
		s := seg[6+3*i:]
		c := &d.comp[i]
		c.id, c.h, c.v, c.tq = int(s[0]), int(s[1]>>4), int(s[1]&15), int(s[2]&3)
		if c.h == 0 || c.v == 0 || c.h > 4 || c.v > 4 {
			return fmt.Errorf("%w: JPEG sampling", errBad)
		}
		d.hmax, d.vmax = max(d.hmax, c.h), max(d.vmax, c.v)
	}
	d.mcuX = (d.width + 8*d.hmax - 1) / (8 * d.hmax)
	d.mcuY = (d.height + 8*d.vmax - 1) / (8 * d.vmax)
	for i := range d.comp {
		c := &d.comp[i]
		c.blocksX = (d.width*c.h + 8*d.hmax - 1) / (8 * d.hmax)
		c.blocksY = (d.height*c.v + 8*d.vmax - 1) / (8 * d.vmax)
		c.stride = d.mcuX * c.h
	}
	c := &d.comp[0]
	if size := c.stride * d.mcuY * c.v; size > maxBlocks {
		d.unknown = true
	} else {
		c.dc = make([]int16, size)
	}
	return nil
}

// sos reads a scan and returns how many bytes of data it took.
func (d *jpegDC) sos(seg, data []byte) (int, error) {
	if len(seg) < 1 {
		return 0, fmt.Errorf("%w: JPEG scan", errBad)
	}
	n := int(seg[0])
	if n < 1 || n > 4 || len(seg) < 4+2*n {
		return 0, fmt.Errorf("%w: JPEG scan", errBad)
	}
	ss, ah, al := seg[1+2*n], seg[3+2*n]>>4, seg[3+2*n]&15
	if d.progressive && (ss != 0 || ah != 0) {
		return 0, nil // detail or refinement: passed over by its markers
	}
	comps := make([]*jpegComponent, 0, 4)
	for i := range n {
		id, t := int(seg[1+2*i]), seg[2+2*i]
		for j := range d.comp {
			if c := &d.comp[j]; c.id == id {
				c.dcTab, c.acTab = d.huff[0][t>>4&3], d.huff[1][t&3]
				if c.dcTab == nil || c.acTab == nil && !d.progressive {
					return 0, fmt.Errorf("%w: JPEG without its code table", errBad)
				}
				if d.progressive {
					c.acTab = nil // its coefficients come later
				}
				c.q, c.pred = d.quant[c.tq], 0
				comps = append(comps, c)
				break
			}
		}
	}
	if len(comps) != n {
		return 0, fmt.Errorf("%w: JPEG scan of unknown colours", errBad)
	}
	return d.entropy(comps, uint(al), data)
}

// entropy reads the coded data of one scan.
func (d *jpegDC) entropy(comps []*jpegComponent, al uint, data []byte) (int, error) {
	alone := len(comps) == 1
	mx, my := d.mcuX, d.mcuY
	if alone {
		mx, my = comps[0].blocksX, comps[0].blocksY
	}
	total := mx * my
	r := bitReader{b: data}
	x, y := 0, 0
	for done := range total {
		if d.restart > 0 && done > 0 && done%d.restart == 0 {
			n, ok := nextRestart(data[r.pos:])
			if !ok {
				return r.pos, missing(total-done, total)
			}
			r = bitReader{b: data, pos: r.pos + n}
			for _, c := range comps {
				c.pred = 0
			}
		}
		for _, c := range comps {
			h, v := c.h, c.v
			if alone {
				h, v = 1, 1
			}
			for by := range v {
				for bx := range h {
					diff, ok := r.block(c.dcTab, c.acTab)
					if !ok {
						return r.pos, r.verdict(total-done, total)
					}
					c.pred += diff
					if c.dc != nil {
						c.dc[(y*v+by)*c.stride+x*h+bx] = int16(c.pred << al)
					}
				}
			}
		}
		if r.overrun() {
			return r.pos, missing(total-done, total)
		}
		if x++; x == mx {
			x, y = 0, y+1
			if d.brief && len(comps) == len(d.comp) && d.seen(y, my) {
				return r.pos, nil
			}
		}
	}
	return r.pos, nil
}

// seen reports whether the y rows of MCUs that have been read, of all, are to be
// looked at and show enough.
func (d *jpegDC) seen(y, all int) bool {
	eighth, quarter := y == all/8 && all >= 32, y == all/4 && all >= 16
	if d.progressive || !eighth && !quarter {
		return false
	}
	if t := d.thumb(y); t != nil && (t.telling() || quarter && !t.blank()) {
		d.enough = t
	}
	return d.enough != nil
}

// missing says that data ended before all blocks were there. The last few may be
// missing where an encoder forgot to flush them; no reader minds.
func missing(left, total int) error {
	if left <= 1+total/500 {
		return nil
	}
	return errCut
}

// nextRestart finds the restart marker with which data begins, or after junk, and
// returns where the next interval begins.
func nextRestart(data []byte) (int, bool) {
	for i := 0; i+1 < len(data); i++ {
		if data[i] != 0xff || data[i+1] == 0 || data[i+1] == 0xff {
			continue
		}
		return i + 2, data[i+1] >= 0xd0 && data[i+1] <= 0xd7
	}
	return 0, false
}

// bitReader reads bits of entropy-coded JPEG data up to the next marker. Past its
// end it gives zeros.
type bitReader struct {
	b    []byte
	pos  int
	acc  uint64 // the next bits, at the top; what lies below the n known ones is right or zero
	n    int
	void int // of the known ones, how many lie past the end
}

// fill makes at least 56 bits known.
func (r *bitReader) fill() {
	for r.n <= 56 {
		var c byte
		switch {
		case r.pos >= len(r.b):
			r.void += 8
		case r.b[r.pos] != 0xff:
			c = r.b[r.pos]
			r.pos++
		case r.pos+1 < len(r.b) && r.b[r.pos+1] == 0: // a stuffed byte
			c = 0xff
			r.pos += 2
		default: // a marker
			r.void += 8
		}
		r.acc |= uint64(c) << (56 - r.n)
		r.n += 8
	}
}

// hasFF reports whether one of eight bytes is 0xff, beside which a byte may stand
// that is none of the data.
func hasFF(w uint64) bool {
	const low, high = 0x0101010101010101, 0x8080808080808080
	return (^w-low)&w&high != 0
}

// overrun reports whether bits have been used that were not there.
func (r *bitReader) overrun() bool { return r.n < r.void }

// verdict is for a code that does not exist: where the data had ended, it is cut.
func (r *bitReader) verdict(left, total int) error {
	if r.fill(); r.n-r.void < 16 {
		return missing(left, total)
	}
	return fmt.Errorf("%w: JPEG data", errBad)
}

// block reads a block of 64 coefficients, of which the first is wanted, and that
// as its difference to the one before; ac is nil where the others come later. It
// is where the time goes, so the reader's state is kept in variables of its own.
func (r *bitReader) block(dc, ac *huffman) (diff int, ok bool) {
	acc, n, pos, b := r.acc, r.n, r.pos, r.b
	if n < 32 {
		r.fill()
		acc, n, pos = r.acc, r.n, r.pos
	}
	size, length := byte(0), 0
	if e := dc.lut[acc>>(64-lutBits)]; e != 0 {
		size, length = byte(e), int(e>>8)
	} else if size, length = dc.long(acc); length == 0 {
		return 0, false
	}
	if size > 15 {
		return 0, false
	}
	acc <<= uint(length) & 63
	if size > 0 {
		if diff = int(acc >> (64 - size) & 0xffff); diff < 1<<(size-1) {
			diff += -1<<size + 1
		}
	}
	acc <<= size & 63
	n -= length + int(size)
	if ac == nil {
		r.acc, r.n, r.pos = acc, n, pos
		return diff, true
	}
	chains := &ac.chains
	k := 1
	for k < 64 {
		if n < 40 {
			if pos+8 <= len(b) && !hasFF(binary.BigEndian.Uint64(b[pos:])) {
				acc |= binary.BigEndian.Uint64(b[pos:]) >> (uint(n) & 63)
				add := (63 - n) >> 3
				pos += add
				n += 8 * add
			} else {
				r.acc, r.n, r.pos = acc, n, pos
				r.fill()
				acc, n, pos = r.acc, r.n, r.pos
			}
		}
		c := chains[acc>>(64-chainBits)]
		if lead := int(c >> chainLead & 127); c != 0 && k+lead <= 64 {
			acc <<= c & 63
			n -= int(c & 63)
			k += lead
			if c&chainEnd != 0 {
				r.acc, r.n, r.pos = acc, n, pos
				return diff, true
			}
			continue
		}
		e := ac.pass[acc>>(64-lutBits)]
		if e == 0 {
			s, length := ac.long(acc)
			if length == 0 {
				r.acc, r.n, r.pos = acc, n, pos
				return 0, false
			}
			e = passage(s, length)
		}
		acc <<= e & 63
		n -= int(e & 63)
		k += int(e >> 8)
	}
	r.acc, r.n, r.pos = acc, n, pos
	return diff, k == 64 || k >= blockEnd
}

const lutBits = 11

// huffman is a code table. The look-up tables serve codes up to lutBits, which
// are nearly all that occur; the rest goes by search.
type huffman struct {
	lut     [1 << lutBits]uint16 // length<<8 | symbol; 0: longer
	pass    [1 << lutBits]uint16 // of a coefficient: how far it leads <<8 | bits of code and value; 0: longer
	chains  [1 << chainBits]uint16
	maxCode [17]int // last code of each length; -1: none
	valPtr  [17]int
	symbols []byte
}

// blockEnd is how far the end-of-block code leads: beyond every run.
const blockEnd = 128

// passage is what a coefficient's symbol means to someone who only passes over it.
func passage(symbol byte, length int) uint16 {
	lead := uint16(symbol>>4) + 1
	if symbol&15 == 0 {
		lead = 16
		if symbol != 0xf0 {
			lead = blockEnd
		}
	}
	return lead<<8 | uint16(length+int(symbol&15))
}

func newHuffman(counts, symbols []byte) (*huffman, error) {
	h := &huffman{symbols: symbols}
	code, k := 0, 0
	for n := 1; n <= 16; n++ {
		h.valPtr[n] = k - code
		for range int(counts[n-1]) {
			if code >= 1<<n {
				return nil, fmt.Errorf("%w: JPEG code table", errBad)
			}
			if n <= lutBits {
				first := code << (lutBits - n)
				for i := range 1 << (lutBits - n) {
					h.lut[first+i] = uint16(n)<<8 | uint16(symbols[k])
					h.pass[first+i] = passage(symbols[k], n)
				}
			}
			code++
			k++
		}
		h.maxCode[n] = code - 1
		if counts[n-1] == 0 {
			h.maxCode[n] = -1
		}
		code <<= 1
	}
	return h, nil
}

// long finds a code longer than lutBits at the top of acc; its length is 0 where
// there is none.
func (h *huffman) long(acc uint64) (symbol byte, length int) {
	for n := lutBits + 1; n <= 16; n++ {
		code := int(acc >> (64 - n))
		if h.maxCode[n] >= 0 && code <= h.maxCode[n] {
			if i := code + h.valPtr[n]; i >= 0 && i < len(h.symbols) {
				return h.symbols[i], n
			}
			return 0, 0
		}
	}
	return 0, 0
}

// A look-up of chainBits bits passes over several coefficients at once. It tells,
// from below, the bits of all codes and values (6), how far they lead, the end of
// the block counting one (7), and whether that is the end of the block. 0: the
// first code is longer.
const (
	chainBits = 12
	chainLead = 6
	chainEnd  = 1 << 13
)

// chain makes the table of such look-ups.
func (h *huffman) chain() {
	for i := range h.chains {
		var bits, lead, end uint16
		for end == 0 && bits < chainBits {
			at := i << bits & (1<<chainBits - 1) >> (chainBits - lutBits)
			e, code := h.pass[at], h.lut[at]>>8
			if e == 0 || bits+code > chainBits {
				break // a longer code, or one of which only the beginning is seen
			}
			if bits+e&63 > 40 || lead+e>>8 > 64 && e>>8 < blockEnd {
				break // more than block has at hand, or than there is in a block
			}
			if bits += e & 63; e>>8 >= blockEnd {
				lead, end = lead+1, chainEnd
			} else {
				lead += e >> 8
			}
		}
		h.chains[i] = bits | lead<<chainLead | end
	}
}

// codeTables are tables by what they were made of. Most programs that write JPEGs
// use the same four for every picture.
type codeTables map[string]*huffman

// knownTables bounds how many are kept.
const knownTables = 32

// table is the table for coefficients or for means that a segment describes:
// sixteen counts, then symbols.
func (k codeTables) table(coefficients bool, seg []byte) (*huffman, error) {
	key := string(seg) + " means"
	if coefficients {
		key = string(seg)
	}
	if h := k[key]; h != nil {
		return h, nil
	}
	h, err := newHuffman(seg[:16], bytes.Clone(seg[16:]))
	if err != nil {
		return nil, err
	}
	if coefficients {
		h.chain()
	}
	if k != nil {
		if len(k) >= knownTables {
			clear(k)
		}
		k[key] = h
	}
	return h, nil
}
