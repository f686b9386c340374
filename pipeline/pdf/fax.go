package pdf

import (
	"fmt"
	"sync"
)

// faxParams are the parameters of a CCITTFaxDecode filter.
type faxParams struct {
	k         int // <0: group 4; 0: group 3, one-dimensional; >0: mixed
	columns   int
	rows      int // promised; 0: not known
	byteAlign bool
}

// readFax decodes a black-and-white image row by row and hands each row to row as
// the positions at which its colour changes, white first, ending with columns.
// It returns how many rows there were, and errCut or errBad where they end before
// the rows promised.
func readFax(b []byte, p faxParams, row func(y int, changes []int)) (int, error) {
	if p.columns <= 0 || p.columns > 1<<16 {
		return 0, fmt.Errorf("%w: fax columns", errBad)
	}
	tab := faxTables()
	r := faxReader{b: b, tab: tab}
	ref := []int{p.columns, p.columns, p.columns}
	cur := make([]int, 0, 256)
	for y := 0; ; y++ {
		if p.rows > 0 && y == p.rows {
			return y, nil
		}
		if y > 1<<20 {
			return y, fmt.Errorf("%w: fax rows without end", errBad)
		}
		if p.byteAlign && r.used%8 != 0 {
			r.skip(8 - r.used%8)
		}
		twoD := p.k < 0
		if p.k >= 0 {
			eols := 0
			for r.endOfLine() {
				eols++
				if p.k > 0 {
					twoD = r.peek(1) == 0
					r.skip(1)
				}
			}
			if eols >= 2 || r.ended() { // RTC
				return y, short(y, p.rows)
			}
			if eols == 0 && p.k > 0 && y > 0 {
				twoD = false
			}
		} else if r.peek(24) == 0x001001 || r.ended() { // EOFB
			return y, short(y, p.rows)
		}
		var err error
		if twoD {
			cur, err = r.row2D(cur[:0], ref, p.columns)
		} else {
			cur, err = r.row1D(cur[:0], p.columns)
		}
		if err != nil {
			if 8*len(b)-(8*r.pos-r.n) < 32 {
				// What does not decode is a code that was cut in two.
				return y, short(y, max(p.rows, y+1))
			}
			return y, err
		}
		if row != nil {
			row(y, cur)
		}
		ref, cur = append(cur, p.columns, p.columns, p.columns), ref
	}
}

// short allows a missing row or two: encoders count differently.
func short(got, want int) error {
	if want-got <= 2+want/500 && got > 0 {
		return nil
	}
	return errCut
}

type faxReader struct {
	b    []byte
	pos  int
	acc  uint64
	n    int
	used int // bits, modulo what alignment needs
	tab  *faxTable
}

func (r *faxReader) peek(n int) uint32 {
	for r.n < n {
		var c byte
		if r.pos < len(r.b) {
			c = r.b[r.pos]
		}
		r.pos++
		r.acc |= uint64(c) << (56 - r.n)
		r.n += 8
	}
	return uint32(r.acc >> (64 - n))
}

func (r *faxReader) skip(n int) {
	if r.n < n {
		r.peek(n)
	}
	r.acc <<= uint(n)
	r.n -= n
	r.used += n
}

// ended reports whether all bits have been used.
func (r *faxReader) ended() bool { return 8*r.pos-r.n >= 8*len(r.b) }

// endOfLine takes an EOL with the fill before it.
func (r *faxReader) endOfLine() bool {
	save := *r
	zeros := 0
	for !r.ended() && zeros < 1<<14 {
		if r.peek(1) == 1 {
			if zeros >= 11 {
				r.skip(1)
				return true
			}
			break
		}
		r.skip(1)
		zeros++
	}
	*r = save
	return false
}

// run reads a run of one colour.
func (r *faxReader) run(black bool) (int, error) {
	codes := &r.tab.white
	if black {
		codes = &r.tab.black
	}
	total := 0
	for {
		e := codes[r.peek(13)]
		if e.bits == 0 {
			return 0, fmt.Errorf("%w: fax code", errBad)
		}
		r.skip(int(e.bits))
		total += int(e.run)
		if e.run < 64 {
			return total, nil
		}
		if total > 1<<17 {
			return 0, fmt.Errorf("%w: fax run", errBad)
		}
	}
}

func (r *faxReader) row1D(cur []int, columns int) ([]int, error) {
	at, black := 0, false
	for at < columns {
		n, err := r.run(black)
		if err != nil {
			return cur, err
		}
		at += n
		if at > columns {
			return cur, fmt.Errorf("%w: fax row too long", errBad)
		}
		cur = change(cur, at, columns)
		black = !black
	}
	return cur, nil
}

// change notes that the colour changes at a position. Two changes at one place
// (a run of length zero) are none, and the next row must not refer to them.
func change(cur []int, at, columns int) []int {
	if n := len(cur); n > 0 && cur[n-1] == at && at < columns {
		return cur[:n-1]
	}
	return append(cur, at)
}

// Modes of a two-dimensional row.
const (
	modePass = iota + 1
	modeHorizontal
	modeVertical // + the shift, −3 to 3, in run
)

