package pdfa

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// graphics is what the rewriting must know of the graphics state.
type graphics struct {
	render int // text rendering mode
	font   name
	size   any
	clip   bool // text was made the clipping path
}

type formKey struct {
	ref    ref
	render int
}

type formDone struct {
	num int
}

// operators lists what may stand in a copy's content streams, with the number
// of operands (-1: checked by hand).
var operators = map[keyword]int{
	"q": 0, "Q": 0, "cm": 6, "w": 1, "J": 1, "j": 1, "M": 1, "d": -1, "ri": -1, "i": 1, "gs": -1,
	"m": 2, "l": 2, "c": 6, "v": 4, "y": 4, "h": 0, "re": 4,
	"S": 0, "s": 0, "f": 0, "F": 0, "f*": 0, "B": 0, "B*": 0, "b": 0, "b*": 0, "n": 0, "W": 0, "W*": 0,
	"g": 1, "G": 1, "rg": 3, "RG": 3, "k": 4, "K": 4, "cs": -1, "CS": -1, "sc": -1, "SC": -1, "scn": -1, "SCN": -1,
	"Do": -1, "sh": -1,
	"BT": 0, "ET": 0, "Tc": 1, "Tw": 1, "Tz": 1, "TL": 1, "Tf": -1, "Tr": -1, "Ts": 1, "Td": 2, "TD": 2, "Tm": 6, "T*": 0,
	"Tj": -1, "TJ": -1, "'": -1, "\"": -1,
}

// rewriter turns one content stream into its allowed form, with the resources
// it uses and no others.
type rewriter struct {
	c     *converter
	res   dict // of the source
	out   []byte
	used  map[name]dict // resource kind → name → object in the copy
	state graphics      // in the source
	stack []level
	depth int
	inl   int

	written graphics // text state in the copy
	fonts   map[fontName]name
	inText  bool
}

// level is what q keeps and Q brings back.
type level struct{ state, written graphics }

// rewrite turns a content stream into its allowed form.
func (c *converter) rewrite(data []byte, res dict, st *graphics, depth int) ([]byte, dict, error) {
	if depth > 20 {
		return nil, nil, refuse("forms nested more than 20 deep")
	}
	w := &rewriter{c: c, res: res, used: map[name]dict{}, fonts: map[fontName]name{}, state: graphics{render: st.render}, depth: depth}
	w.written.render = -1 // that of whatever draws the form
	l := &lexer{b: data, whole: true}
	var args array
	for n := 0; ; n++ {
		if n%1024 == 0 {
			if err := c.ctx.Err(); err != nil {
				return nil, nil, err
			}
		}
		o, err := l.next(0)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, refuse("the page content is damaged: %v", err)
		}
		op, ok := o.(keyword)
		if !ok {
			if args = append(args, o); len(args) > 1000 {
				return nil, nil, refuse("the page content is damaged: %d operands", len(args))
			}
			continue
		}
		if op == "BI" {
			err = w.inline(l)
		} else {
			err = w.op(op, args)
		}
		if err != nil {
			return nil, nil, err
		}
		args = args[:0]
	}
	if w.inText {
		w.emit("ET")
	}
	for range w.stack {
		w.emit("Q")
	}
	newRes := dict{}
	for k, d := range w.used {
		newRes[k] = d
	}
	return w.out, newRes, nil
}

func (w *rewriter) emit(op keyword, args ...any) {
	for _, a := range args {
		w.out = appendObject(w.out, a)
		w.out = append(w.out, ' ')
	}
	w.out = append(w.out, op...)
	w.out = append(w.out, '\n')
}

func (w *rewriter) use(kind, key name, v any) {
	if w.used[kind] == nil {
		w.used[kind] = dict{}
	}
	w.used[kind][key] = v
}

// resource looks a named resource up, without following it.
func (w *rewriter) resource(kind, key name) (any, error) {
	d, err := w.c.dict(w.res[kind])
	if err != nil {
		return nil, err
	}
	return d[key], nil
}

