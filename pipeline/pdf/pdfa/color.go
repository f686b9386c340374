package pdfa

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
)

// errNoSuchSpace: a name that is neither a colour space of PDF's own nor one of
// the resources.
var errNoSuchSpace = errors.New("no colour space of the name")

// space is a colour space in the copy.
type space struct {
	obj any // as it is written
	n   int // components
}

// spaceOrMask is the colour space of an image; a stencil mask has one component.
func (c *converter) spaceOrMask(d dict, res dict) (space, error) {
	im, err := c.get(d["ImageMask"])
	if err != nil {
		return space{}, err
	}
	if im == true {
		return space{n: 1}, nil
	}
	return c.space(d["ColorSpace"], res, 0)
}

// space carries a colour space over. res, which may be nil, names the default
// colour spaces that stand in for the device ones.
func (c *converter) space(o any, res dict, depth int) (space, error) {
	if depth > 8 {
		return space{}, refuse("colour spaces nested more than 8 deep")
	}
	key, isRef := o.(ref)
	if isRef {
		if s, ok := c.spaces[key]; ok {
			if s.n == 0 {
				return s, refuse("a colour space that rests on itself")
			}
			return s, nil
		}
		c.spaces[key] = space{}
	}
	s, err := c.newSpace(o, res, depth)
	if isRef {
		if err != nil {
			delete(c.spaces, key)
		} else if _, isName := s.obj.(name); isName {
			delete(c.spaces, key) // device colours are counted where they are used
		} else {
			if _, isReference := s.obj.(ref); !isReference {
				s.obj = c.out.add(s.obj)
			}
			c.spaces[key] = s
		}
	}
	return s, err
}

func (c *converter) newSpace(o any, res dict, depth int) (space, error) {
	o, err := c.get(o)
	if err != nil {
		return space{}, err
	}
	switch o := o.(type) {
	case name:
		return c.namedSpace(o, res, depth)
	case array:
		if len(o) == 0 {
			break
		}
		f, err := c.get(o[0])
		if err != nil {
			return space{}, err
		}
		family, _ := f.(name)
		if len(o) == 1 {
			return c.namedSpace(family, res, depth)
		}
		return c.arraySpace(family, o, res, depth)
	}
	return space{}, refuse("a colour space that is missing or damaged")
}

func (c *converter) namedSpace(n name, res dict, depth int) (space, error) {
	var def name
	var comps int
	switch n {
	case "DeviceGray", "G", "CalGray":
		n, def, comps = "DeviceGray", "DefaultGray", 1
	case "DeviceRGB", "RGB", "CalRGB":
		n, def, comps = "DeviceRGB", "DefaultRGB", 3
	case "DeviceCMYK", "CMYK", "CalCMYK":
		n, def, comps = "DeviceCMYK", "DefaultCMYK", 4
	case "Pattern":
		return space{name("Pattern"), 1}, nil
	default:
		// a name of the resources
		cs, err := c.dict(res["ColorSpace"])
		if err != nil {
			return space{}, err
		}
		if o := cs[n]; o != nil {
			return c.space(o, nil, depth+1)
		}
		return space{}, fmt.Errorf("%w: %w %s", ErrNotConvertible, errNoSuchSpace, ownWord(string(n)))
	}
	cs, err := c.dict(res["ColorSpace"])
	if err != nil {
		return space{}, err
	}
	if cs[def] != nil {
		s, err := c.space(cs[def], nil, depth+1)
		if err != nil {
			return s, err
		}
		if s.n == comps {
			return s, nil
		}
	}
	switch comps {
	case 3:
		c.usesRGB = true
		if c.mixed {
			return space{c.sRGB(), 3}, nil
		}
	case 4:
		c.usesCMYK = true
	}
	return space{n, comps}, nil
}

// sRGB is the colour space that stands for DeviceRGB under a CMYK intent.
func (c *converter) sRGB() any {
	if c.srgb == 0 {
		c.srgb = c.out.reserve()
		c.out.bytes(c.srgb, dict{"N": 3, "Filter": name("FlateDecode")}, sRGBDeflated, false)
	}
	return array{name("ICCBased"), ref{c.srgb, 0}}
}

