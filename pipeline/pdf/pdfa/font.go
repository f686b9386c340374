package pdfa

import (
	"io"
	"slices"
	"unicode/utf8"
)

// programEntries are the entries of a font descriptor that may hold the program.
var programEntries = []name{"FontFile", "FontFile2", "FontFile3"}

// Fonts of text that is shown are carried over whole: dictionaries by allow-list,
// the program byte for byte, so that every reader draws what it drew before.
// Whether they keep the rules, Check finds out.
//
// Fonts of a hidden text layer. ISO 19005-2, 6.2.11.4.1 asks for the font
// programs of fonts that are used for rendering; text that is never shown uses
// none. So the copy of such a font has its metrics, its encoding and its map to
// Unicode, which is what searching and copying need, and no program.

// standardFonts need no metrics of their own.
var standardFonts = map[name]bool{"Courier": true, "Courier-Bold": true, "Courier-Oblique": true, "Courier-BoldOblique": true,
	"Helvetica": true, "Helvetica-Bold": true, "Helvetica-Oblique": true, "Helvetica-BoldOblique": true,
	"Times-Roman": true, "Times-Bold": true, "Times-Italic": true, "Times-BoldItalic": true, "Symbol": true, "ZapfDingbats": true}

// fontUse is a font as it is used.
type fontUse struct {
	ref   ref
	shown bool
}

// font carries over a font: with its program where it writes text that is shown,
// without it where all its text is hidden.
func (c *converter) font(o any, shown bool) (any, error) {
	key, isRef := o.(ref)
	if num, ok := c.fonts[fontUse{key, shown}]; isRef && ok {
		return ref{num, 0}, nil
	}
	d, err := c.dict(o)
	if err != nil {
		return nil, err
	}
	out := dict{"Type": name("Font")}
	sub, err := c.get(d["Subtype"])
	if err != nil {
		return nil, err
	}
	out["Subtype"] = sub
	base, err := c.get(d["BaseFont"])
	if err != nil {
		return nil, err
	}
	bn, ok := base.(name)
	if !ok || !utf8.ValidString(string(bn)) || len(bn) > 100 {
		return nil, refuse("a font without its name")
	}
	out["BaseFont"] = bn
	switch sub {
	case name("Type1"), name("TrueType"), name("MMType1"):
		err = c.simpleFont(d, out, shown)
	case name("Type0"):
		err = c.compositeFont(d, out, shown)
	default:
		return nil, refuse("a font of type %v", sub)
	}
	if err != nil {
		return nil, err
	}
	if d["ToUnicode"] != nil {
		v, err := c.get(d["ToUnicode"])
		if err != nil {
			return nil, err
		}
		if s, ok := v.(*stream); ok {
			b, err := decoded(c.doc, s, maxCopied)
			if err != nil {
				return nil, c.unreadable(err)
			}
			num := c.out.reserve()
			c.out.bytes(num, dict{}, b, true)
			out["ToUnicode"] = ref{num, 0}
		}
	}
	r := c.out.add(out)
	if isRef {
		c.fonts[fontUse{key, shown}] = r.num
	}
	return r, nil
}

func (c *converter) simpleFont(d, out dict, shown bool) error {
	if d["Widths"] != nil {
		first, ok1, err := c.intEntry(d, "FirstChar")
		if err != nil {
			return err
		}
		last, ok2, err := c.intEntry(d, "LastChar")
		if err != nil {
			return err
		}
		w, err := c.numbers(d["Widths"])
		if err != nil {
			return err
		}
		if !ok1 || !ok2 || first < 0 || last > 255 || int64(len(w)) < last-first+1 || last < first {
			return refuse("a damaged font")
		}
		out["FirstChar"], out["LastChar"], out["Widths"] = first, last, w[:last-first+1]
	} else if !standardFonts[out["BaseFont"].(name)] || out["Subtype"] != name("Type1") {
		return refuse("a font without its widths")
	}
	symbolic, err := c.descriptor(d["FontDescriptor"], out, shown)
	if err != nil {
		return err
	}
	enc, err := c.encoding(d["Encoding"])
	if err == nil && enc == nil && shown && d["Encoding"] != nil {
		err = refuse("an encoding of unknown name")
	}
	if err != nil {
		return err
	}
	if enc != nil {
		out["Encoding"] = enc
	}
	if out["Subtype"] == name("TrueType") && !trueTypeEncoding(enc, symbolic) {
		return refuse("a TrueType font of this encoding")
	}
	return nil
}