func (w *rewriter) op(op keyword, args array) error {
	if n, ok := operators[op]; ok && n >= 0 {
		if len(args) < n {
			return refuse("the page content is damaged: %s with %d operands", op, len(args))
		}
		args = args[len(args)-n:]
		for _, a := range args {
			if err := checkNumber(a); err != nil {
				return err
			}
		}
	}
	switch op {
	case "S", "s", "f", "F", "f*", "B", "B*", "b", "b*", "Do", "sh":
		if w.state.clip {
			return refuse("text as a clipping path")
		}
	}
	switch op {
	case "q":
		if len(w.stack) >= 28-min(w.depth, 8) && len(w.stack)+w.depth >= 28 {
			return refuse("graphics states nested more than 28 deep")
		}
		w.stack = append(w.stack, level{w.state, w.written})
		w.emit(op)
	case "Q":
		if len(w.stack) == 0 {
			return nil // one too many: readers ignore it
		}
		top := w.stack[len(w.stack)-1]
		w.state, w.written = top.state, top.written
		w.stack = w.stack[:len(w.stack)-1]
		w.emit(op)
	case "cm", "w", "J", "j", "M", "i", "m", "l", "c", "v", "y", "h", "re", "n", "W", "W*":
		w.emit(op, args...)
	case "S", "s", "f", "F", "f*", "B", "B*", "b", "b*":
		w.c.paths = true
		if op == "F" {
			op = "f"
		}
		w.emit(op)
	case "d":
		if len(args) < 2 {
			return refuse("the page content is damaged: d")
		}
		a, ok := args[len(args)-2].(array)
		if !ok {
			return refuse("the page content is damaged: d")
		}
		for _, e := range append(slices.Clone(a), args[len(args)-1]) {
			if err := checkNumber(e); err != nil {
				return err
			}
		}
		w.emit(op, a, args[len(args)-1])
	case "ri":
		if len(args) > 0 {
			if n, ok := args[len(args)-1].(name); ok && standardIntent[n] {
				w.emit(op, n)
			}
		}
	case "gs":
		return w.extGState(args)
	case "g", "G":
		w.emit(op, args...)
	case "rg", "RG":
		w.c.usesRGB = true
		if w.c.mixed {
			return w.profiled(op, args)
		}
		w.emit(op, args...)
	case "k", "K":
		w.c.usesCMYK = true
		w.emit(op, args...)
	case "cs", "CS":
		return w.setSpace(op, args)
	case "sc", "SC", "scn", "SCN":
		if n, ok := lastName(args); ok {
			return w.setPattern(op, n, args[:len(args)-1])
		}
		for _, a := range args {
			if err := checkNumber(a); err != nil {
				return err
			}
		}
		if len(args) > 0 {
			w.emit(op, args...)
		}
	case "Do":
		return w.do(args)
	case "BMC", "EMC", "MP", "DP":
	case "BDC":
	case "BX", "EX":
	case "BT":
		if !w.inText {
			w.inText = true
			w.emit(op)
		}
	case "ET":
		if w.inText {
			w.inText = false
			w.emit(op)
		}
	case "Tc", "Tw", "Tz", "TL", "Ts", "Td", "TD", "Tm", "T*", "Tf", "Tr", "Tj", "TJ", "'", "\"":
		return w.textOperator(op, args)
	case "sh":
		n, ok := lastName(args)
		if !ok {
			return refuse("the page content is damaged: sh")
		}
		o, err := w.resource("Shading", n)
		if err != nil || o == nil {
			return err // a missing shading paints nothing
		}
		w.c.paths = true
		sh, err := w.c.shading(o, w.res)
		if err != nil {
			return err
		}
		w.use("Shading", n, sh)
		w.emit(op, n)
	case "d0", "d1":
	default:
		// Readers ignore an operator they do not know.
	}
	return nil
}

func checkNumber(o any) error {
	switch o := o.(type) {
	case int64:
		if o < -1<<31 || o > 1<<31-1 {
			return refuse("a number out of range")
		}
		return nil
	case float64:
		if o < -3.4e38 || o > 3.4e38 {
			return refuse("a number out of range")
		}
		return nil
	}
	return refuse("the page content is damaged: %T instead of a number", o)
}

var standardIntent = map[name]bool{"RelativeColorimetric": true, "AbsoluteColorimetric": true, "Perceptual": true, "Saturation": true}

func lastName(args array) (name, bool) {
	if len(args) == 0 {
		return "", false
	}
	n, ok := args[len(args)-1].(name)
	return n, ok
}

func (w *rewriter) setSpace(op keyword, args array) error {
	n, ok := lastName(args)
	if !ok {
		return refuse("the page content is damaged: %s", op)
	}
	var o any = n
	switch n {
	case "DeviceGray", "DeviceRGB", "DeviceCMYK":
	case "Pattern":
		w.emit(op, n)
		return nil
	default:
		var err error
		if o, err = w.resource("ColorSpace", n); err != nil {
			return err
		}
		if o == nil {
			return refuse("a colour space that is missing")
		}
	}
	cs, err := w.c.space(o, w.res, 0)
	if err != nil {
		return err
	}
	if _, device := o.(name); device && w.c.mixed && cs.n == 3 {
		n = w.srgbName()
	}
	if dn, ok := cs.obj.(name); ok && dn != "Pattern" {
		w.emit(op, dn)
		return nil
	}
	w.use("ColorSpace", n, cs.obj)
	w.emit(op, n)
	return nil
}

