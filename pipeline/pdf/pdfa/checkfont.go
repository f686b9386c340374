package pdfa

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxProgram bounds a font program, which is read into memory.
const maxProgram = 64 << 20

// checkedFont is a font whose dictionaries keep the rules. What it writes is
// judged code by code, because the rules are about the glyphs that are used.
type checkedFont struct {
	face  face // nil: no program, good for hidden text only
	wide  bool // codes of two bytes
	glyph func(code int) (gid int, ok bool)
	width func(code int) (float64, bool) // as the dictionaries state it
	seen  map[int]bool
}

// textState is what the checker must know to judge text.
type textState struct {
	render int64 // -1: that of the caller of a form, whoever it is
	font   *checkedFont
}

// shows judges the operands of an operator that shows text.
func (t textState) shows(args array) error {
	if t.font == nil || t.render < 0 {
		return breaks("6.2.11", "text whose font is not stated")
	}
	if len(args) == 0 {
		return breaks("6.2.2", "text without its operand")
	}
	pieces, ok := args[len(args)-1].(array)
	if !ok {
		pieces = args[len(args)-1:]
	}
	for _, e := range pieces {
		if s, ok := e.(str); ok {
			if err := t.font.shows(s, t.render); err != nil {
				return err
			}
		} else if _, ok := num(e); !ok {
			return breaks("6.2.2", "text that is none")
		}
	}
	return nil
}

// shows judges a text that a font writes, in a text rendering mode.
func (f *checkedFont) shows(s str, render int64) error {
	if f.face == nil {
		if render != 3 {
			return breaks("6.2.11.4.1", "text that is shown in a font that is not embedded")
		}
		return nil
	}
	step := 1
	if f.wide {
		if step = 2; len(s)%2 != 0 {
			return breaks("6.2.11", "text that ends within a code")
		}
	}
	for i := 0; i < len(s); i += step {
		code := int(s[i])
		if f.wide {
			code = code<<8 | int(s[i+1])
		}
		if f.seen[code] {
			continue
		}
		gid, ok := f.glyph(code)
		if !ok || gid < 0 || gid >= f.face.glyphs() {
			return breaks("6.2.11.8", "text without its glyph")
		}
		has, err := f.face.width(gid)
		if err != nil {
			return breaks("6.2.11.4.1", "%v", err)
		}
		said, ok := f.width(code)
		if !ok || math.IsNaN(has) || math.Abs(has-said) > 1 {
			return breaks("6.2.11.5", "a glyph's width is %.1f, not %.1f", has, said)
		}
		f.seen[code] = true
	}
	return nil
}

// font is the checked font of a name in the resources.
func (k *checker) font(n name, res dict) (*checkedFont, error) {
	d, err := k.dict(res["Font"])
	if err != nil {
		return nil, err
	}
	if d[n] == nil {
		return nil, breaks("6.2.2", "a font that is missing")
	}
	r, isRef := d[n].(ref)
	if f := k.fonts[r]; isRef && f != nil {
		return f, nil
	}
	f, err := k.checkFont(d[n])
	if err == nil && isRef {
		k.fonts[r] = f
	}
	return f, err
}

func (k *checker) checkFont(o any) (*checkedFont, error) {
	d, err := k.dict(o)
	if err != nil {
		return nil, err
	}
	if d["Type"] != name("Font") {
		return nil, breaks("6.2.11.2", "a font without its type")
	}
	bn, ok := d["BaseFont"].(name)
	if !ok || !utf8.ValidString(string(bn)) {
		return nil, breaks("6.2.11.2", "a font without its name")
	}
	for key := range d {
		switch key {
		case "Type", "Subtype", "BaseFont", "FirstChar", "LastChar", "Widths", "FontDescriptor", "Encoding", "ToUnicode", "DescendantFonts":
		default:
			return nil, breaks("6.2.11", "/%s in a font", key)
		}
	}
	switch d["Subtype"] {
	case name("Type1"), name("MMType1"), name("TrueType"):
		return k.simpleFont(d, bn)
	case name("Type0"):
		return k.compositeFont(d)
	}
	return nil, breaks("6.2.11.2", "a font of type %v", d["Subtype"])
}

