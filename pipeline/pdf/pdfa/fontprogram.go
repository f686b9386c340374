package pdfa

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Font programs are read here as far as the rules of PDF/A ask: which glyphs are
// there, how wide they are, and by what names and codes they are found. What
// cannot be read is an error, never a guess.

var errFontProgram = errors.New("font program")

func badFont(what string) error { return fmt.Errorf("%w: %s", errFontProgram, what) }

// face is a font program.
type face interface {
	glyphs() int
	// width is the advance of a glyph in thousandths of the em.
	width(gid int) (float64, error)
}

// charMap finds glyphs by code; those that it does not name are 0.
type charMap map[int]int

// trueType is a TrueType program.
type trueType struct {
	n      int
	units  float64
	widths []uint16
	maps   map[[2]int]charMap // by platform and encoding
	tables int                // in cmap
}

func (f *trueType) glyphs() int { return f.n }

func (f *trueType) width(gid int) (float64, error) {
	if gid < 0 || gid >= f.n || len(f.widths) == 0 {
		return 0, badFont("no such glyph")
	}
	return float64(f.widths[min(gid, len(f.widths)-1)]) * 1000 / f.units, nil
}

// sfntTables is the directory of a TrueType or OpenType file.
func sfntTables(b []byte) (map[string][]byte, error) {
	if len(b) < 12 {
		return nil, badFont("too short")
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if len(b) < 12+16*n {
		return nil, badFont("table directory")
	}
	out := map[string][]byte{}
	for i := range n {
		e := b[12+16*i:]
		off, size := int64(binary.BigEndian.Uint32(e[8:])), int64(binary.BigEndian.Uint32(e[12:]))
		if off+size > int64(len(b)) {
			return nil, badFont("a table beyond the end")
		}
		out[string(e[:4])] = b[off : off+size]
	}
	return out, nil
}

func readTrueType(b []byte) (*trueType, error) {
	t, err := sfntTables(b)
	if err != nil {
		return nil, err
	}
	head, hhea, hmtx, maxp := t["head"], t["hhea"], t["hmtx"], t["maxp"]
	if len(head) < 54 || len(hhea) < 36 || len(maxp) < 6 {
		return nil, badFont("a table is missing")
	}
	f := &trueType{n: int(binary.BigEndian.Uint16(maxp[4:])), units: float64(binary.BigEndian.Uint16(head[18:])), maps: map[[2]int]charMap{}}
	metrics := int(binary.BigEndian.Uint16(hhea[34:]))
	if f.units == 0 || metrics == 0 || len(hmtx) < 4*metrics {
		return nil, badFont("metrics")
	}
	for i := range metrics {
		f.widths = append(f.widths, binary.BigEndian.Uint16(hmtx[4*i:]))
	}
	if t["CFF "] == nil {
		// Glyphs whose place is not known are not there.
		size := 2
		if binary.BigEndian.Uint16(head[50:]) != 0 {
			size = 4
		}
		if len(t["loca"]) < size*(f.n+1) || t["glyf"] == nil {
			return nil, badFont("outlines")
		}
	}
	return f, f.readMaps(t["cmap"])
}

func (f *trueType) readMaps(b []byte) error {
	if b == nil {
		return nil
	}
	if len(b) < 4 {
		return badFont("cmap")
	}
	f.tables = int(binary.BigEndian.Uint16(b[2:]))
	if len(b) < 4+8*f.tables {
		return badFont("cmap")
	}
	for i := range f.tables {
		e := b[4+8*i:]
		off := int64(binary.BigEndian.Uint32(e[4:]))
		if off >= int64(len(b)) {
			return badFont("cmap")
		}
		m, err := readCharMap(b[off:])
		if err != nil {
			return err
		}
		f.maps[[2]int{int(binary.BigEndian.Uint16(e)), int(binary.BigEndian.Uint16(e[2:]))}] = m
	}
	return nil
}

// readCharMap reads formats 0, 4 and 6, which simple fonts use. Others are left
// empty: they find no glyph, so nothing is vouched for by them.
func readCharMap(b []byte) (charMap, error) {
	m := charMap{}
	u16 := func(at int) int { return int(binary.BigEndian.Uint16(b[at:])) }
	if len(b) < 6 {
		return nil, badFont("cmap")
	}
	switch u16(0) {
	case 0:
		for c := 0; c < 256 && 6+c < len(b); c++ {
			m[c] = int(b[6+c])
		}
	case 6:
		if len(b) < 10 || len(b) < 10+2*u16(8) {
			return nil, badFont("cmap")
		}
		for i := range u16(8) {
			m[u16(6)+i] = u16(10 + 2*i)
		}
	case 4:
		if len(b) < 14 {
			return nil, badFont("cmap")
		}
		n := u16(6) / 2
		if len(b) < 16+8*n {
			return nil, badFont("cmap")
		}
		for i := range n {
			end, start, delta, at := u16(14+2*i), u16(16+2*n+2*i), u16(16+4*n+2*i), 16+6*n+2*i
			offset := u16(at)
			for c := start; c <= end && c < 0xffff; c++ {
				g := c
				if offset != 0 {
					p := at + offset + 2*(c-start)
					if p+2 > len(b) {
						break
					}
					if g = u16(p); g == 0 {
						continue
					}
				}
				m[c] = (g + delta) & 0xffff
			}
		}
	}
	return m, nil
}

// cff is a program in the Compact Font Format (Adobe Technical Note 5176).
type cff struct {
	chars    [][]byte
	global   [][]byte
	private  []cffPrivate
	selected func(gid int) int // which private dictionary
	scale    float64           // of widths, to thousandths
	keyed    bool              // by CID
	names    map[string]int    // glyph by name, where not keyed
	cids     map[int]int       // glyph by CID, where keyed
	builtin  [256]string       // the encoding of its own, where not keyed
}

type cffPrivate struct {
	subrs             [][]byte
	standard, nominal float64
}

func (f *cff) glyphs() int { return len(f.chars) }

type cffDict map[int][]float64

func readCFF(b []byte) (*cff, error) {
	if len(b) < 4 || int(b[2]) > len(b) {
		return nil, badFont("CFF header")
	}
	names, at, err := cffIndex(b, int(b[2]))
	if err != nil {
		return nil, err
	}
	tops, at, err := cffIndex(b, at)
	if err != nil {
		return nil, err
	}
	strs, at, err := cffIndex(b, at)
	if err != nil {
		return nil, err
	}
	f := &cff{scale: 1, selected: func(int) int { return 0 }}
	if f.global, _, err = cffIndex(b, at); err != nil {
		return nil, err
	}
	if len(names) != 1 || len(tops) != 1 {
		return nil, badFont("CFF with several fonts")
	}
	top, err := readCFFDict(tops[0])
	if err != nil {
		return nil, err
	}
	if f.chars, _, err = cffIndex(b, top.offset(17)); err != nil || len(f.chars) == 0 {
		return nil, badFont("CFF without glyphs")
	}
	if m := top[1207]; len(m) == 6 {
		f.scale = m[0] * 1000
	}
	ids, err := f.charset(b, top)
	if err != nil {
		return nil, err
	}
	if _, f.keyed = top[1230]; f.keyed {
		f.cids = map[int]int{}
		for g, id := range ids {
			f.cids[id] = g
		}
		return f, f.fontDicts(b, top)
	}
	p, err := readCFFPrivate(b, top)
	if err != nil {
		return nil, err
	}
	f.private = []cffPrivate{p}
	byGlyph := make([]string, len(ids))
	f.names = map[string]int{}
	for g, id := range ids {
		switch {
		case id < len(cffStrings):
			byGlyph[g] = cffStrings[id]
		case id-len(cffStrings) < len(strs):
			byGlyph[g] = string(strs[id-len(cffStrings)])
		default:
			return nil, badFont("CFF charset")
		}
		if _, ok := f.names[byGlyph[g]]; !ok {
			f.names[byGlyph[g]] = g
		}
	}
	return f, f.encoding(b, top.offset(16), byGlyph)
}

func (d cffDict) offset(op int) int {
	if v := d[op]; len(v) > 0 {
		return int(v[len(v)-1])
	}
	return 0
}

// cffIndex reads an INDEX and returns where it ends.
func cffIndex(b []byte, at int) ([][]byte, int, error) {
	if at < 0 || at+2 > len(b) {
		return nil, 0, badFont("CFF index")
	}
	n := int(binary.BigEndian.Uint16(b[at:]))
	if n == 0 {
		return nil, at + 2, nil
	}
	if at+3 > len(b) {
		return nil, 0, badFont("CFF index")
	}
	size := int(b[at+2])
	start := at + 3 + (n+1)*size
	if size < 1 || size > 4 || start > len(b) {
		return nil, 0, badFont("CFF index")
	}
	offset := func(i int) int {
		v := 0
		for _, c := range b[at+3+i*size : at+3+(i+1)*size] {
			v = v<<8 | int(c)
		}
		return start - 1 + v
	}
	out := make([][]byte, n)
	for i := range out {
		from, to := offset(i), offset(i+1)
		if from < start || to < from || to > len(b) {
			return nil, 0, badFont("CFF index")
		}
		out[i] = b[from:to]
	}
	return out, offset(n), nil
}

// readCFFDict reads a DICT; operators of two bytes have 1200 added to the second.
func readCFFDict(b []byte) (cffDict, error) {
	d := cffDict{}
	var args []float64
	for i := 0; i < len(b); {
		c := int(b[i])
		i++
		switch {
		case c <= 21:
			if c == 12 {
				if i >= len(b) {
					return nil, badFont("CFF dictionary")
				}
				c = 1200 + int(b[i])
				i++
			}
			d[c] = args
			args = nil
		case c == 30:
			var s []byte
			for done := false; !done && i < len(b); i++ {
				for _, nib := range []byte{b[i] >> 4, b[i] & 15} {
					if nib == 15 {
						done = true
						break
					}
					s = append(s, [...]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", ".", "E", "E-", "", "-"}[nib]...)
				}
			}
			v, err := strconv.ParseFloat(string(s), 64)
			if err != nil {
				return nil, badFont("CFF number")
			}
			args = append(args, v)
		default:
			v, n := cffNumber(b[i-1:], c == 29)
			if n == 0 {
				return nil, badFont("CFF dictionary")
			}
			args = append(args, v)
			i += n - 1
		}
	}
	return d, nil
}

// cffNumber reads a number of a dictionary or charstring and returns its length,
// 0 where there is none. Code 29 is a number in dictionaries only.
func cffNumber(b []byte, long bool) (float64, int) {
	c := int(b[0])
	switch {
	case c == 28 && len(b) >= 3:
		return float64(int16(binary.BigEndian.Uint16(b[1:]))), 3
	case c == 29 && long && len(b) >= 5:
		return float64(int32(binary.BigEndian.Uint32(b[1:]))), 5
	case c >= 32 && c <= 246:
		return float64(c - 139), 1
	case c >= 247 && c <= 250 && len(b) >= 2:
		return float64((c-247)*256 + int(b[1]) + 108), 2
	case c >= 251 && c <= 254 && len(b) >= 2:
		return float64(-(c-251)*256 - int(b[1]) - 108), 2
	}
	return 0, 0
}

func readCFFPrivate(b []byte, d cffDict) (cffPrivate, error) {
	v := d[18]
	if len(v) != 2 {
		return cffPrivate{}, badFont("CFF without a private dictionary")
	}
	size, at := int(v[0]), int(v[1])
	if size < 0 || at < 0 || at+size > len(b) {
		return cffPrivate{}, badFont("CFF private dictionary")
	}
	pd, err := readCFFDict(b[at : at+size])
	if err != nil {
		return cffPrivate{}, err
	}
	p := cffPrivate{}
	if w := pd[20]; len(w) > 0 {
		p.standard = w[0]
	}
	if w := pd[21]; len(w) > 0 {
		p.nominal = w[0]
	}
	if off := pd.offset(19); off != 0 {
		if p.subrs, _, err = cffIndex(b, at+off); err != nil {
			return p, err
		}
	}
	return p, nil
}

// fontDicts reads the dictionaries of a font keyed by CID.
func (f *cff) fontDicts(b []byte, top cffDict) error {
	list, _, err := cffIndex(b, top.offset(1236))
	if err != nil {
		return err
	}
	for _, e := range list {
		d, err := readCFFDict(e)
		if err != nil {
			return err
		}
		if m := d[1207]; len(m) == 6 && m[0] != 1 && top[1207] != nil || len(m) == 6 && top[1207] == nil && m[0] != 0.001 {
			return badFont("CFF with several scales")
		}
		p, err := readCFFPrivate(b, d)
		if err != nil {
			return err
		}
		f.private = append(f.private, p)
	}
	at := top.offset(1237)
	if at <= 0 || at >= len(b) {
		return badFont("CFF without a choice of dictionary")
	}
	of := make([]int, len(f.chars))
	switch b[at] {
	case 0:
		if at+1+len(of) > len(b) {
			return badFont("CFF choice of dictionary")
		}
		for g := range of {
			of[g] = int(b[at+1+g])
		}
	case 3:
		if at+5 > len(b) {
			return badFont("CFF choice of dictionary")
		}
		n := int(binary.BigEndian.Uint16(b[at+1:]))
		if at+3+3*n+2 > len(b) {
			return badFont("CFF choice of dictionary")
		}
		for i := range n {
			e := b[at+3+3*i:]
			for g := int(binary.BigEndian.Uint16(e)); g < int(binary.BigEndian.Uint16(e[3:])) && g < len(of); g++ {
				of[g] = int(e[2])
			}
		}
	default:
		return badFont("CFF choice of dictionary")
	}
	f.selected = func(g int) int { return of[g] }
	return nil
}

// charset is the name or CID of every glyph.
func (f *cff) charset(b []byte, top cffDict) ([]int, error) {
	ids := make([]int, len(f.chars))
	at := top.offset(15)
	if at <= 2 {
		if at != 0 || len(ids) > 229 {
			return nil, badFont("CFF expert charset")
		}
		for g := range ids {
			ids[g] = g
		}
		return ids, nil
	}
	if at >= len(b) {
		return nil, badFont("CFF charset")
	}
	format := b[at]
	at++
	for g := 1; g < len(ids); {
		need := map[byte]int{0: 2, 1: 3, 2: 4}[format]
		if need == 0 || at+need > len(b) {
			return nil, badFont("CFF charset")
		}
		first, left := int(binary.BigEndian.Uint16(b[at:])), 0
		switch format {
		case 1:
			left = int(b[at+2])
		case 2:
			left = int(binary.BigEndian.Uint16(b[at+2:]))
		}
		at += need
		for i := 0; i <= left && g < len(ids); i++ {
			ids[g] = first + i
			g++
		}
	}
	return ids, nil
}

func (f *cff) encoding(b []byte, at int, byGlyph []string) error {
	switch {
	case at == 0:
		f.builtin = standardEncoding()
		return nil
	case at == 1 || at+2 > len(b) || at < 0:
		return nil // the expert encoding: no codes are known
	}
	format, n := b[at], int(b[at+1])
	at += 2
	set := func(code, gid int) {
		if gid < len(byGlyph) && code < 256 {
			f.builtin[code] = byGlyph[gid]
		}
	}
	switch format & 127 {
	case 0:
		if at+n > len(b) {
			return badFont("CFF encoding")
		}
		for i := range n {
			set(int(b[at+i]), i+1)
		}
		at += n
	case 1:
		if at+2*n > len(b) {
			return badFont("CFF encoding")
		}
		g := 1
		for i := range n {
			for c := range int(b[at+2*i+1]) + 1 {
				set(int(b[at+2*i])+c, g)
				g++
			}
		}
		at += 2 * n
	default:
		return badFont("CFF encoding")
	}
	if format&128 != 0 {
		return badFont("CFF encoding with supplements")
	}
	return nil
}

// width runs a charstring up to the operator before which its width may stand.
func (f *cff) width(gid int) (float64, error) {
	if gid < 0 || gid >= len(f.chars) {
		return 0, badFont("no such glyph")
	}
	i := f.selected(gid)
	if i >= len(f.private) {
		return 0, badFont("CFF choice of dictionary")
	}
	r := widthRun{p: f.private[i], global: f.global}
	if err := r.run(f.chars[gid], 0); err != nil {
		return 0, err
	}
	if !r.done {
		return 0, badFont("a glyph without an end")
	}
	return r.width * f.scale, nil
}

type widthRun struct {
	p      cffPrivate
	global [][]byte
	stack  []float64
	width  float64
	done   bool
}

func (r *widthRun) run(b []byte, depth int) error {
	if depth > 10 {
		return badFont("subroutines nested too deep")
	}
	for i := 0; i < len(b) && !r.done; {
		c := b[i]
		if c == 255 {
			if i+5 > len(b) {
				return badFont("charstring")
			}
			r.stack = append(r.stack, float64(int32(binary.BigEndian.Uint32(b[i+1:])))/65536)
			i += 5
			continue
		}
		if c == 28 || c >= 32 {
			v, n := cffNumber(b[i:], false)
			if n == 0 || len(r.stack) > 512 {
				return badFont("charstring")
			}
			r.stack = append(r.stack, v)
			i += n
			continue
		}
		i++
		has := false
		switch c {
		case 1, 3, 18, 23, 19, 20: // stems and masks
			has = len(r.stack)%2 == 1
		case 21:
			has = len(r.stack) > 2
		case 4, 22:
			has = len(r.stack) > 1
		case 14:
			has = len(r.stack) == 1 || len(r.stack) == 5
		case 10, 29:
			subrs := r.p.subrs
			if c == 29 {
				subrs = r.global
			}
			if len(r.stack) == 0 {
				return badFont("charstring")
			}
			bias := 32768
			if len(subrs) < 1240 {
				bias = 107
			} else if len(subrs) < 33900 {
				bias = 1131
			}
			n := int(r.stack[len(r.stack)-1]) + bias
			r.stack = r.stack[:len(r.stack)-1]
			if n < 0 || n >= len(subrs) {
				return badFont("no such subroutine")
			}
			if err := r.run(subrs[n], depth+1); err != nil {
				return err
			}
			continue
		case 11:
			return nil
		default:
			return badFont("charstring")
		}
		r.done = true
		if r.width = r.p.standard; has {
			r.width = r.p.nominal + r.stack[0]
		}
	}
	return nil
}

// type1 is a Type 1 program (Adobe Type 1 Font Format).
type type1 struct {
	names   map[string]int
	widths  []float64
	builtin [256]string
}

func (f *type1) glyphs() int { return len(f.widths) }

func (f *type1) width(gid int) (float64, error) {
	if gid < 0 || gid >= len(f.widths) || math.IsNaN(f.widths[gid]) {
		return 0, badFont("no such glyph")
	}
	return f.widths[gid], nil
}

func readType1(b []byte) (*type1, error) {
	if len(b) > 6 && b[0] == 0x80 {
		return nil, badFont("Type 1 in segments") // PFB, which PDF does not allow
	}
	plain, rest, ok := bytes.Cut(b, []byte("eexec"))
	if !ok {
		return nil, badFont("Type 1 without its private part")
	}
	rest = bytes.TrimLeft(rest, " \t\r\n")
	if len(rest) < 8 {
		return nil, badFont("Type 1 without its private part")
	}
	if isHex(rest[:4]) {
		clean := bytes.Map(func(c rune) rune {
			if isHex([]byte{byte(c)}) {
				return c
			}
			return -1
		}, rest)
		out := make([]byte, len(clean)/2)
		if _, err := hex.Decode(out, clean[:len(out)*2]); err != nil {
			return nil, badFont("Type 1 in hexadecimal")
		}
		rest = out
	}
	private := decryptType1(rest, 55665, 4)
	f := &type1{names: map[string]int{}}
	if err := f.readPlain(plain); err != nil {
		return nil, err
	}
	return f, f.readGlyphs(private, type1Scale(plain))
}

func isHex(b []byte) bool {
	for _, c := range b {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
			return false
		}
	}
	return true
}

func decryptType1(b []byte, key uint16, skip int) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = c ^ byte(key>>8)
		key = (uint16(c)+key)*52845 + 22719
	}
	return out[min(skip, len(out)):]
}