// srgbName is the resource name of sRGB, one that the source does not use.
func (w *rewriter) srgbName() name {
	n := name("sRGB")
	for {
		if o, err := w.resource("ColorSpace", n); err == nil && o == nil {
			return n
		}
		n += "_"
	}
}

// profiled writes rg and RG as colours of the sRGB profile.
func (w *rewriter) profiled(op keyword, args array) error {
	n := w.srgbName()
	w.use("ColorSpace", n, w.c.sRGB())
	if op == "rg" {
		w.emit("cs", n)
		w.emit("sc", args...)
	} else {
		w.emit("CS", n)
		w.emit("SC", args...)
	}
	return nil
}

func (w *rewriter) do(args array) error {
	n, ok := lastName(args)
	if !ok {
		return refuse("the page content is damaged: Do")
	}
	o, err := w.resource("XObject", n)
	if err != nil {
		return err
	}
	v, err := w.c.get(o)
	if err != nil {
		return err
	}
	s, ok := v.(*stream)
	if !ok {
		return nil // a missing object draws nothing
	}
	key, _ := o.(ref)
	sub, err := w.c.get(s.dict["Subtype"])
	if err != nil {
		return err
	}
	switch sub {
	case name("Image"):
		num, err := w.c.image(s, key, w.res, false)
		if w.c.undrawn(err) {
			return nil
		}
		if err != nil {
			return err
		}
		w.c.drawn++
		w.use("XObject", n, ref{num, 0})
		w.emit("Do", n)
	case name("Form"):
		num, err := w.c.form(s, key, w.res, &w.state, w.depth+1)
		if err != nil {
			return err
		}
		w.use("XObject", n, ref{num, 0})
		w.emit("Do", n)
	default:
		return refuse("an external object of type %v", sub)
	}
	return nil
}

// form carries a form XObject over. One without resources of its own uses those
// of the page: the copy makes that explicit.
func (c *converter) form(s *stream, key ref, up dict, st *graphics, depth int) (int, error) {
	k := formKey{key, st.render}
	if key != (ref{}) {
		if done, ok := c.forms[k]; ok {
			if done.num == 0 {
				return 0, refuse("a form that draws itself")
			}
			return done.num, nil
		}
		c.forms[k] = formDone{}
	}
	for _, bad := range []name{"Ref", "PS"} {
		if s.dict[bad] != nil {
			return 0, refuse("a form with /%s", bad)
		}
	}
	d := dict{"Type": name("XObject"), "Subtype": name("Form")}
	box, ok, err := c.rect(s.dict["BBox"])
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, refuse("a form without a box")
	}
	d["BBox"] = box
	if s.dict["Matrix"] != nil {
		m, err := c.numbers(s.dict["Matrix"])
		if err != nil {
			return 0, err
		}
		if len(m) == 6 {
			d["Matrix"] = m
		}
	}
	if g, err := c.group(s.dict["Group"]); err != nil {
		return 0, err
	} else if g != nil {
		d["Group"] = g
	}
	res, err := c.dict(s.dict["Resources"])
	if err != nil {
		return 0, err
	}
	if res == nil {
		res = up
	}
	data, err := decoded(c.doc, s, maxContent)
	if err != nil {
		return 0, c.unreadable(err)
	}
	content, newRes, err := c.rewrite(data, res, st, depth)
	if err != nil {
		return 0, err
	}
	d["Resources"] = newRes
	num := c.out.reserve()
	c.out.bytes(num, d, content, len(content) > 200)
	if key != (ref{}) {
		c.forms[k] = formDone{num}
	}
	return num, nil
}

