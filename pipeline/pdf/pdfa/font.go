package pdfa

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Fonts of a hidden text layer. ISO 19005-2, 6.2.11.4.1 asks for the font
// programs of fonts that are used for rendering; text that is never shown uses
// none. So the copy of such a font has its metrics, its encoding and its map to
// Unicode, which is what searching and copying need, and no program.

// standardFonts need no metrics of their own.
var standardFonts = map[name]bool{"Courier": true, "Courier-Bold": true, "Courier-Oblique": true, "Courier-BoldOblique": true,
	"Helvetica": true, "Helvetica-Bold": true, "Helvetica-Oblique": true, "Helvetica-BoldOblique": true,
	"Times-Roman": true, "Times-Bold": true, "Times-Italic": true, "Times-BoldItalic": true, "Symbol": true, "ZapfDingbats": true}

// hiddenFont carries over a font that only writes text that is never shown.
func (c *converter) hiddenFont(o any) (any, error) {
	key, isRef := o.(ref)
	if num, ok := c.copies[key]; isRef && ok {
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
		return nil, refuse("a font without its name in the hidden text")
	}
	out["BaseFont"] = bn
	switch sub {
	case name("Type1"), name("TrueType"), name("MMType1"):
		err = c.simpleFont(d, out)
	case name("Type0"):
		err = c.compositeFont(d, out)
	default:
		return nil, refuse("a font of type %v in the hidden text", sub)
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
		c.copies[key] = r.num
	}
	return r, nil
}

