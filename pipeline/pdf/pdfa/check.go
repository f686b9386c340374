package pdfa

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// ErrNotPDFA says that a file breaks a rule of PDF/A-2b, or holds something
// whose rules Check does not know: then it vouches for nothing.
var ErrNotPDFA = errors.New("not PDF/A-2b")

func breaks(clause, format string, a ...any) error {
	return fmt.Errorf("%w: ISO 19005-2, %s: "+format, append([]any{ErrNotPDFA, clause}, discreet(a)...)...)
}

// Check reads a written file by the rules of PDF/A-2b, on its own account: it
// knows what may stand in a file, not what the writer meant to write. What it
// does not know it does not pass. An error that is not ErrNotPDFA is one of
// reading.
func Check(r io.ReaderAt, size int64) error {
	f, err := openFile(r, size)
	if err == nil {
		k := &checker{f: f, seen: map[ref]bool{}, fonts: map[ref]*checkedFont{}, spaces: map[ref]int{}, inks: inkTable{}}
		err = k.check()
	}
	if err == nil || errors.Is(err, ErrNotPDFA) || isSourceError(err) {
		return err
	}
	return fmt.Errorf("%w: %v", ErrNotPDFA, err)
}

type checker struct {
	f      *file
	intent int // components of the output intent's profile
	seen   map[ref]bool
	fonts  map[ref]*checkedFont
	spaces map[ref]int // components of colour spaces already checked
	inks   inkTable
	over   bool // overprint is on somewhere
	icc4   bool // a CMYK profile is used somewhere
}

func (k *checker) check() error {
	if k.f.rebuilt || k.f.shift != 0 {
		return breaks("6.1.4", "the cross-reference is damaged")
	}
	if err := k.frame(); err != nil {
		return err
	}
	cat, err := k.dict(k.f.top["Root"])
	if err != nil {
		return err
	}
	for key := range cat {
		switch key {
		case "Type", "Pages", "Metadata", "OutputIntents", "Lang", "PageMode", "PageLayout":
		default:
			return breaks("6", "/%s in the catalog", key)
		}
	}
	if cat["Type"] != name("Catalog") {
		return breaks("6", "the catalog has no type")
	}
	if err := k.metadata(cat["Metadata"]); err != nil {
		return err
	}
	if err := k.intents(cat["OutputIntents"]); err != nil {
		return err
	}
	// What next to every file that is no PDF/A lacks has been asked for; now what
	// takes reading all of it.
	if err := k.objects(); err != nil {
		return err
	}
	if k.f.mended || k.f.rebuilt {
		return breaks("6.1.7", "a stream's length or an object's offset is wrong")
	}
	n, err := k.pages(cat["Pages"], 0, dict{})
	if err != nil {
		return err
	}
	if n == 0 {
		return breaks("6", "no pages")
	}
	if k.over && k.icc4 {
		return breaks("6.2.4.2", "overprint with a CMYK profile")
	}
	return nil
}

// frame checks header, end and trailer.
func (k *checker) frame() error {
	head := make([]byte, min(20, k.f.size))
	if _, err := k.f.readAt(head, 0); err != nil {
		return err
	}
	if !bytes.HasPrefix(head, []byte("%PDF-1.")) || len(head) < 15 || head[7] < '0' || head[7] > '7' {
		return breaks("6.1.2", "header")
	}
	rest := bytes.TrimPrefix(head[8:], []byte("\r"))
	rest, ok := bytes.CutPrefix(rest, []byte("\n"))
	if !ok || len(rest) < 5 || rest[0] != '%' || slices.ContainsFunc(rest[1:5], func(c byte) bool { return c < 0x80 }) {
		return breaks("6.1.2", "no binary comment behind the header")
	}
	tail := make([]byte, min(16, k.f.size))
	if _, err := k.f.readAt(tail, k.f.size-int64(len(tail))); err != nil {
		return err
	}
	t := string(tail)
	if !strings.HasSuffix(strings.TrimSuffix(strings.TrimSuffix(t, "\n"), "\r"), "%%EOF") {
		return breaks("6.1.3", "data behind the end of the file")
	}
	if k.f.top["Encrypt"] != nil {
		return breaks("6.1.3", "the file is encrypted")
	}
	id, ok := k.f.top["ID"].(array)
	if !ok || len(id) != 2 {
		return breaks("6.1.3", "no file ID")
	}
	for _, e := range id {
		if s, ok := e.(str); !ok || len(s) == 0 {
			return breaks("6.1.3", "no file ID")
		}
	}
	return nil
}