// trueTypeEncoding is the rule of 6.2.11.6.
func trueTypeEncoding(enc any, symbolic bool) bool {
	if symbolic {
		return enc == nil
	}
	return enc == name("MacRomanEncoding") || enc == name("WinAnsiEncoding")
}

// encoding carries a named encoding over, or one with differences.
func (c *converter) encoding(o any) (any, error) {
	o, err := c.get(o)
	if err != nil {
		return nil, err
	}
	switch o := o.(type) {
	case name:
		switch o {
		case "MacRomanEncoding", "WinAnsiEncoding", "StandardEncoding", "MacExpertEncoding":
			return o, nil
		}
		return nil, nil
	case dict:
		out := dict{"Type": name("Encoding")}
		if b, err := c.get(o["BaseEncoding"]); err != nil {
			return nil, err
		} else if b, ok := b.(name); ok {
			out["BaseEncoding"] = b
		}
		diff, err := c.get(o["Differences"])
		if err != nil {
			return nil, err
		}
		list, _ := diff.(array)
		var clean array
		for _, e := range list {
			e, err := c.get(e)
			if err != nil {
				return nil, err
			}
			switch e := e.(type) {
			case int64:
				clean = append(clean, e)
			case name:
				if !utf8.ValidString(string(e)) || len(e) > 127 {
					return nil, refuse("a damaged font")
				}
				clean = append(clean, e)
			}
		}
		if len(clean) == 0 {
			if b, ok := out["BaseEncoding"]; ok {
				return b, nil
			}
			return nil, nil
		}
		out["Differences"] = clean
		return out, nil
	}
	return nil, nil
}

// descriptorEntries are the numbers of a font descriptor.
var descriptorEntries = []name{"Flags", "ItalicAngle", "Ascent", "Descent", "Leading", "CapHeight", "XHeight", "StemV", "StemH", "AvgWidth", "MaxWidth", "MissingWidth"}

// descriptor carries the metrics of a font over, and its program where its text is
// shown. CharSet and CIDSet are left out: they need not be there, and those of
// many writers are wrong (6.2.11.4.2).
func (c *converter) descriptor(o any, out dict, shown bool) (symbolic bool, err error) {
	d, err := c.dict(o)
	if err == nil && d == nil && shown {
		err = errNotEmbedded
	}
	if err != nil || d == nil {
		return false, err
	}
	fd := dict{"Type": name("FontDescriptor"), "FontName": out["BaseFont"]}
	for _, k := range descriptorEntries {
		v, err := c.get(d[k])
		if err != nil {
			return false, err
		}
		if v == nil {
			continue
		}
		if err := checkNumber(v); err != nil {
			return false, err
		}
		fd[k] = v
	}
	if d["FontBBox"] != nil {
		box, err := c.numbers(d["FontBBox"])
		if err != nil {
			return false, err
		}
		if len(box) == 4 {
			fd["FontBBox"] = box
		}
	}
	if shown {
		if err := c.program(d, fd); err != nil {
			return false, err
		}
	}
	flags, _ := fd["Flags"].(int64)
	out["FontDescriptor"] = c.out.add(fd)
	return flags&4 != 0, nil
}

var errNotEmbedded = refuse("text in a font that is not embedded")

// program carries the font program over, its bytes as they are.
func (c *converter) program(d, fd dict) error {
	for _, key := range programEntries {
		v, err := c.get(d[key])
		if err != nil {
			return err
		}
		s, ok := v.(*stream)
		if !ok {
			continue
		}
		num, err := c.plainStream(s, d[key], "Length1", "Length2", "Length3", "Subtype")
		if err != nil {
			return err
		}
		fd[key] = ref{num, 0}
		return nil
	}
	return errNotEmbedded
}