// numbers reads an array of numbers.
func (c *converter) numbers(o any) (array, error) {
	o, err := c.get(o)
	if err != nil {
		return nil, err
	}
	a, _ := o.(array)
	out := make(array, 0, len(a))
	for _, e := range a {
		e, err := c.get(e)
		if err != nil {
			return nil, err
		}
		if err := checkNumber(e); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (w *rewriter) extGState(args array) error {
	n, ok := lastName(args)
	if !ok {
		return refuse("the page content is damaged: gs")
	}
	o, err := w.resource("ExtGState", n)
	if err != nil {
		return err
	}
	g, err := w.c.dict(o)
	if err != nil {
		return err
	}
	if g == nil {
		return nil
	}
	out := dict{"Type": name("ExtGState")}
	for k, v := range g {
		v, err := w.c.get(v)
		if err != nil {
			return err
		}
		switch k {
		case "LW", "ML", "FL", "CA", "ca", "SM", "LC", "LJ":
			if err := checkNumber(v); err != nil {
				return err
			}
			if f, _ := num(v); (k == "CA" || k == "ca") && (f < 0 || f > 1) {
				v = min(max(f, 0), 1)
			}
			out[k] = v
		case "SA", "AIS", "TK", "OP", "op":
			b, ok := v.(bool)
			if !ok {
				continue
			}
			out[k] = b
			if (k == "OP" || k == "op") && b {
				w.c.overprint = true
			}
		case "OPM":
			if v == int64(0) {
				out[k] = v
			} else if v == int64(1) {
				out[k] = v
			}
		case "RI":
			if in, ok := v.(name); ok && standardIntent[in] {
				out[k] = in
			}
		case "D":
			if a, ok := v.(array); ok && len(a) == 2 {
				dash, err := w.c.numbers(a[0])
				if err != nil {
					return err
				}
				phase, err := w.c.get(a[1])
				if err != nil {
					return err
				}
				if err := checkNumber(phase); err != nil {
					return err
				}
				out[k] = array{dash, phase}
			}
		case "BM":
			list, ok := v.(array)
			if !ok {
				list = array{v}
			}
			for _, m := range list {
				m, err := w.c.get(m)
				if err != nil {
					return err
				}
				if m, ok := m.(name); ok && blendModes[m] {
					out[k] = m
					break
				}
			}
		case "SMask":
			if v == name("None") {
				out[k] = v
				continue
			}
			m, err := w.softMask(v)
			if err != nil {
				return err
			}
			if m != nil {
				out[k] = m
			}
		case "TR":
			if v != name("Identity") && g["TR2"] == nil {
				return refuse("a transfer function")
			}
		case "TR2":
			if v != name("Identity") && v != name("Default") {
				return refuse("a transfer function")
			}
		case "Font":
			return refuse("text")
		}
	}
	w.use("ExtGState", n, out)
	w.emit("gs", n)
	return nil
}

var blendModes = map[name]bool{"Normal": true, "Compatible": true, "Multiply": true, "Screen": true, "Overlay": true, "Darken": true, "Lighten": true,
	"ColorDodge": true, "ColorBurn": true, "HardLight": true, "SoftLight": true, "Difference": true, "Exclusion": true, "Hue": true,
	"Saturation": true, "Color": true, "Luminosity": true}

func (w *rewriter) softMask(o any) (any, error) {
	m, ok := o.(dict)
	if !ok {
		return nil, nil
	}
	out := dict{"Type": name("Mask")}
	kind, err := w.c.get(m["S"])
	if err != nil {
		return nil, err
	}
	if kind != name("Alpha") && kind != name("Luminosity") {
		return nil, refuse("a soft mask of an unknown kind")
	}
	out["S"] = kind
	if tr, err := w.c.get(m["TR"]); err != nil {
		return nil, err
	} else if tr != nil && tr != name("Identity") {
		f, err := w.c.function(m["TR"], 0)
		if err != nil {
			return nil, err
		}
		out["TR"] = f
	}
	if m["BC"] != nil {
		bc, err := w.c.numbers(m["BC"])
		if err != nil {
			return nil, err
		}
		out["BC"] = bc
	}
	g, err := w.c.get(m["G"])
	if err != nil {
		return nil, err
	}
	s, ok := g.(*stream)
	if !ok {
		return nil, refuse("a soft mask without its group")
	}
	key, _ := m["G"].(ref)
	num, err := w.c.form(s, key, w.res, &graphics{}, w.depth+1)
	if err != nil {
		return nil, err
	}
	out["G"] = ref{num, 0}
	return out, nil
}

// inline turns an inline image into an image XObject: the same bytes, and one
// set of rules for both.
func (w *rewriter) inline(l *lexer) error {
	d := dict{}
	for {
		k, err := l.next(0)
		if err != nil {
			return refuse("the page content is damaged: inline image")
		}
		if k == keyword("ID") {
			break
		}
		key, ok := k.(name)
		if !ok {
			return refuse("the page content is damaged: inline image")
		}
		v, err := l.next(0)
		if err != nil {
			return refuse("the page content is damaged: inline image")
		}
		if long, ok := shortKeys[key]; ok {
			key = long
		}
		d[key] = v
	}
	if l.pos < len(l.b) && isSpace(l.b[l.pos]) {
		l.pos++
	}
	d["ColorSpace"] = w.inlineSpace(d["ColorSpace"])
	if d["ColorSpace"] == nil {
		delete(d, "ColorSpace")
	}
	n, err := w.inlineLength(d, l.b[l.pos:])
	if err != nil {
		return err
	}
	data := l.b[l.pos : l.pos+n]
	l.pos += n
	if fs, err := filters(w.c.doc, d); err == nil && len(fs) > 0 && fs[len(fs)-1].name == "FlateDecode" {
		// Readers find the end of such an image by inflating it: where that
		// fails they differ in what they show.
		r, err := decoder(w.c.doc, bytes.NewReader(data), fs)
		if err == nil {
			_, err = io.Copy(io.Discard, io.LimitReader(r, maxCopied))
		}
		if err != nil {
			return refuse("the page content is damaged: inline image: %v", err)
		}
	}
	// to the end of EI
	i := bytes.Index(l.b[l.pos:], []byte("EI"))
	if i < 0 {
		return refuse("the page content is damaged: inline image without its end")
	}
	l.pos += i + 2
	num, err := w.c.image(&stream{d, io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))}, ref{}, w.res, true)
	if w.c.undrawn(err) {
		return nil
	}
	if err != nil {
		return err
	}
	w.c.drawn++
	xo, err := w.c.dict(w.res["XObject"])
	if err != nil {
		return err
	}
	var key name
	for {
		w.inl++
		key = name(fmt.Sprintf("Inline%d", w.inl))
		if _, taken := xo[key]; !taken {
			break
		}
	}
	w.use("XObject", key, ref{num, 0})
	w.emit("Do", key)
	return nil
}

