package pdfa

func isPattern(o any) bool {
	if a, ok := o.(array); ok && len(a) > 0 {
		o = a[0]
	}
	return o == name("Pattern")
}

// setPattern carries scn with a pattern over; colour are the components of an
// uncoloured one.
func (w *rewriter) setPattern(op keyword, n name, colour array) error {
	for _, a := range colour {
		if err := checkNumber(a); err != nil {
			return err
		}
	}
	o, err := w.resource("Pattern", n)
	if err != nil {
		return err
	}
	if o == nil {
		return refuse("a pattern that is missing")
	}
	p, err := w.c.pattern(o, w.res, w.depth+1)
	if err != nil {
		return err
	}
	w.use("Pattern", n, p)
	w.emit(op, append(append(array{}, colour...), n)...)
	return nil
}

// pattern carries a tiling or shading pattern over.
func (c *converter) pattern(o any, up dict, depth int) (any, error) {
	key, isRef := o.(ref)
	if num, ok := c.copies[key]; isRef && ok {
		if num == 0 {
			return nil, refuse("a pattern that draws itself")
		}
		return ref{num, 0}, nil
	}
	if isRef {
		c.copies[key] = 0
	}
	v, err := c.get(o)
	if err != nil {
		return nil, err
	}
	num := c.out.reserve()
	switch v := v.(type) {
	case *stream:
		err = c.tiling(num, v, up, depth)
	case dict:
		err = c.shadingPattern(num, v, up)
	default:
		err = refuse("a damaged pattern")
	}
	if err != nil {
		return nil, err
	}
	if isRef {
		c.copies[key] = num
	}
	return ref{num, 0}, nil
}

func (c *converter) tiling(num int, s *stream, up dict, depth int) error {
	out := dict{"Type": name("Pattern"), "PatternType": 1}
	for _, k := range []name{"PaintType", "TilingType", "XStep", "YStep"} {
		v, err := c.get(s.dict[k])
		if err != nil {
			return err
		}
		if err := checkNumber(v); err != nil {
			return err
		}
		out[k] = v
	}
	box, ok, err := c.rect(s.dict["BBox"])
	if err != nil {
		return err
	}
	if !ok {
		return refuse("a damaged pattern")
	}
	out["BBox"] = box
	if s.dict["Matrix"] != nil {
		m, err := c.numbers(s.dict["Matrix"])
		if err != nil {
			return err
		}
		if len(m) == 6 {
			out["Matrix"] = m
		}
	}
	res, err := c.dict(s.dict["Resources"])
	if err != nil {
		return err
	}
	if res == nil {
		res = up
	}
	data, err := decoded(c.doc, s, maxContent)
	if err != nil {
		return c.unreadable(err)
	}
	content, newRes, err := c.rewrite(data, res, &graphics{}, depth)
	if err != nil {
		return err
	}
	out["Resources"] = newRes
	c.out.bytes(num, out, content, len(content) > 200)
	return nil
}

func (c *converter) shadingPattern(num int, d dict, up dict) error {
	kind, err := c.get(d["PatternType"])
	if err != nil {
		return err
	}
	if kind != int64(2) || d["ExtGState"] != nil {
		return refuse("a pattern of type %v", kind)
	}
	out := dict{"Type": name("Pattern"), "PatternType": 2}
	if out["Shading"], err = c.shading(d["Shading"], up); err != nil {
		return err
	}
	if d["Matrix"] != nil {
		m, err := c.numbers(d["Matrix"])
		if err != nil {
			return err
		}
		if len(m) == 6 {
			out["Matrix"] = m
		}
	}
	c.out.put(num, out)
	return nil
}