// plainStream carries a stream over whose bytes mean something by themselves,
// with the entries named.
func (c *converter) plainStream(s *stream, o any, entries ...name) (int, error) {
	key, isRef := o.(ref)
	if num, ok := c.copies[key]; isRef && ok {
		return num, nil
	}
	out := dict{}
	for _, k := range entries {
		v, err := c.get(s.dict[k])
		if err != nil {
			return 0, err
		}
		switch v := v.(type) {
		case int64, name:
			out[k] = v
		}
	}
	fs, err := filters(c.doc, s.dict)
	if err != nil {
		return 0, c.unreadable(err)
	}
	num := c.out.reserve()
	if len(fs) == 1 && fs[0].name == "FlateDecode" && fs[0].parms == nil {
		c.out.body(num, with(out, "Filter", fs[0].name), io.NewSectionReader(s.body, 0, s.body.Size()), s.body.Size())
	} else {
		b, err := decoded(c.doc, s, maxCopied)
		if err != nil {
			return 0, c.unreadable(err)
		}
		c.out.bytes(num, out, b, true)
	}
	if isRef {
		c.copies[key] = num
	}
	return num, nil
}

// identityCMaps need no other file; the others would need rules of their own.
var identityCMaps = []name{"Identity-H", "Identity-V"}

func (c *converter) compositeFont(d, out dict, shown bool) error {
	enc, err := c.get(d["Encoding"])
	if err != nil {
		return err
	}
	cm, ok := enc.(name)
	if !ok || !slices.Contains(identityCMaps, cm) {
		return refuse("a character map")
	}
	out["Encoding"] = cm
	kids, err := c.get(d["DescendantFonts"])
	if err != nil {
		return err
	}
	list, _ := kids.(array)
	if len(list) != 1 {
		return refuse("a damaged font")
	}
	k, err := c.dict(list[0])
	if err != nil {
		return err
	}
	sub, err := c.get(k["Subtype"])
	if err != nil {
		return err
	}
	if sub != name("CIDFontType0") && sub != name("CIDFontType2") {
		return refuse("a damaged font")
	}
	kid := dict{"Type": name("Font"), "Subtype": sub, "BaseFont": out["BaseFont"]}
	if b, err := c.get(k["BaseFont"]); err != nil {
		return err
	} else if b, ok := b.(name); ok && utf8.ValidString(string(b)) {
		kid["BaseFont"] = b
	}
	si, err := c.dict(k["CIDSystemInfo"])
	if err != nil {
		return err
	}
	info := dict{}
	for _, key := range []name{"Registry", "Ordering"} {
		v, err := c.get(si[key])
		if err != nil {
			return err
		}
		s, ok := v.(str)
		if !ok || len(s) > 100 {
			return refuse("a damaged font")
		}
		info[key] = s
	}
	sup, _, err := c.intEntry(si, "Supplement")
	if err != nil {
		return err
	}
	info["Supplement"] = sup
	kid["CIDSystemInfo"] = info
	for _, key := range []name{"DW", "W", "DW2", "W2"} {
		if k[key] == nil {
			continue
		}
		v, err := c.widths(k[key], 0)
		if err != nil {
			return err
		}
		kid[key] = v
	}
	if _, err := c.descriptor(k["FontDescriptor"], kid, shown); err != nil {
		return err
	}
	if sub == name("CIDFontType2") {
		kid["CIDToGIDMap"] = name("Identity")
		if shown {
			m, err := c.get(k["CIDToGIDMap"])
			if err != nil {
				return err
			}
			if s, ok := m.(*stream); ok {
				num, err := c.plainStream(s, k["CIDToGIDMap"])
				if err != nil {
					return err
				}
				kid["CIDToGIDMap"] = ref{num, 0}
			}
		}
	}
	out["DescendantFonts"] = array{c.out.add(kid)}
	return nil
}