// type1Scale is what a unit of the program is in thousandths; 0 where it is not
// known.
func type1Scale(plain []byte) float64 {
	_, after, ok := bytes.Cut(plain, []byte("/FontMatrix"))
	if !ok {
		return 1
	}
	fields := bytes.Fields(bytes.TrimLeft(after, " \t\r\n[{"))
	if len(fields) == 0 {
		return 0
	}
	v, err := strconv.ParseFloat(string(fields[0]), 64)
	if err != nil {
		return 0
	}
	return v * 1000
}

func (f *type1) readPlain(plain []byte) error {
	_, after, ok := bytes.Cut(plain, []byte("/Encoding"))
	if !ok {
		return nil
	}
	if bytes.HasPrefix(bytes.TrimLeft(after, " \t\r\n"), []byte("StandardEncoding")) {
		f.builtin = standardEncoding()
		return nil
	}
	words := bytes.Fields(bytes.ReplaceAll(after, []byte("/"), []byte(" /")))
	for i := 0; i+3 < len(words); i++ {
		if string(words[i]) == "readonly" || string(words[i]) == "def" && i > 8 {
			break
		}
		if string(words[i]) == "dup" && len(words[i+2]) > 1 && words[i+2][0] == '/' && string(words[i+3]) == "put" {
			code, err := strconv.Atoi(string(words[i+1]))
			if err != nil || code < 0 || code > 255 {
				return badFont("Type 1 encoding")
			}
			f.builtin[code] = string(words[i+2][1:])
		}
	}
	return nil
}