func (c *converter) arraySpace(family name, a array, res dict, depth int) (space, error) {
	switch family {
	case "CalGray", "CalRGB", "Lab":
		d, err := c.dict(a[1])
		if err != nil {
			return space{}, err
		}
		out := dict{}
		for _, k := range []struct {
			key name
			n   int
		}{{"WhitePoint", 3}, {"BlackPoint", 3}, {"Gamma", 0}, {"Matrix", 9}, {"Range", 4}} {
			if d[k.key] == nil {
				continue
			}
			if k.key == "Gamma" && family == "CalGray" {
				g, err := c.get(d[k.key])
				if err != nil {
					return space{}, err
				}
				if err := checkNumber(g); err != nil {
					return space{}, err
				}
				out[k.key] = g
				continue
			}
			v, err := c.numbers(d[k.key])
			if err != nil {
				return space{}, err
			}
			if k.n > 0 && len(v) != k.n {
				return space{}, refuse("a damaged colour space %s", family)
			}
			out[k.key] = v
		}
		if out["WhitePoint"] == nil {
			return space{}, refuse("colour space %s without its white point", family)
		}
		n := 3
		if family == "CalGray" {
			n = 1
		}
		return space{array{family, out}, n}, nil
	case "ICCBased":
		return c.iccSpace(a[1], res, depth)
	case "Indexed", "I":
		return c.indexedSpace(a, res, depth)
	case "Separation", "DeviceN":
		return c.inkSpace(family, a, res, depth)
	case "Pattern":
		under, err := c.space(a[1], res, depth+1)
		if err != nil {
			return space{}, err
		}
		return space{array{name("Pattern"), under.obj}, under.n}, nil
	}
	return space{}, refuse("colour space %s", family)
}

// iccSpace carries an ICC profile over whose header is in order.
func (c *converter) iccSpace(o any, res dict, depth int) (space, error) {
	v, err := c.get(o)
	if err != nil {
		return space{}, err
	}
	s, ok := v.(*stream)
	if !ok {
		return space{}, refuse("a colour profile that is missing")
	}
	no, err := c.get(s.dict["N"])
	if err != nil {
		return space{}, err
	}
	n, _ := no.(int64)
	b, err := decoded(c.doc, s, maxProfile)
	if err != nil {
		return space{}, c.unreadable(err)
	}
	p, err := readProfile(b)
	if err != nil {
		return space{}, refuse("a colour profile that is not allowed: %v", err)
	}
	if int64(p.n) != n {
		return space{}, refuse("a colour profile of %d components said to have %d", p.n, n)
	}
	if n == 4 {
		c.iccCMYK = true
	}
	d := dict{"N": n}
	if s.dict["Range"] != nil {
		r, err := c.numbers(s.dict["Range"])
		if err != nil {
			return space{}, err
		}
		if len(r) == 2*int(n) {
			d["Range"] = r
		}
	}
	key, isRef := o.(ref)
	num, ok := c.copies[key]
	if !isRef || !ok {
		num = c.out.reserve()
		c.out.bytes(num, d, b, true)
		if isRef {
			c.copies[key] = num
		}
	}
	return space{array{name("ICCBased"), ref{num, 0}}, int(n)}, nil
}

func (c *converter) indexedSpace(a array, res dict, depth int) (space, error) {
	if len(a) != 4 {
		return space{}, refuse("a damaged indexed colour space")
	}
	base, err := c.space(a[1], res, depth+1)
	if err != nil {
		return space{}, err
	}
	hi, err := c.get(a[2])
	if err != nil {
		return space{}, err
	}
	top, ok := hi.(int64)
	if !ok || top < 0 || top > 255 {
		return space{}, refuse("a damaged indexed colour space")
	}
	t, err := c.get(a[3])
	if err != nil {
		return space{}, err
	}
	var table []byte
	switch t := t.(type) {
	case str:
		table = []byte(t)
	case *stream:
		if table, err = decoded(c.doc, t, 1<<20); err != nil {
			return space{}, c.unreadable(err)
		}
	default:
		return space{}, refuse("a damaged indexed colour space")
	}
	need := (int(top) + 1) * base.n
	if len(table) < need {
		return space{}, refuse("a colour table that is too short")
	}
	return space{array{name("Indexed"), base.obj, top, str(table[:need])}, 1}, nil
}