func (r *faxReader) row2D(cur, ref []int, columns int) ([]int, error) {
	a0, black := -1, false
	i := 0 // ref[i] is the first change right of a0 …
	for a0 < columns {
		// b1: the first change on the reference line right of a0, to the colour
		// opposite to ours. White to black changes have even indices.
		for i > 0 && ref[i-1] > a0 {
			i--
		}
		for i < len(ref)-1 && (ref[i] <= a0 && ref[i] < columns || (i&1 == 1) != black) {
			i++
		}
		if i == 0 && a0 < 0 && black {
			i = 1
		}
		b1 := min(ref[i], columns)
		b2 := columns
		if i+1 < len(ref) {
			b2 = min(ref[i+1], columns)
		}
		e := r.tab.mode[r.peek(7)]
		if e.bits == 0 {
			return cur, fmt.Errorf("%w: fax mode", errBad)
		}
		r.skip(int(e.bits))
		switch e.mode {
		case modePass:
			a0 = b2
		case modeHorizontal:
			n1, err := r.run(black)
			if err != nil {
				return cur, err
			}
			n2, err := r.run(!black)
			if err != nil {
				return cur, err
			}
			a1 := max(a0, 0) + n1
			a2 := a1 + n2
			if a2 > columns {
				return cur, fmt.Errorf("%w: fax row too long", errBad)
			}
			cur = change(change(cur, a1, columns), a2, columns)
			a0 = a2
		case modeVertical:
			a1 := b1 + int(e.run)
			if a1 < max(a0, 0) || a1 > columns {
				return cur, fmt.Errorf("%w: fax change", errBad)
			}
			cur = change(cur, a1, columns)
			a0 = a1
			black = !black
		}
	}
	return cur, nil
}

type faxCode struct {
	run  int16
	bits uint8
	mode uint8
}

type faxTable struct {
	white, black [1 << 13]faxCode
	mode         [1 << 7]faxCode
}

// faxTables spreads the code lists of ITU-T T.4 and T.6 over look-up tables.
var faxTables = sync.OnceValue(func() *faxTable {
	t := &faxTable{}
	spread := func(dst []faxCode, width int, code string, c faxCode) {
		v := 0
		for _, b := range code {
			v = v<<1 | int(b-'0')
		}
		c.bits = uint8(len(code))
		first := v << (width - len(code))
		for i := range 1 << (width - len(code)) {
			dst[first+i] = c
		}
	}
	for i, code := range faxWhite {
		spread(t.white[:], 13, code, faxCode{run: faxRun(i)})
	}
	for i, code := range faxBlack {
		spread(t.black[:], 13, code, faxCode{run: faxRun(i)})
	}
	for i, code := range faxExtended {
		c := faxCode{run: int16(1792 + 64*i)}
		spread(t.white[:], 13, code, c)
		spread(t.black[:], 13, code, c)
	}
	spread(t.mode[:], 7, "0001", faxCode{mode: modePass})
	spread(t.mode[:], 7, "001", faxCode{mode: modeHorizontal})
	for shift, code := range map[int]string{0: "1", 1: "011", 2: "000011", 3: "0000011", -1: "010", -2: "000010", -3: "0000010"} {
		spread(t.mode[:], 7, code, faxCode{mode: modeVertical, run: int16(shift)})
	}
	return t
})

// faxRun is the run of the i-th code of a list: 0 to 63, then 64, 128 … 1728.
func faxRun(i int) int16 {
	if i < 64 {
		return int16(i)
	}
	return int16(64 * (i - 63))
}

var faxWhite = [...]string{
	"00110101", "000111", "0111", "1000", "1011", "1100", "1110", "1111",
	"10011", "10100", "00111", "01000", "001000", "000011", "110100", "110101",
	"101010", "101011", "0100111", "0001100", "0001000", "0010111", "0000011", "0000100",
	"0101000", "0101011", "0010011", "0100100", "0011000", "00000010", "00000011", "00011010",
	"00011011", "00010010", "00010011", "00010100", "00010101", "00010110", "00010111", "00101000",
	"00101001", "00101010", "00101011", "00101100", "00101101", "00000100", "00000101", "00001010",
	"00001011", "01010010", "01010011", "01010100", "01010101", "00100100", "00100101", "01011000",
	"01011001", "01011010", "01011011", "01001010", "01001011", "00110010", "00110011", "00110100",
	"11011", "10010", "010111", "0110111", "00110110", "00110111", "01100100", "01100101",
	"01101000", "01100111", "011001100", "011001101", "011010010", "011010011", "011010100", "011010101",
	"011010110", "011010111", "011011000", "011011001", "011011010", "011011011", "010011000", "010011001",
	"010011010", "011000", "010011011",
}

var faxBlack = [...]string{
	"0000110111", "010", "11", "10", "011", "0011", "0010", "00011",
	"000101", "000100", "0000100", "0000101", "0000111", "00000100", "00000111", "000011000",
	"0000010111", "0000011000", "0000001000", "00001100111", "00001101000", "00001101100", "00000110111", "00000101000",
	"00000010111", "00000011000", "000011001010", "000011001011", "000011001100", "000011001101", "000001101000", "000001101001",
	"000001101010", "000001101011", "000011010010", "000011010011", "000011010100", "000011010101", "000011010110", "000011010111",
	"000001101100", "000001101101", "000011011010", "000011011011", "000001010100", "000001010101", "000001010110", "000001010111",
	"000001100100", "000001100101", "000001010010", "000001010011", "000000100100", "000000110111", "000000111000", "000000100111",
	"000000101000", "000001011000", "000001011001", "000000101011", "000000101100", "000001011010", "000001100110", "000001100111",
	"0000001111", "000011001000", "000011001001", "000001011011", "000000110011", "000000110100", "000000110101", "0000001101100",
	"0000001101101", "0000001001010", "0000001001011", "0000001001100", "0000001001101", "0000001110010", "0000001110011", "0000001110100",
	"0000001110101", "0000001110110", "0000001110111", "0000001010010", "0000001010011", "0000001010100", "0000001010101", "0000001011010",
	"0000001011011", "0000001100100", "0000001100101",
}

var faxExtended = [...]string{
	"00000001000", "00000001100", "00000001101", "000000010010", "000000010011", "000000010100", "000000010101",
	"000000010110", "000000010111", "000000011100", "000000011101", "000000011110", "000000011111",
}