func (f *type1) readGlyphs(b []byte, scale float64) error {
	skip := 4
	if _, after, ok := bytes.Cut(b, []byte("/lenIV")); ok {
		words := bytes.Fields(after[:min(len(after), 32)])
		n, err := -1, error(nil)
		if len(words) > 0 {
			n, err = strconv.Atoi(string(words[0]))
		}
		if err != nil || n < 0 {
			return badFont("Type 1 without encryption")
		}
		skip = n
	}
	_, b, ok := bytes.Cut(b, []byte("/CharStrings"))
	if !ok || scale == 0 {
		return badFont("Type 1 without glyphs")
	}
	for {
		i := bytes.IndexByte(b, '/')
		if i < 0 {
			break
		}
		if e := bytes.Index(b[:i], []byte("end")); e >= 0 && len(f.widths) > 0 {
			break
		}
		b = b[i+1:]
		// name length RD data ND
		head := b[:min(len(b), 200)]
		words := bytes.Fields(head)
		if len(words) < 3 {
			break
		}
		n, err := strconv.Atoi(string(words[1]))
		if err != nil || n < 0 {
			return badFont("Type 1 glyph")
		}
		at := len(words[0]) + bytes.Index(head[len(words[0]):], words[1]) + len(words[1])
		at += bytes.Index(b[at:], words[2]) + len(words[2]) + 1
		if at+n > len(b) {
			return badFont("Type 1 glyph")
		}
		if _, twice := f.names[string(words[0])]; twice {
			return badFont("Type 1 glyph named twice")
		}
		f.names[string(words[0])] = len(f.widths)
		f.widths = append(f.widths, type1Width(decryptType1(b[at:at+n], 4330, skip))*scale)
		b = b[at+n:]
	}
	if len(f.widths) == 0 {
		return badFont("Type 1 without glyphs")
	}
	return nil
}

// type1Width is the width that a charstring begins with; not a number where it
// begins otherwise.
func type1Width(b []byte) float64 {
	var stack []float64
	for i := 0; i < len(b); {
		c := b[i]
		switch {
		case c == 255 && i+5 <= len(b):
			stack = append(stack, float64(int32(binary.BigEndian.Uint32(b[i+1:]))))
			i += 5
		case c >= 32:
			v, n := cffNumber(b[i:], false)
			if n == 0 {
				return math.NaN()
			}
			stack = append(stack, v)
			i += n
		case c == 13 && len(stack) >= 2:
			return stack[1]
		case c == 12 && i+1 < len(b) && b[i+1] == 12 && len(stack) >= 2 && stack[len(stack)-1] != 0:
			k := len(stack)
			stack = append(stack[:k-2], stack[k-2]/stack[k-1])
			i += 2
		case c == 12 && i+1 < len(b) && b[i+1] == 7 && len(stack) >= 3:
			return stack[2]
		default:
			return math.NaN()
		}
	}
	return math.NaN()
}