// inkSpace carries Separation and DeviceN over with their tint transform.
func (c *converter) inkSpace(family name, a array, res dict, depth int) (space, error) {
	if len(a) < 4 {
		return space{}, refuse("a damaged colour space %s", family)
	}
	v, err := c.get(a[1])
	if err != nil {
		return space{}, err
	}
	n := 1
	var inks any
	if family == "Separation" {
		ink, ok := v.(name)
		if !ok {
			return space{}, refuse("a damaged colour space %s", family)
		}
		inks = ink
	} else {
		list, ok := v.(array)
		if !ok || len(list) == 0 || len(list) > 32 {
			return space{}, refuse("a damaged colour space %s", family)
		}
		n = len(list)
		for _, e := range list {
			if _, ok := e.(name); !ok {
				return space{}, refuse("a damaged colour space %s", family)
			}
		}
		inks = list
	}
	alt, err := c.space(a[2], res, depth+1)
	if err != nil {
		return space{}, err
	}
	tint, err := c.function(a[3], 0)
	if err != nil {
		return space{}, err
	}
	if ink, ok := inks.(name); ok {
		if err := c.inks.same(c.doc, ink, a[2], a[3]); err != nil {
			return space{}, err
		}
	}
	out := array{family, inks, alt.obj, tint}
	if family == "DeviceN" {
		attrs, err := c.inkAttributes(a, inks.(array), alt, res, depth)
		if err != nil {
			return space{}, err
		}
		if attrs != nil {
			out = append(out, attrs)
		}
	}
	return space{out, n}, nil
}

// inkAttributes writes what PDF/A wants of DeviceN: an entry for every spot
// colour. One that the file lacks follows from the tint transform.
func (c *converter) inkAttributes(a array, inks array, alt space, res dict, depth int) (any, error) {
	var cols dict
	if len(a) > 4 {
		at, err := c.dict(a[4])
		if err != nil {
			return nil, err
		}
		if cols, err = c.dict(at["Colorants"]); err != nil {
			return nil, err
		}
	}
	out := dict{}
	for _, e := range inks {
		ink := e.(name)
		switch ink {
		case "Cyan", "Magenta", "Yellow", "Black", "None":
			continue
		}
		if cols[ink] == nil {
			s, err := c.describeInk(a, inks, ink, alt, res, depth)
			if err != nil {
				return nil, err
			}
			out[ink] = s
			continue
		}
		s, err := c.space(cols[ink], res, depth+1)
		if err != nil {
			return nil, err
		}
		out[ink] = s.obj
	}
	if len(out) == 0 {
		return nil, nil
	}
	return dict{"Colorants": out}, nil
}

// describeInk makes the separation of one ink of a DeviceN space: the tint
// transform with every other ink at zero. Readers do not look at it; PDF/A wants
// it there.
func (c *converter) describeInk(a array, inks array, ink name, alt space, res dict, depth int) (any, error) {
	tint, err := c.get(a[3])
	if err != nil {
		return nil, err
	}
	at := slices.Index(inks, any(ink))
	if len(inks) == 1 {
		f, err := c.function(a[3], 0)
		if err != nil {
			return nil, err
		}
		if err := c.inks.same(c.doc, ink, a[2], a[3]); err != nil {
			return nil, err
		}
		return array{name("Separation"), ink, alt.obj, f}, nil
	}
	s, ok := tint.(*stream)
	if !ok {
		return nil, refuse("a spot colour without its description")
	}
	if kind, err := c.get(s.dict["FunctionType"]); err != nil || kind != int64(4) {
		return nil, refuse("a spot colour without its description")
	}
	code, err := decoded(c.doc, s, maxCopied)
	if err != nil {
		return nil, c.unreadable(err)
	}
	body, ok := bytes.CutPrefix(bytes.TrimSpace(code), []byte("{"))
	rng, err := c.numbers(s.dict["Range"])
	if err != nil {
		return nil, err
	}
	if !ok || len(rng) == 0 {
		return nil, refuse("a damaged function")
	}
	prog := []byte("{ ")
	for range at {
		prog = append(prog, "0 exch "...)
	}
	for range len(inks) - 1 - at {
		prog = append(prog, "0 "...)
	}
	prog = append(prog, body...)
	d := dict{"FunctionType": int64(4), "Domain": array{int64(0), int64(1)}, "Range": rng}
	f := &stream{d, io.NewSectionReader(bytes.NewReader(prog), 0, int64(len(prog)))}
	if err := c.inks.same(c.doc, ink, a[2], f); err != nil {
		return nil, err
	}
	nf, err := c.function(f, 0)
	if err != nil {
		return nil, err
	}
	return array{name("Separation"), ink, alt.obj, nf}, nil
}