func (k *checker) simpleFont(d dict, base name) (*checkedFont, error) {
	f := &checkedFont{seen: map[int]bool{}}
	fd, err := k.descriptor(d["FontDescriptor"])
	if err != nil {
		return nil, err
	}
	first, ok1 := d["FirstChar"].(int64)
	last, ok2 := d["LastChar"].(int64)
	w, err := k.get(d["Widths"])
	if err != nil {
		return nil, err
	}
	list, ok3 := w.(array)
	bare := !ok1 || !ok2 || !ok3 || int64(len(list)) != last-first+1
	if bare && (!standardFonts[base] || d["Widths"] != nil) {
		return nil, breaks("6.2.11.2", "a font's widths")
	}
	f.width = func(code int) (float64, bool) {
		i := int64(code) - first
		if bare || i < 0 || i >= int64(len(list)) {
			return 0, false
		}
		v, err := k.get(list[i])
		if err != nil {
			return 0, false
		}
		return num(v)
	}
	enc, err := k.get(d["Encoding"])
	if err != nil {
		return nil, err
	}
	flags, _ := fd["Flags"].(int64)
	symbolic := flags&4 != 0
	if d["Subtype"] == name("TrueType") && !trueTypeEncoding(enc, symbolic) {
		return nil, breaks("6.2.11.6", "a TrueType font's encoding")
	}
	if f.face, err = k.program(fd, false); f.face == nil || err != nil {
		return f, err
	}
	codes, named, err := k.codes(enc)
	if err != nil {
		return nil, err
	}
	switch p := f.face.(type) {
	case *trueType:
		if d["Subtype"] != name("TrueType") {
			return nil, breaks("6.2.11.2", "a TrueType program in another font")
		}
		return f, k.trueTypeCodes(f, p, codes, symbolic)
	case *cff:
		if p.keyed {
			return nil, breaks("6.2.11.2", "a program keyed by CID in a simple font")
		}
		f.glyph = byName(codes, named, p.builtin, p.names)
	case *type1:
		f.glyph = byName(codes, named, p.builtin, p.names)
	}
	if d["Subtype"] == name("TrueType") {
		return nil, breaks("6.2.11.2", "another program in a TrueType font")
	}
	return f, nil
}

// byName finds glyphs by name: what the dictionary says of a code stands before
// the program's own encoding, which counts where the dictionary names none.
func byName(codes [256]string, named bool, builtin [256]string, names map[string]int) func(int) (int, bool) {
	return func(code int) (int, bool) {
		n := codes[code]
		if n == "" && !named {
			n = builtin[code]
		}
		if n == "" || n == ".notdef" {
			return 0, false
		}
		g, ok := names[n]
		return g, ok
	}
}

// trueTypeCodes sets how codes find glyphs: ISO 32000-1, 9.6.6.4, under the
// restrictions of ISO 19005-2, 6.2.11.6.
func (k *checker) trueTypeCodes(f *checkedFont, p *trueType, codes [256]string, symbolic bool) error {
	unicode, macintosh, symbols := p.maps[[2]int{3, 1}], p.maps[[2]int{1, 0}], p.maps[[2]int{3, 0}]
	if symbolic {
		if p.tables != 1 && symbols == nil {
			return breaks("6.2.11.6", "a symbolic font with %d tables of codes", p.tables)
		}
		f.glyph = func(code int) (int, bool) {
			for _, c := range []int{code, 0xf000 + code} {
				if g := symbols[c]; g != 0 {
					return g, true
				}
			}
			g := macintosh[code]
			return g, g != 0
		}
		return nil
	}
	if unicode == nil && macintosh == nil {
		return breaks("6.2.11.6", "a font without a table of codes")
	}
	f.glyph = func(code int) (int, bool) {
		r, ok := glyphRune(codes[code])
		if !ok {
			return 0, false
		}
		if unicode != nil {
			g := unicode[int(r)]
			return g, g != 0
		}
		g := macintosh[macCode(codes[code])]
		return g, g != 0
	}
	return nil
}