var shortKeys = map[name]name{"W": "Width", "H": "Height", "BPC": "BitsPerComponent", "CS": "ColorSpace", "D": "Decode",
	"DP": "DecodeParms", "F": "Filter", "IM": "ImageMask", "I": "Interpolate", "L": "Length"}

// inlineSpace makes the short names of colour spaces long and looks named ones
// up.
func (w *rewriter) inlineSpace(o any) any {
	switch o := o.(type) {
	case name:
		if r, err := w.resource("ColorSpace", o); err == nil && r != nil {
			return r
		}
		switch o {
		case "G":
			return name("DeviceGray")
		case "RGB":
			return name("DeviceRGB")
		case "CMYK":
			return name("DeviceCMYK")
		}
		return o
	case array:
		if len(o) == 4 && (o[0] == name("I") || o[0] == name("Indexed")) {
			return array{name("Indexed"), w.inlineSpace(o[1]), o[2], o[3]}
		}
	}
	return o
}

// inlineLength finds how many bytes an inline image has: computed where it is
// not coded, else up to an EI that more content follows.
func (w *rewriter) inlineLength(d dict, b []byte) (int, error) {
	if d["Filter"] == nil {
		cs, err := w.c.spaceOrMask(d, w.res)
		if err != nil {
			return 0, err
		}
		wd, ok1 := d["Width"].(int64)
		ht, ok2 := d["Height"].(int64)
		bpc, ok3 := d["BitsPerComponent"].(int64)
		if d["ImageMask"] == true {
			bpc, ok3 = 1, true
		}
		if !ok1 || !ok2 || !ok3 || wd <= 0 || ht <= 0 || wd > 1<<20 || ht > 1<<20 {
			return 0, refuse("the page content is damaged: inline image")
		}
		n := (wd*int64(cs.n)*bpc + 7) / 8 * ht
		if n > int64(len(b)) {
			return 0, refuse("the page content is damaged: inline image cut off")
		}
		return int(n), nil
	}
	if n, ok := d["Length"].(int64); ok && n > 0 && int(n) < len(b) {
		rest := bytes.TrimLeft(b[n:min(len(b), int(n)+8)], "\r\n \t\x00")
		if bytes.HasPrefix(rest, []byte("EI")) {
			return int(n), nil
		}
	}
	for i := 0; ; {
		j := bytes.Index(b[i:], []byte("EI"))
		if j < 0 {
			return 0, refuse("the page content is damaged: inline image without its end")
		}
		at := i + j
		i = at + 2
		if at > 0 && !isSpace(b[at-1]) || at+2 < len(b) && !isSpace(b[at+2]) {
			continue
		}
		if plainContent(b[at+2:]) {
			if at > 0 {
				at-- // the blank before EI is no data
			}
			return at, nil
		}
	}
}

// plainContent reports whether b begins like content and not like image data.
func plainContent(b []byte) bool {
	b = b[:min(len(b), 60)]
	for _, c := range b {
		if c >= 0x7f || c < ' ' && !isSpace(c) {
			return false
		}
	}
	return true
}