// inkTable keeps what each separation was said to look like: the same name must
// mean the same everywhere in a file (6.2.4.4).
type inkTable map[name]string

func (t inkTable) same(d document, ink name, alt, tint any) error {
	if ink == "All" || ink == "None" {
		return nil
	}
	b, err := canonical(d, nil, array{alt, tint}, 0)
	if err != nil {
		return err
	}
	if old, ok := t[ink]; ok && old != string(b) {
		return refuse("a spot colour with two descriptions")
	}
	t[ink] = string(b)
	return nil
}

// canonical writes an object with everything it refers to, so that equal
// objects give equal bytes.
func canonical(d document, b []byte, o any, depth int) ([]byte, error) {
	if depth > 20 || len(b) > 1<<20 {
		return nil, refuse("a colour space that is too deep")
	}
	o, err := d.resolve(o)
	if err != nil {
		return nil, refuse("the file is damaged: %v", err)
	}
	switch o := o.(type) {
	case array:
		b = append(b, '[')
		for _, e := range o {
			if b, err = canonical(d, b, e, depth+1); err != nil {
				return nil, err
			}
			b = append(b, ' ')
		}
		return append(b, ']'), nil
	case dict:
		b = append(b, "<<"...)
		for _, k := range sortedKeys(o) {
			b = append(appendName(b, k), ' ')
			if b, err = canonical(d, b, o[k], depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, ">>"...), nil
	case *stream:
		data, err := decoded(d, o, maxCopied)
		if err != nil {
			return nil, refuse("the file is damaged: %v", err)
		}
		m := dict{}
		for k, v := range o.dict {
			if k != "Length" && k != "Filter" && k != "DecodeParms" {
				m[k] = v
			}
		}
		if b, err = canonical(d, b, m, depth+1); err != nil {
			return nil, err
		}
		return fmt.Appendf(b, "stream %x", sha256.Sum256(data)), nil
	}
	return appendObject(b, o), nil
}

// function carries a function over.
func (c *converter) function(o any, depth int) (any, error) {
	if depth > 8 {
		return nil, refuse("functions nested more than 8 deep")
	}
	key, isRef := o.(ref)
	if num, ok := c.copies[key]; isRef && ok {
		return ref{num, 0}, nil
	}
	v, err := c.get(o)
	if err != nil {
		return nil, err
	}
	var d dict
	var data []byte
	switch v := v.(type) {
	case dict:
		d = v
	case *stream:
		d = v.dict
		if data, err = decoded(c.doc, v, maxCopied); err != nil {
			return nil, c.unreadable(err)
		}
	default:
		return nil, refuse("a function that is missing")
	}
	out := dict{}
	for _, k := range []name{"Domain", "Range", "Size", "Encode", "Decode", "C0", "C1", "Bounds"} {
		if d[k] == nil {
			continue
		}
		if out[k], err = c.numbers(d[k]); err != nil {
			return nil, err
		}
	}
	for _, k := range []name{"FunctionType", "BitsPerSample", "Order", "N"} {
		if d[k] == nil {
			continue
		}
		n, err := c.get(d[k])
		if err != nil {
			return nil, err
		}
		if err := checkNumber(n); err != nil {
			return nil, err
		}
		out[k] = n
	}
	kind, _ := out["FunctionType"].(int64)
	switch kind {
	case 3:
		fs, err := c.get(d["Functions"])
		if err != nil {
			return nil, err
		}
		list, _ := fs.(array)
		var subs array
		for _, f := range list {
			sub, err := c.function(f, depth+1)
			if err != nil {
				return nil, err
			}
			subs = append(subs, sub)
		}
		out["Functions"] = subs
	case 2:
	case 0, 4:
		if data == nil {
			return nil, refuse("a damaged function")
		}
	default:
		return nil, refuse("a function of type %d", kind)
	}
	num := c.out.reserve()
	if data != nil {
		c.out.bytes(num, out, data, true)
	} else {
		c.out.put(num, out)
	}
	if isRef {
		c.copies[key] = num
	}
	return ref{num, 0}, nil
}

const cmykName = "Generic offset print, coated paper (computed)"