// codes are the glyph names a font's dictionary gives to codes; named: it names
// an encoding for all of them.
func (k *checker) codes(enc any) (codes [256]string, named bool, err error) {
	switch enc := enc.(type) {
	case nil:
		return codes, false, nil
	case name:
		codes, named = namedEncoding(enc)
		if !named {
			return codes, false, breaks("6.2.11.6", "an encoding of unknown name")
		}
		return codes, true, nil
	case dict:
		if enc["BaseEncoding"] != nil {
			if codes, named, err = k.codes(enc["BaseEncoding"]); err != nil {
				return codes, named, err
			}
		}
		diff, err := k.get(enc["Differences"])
		if err != nil {
			return codes, named, err
		}
		list, _ := diff.(array)
		at := -1
		for _, e := range list {
			switch e := e.(type) {
			case int64:
				at = int(e)
			case name:
				if at < 0 || at > 255 {
					return codes, named, breaks("6.2.11", "differences of an encoding")
				}
				codes[at] = string(e)
				at++
			default:
				return codes, named, breaks("6.2.11", "differences of an encoding")
			}
		}
		return codes, named, nil
	}
	return codes, false, breaks("6.2.11", "an encoding")
}

func (k *checker) compositeFont(d dict) (*checkedFont, error) {
	if cm, ok := d["Encoding"].(name); !ok || !slices.Contains(identityCMaps, cm) {
		return nil, breaks("6.2.11.3.3", "a character map")
	}
	kids, err := k.get(d["DescendantFonts"])
	if err != nil {
		return nil, err
	}
	list, _ := kids.(array)
	if len(list) != 1 {
		return nil, breaks("6.2.11.3", "descendant fonts")
	}
	kid, err := k.dict(list[0])
	if err != nil {
		return nil, err
	}
	sub, ok := kid["Subtype"].(name)
	if !ok || !strings.HasPrefix(string(sub), "CIDFontType") || kid["Type"] != name("Font") || kid["BaseFont"] == nil || kid["CIDSystemInfo"] == nil {
		return nil, breaks("6.2.11.3", "descendant font")
	}
	for key := range kid {
		switch key {
		case "Type", "Subtype", "BaseFont", "CIDSystemInfo", "FontDescriptor", "DW", "W", "DW2", "W2", "CIDToGIDMap":
		default:
			return nil, breaks("6.2.11", "/%s in a font", key)
		}
	}
	f := &checkedFont{wide: true, seen: map[int]bool{}}
	if f.width, err = k.cidWidths(kid); err != nil {
		return nil, err
	}
	fd, err := k.descriptor(kid["FontDescriptor"])
	if err != nil {
		return nil, err
	}
	if f.face, err = k.program(fd, true); f.face == nil || err != nil {
		return f, err
	}
	switch p := f.face.(type) {
	case *trueType:
		if sub != "CIDFontType2" {
			return nil, breaks("6.2.11.3", "a TrueType program in another font")
		}
		f.glyph, err = k.cidToGID(kid["CIDToGIDMap"])
		return f, err
	case *cff:
		if sub != "CIDFontType0" {
			return nil, breaks("6.2.11.3", "another program in a TrueType font")
		}
		f.glyph = func(cid int) (int, bool) { return cid, cid != 0 }
		if p.keyed {
			f.glyph = func(cid int) (int, bool) {
				g, ok := p.cids[cid]
				return g, ok && g != 0
			}
		}
		return f, nil
	}
	return nil, breaks("6.2.11.3", "a Type 1 program in a composite font")
}

// cidToGID reads 6.2.11.3.2's map.
func (k *checker) cidToGID(o any) (func(int) (int, bool), error) {
	o, err := k.get(o)
	if err != nil {
		return nil, err
	}
	switch o := o.(type) {
	case name:
		if o == "Identity" {
			return func(cid int) (int, bool) { return cid, cid != 0 }, nil
		}
	case *stream:
		b, err := decoded(k.f, o, 1<<18)
		if err != nil {
			return nil, err
		}
		return func(cid int) (int, bool) {
			if 2*cid+1 >= len(b) {
				return 0, false
			}
			g := int(b[2*cid])<<8 | int(b[2*cid+1])
			return g, g != 0
		}, nil
	}
	return nil, breaks("6.2.11.3.2", "a font without its map to glyphs")
}