func (c *converter) simpleFont(d, out dict) error {
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
			return refuse("a damaged font in the hidden text")
		}
		out["FirstChar"], out["LastChar"], out["Widths"] = first, last, w[:last-first+1]
	} else if !standardFonts[out["BaseFont"].(name)] || out["Subtype"] != name("Type1") {
		return refuse("a font without its widths in the hidden text")
	}
	symbolic, err := c.descriptor(d["FontDescriptor"], out)
	if err != nil {
		return err
	}
	enc, err := c.encoding(d["Encoding"])
	if err != nil {
		return err
	}
	if enc != nil {
		out["Encoding"] = enc
	}
	if out["Subtype"] == name("TrueType") && !trueTypeEncoding(enc, symbolic) {
		return refuse("a TrueType font of this encoding in the hidden text")
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
					return nil, refuse("a damaged font in the hidden text")
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

// descriptor carries the metrics of a font over and leaves its program out.
func (c *converter) descriptor(o any, out dict) (symbolic bool, err error) {
	d, err := c.dict(o)
	if err != nil || d == nil {
		return false, err
	}
	fd := dict{"Type": name("FontDescriptor"), "FontName": out["BaseFont"]}
	for _, k := range []name{"Flags", "ItalicAngle", "Ascent", "Descent", "Leading", "CapHeight", "XHeight", "StemV", "StemH", "AvgWidth", "MaxWidth", "MissingWidth"} {
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
	flags, _ := fd["Flags"].(int64)
	out["FontDescriptor"] = c.out.add(fd)
	return flags&4 != 0, nil
}

// identityCMaps need no other file; the others would need rules of their own.
var identityCMaps = []name{"Identity-H", "Identity-V"}

func (c *converter) compositeFont(d, out dict) error {
	enc, err := c.get(d["Encoding"])
	if err != nil {
		return err
	}
	cm, ok := enc.(name)
	if !ok || !slices.Contains(identityCMaps, cm) {
		return refuse("a character map in the hidden text")
	}
	out["Encoding"] = cm
	kids, err := c.get(d["DescendantFonts"])
	if err != nil {
		return err
	}
	list, _ := kids.(array)
	if len(list) != 1 {
		return refuse("a damaged font in the hidden text")
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
		return refuse("a damaged font in the hidden text")
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
			return refuse("a damaged font in the hidden text")
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
	if _, err := c.descriptor(k["FontDescriptor"], kid); err != nil {
		return err
	}
	if sub == name("CIDFontType2") {
		kid["CIDToGIDMap"] = name("Identity")
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

// textOperator carries an operator of hidden text over.
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

// show writes text that is not shown. Mode and font are stated in front of each
// piece where they are not the ones in force, so that no form or page relies on
// what came before it.
func (w *rewriter) show(op keyword, args array) error {
	if len(args) == 0 {
		return nil
	}
	switch w.state.render {
	case 3:
	case 7:
		// Text as a clipping path and nothing painted through it: hidden too.
		w.state.clip = true
	default:
		w.c.text = true
		return refuse("text")
	}
	w.c.hiddenText = true
	if w.state.font == "" {
		return refuse("hidden text without a font")
	}
	o, err := w.resource("Font", w.state.font)
	if err != nil {
		return err
	}
	f, err := w.c.hiddenFont(o)
	if err != nil {
		return err
	}
	if w.written.render != 3 {
		w.emit("Tr", 3)
		w.written.render = 3
	}
	if w.written.font != w.state.font || w.written.size != w.state.size {
		w.use("Font", w.state.font, f)
		w.emit("Tf", w.state.font, w.state.size)
		w.written.font, w.written.size = w.state.font, w.state.size
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

// checkFont checks a font that writes hidden text.
func (k *checker) checkFont(o any) error {
	d, err := k.dict(o)
	if err != nil {
		return err
	}
	if d["Type"] != name("Font") {
		return breaks("6.2.11.2", "a font without its type")
	}
	bn, ok := d["BaseFont"].(name)
	if !ok || !utf8.ValidString(string(bn)) {
		return breaks("6.2.11.2", "a font without its name")
	}
	for key := range d {
		switch key {
		case "Type", "Subtype", "BaseFont", "FirstChar", "LastChar", "Widths", "FontDescriptor", "Encoding", "ToUnicode", "DescendantFonts":
		default:
			return breaks("6.2.11", "/%s in a font", key)
		}
	}
	fd, err := k.dict(d["FontDescriptor"])
	if err != nil {
		return err
	}
	if err := k.noProgram(fd); err != nil {
		return err
	}
	switch d["Subtype"] {
	case name("Type1"), name("MMType1"), name("TrueType"):
		if !standardFonts[bn] || d["Widths"] != nil {
			first, ok1 := d["FirstChar"].(int64)
			last, ok2 := d["LastChar"].(int64)
			w, err := k.get(d["Widths"])
			if err != nil {
				return err
			}
			list, ok3 := w.(array)
			if !ok1 || !ok2 || !ok3 || int64(len(list)) != last-first+1 {
				return breaks("6.2.11.2", "a font's widths")
			}
		}
		flags, _ := fd["Flags"].(int64)
		enc, err := k.get(d["Encoding"])
		if err != nil {
			return err
		}
		if d["Subtype"] == name("TrueType") && !trueTypeEncoding(enc, flags&4 != 0) {
			return breaks("6.2.11.6", "a TrueType font's encoding")
		}
		return nil
	case name("Type0"):
		if cm, ok := d["Encoding"].(name); !ok || !slices.Contains(identityCMaps, cm) {
			return breaks("6.2.11.3.3", "a character map")
		}
		kids, err := k.get(d["DescendantFonts"])
		if err != nil {
			return err
		}
		list, _ := kids.(array)
		if len(list) != 1 {
			return breaks("6.2.11.3", "descendant fonts")
		}
		kid, err := k.dict(list[0])
		if err != nil {
			return err
		}
		if s, ok := kid["Subtype"].(name); !ok || !strings.HasPrefix(string(s), "CIDFontType") || kid["Type"] != name("Font") || kid["BaseFont"] == nil || kid["CIDSystemInfo"] == nil {
			return breaks("6.2.11.3", "descendant font")
		}
		fd, err := k.dict(kid["FontDescriptor"])
		if err != nil {
			return err
		}
		return k.noProgram(fd)
	}
	return breaks("6.2.11.2", "a font of type %v", d["Subtype"])
}

// noProgram: the rules for font programs are not known here.
func (k *checker) noProgram(fd dict) error {
	for _, key := range []name{"FontFile", "FontFile2", "FontFile3", "CharSet", "CIDSet"} {
		if fd[key] != nil {
			return breaks("6.2.11", "a font program, which is not checked here")
		}
	}
	return nil
}
