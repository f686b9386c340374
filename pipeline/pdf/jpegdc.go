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
func readJPEG(b []byte, thorough bool) (jpegInfo, *thumb, error) {
	info, err := scanJPEG(b)
	if err != nil {
		return info, nil, err
	}
	if !thorough {
		for _, share := range []int{8, 4} {
			d := jpegDC{b: b, share: share}
			if err := d.run(); err != nil || d.rows == 0 {
				break
			}
			if t := d.thumb(); t != nil && (t.telling() || share == 4 && !t.blank()) {
				return info, t, nil
			}
		}
	}
	d := jpegDC{b: b}
	if err := d.run(); err != nil {
		return info, nil, err
	}
	if thorough && d.progressive && info.width*info.height <= maxProgressive {
		// The detail is in the scans that were passed over.
		if _, err := jpeg.Decode(bytes.NewReader(b)); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return info, nil, errCut
		} else if _, strange := errors.AsType[jpeg.UnsupportedError](err); err != nil && !strange {
			return info, nil, fmt.Errorf("%w: %T", errBad, err)
		}
	}
	return info, d.thumb(), nil
}

// maxProgressive bounds the pixels of a progressive JPEG that is decoded in full,
// which takes sixteen bytes for each.
const maxProgressive = 16 << 20

// thumb is what has been read, or nil where that makes no picture.
func (d *jpegDC) thumb() *thumb {
	if len(d.comp) == 0 || d.comp[0].dc == nil || len(d.comp) == 4 || len(d.comp) == 2 {
		return nil
	}
	c := &d.comp[0]
	if c.h != d.hmax || c.v != d.vmax {
		return nil // luminance coarser than colour: nobody does that
	}
	t := &thumb{w: (d.width + 7) / 8, h: (d.height + 7) / 8}
	if d.rows > 0 {
		t.h = min(t.h, d.rows*c.v)
	}
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
	share         int // stop after this part of the picture, an eighth being 8; 0: read all …
	rows          int // … which was so many rows of MCUs; 0: all was read
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
			if err != nil || d.rows > 0 {
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
		h, err := newHuffman(seg[1:17], seg[17:17+n])
		if err != nil {
			return err
		}
		if class == 1 {
			h.chain()
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
	var comps []*jpegComponent
	for i := range n {
		id, t := int(seg[1+2*i]), seg[2+2*i]
		for j := range d.comp {
			if c := &d.comp[j]; c.id == id {
				c.dcTab, c.acTab = d.huff[0][t>>4&3], d.huff[1][t&3]
				if c.dcTab == nil || c.acTab == nil && !d.progressive {
					return 0, fmt.Errorf("%w: JPEG without its code table", errBad)
				}
				c.q = d.quant[c.tq]
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
	if d.share > 0 && !d.progressive && my >= 4*d.share && len(comps) == len(d.comp) {
		d.rows = my / d.share
		total = mx * d.rows
		// Twice its share of the data nearly always holds that part of the rows;
		// where it does not, more is read.
		data = data[:len(data)/d.share*2]
	}
	var r bitReader
	taken := r.segment(data)
	x, y := 0, 0
	for done := range total {
		if done == 0 || d.restart > 0 && done%d.restart == 0 {
			for _, c := range comps {
				c.pred = 0
			}
			if done > 0 {
				n, ok := nextRestart(data[taken:])
				if !ok {
					return taken, missing(total-done, total)
				}
				taken += n
				taken += r.segment(data[taken:])
			}
		}
		for _, c := range comps {
			h, v := c.h, c.v
			if alone {
				h, v = 1, 1
			}
			for by := range v {
				for bx := range h {
					s, ok := r.symbol(c.dcTab)
					if !ok || s > 15 {
						return taken, r.verdict(total-done, total)
					}
					if s > 0 {
						c.pred += r.signed(uint(s))
					}
					if c.dc != nil {
						c.dc[(y*v+by)*c.stride+x*h+bx] = int16(c.pred << al)
					}
					if !d.progressive && !r.skipAC(c.acTab) {
						return taken, r.verdict(total-done, total)
					}
				}
			}
		}
		if r.overrun() {
			return taken, missing(total-done, total)
		}
		if x++; x == mx {
			x, y = 0, y+1
		}
	}
	return taken, nil
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

// bitReader reads bits of one stretch of entropy-coded JPEG data, from which the
// stuffing has been taken out, so that eight bytes can be loaded at once. Past
// its end it gives zeros.
type bitReader struct {
	b   []byte // the data, then pad zeros
	end int    // of the data, in bits
	pos int
	acc uint64 // the next bits, at the top; what lies below the n known ones is right or zero
	n   int
}

const pad = 8

// segment takes the data up to the next marker and returns how long that was.
func (r *bitReader) segment(data []byte) int {
	if cap(r.b) == 0 {
		r.b = make([]byte, 0, len(data)+pad)
	}
	r.b, r.pos, r.acc, r.n = r.b[:0], 0, 0, 0
	i := 0
	for {
		j := bytes.IndexByte(data[i:], 0xff)
		if j < 0 {
			r.b = append(r.b, data[i:]...)
			i = len(data)
			break
		}
		if i+j+1 < len(data) && data[i+j+1] == 0 {
			r.b = append(r.b, data[i:i+j+1]...)
			i += j + 2
			continue
		}
		r.b = append(r.b, data[i:i+j]...)
		i += j
		break
	}
	r.end = 8 * len(r.b)
	r.b = append(r.b, make([]byte, pad)...)
	return i
}

// fill makes at least 32 bits known, for as many as a code and its value need.
func (r *bitReader) fill() {
	if r.pos+8 <= len(r.b) {
		r.acc |= binary.BigEndian.Uint64(r.b[r.pos:]) >> r.n
		k := (63 - r.n) >> 3
		r.pos += k
		r.n += 8 * k
		return
	}
	// In the padding: its bytes count, so that overrun can tell.
	k := (63 - r.n) >> 3
	r.pos += k
	r.n += 8 * k
}

func (r *bitReader) skip(n int) {
	r.acc <<= uint(n)
	r.n -= n
}

// overrun reports whether bits have been used that were not there.
func (r *bitReader) overrun() bool { return 8*r.pos-r.n > r.end }

// verdict is for a code that does not exist: where the data had ended, it is cut.
func (r *bitReader) verdict(left, total int) error {
	if 8*r.pos-r.n+16 > r.end {
		return missing(left, total)
	}
	return fmt.Errorf("%w: JPEG data", errBad)
}

func (r *bitReader) signed(s uint) int {
	if r.n < 16 {
		r.fill()
	}
	v := int(r.acc >> (64 - s))
	r.skip(int(s))
	if v < 1<<(s-1) {
		v += -1<<s + 1
	}
	return v
}

const lutBits = 11

// huffman is a code table. The look-up tables serve codes up to lutBits, which
// are nearly all that occur; the rest goes by search.
type huffman struct {
	lut     [1 << lutBits]uint16 // length<<8 | symbol; 0: longer
	pass    [1 << lutBits]uint16 // of a coefficient: how far it leads <<8 | bits of code and value; 0: longer
	chains  *[1 << chainBits]uint32
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

func (r *bitReader) symbol(h *huffman) (byte, bool) {
	if r.n < 16 {
		r.fill()
	}
	if e := h.lut[r.acc>>(64-lutBits)]; e != 0 {
		r.skip(int(e >> 8))
		return byte(e), true
	}
	s, n := h.long(r.acc)
	r.skip(n)
	return s, n > 0
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

// chainBits is how many bits a look-up sees that passes over several coefficients
// at once.
const chainBits = 12

// chain makes the table of such look-ups. An entry holds, from below, the bits of
// all codes and values (8), how far they lead, the end of the block counting one
// (8), and whether it is the end of the block (1). 0: the first code is longer.
func (h *huffman) chain() {
	h.chains = new([1 << chainBits]uint32)
	for i := range h.chains {
		var bits, lead, end uint32
		for end == 0 && bits < chainBits {
			e := h.pass[(i<<bits&(1<<chainBits-1))>>(chainBits-lutBits)]
			code := uint32(h.lut[(i<<bits&(1<<chainBits-1))>>(chainBits-lutBits)] >> 8)
			if e == 0 || bits+code > chainBits {
				break // a longer code, or one of which only the beginning is seen
			}
			if bits+uint32(e&63) > 40 { // as many as skipAC has at hand
				break // more than is known at once
			}
			bits += uint32(e & 63)
			if e>>8 >= blockEnd {
				lead, end = lead+1, 1
			} else {
				lead += uint32(e >> 8)
			}
		}
		h.chains[i] = bits | lead<<8 | end<<16
	}
}

// skipAC passes over the 63 coefficients of a block. It is where the time goes,
// so the reader's state is kept in variables of its own.
func (r *bitReader) skipAC(h *huffman) bool {
	acc, n, pos, b, chains := r.acc, r.n, r.pos, r.b, h.chains
	k := 1
	for k < 64 {
		if n < 40 {
			if pos+8 <= len(b) {
				acc |= binary.BigEndian.Uint64(b[pos:]) >> (uint(n) & 63)
			}
			add := (63 - n) >> 3
			pos += add
			n += 8 * add
		}
		c := chains[acc>>(64-chainBits)]
		if lead := int(c >> 8 & 255); c&255 != 0 && k+lead <= 64 {
			acc <<= c & 63
			n -= int(c & 63)
			k += lead
			if c>>16 != 0 {
				r.acc, r.n, r.pos = acc, n, pos
				return true
			}
			continue
		}
		e := h.pass[acc>>(64-lutBits)]
		if e == 0 {
			s, length := h.long(acc)
			if length == 0 {
				r.acc, r.n, r.pos = acc, n, pos
				return false
			}
			e = passage(s, length)
		}
		acc <<= e & 63
		n -= int(e & 63)
		k += int(e >> 8)
	}
	r.acc, r.n, r.pos = acc, n, pos
	return k == 64 || k >= blockEnd
}