func (k *checker) cidWidths(kid dict) (func(int) (float64, bool), error) {
	standard := 1000.0
	if v, ok := num(kid["DW"]); ok {
		standard = v
	}
	o, err := k.get(kid["W"])
	if err != nil {
		return nil, err
	}
	list, _ := o.(array)
	widths := map[int]float64{}
	damaged := breaks("6.2.11.5", "a font's widths")
	for i := 0; i < len(list); {
		first, ok := list[i].(int64)
		if !ok || i+1 >= len(list) || first < 0 || first > 0xffff {
			return nil, damaged
		}
		next, err := k.get(list[i+1])
		if err != nil {
			return nil, err
		}
		if ws, ok := next.(array); ok {
			for j, w := range ws {
				v, ok := num(w)
				if !ok {
					return nil, damaged
				}
				widths[int(first)+j] = v
			}
			i += 2
			continue
		}
		last, ok := next.(int64)
		if !ok || i+2 >= len(list) || last > 0xffff {
			return nil, damaged
		}
		v, ok := num(list[i+2])
		if !ok {
			return nil, damaged
		}
		for c := first; c <= last; c++ {
			widths[int(c)] = v
		}
		i += 3
	}
	return func(cid int) (float64, bool) {
		if w, ok := widths[cid]; ok {
			return w, true
		}
		return standard, true
	}, nil
}

func (k *checker) descriptor(o any) (dict, error) {
	fd, err := k.dict(o)
	if err != nil {
		return nil, err
	}
	for key := range fd {
		if !slices.Contains(descriptorEntries, key) && !slices.Contains(programEntries, key) && key != "Type" && key != "FontName" && key != "FontBBox" {
			// Among them CharSet and CIDSet, which need not be there and have rules
			// of their own (6.2.11.4.2).
			return nil, breaks("6.2.11", "/%s in a font", key)
		}
	}
	return fd, nil
}

// program reads the embedded font program; nil where there is none.
func (k *checker) program(fd dict, composite bool) (face, error) {
	var at name
	for _, key := range programEntries {
		if fd[key] == nil {
			continue
		}
		if at != "" {
			return nil, breaks("6.2.11.4.1", "two font programs")
		}
		at = key
	}
	if at == "" {
		return nil, nil
	}
	o, err := k.get(fd[at])
	if err != nil {
		return nil, err
	}
	s, ok := o.(*stream)
	if !ok {
		return nil, breaks("6.2.11.4.1", "a font program that is missing")
	}
	for key := range s.dict {
		switch key {
		case "Length", "Length1", "Length2", "Length3", "Subtype", "Filter", "DecodeParms":
		default:
			return nil, breaks("6.2.11.4.1", "/%s in a font program", key)
		}
	}
	b, err := decoded(k.f, s, maxProgram)
	if err != nil {
		return nil, err
	}
	f, err := readProgram(b, at, s.dict["Subtype"], composite)
	if err != nil {
		return nil, breaks("6.2.11.4.1", "%v", err)
	}
	return f, nil
}

func readProgram(b []byte, at name, sub any, composite bool) (face, error) {
	switch {
	case at == "FontFile" && sub == nil:
		return readType1(b)
	case at == "FontFile2" && sub == nil:
		return readTrueType(b)
	case at == "FontFile3" && (sub == name("Type1C") && !composite || sub == name("CIDFontType0C") && composite):
		return readCFF(b)
	case at == "FontFile3" && sub == name("OpenType"):
		t, err := sfntTables(b)
		if err != nil {
			return nil, err
		}
		if t["CFF "] != nil {
			return readCFF(t["CFF "])
		}
		return readTrueType(b)
	}
	return nil, badFont("of a kind that is not known")
}