func (c *converter) widths(o any, depth int) (any, error) {
	o, err := c.get(o)
	if err != nil {
		return nil, err
	}
	if a, ok := o.(array); ok && depth < 2 {
		out := make(array, len(a))
		for i, e := range a {
			if out[i], err = c.widths(e, depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return o, checkNumber(o)
}

// textOperator carries an operator of text over.
func (w *rewriter) textOperator(op keyword, args array) error {
	switch op {
	case "Tf":
		if len(args) < 2 {
			return refuse("the page content is damaged: Tf")
		}
		n, ok := args[len(args)-2].(name)
		if !ok {
			return refuse("the page content is damaged: Tf")
		}
		size := args[len(args)-1]
		if err := checkNumber(size); err != nil {
			return err
		}
		w.state.font, w.state.size = n, size
		return nil
	case "Tr":
		if len(args) > 0 {
			if n, ok := num(args[len(args)-1]); ok {
				w.state.render = int(n)
			}
		}
		return nil
	case "Tj", "TJ", "'", "\"":
		return w.show(op, args)
	}
	need := operators[op]
	if len(args) < need {
		return refuse("the page content is damaged: %s with %d operands", op, len(args))
	}
	args = args[len(args)-need:]
	for _, a := range args {
		if err := checkNumber(a); err != nil {
			return err
		}
	}
	w.emit(op, args...)
	return nil
}

// show writes text. Mode and font are stated in front of each piece where they
// are not the ones in force, so that no form or page relies on what came before
// it.
func (w *rewriter) show(op keyword, args array) error {
	if len(args) == 0 {
		return nil
	}
	mode := w.state.render
	switch {
	case mode == 7:
		// Text as a clipping path and nothing painted through it is hidden, too.
		w.state.clip = true
		mode = 3
	case mode < 0 || mode > 7:
		return refuse("a text rendering mode that does not exist")
	}
	shown := mode != 3
	w.c.text = w.c.text || shown
	w.c.hiddenText = w.c.hiddenText || !shown
	if w.state.font == "" {
		return refuse("text without a font")
	}
	n, err := w.useFont(fontName{w.state.font, shown})
	if err != nil {
		return err
	}
	if w.written.render != mode {
		w.emit("Tr", mode)
		w.written.render = mode
	}
	if w.written.font != n || w.written.size != w.state.size {
		w.emit("Tf", n, w.state.size)
		w.written.font, w.written.size = n, w.state.size
	}
	last := args[len(args)-1]
	switch op {
	case "TJ":
		a, ok := last.(array)
		if !ok {
			return refuse("the page content is damaged: TJ")
		}
		for _, e := range a {
			if s, ok := e.(str); ok {
				if len(s) > 32767 {
					return refuse("a string of %d bytes", len(s))
				}
				continue
			}
			if err := checkNumber(e); err != nil {
				return err
			}
		}
	default:
		s, ok := last.(str)
		if !ok || len(s) > 32767 {
			return refuse("the page content is damaged: %s", op)
		}
	}
	if op == "\"" {
		if len(args) < 3 {
			return refuse("the page content is damaged: %s", op)
		}
		for _, a := range args[len(args)-3 : len(args)-1] {
			if err := checkNumber(a); err != nil {
				return err
			}
		}
		w.emit(op, args[len(args)-3:]...)
		return nil
	}
	w.emit(op, last)
	return nil
}

// fontName is a font of the source's resources as it is used.
type fontName struct {
	name  name
	shown bool
}

// useFont carries a font over and names it: as in the source, unless the same font
// is used for shown and for hidden text and so has become two.
func (w *rewriter) useFont(f fontName) (name, error) {
	if n, ok := w.fonts[f]; ok {
		return n, nil
	}
	o, err := w.resource("Font", f.name)
	if err != nil {
		return "", err
	}
	v, err := w.c.font(o, f.shown)
	if err != nil {
		return "", err
	}
	n := f.name
	for w.used["Font"][n] != nil {
		n += "_"
	}
	w.use("Font", n, v)
	w.fonts[f] = n
	return n, nil
}