// objects checks the syntax of every object that is in use.
func (k *checker) objects() error {
	if len(k.f.xref) > maxObjNumber {
		return breaks("6.1.13", "too many objects")
	}
	for num, e := range k.f.xref {
		if e.off < 0 {
			continue
		}
		if e.idx < 0 {
			head := make([]byte, 32)
			n, err := k.f.readAt(head, e.off)
			if err != nil {
				return err
			}
			want := fmt.Sprintf("%d %d obj", num, e.gen)
			if !bytes.HasPrefix(head[:n], []byte(want)) || len(want) < n && !isSpace(head[len(want)]) {
				return breaks("6.1.9", "object %d is not where the cross-reference says", num)
			}
		}
		o, err := k.f.get(num)
		if err != nil {
			return err
		}
		if s, ok := o.(*stream); ok {
			if err := k.stream(s); err != nil {
				return err
			}
			o = s.dict
		}
		if err := k.limits(o, 0); err != nil {
			return err
		}
	}
	return nil
}

func (k *checker) limits(o any, depth int) error {
	switch o := o.(type) {
	case int64:
		if o < -1<<31 || o > 1<<31-1 {
			return breaks("6.1.13", "a number out of range")
		}
	case str:
		if len(o) > 32767 {
			return breaks("6.1.13", "a string of %d bytes", len(o))
		}
	case name:
		if len(o) > 127 {
			return breaks("6.1.13", "a name of %d bytes", len(o))
		}
	case array:
		for _, e := range o {
			if err := k.limits(e, depth+1); err != nil {
				return err
			}
		}
	case dict:
		for n, e := range o {
			if len(n) > 127 {
				return breaks("6.1.13", "a name of %d bytes", len(n))
			}
			if err := k.limits(e, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

var allowedFilters = map[name]bool{"FlateDecode": true, "RunLengthDecode": true, "ASCII85Decode": true, "ASCIIHexDecode": true,
	"CCITTFaxDecode": true, "DCTDecode": true, "JBIG2Decode": true, "JPXDecode": true}

func (k *checker) stream(s *stream) error {
	for _, key := range []name{"F", "FFilter", "FDecodeParms"} {
		if s.dict[key] != nil {
			return breaks("6.1.7.1", "a stream outside the file")
		}
	}
	f, err := k.f.resolve(s.dict["Filter"])
	if err != nil {
		return err
	}
	list, ok := f.(array)
	if !ok && f != nil {
		list = array{f}
	}
	for _, e := range list {
		e, err := k.f.resolve(e)
		if err != nil {
			return err
		}
		if n, ok := e.(name); !ok || !allowedFilters[n] {
			return breaks("6.1.7.2", "filter %v", e)
		}
	}
	// The data are followed by an end of line and endstream.
	_, at, n := s.body.Outer()
	b := make([]byte, 12)
	got, err := k.f.readAt(b, at+n)
	if err != nil {
		return err
	}
	t := bytes.TrimPrefix(b[:got], []byte("\r"))
	t, ok = bytes.CutPrefix(t, []byte("\n"))
	if !ok && got > 0 && b[0] == '\r' {
		ok = true
	}
	if !ok || !bytes.HasPrefix(t, []byte("endstream")) {
		return breaks("6.1.7.1", "a stream's length does not match")
	}
	return nil
}

func (k *checker) get(o any) (any, error) { return k.f.resolve(o) }

func (k *checker) dict(o any) (dict, error) {
	o, err := k.f.resolve(o)
	if err != nil {
		return nil, err
	}
	switch o := o.(type) {
	case dict:
		return o, nil
	case *stream:
		return o.dict, nil
	}
	return nil, nil
}

func (k *checker) metadata(o any) error {
	o, err := k.get(o)
	if err != nil {
		return err
	}
	s, ok := o.(*stream)
	if !ok || s.dict["Type"] != name("Metadata") || s.dict["Subtype"] != name("XML") || s.dict["Filter"] != nil {
		return breaks("6.6.2.1", "no plain XMP metadata in the catalog")
	}
	b, err := decoded(k.f, s, 1<<20)
	if err != nil {
		return err
	}
	if ownPacket(b) {
		return nil
	}
	return claims(b)
}

// claims checks a metadata packet: it says PDF/A-2 and needs no description of
// its schemas.
func claims(b []byte) error {
	m, err := readXMP(b)
	if err != nil {
		return breaks("6.6.2.1", "XMP: %v", err)
	}
	if m.values["http://www.aiim.org/pdfa/ns/id/ part"] != "2" || !slices.Contains([]string{"A", "B", "U"}, m.values["http://www.aiim.org/pdfa/ns/id/ conformance"]) {
		return breaks("6.6.4", "XMP does not claim PDF/A-2")
	}
	for ns := range m.spaces {
		if !knownSchemas[ns] {
			return breaks("6.6.2.3", "XMP schema without its description")
		}
	}
	return nil
}

var knownSchemas = map[string]bool{
	"adobe:ns:meta/": true, "http://www.w3.org/1999/02/22-rdf-syntax-ns#": true, "http://www.aiim.org/pdfa/ns/id/": true,
	"http://purl.org/dc/elements/1.1/": true, "http://ns.adobe.com/pdf/1.3/": true, "http://ns.adobe.com/xap/1.0/": true,
	"http://ns.adobe.com/xap/1.0/mm/": true,
}

type xmpPacket struct {
	values map[string]string // "namespace name" → text
	spaces map[string]bool
}

func readXMP(b []byte) (xmpPacket, error) {
	p := xmpPacket{map[string]string{}, map[string]bool{}}
	if !utf8.Valid(b) {
		return p, errors.New("not UTF-8")
	}
	d := xml.NewDecoder(bytes.NewReader(b))
	var path []xml.Name
	for {
		t, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return p, err
		}
		switch t := t.(type) {
		case xml.ProcInst:
			if t.Target == "xpacket" && (bytes.Contains(t.Inst, []byte("bytes=")) || bytes.Contains(t.Inst, []byte("encoding="))) {
				return p, errors.New("packet header with bytes or encoding")
			}
		case xml.StartElement:
			path = append(path, t.Name)
			p.spaces[t.Name.Space] = true
			for _, a := range t.Attr {
				if a.Name.Space != "" && a.Name.Space != "xmlns" && a.Name.Space != "xml" && a.Name.Space != "http://www.w3.org/XML/1998/namespace" {
					p.spaces[a.Name.Space] = true
					p.values[a.Name.Space+" "+a.Name.Local] = a.Value
				}
			}
		case xml.EndElement:
			if len(path) > 0 {
				path = path[:len(path)-1]
			}
		case xml.CharData:
			if len(path) > 0 && len(bytes.TrimSpace(t)) > 0 {
				n := path[len(path)-1]
				p.values[n.Space+" "+n.Local] += string(t)
			}
		}
	}
	if len(p.spaces) == 0 {
		return p, errors.New("no packet")
	}
	return p, nil
}

func (k *checker) intents(o any) error {
	o, err := k.get(o)
	if err != nil {
		return err
	}
	list, _ := o.(array)
	if len(list) != 1 {
		return breaks("6.2.3", "%d output intents", len(list))
	}
	in, err := k.dict(list[0])
	if err != nil {
		return err
	}
	if in["S"] != name("GTS_PDFA1") || in["DestOutputProfileRef"] != nil {
		return breaks("6.2.3", "output intent")
	}
	if s, ok := in["OutputConditionIdentifier"].(str); !ok || len(s) == 0 {
		return breaks("6.2.3", "output intent without its identifier")
	}
	p, err := k.profile(in["DestOutputProfile"])
	if err != nil {
		return err
	}
	if p.lab || p.class != "prtr" && p.class != "mntr" {
		return breaks("6.2.3", "profile of class %q in the output intent", p.class)
	}
	k.intent = p.n
	return nil
}

func (k *checker) profile(o any) (profileInfo, error) {
	o, err := k.get(o)
	if err != nil {
		return profileInfo{}, err
	}
	s, ok := o.(*stream)
	if !ok {
		return profileInfo{}, breaks("6.2.3", "no profile")
	}
	if n, _ := s.dict["N"].(int64); s.dict["Filter"] == name("FlateDecode") && s.dict["DecodeParms"] == nil {
		if p, ok := ownProfile(InMemory(s.body, 0, s.body.Size()), n); ok {
			return p, nil
		}
	}
	b, err := decoded(k.f, s, maxProfile)
	if err != nil {
		return profileInfo{}, err
	}
	p, err := readProfile(b)
	if err != nil {
		return p, breaks("6.2.4.2", "%v", err)
	}
	if n, _ := k.get(s.dict["N"]); n != int64(p.n) {
		return p, breaks("6.2.4.2", "a profile of %d components said to have %v", p.n, n)
	}
	return p, nil
}

func (k *checker) pages(o any, depth int, up dict) (int, error) {
	if r, ok := o.(ref); ok {
		if k.seen[r] {
			return 0, breaks("6", "the page tree runs in a circle")
		}
		k.seen[r] = true
	}
	if depth > maxDepth {
		return 0, breaks("6", "the page tree is too deep")
	}
	d, err := k.dict(o)
	if err != nil {
		return 0, err
	}
	inherited := dict{}
	for _, key := range []name{"Resources", "MediaBox", "CropBox", "Rotate"} {
		if inherited[key] = up[key]; d[key] != nil {
			inherited[key] = d[key]
		}
	}
	switch d["Type"] {
	case name("Pages"):
		kids, err := k.get(d["Kids"])
		if err != nil {
			return 0, err
		}
		list, _ := kids.(array)
		n := 0
		for _, kid := range list {
			m, err := k.pages(kid, depth+1, inherited)
			if err != nil {
				return 0, err
			}
			n += m
		}
		if c, err := k.get(d["Count"]); err != nil || c != int64(n) {
			return 0, breaks("6", "page count: %v", err)
		}
		return n, nil
	case name("Page"):
		return 1, k.page(d, inherited)
	}
	return 0, breaks("6", "a page without its type")
}

func (k *checker) page(d, up dict) error {
	for key := range d {
		switch key {
		case "Type", "Parent", "MediaBox", "CropBox", "Rotate", "UserUnit", "Contents", "Resources", "Group", "Annots":
		default:
			return breaks("6", "/%s in a page", key)
		}
	}
	for _, key := range []name{"MediaBox", "CropBox"} {
		if up[key] == nil && key == "CropBox" {
			continue
		}
		b, err := k.get(up[key])
		if err != nil {
			return err
		}
		a, _ := b.(array)
		if len(a) != 4 {
			return breaks("6", "no media box")
		}
		var v [4]float64
		for i := range a {
			f, ok := num(a[i])
			if !ok {
				return breaks("6", "page box")
			}
			v[i] = f
		}
		for _, n := range []float64{v[2] - v[0], v[3] - v[1]} {
			if n < 3 || n > 14400 {
				return breaks("6.1.13", "a page of %v units", n)
			}
		}
	}
	if err := k.group(d["Group"]); err != nil {
		return err
	}
	annots, err := k.get(d["Annots"])
	if err != nil {
		return err
	}
	if list, ok := annots.(array); ok {
		for _, a := range list {
			if err := k.annot(a); err != nil {
				return err
			}
		}
	}
	res, err := k.dict(up["Resources"])
	if err != nil {
		return err
	}
	if res == nil {
		return breaks("6.2.2", "a page without resources")
	}
	c, err := k.get(d["Contents"])
	if err != nil {
		return err
	}
	switch c := c.(type) {
	case nil:
		return nil
	case *stream:
		return k.content(c, res, 0)
	}
	return breaks("6.2.2", "page content in pieces")
}

func (k *checker) annot(o any) error {
	a, err := k.dict(o)
	if err != nil {
		return err
	}
	for key := range a {
		switch key {
		case "Type", "Subtype", "Rect", "F", "Border", "BS", "C", "A", "AP", "Contents":
		default:
			return breaks("6.3", "/%s in an annotation", key)
		}
	}
	if kind, ok := a["Subtype"].(name); ok && markups[kind] {
		return k.markup(a)
	}
	act, err := k.dict(a["A"])
	if err != nil {
		return err
	}
	if a["AP"] != nil || a["Subtype"] != name("Link") || a["F"] != int64(4) || act != nil && act["S"] != name("URI") || act["Next"] != nil {
		return breaks("6.3", "an annotation that is no plain link")
	}
	return nil
}

// markup checks a remark: printed, shown, and drawn by one stream.
func (k *checker) markup(a dict) error {
	f, ok := a["F"].(int64)
	if !ok || f&4 == 0 || f&(1|2|32|256) != 0 || a["A"] != nil {
		return breaks("6.3.2", "flags of an annotation")
	}
	ap, err := k.dict(a["AP"])
	if err != nil {
		return err
	}
	v, err := k.get(ap["N"])
	if err != nil {
		return err
	}
	s, ok := v.(*stream)
	if !ok || len(ap) != 1 {
		return breaks("6.3.3", "appearance of an annotation")
	}
	if r, ok := ap["N"].(ref); ok {
		if k.seen[r] {
			return nil
		}
		k.seen[r] = true
	}
	return k.form(s, 1)
}

func (k *checker) group(o any) error {
	g, err := k.dict(o)
	if err != nil || g == nil {
		return err
	}
	if g["S"] != name("Transparency") {
		return breaks("6.2.10", "group")
	}
	if g["CS"] != nil {
		_, err = k.space(g["CS"], nil, 0)
	}
	return err
}

func (k *checker) content(s *stream, res dict, depth int) error {
	if depth > 24 {
		return breaks("6.2.2", "forms nested too deep")
	}
	b, err := decoded(k.f, s, 2*maxContent)
	if err != nil {
		return err
	}
	l := &lexer{b: b, whole: true}
	var args array
	text, texts := textState{}, []textState{}
	if depth > 0 {
		text.render = -1 // that of the caller, whoever it is
	}
	open := 0
	for {
		o, err := l.next(0)
		if err == io.EOF {
			break
		}
		if err != nil {
			return breaks("6.2.2", "content: %v", err)
		}
		op, ok := o.(keyword)
		if !ok {
			if err := k.limits(o, 0); err != nil {
				return err
			}
			args = append(args, o)
			continue
		}
		if n, known := operators[op]; !known {
			return breaks("6.2.2", "operator %s", op)
		} else if n >= 0 && len(args) != n {
			return breaks("6.2.2", "operator %s with %d operands", op, len(args))
		}
		switch op {
		case "q":
			if open++; open > 28 {
				return breaks("6.1.13", "graphics states nested more than 28 deep")
			}
			texts = append(texts, text)
		case "Q":
			if open--; open < 0 {
				return breaks("6.2.2", "Q without q")
			}
			text, texts = texts[len(texts)-1], texts[:len(texts)-1]
		case "Tr":
			if len(args) != 1 {
				return breaks("6.2.2", "operator Tr")
			}
			if text.render, ok = args[0].(int64); !ok || text.render < 0 || text.render > 7 {
				return breaks("6.2.2", "operator Tr")
			}
		case "Tf":
			if len(args) != 2 {
				return breaks("6.2.2", "operator Tf")
			}
			n, ok := args[0].(name)
			if !ok {
				return breaks("6.2.2", "operator Tf")
			}
			text.font, err = k.font(n, res)
		case "Tj", "TJ", "'", "\"":
			err = text.shows(args)
		case "rg", "RG":
			err = k.device(3, res)
		case "k", "K":
			err = k.device(4, res)
		case "ri":
			if n, ok := lastName(args); !ok || !standardIntent[n] {
				err = breaks("6.2.6", "rendering intent")
			}
		case "cs", "CS", "gs", "Do", "sh":
			n, ok := lastName(args)
			if !ok {
				return breaks("6.2.2", "operator %s", op)
			}
			err = k.named(op, n, res, depth)
		case "sc", "SC", "scn", "SCN":
			if n, ok := lastName(args); ok {
				args = args[:len(args)-1]
				if err := k.pattern(n, res, depth); err != nil {
					return err
				}
			}
			for _, a := range args {
				if _, ok := num(a); !ok {
					return breaks("6.2.2", "a colour that is no number")
				}
			}
		}
		if err != nil {
			return err
		}
		args = args[:0]
	}
	if open != 0 {
		return breaks("6.2.2", "q without Q")
	}
	return nil
}

// named checks what an operator names in the resources.
func (k *checker) named(op keyword, n name, res dict, depth int) error {
	kind := map[keyword]name{"cs": "ColorSpace", "CS": "ColorSpace", "gs": "ExtGState", "Do": "XObject", "sh": "Shading"}[op]
	if kind == "ColorSpace" {
		switch n {
		case "Pattern":
			return nil
		case "DeviceGray", "DeviceRGB", "DeviceCMYK":
			_, err := k.space(n, res, 0)
			return err
		}
	}
	d, err := k.dict(res[kind])
	if err != nil {
		return err
	}
	o := d[n]
	if o == nil {
		return breaks("6.2.2", "a resource that is missing")
	}
	switch kind {
	case "ColorSpace":
		_, err = k.space(o, res, 0)
		return err
	case "ExtGState":
		return k.extGState(o, depth)
	case "Shading":
		return k.shading(o)
	}
	r, isRef := o.(ref)
	if isRef && k.seen[r] {
		return nil
	}
	v, err := k.get(o)
	if err != nil {
		return err
	}
	s, ok := v.(*stream)
	if !ok {
		return breaks("6.2.2", "a resource that is missing")
	}
	if isRef {
		k.seen[r] = true
	}
	switch s.dict["Subtype"] {
	case name("Image"):
		return k.image(s, 0)
	case name("Form"):
		return k.form(s, depth+1)
	}
	return breaks("6.2.9", "an external object of type %v", s.dict["Subtype"])
}

func (k *checker) form(s *stream, depth int) error {
	for key := range s.dict {
		switch key {
		case "Type", "Subtype", "BBox", "Matrix", "Group", "Resources", "Length", "Filter", "DecodeParms":
		default:
			return breaks("6.2.9", "/%s in a form", key)
		}
	}
	if err := k.group(s.dict["Group"]); err != nil {
		return err
	}
	res, err := k.dict(s.dict["Resources"])
	if err != nil {
		return err
	}
	if res == nil {
		return breaks("6.2.2", "a form without resources")
	}
	return k.content(s, res, depth)
}

func (k *checker) extGState(o any, depth int) error {
	g, err := k.dict(o)
	if err != nil {
		return err
	}
	for key, v := range g {
		v, err := k.get(v)
		if err != nil {
			return err
		}
		switch key {
		case "Type", "LW", "LC", "LJ", "ML", "D", "SA", "AIS", "TK", "OPM", "FL", "SM":
		case "OP", "op":
			k.over = k.over || v == true
		case "RI":
			if n, ok := v.(name); !ok || !standardIntent[n] {
				return breaks("6.2.6", "rendering intent")
			}
		case "CA", "ca":
			if f, ok := num(v); !ok || f < 0 || f > 1 {
				return breaks("6.2.10", "opacity")
			}
		case "BM":
			if n, ok := v.(name); !ok || !blendModes[n] {
				return breaks("6.2.10", "blend mode %v", v)
			}
		case "SMask":
			if v == name("None") {
				continue
			}
			m, ok := v.(dict)
			if !ok {
				return breaks("6.2.10", "soft mask")
			}
			r, isRef := m["G"].(ref)
			if isRef && k.seen[r] {
				continue
			}
			gs, err := k.get(m["G"])
			if err != nil {
				return err
			}
			s, ok := gs.(*stream)
			if !ok {
				return breaks("6.2.10", "soft mask")
			}
			if isRef {
				k.seen[r] = true
			}
			if err := k.form(s, depth+1); err != nil {
				return err
			}
		default:
			return breaks("6.2.5", "/%s in a graphics state", key)
		}
	}
	return nil
}

func (k *checker) image(s *stream, depth int) error {
	if depth > 2 {
		return breaks("6.2.8", "masks of masks")
	}
	for key := range s.dict {
		switch key {
		case "Type", "Subtype", "Width", "Height", "BitsPerComponent", "ColorSpace", "Decode", "ImageMask", "Mask", "SMask", "Matte",
			"Intent", "Filter", "DecodeParms", "Length":
		default:
			return breaks("6.2.8", "/%s in an image", key)
		}
	}
	if n, ok := s.dict["Intent"].(name); s.dict["Intent"] != nil && (!ok || !standardIntent[n]) {
		return breaks("6.2.6", "rendering intent")
	}
	fs, err := filters(k.f, s.dict)
	if err != nil {
		return err
	}
	jpx := len(fs) > 0 && fs[len(fs)-1].name == "JPXDecode"
	switch {
	case s.dict["ImageMask"] == true:
		if s.dict["BitsPerComponent"] != int64(1) || s.dict["ColorSpace"] != nil {
			return breaks("6.2.8", "stencil mask")
		}
	case s.dict["ColorSpace"] == nil && !jpx:
		return breaks("6.2.8", "an image without colour space")
	case s.dict["ColorSpace"] != nil:
		cs, err := k.get(s.dict["ColorSpace"])
		if err != nil {
			return err
		}
		if isPattern(cs) {
			return breaks("6.2.8", "an image in pattern colours")
		}
		if _, err = k.space(s.dict["ColorSpace"], nil, 0); err != nil {
			return err
		}
	}
	if !jpx {
		switch s.dict["BitsPerComponent"] {
		case int64(1), int64(2), int64(4), int64(8), int64(16):
		default:
			return breaks("6.2.8", "an image of %v bits", s.dict["BitsPerComponent"])
		}
	} else {
		if len(fs) != 1 {
			return breaks("6.2.8.3", "JPEG 2000 coded twice")
		}
		j, err := readJPX(s.body, s.body.Size())
		if err != nil {
			return breaks("6.2.8.3", "%v", err)
		}
		if err := j.allowed(s.dict["ColorSpace"] != nil); err != nil {
			return breaks("6.2.8.3", "%v", err)
		}
		if s.dict["ColorSpace"] == nil && j.method == 1 {
			n := j.channels
			if j.enum == 12 {
				n = 4
			}
			if err := k.device(n, nil); err != nil {
				return err
			}
		}
	}
	for _, key := range []name{"SMask", "Mask"} {
		v, err := k.get(s.dict[key])
		if err != nil {
			return err
		}
		m, ok := v.(*stream)
		if !ok {
			continue
		}
		if key == "SMask" {
			if cs, err := k.get(m.dict["ColorSpace"]); err != nil || cs != name("DeviceGray") {
				return breaks("6.2.10", "a soft mask that is not grey: %v", err)
			}
		}
		if err := k.image(m, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// device says whether a device colour of n components has its output intent.
func (k *checker) device(n int, res dict) error {
	if n == 1 || n == k.intent {
		return nil
	}
	return breaks("6.2.4.3", "device colours of %d components under an output intent of %d", n, k.intent)
}

// space checks a colour space and returns its components.
func (k *checker) space(o any, res dict, depth int) (int, error) {
	if depth > 8 {
		return 0, breaks("6.2.4", "colour spaces nested too deep")
	}
	if r, ok := o.(ref); ok {
		if n, ok := k.spaces[r]; ok {
			return n, nil
		}
		n, err := k.newSpace(o, res, depth)
		if err == nil {
			k.spaces[r] = n
		}
		return n, err
	}
	return k.newSpace(o, res, depth)
}

func (k *checker) newSpace(o any, res dict, depth int) (int, error) {
	o, err := k.get(o)
	if err != nil {
		return 0, err
	}
	if n, ok := o.(name); ok {
		if n == "Pattern" {
			return 1, nil
		}
		comps := map[name]int{"DeviceGray": 1, "DeviceRGB": 3, "DeviceCMYK": 4}[n]
		if comps == 0 {
			return 0, breaks("6.2.4", "colour space %s", n)
		}
		return comps, k.device(comps, res)
	}
	a, _ := o.(array)
	if len(a) < 2 {
		return 0, breaks("6.2.4", "colour space")
	}
	family, _ := a[0].(name)
	switch family {
	case "CalGray":
		return 1, nil
	case "CalRGB", "Lab":
		return 3, nil
	case "ICCBased":
		p, err := k.profile(a[1])
		if p.n == 4 {
			k.icc4 = true
		}
		return p.n, err
	case "Indexed":
		if len(a) != 4 {
			return 0, breaks("6.2.4", "indexed colour space")
		}
		_, err := k.space(a[1], res, depth+1)
		return 1, err
	case "Pattern":
		return k.space(a[1], res, depth+1)
	case "Separation":
		if len(a) != 4 {
			return 0, breaks("6.2.4.4", "separation")
		}
		if ink, ok := a[1].(name); !ok || k.inks.same(k.f, ink, a[2], a[3]) != nil {
			return 0, breaks("6.2.4.4", "a spot colour with two descriptions")
		}
		_, err := k.space(a[2], res, depth+1)
		return 1, err
	case "DeviceN":
		inks, _ := a[1].(array)
		if len(a) < 4 || len(inks) == 0 || len(inks) > 32 {
			return 0, breaks("6.2.4.4", "DeviceN")
		}
		var cols dict
		if len(a) > 4 {
			at, err := k.dict(a[4])
			if err != nil {
				return 0, err
			}
			if cols, err = k.dict(at["Colorants"]); err != nil {
				return 0, err
			}
		}
		for _, ink := range inks {
			switch ink {
			case name("Cyan"), name("Magenta"), name("Yellow"), name("Black"), name("None"):
				continue
			}
			n, ok := ink.(name)
			if !ok || cols[n] == nil {
				return 0, breaks("6.2.4.4", "a spot colour without its description")
			}
			if _, err := k.space(cols[n], res, depth+1); err != nil {
				return 0, err
			}
		}
		_, err := k.space(a[2], res, depth+1)
		return len(inks), err
	}
	return 0, breaks("6.2.4", "colour space %s", family)
}