// shading carries a shading over.
func (c *converter) shading(o any, res dict) (any, error) {
	key, isRef := o.(ref)
	if num, ok := c.copies[key]; isRef && ok {
		return ref{num, 0}, nil
	}
	v, err := c.get(o)
	if err != nil {
		return nil, err
	}
	var d dict
	var mesh *stream
	switch v := v.(type) {
	case dict:
		d = v
	case *stream:
		d, mesh = v.dict, v
	default:
		return nil, refuse("a damaged shading")
	}
	kind, _, err := c.intEntry(d, "ShadingType")
	if err != nil {
		return nil, err
	}
	if kind < 1 || kind > 7 || (kind >= 4) != (mesh != nil) {
		return nil, refuse("a shading of type %d", kind)
	}
	out := dict{"ShadingType": kind}
	cs, err := c.space(d["ColorSpace"], res, 0)
	if err != nil {
		return nil, err
	}
	if isPattern(cs.obj) {
		return nil, refuse("a damaged shading")
	}
	out["ColorSpace"] = cs.obj
	for _, k := range []name{"Background", "BBox", "Coords", "Domain", "Matrix", "Decode"} {
		if d[k] == nil {
			continue
		}
		if out[k], err = c.numbers(d[k]); err != nil {
			return nil, err
		}
	}
	for _, k := range []name{"BitsPerCoordinate", "BitsPerComponent", "BitsPerFlag", "VerticesPerRow"} {
		if n, ok, err := c.intEntry(d, k); err != nil {
			return nil, err
		} else if ok {
			out[k] = n
		}
	}
	if b, err := c.get(d["AntiAlias"]); err != nil {
		return nil, err
	} else if b, ok := b.(bool); ok {
		out["AntiAlias"] = b
	}
	ext, err := c.get(d["Extend"])
	if err != nil {
		return nil, err
	}
	if a, ok := ext.(array); ok && len(a) == 2 {
		var e array
		for _, v := range a {
			v, err := c.get(v)
			if err != nil {
				return nil, err
			}
			b, _ := v.(bool)
			e = append(e, b)
		}
		out["Extend"] = e
	}
	if d["Function"] != nil {
		f, err := c.get(d["Function"])
		if err != nil {
			return nil, err
		}
		if list, ok := f.(array); ok {
			var fs array
			for _, e := range list {
				nf, err := c.function(e, 0)
				if err != nil {
					return nil, err
				}
				fs = append(fs, nf)
			}
			out["Function"] = fs
		} else if out["Function"], err = c.function(d["Function"], 0); err != nil {
			return nil, err
		}
	}
	num := c.out.reserve()
	if mesh != nil {
		b, err := decoded(c.doc, mesh, maxCopied)
		if err != nil {
			return nil, c.unreadable(err)
		}
		c.out.bytes(num, out, b, true)
	} else {
		c.out.put(num, out)
	}
	if isRef {
		c.copies[key] = num
	}
	return ref{num, 0}, nil
}

// pattern checks a pattern that content names.
func (k *checker) pattern(n name, res dict, depth int) error {
	d, err := k.dict(res["Pattern"])
	if err != nil {
		return err
	}
	if r, ok := d[n].(ref); ok {
		if k.seen[r] {
			return nil
		}
		k.seen[r] = true
	}
	o, err := k.get(d[n])
	if err != nil {
		return err
	}
	switch p := o.(type) {
	case *stream:
		sub, err := k.dict(p.dict["Resources"])
		if err != nil {
			return err
		}
		if p.dict["PatternType"] != int64(1) || sub == nil {
			return breaks("6.2.2", "a tiling pattern")
		}
		return k.content(p, sub, depth+1)
	case dict:
		if p["PatternType"] != int64(2) || p["ExtGState"] != nil {
			return breaks("6.2.2", "a pattern")
		}
		return k.shading(p["Shading"])
	}
	return breaks("6.2.2", "a pattern that is missing")
}

func (k *checker) shading(o any) error {
	d, err := k.dict(o)
	if err != nil {
		return err
	}
	for key := range d {
		switch key {
		case "ShadingType", "ColorSpace", "Background", "BBox", "Coords", "Domain", "Matrix", "Decode", "BitsPerCoordinate", "BitsPerComponent",
			"BitsPerFlag", "VerticesPerRow", "AntiAlias", "Extend", "Function", "Length", "Filter":
		default:
			return breaks("6.2.2", "/%s in a shading", key)
		}
	}
	_, err = k.space(d["ColorSpace"], nil, 0)
	return err
}
