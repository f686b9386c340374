package signature

import "bytes"

// rebuild gathers the objects of a file whose cross-reference cannot be
// followed, by looking for them: of two with one number the later counts, as in
// every reader that repairs.
func (f *file) rebuild() (*doc, error) {
	d := &doc{file: f, end: f.size, table: map[int]place{}, rebuilt: true}
	var packs []int64
	const step, overlap = 1 << 20, 64
	for off := int64(0); off < f.size; off += step {
		base := max(0, off-overlap) // a number may stand before the window, a word end behind it
		b, err := f.bytes(base, step+2*overlap)
		if err != nil {
			return nil, err
		}
		for i := 0; ; {
			j := bytes.Index(b[i:], []byte("obj"))
			if j < 0 {
				break
			}
			i += j + 3
			if at := base + int64(i-3); at < off {
				continue
			} else if at >= off+step {
				break
			}
			start, ok := objectStart(b, i-3)
			if !ok {
				continue
			}
			at := base + int64(start)
			o := f.object(at)
			if o.err != nil {
				continue
			}
			if len(d.table) > maxObjects {
				return nil, errStructure
			}
			d.table[o.ref.num] = place{off: at, gen: o.ref.gen}
			dd := d.dict(o.val)
			switch dd.get("Type") {
			case name("ObjStm"):
				packs = append(packs, at)
			case name("XRef"):
				if _, ok := dd.get("Root").(ref); ok {
					d.trailer = dd
				}
			case name("Catalog"):
				if d.trailer == nil {
					d.trailer = dict{{"Root", o.ref}}
				}
			}
		}
		for i := 0; ; {
			j := bytes.Index(b[i:], []byte("trailer"))
			if j < 0 || base+int64(i+j) >= off+step {
				break
			}
			i += j + len("trailer")
			var v any
			err := f.with(base+int64(i), 4096, func(p *parser) (err error) {
				v, err = p.value(0)
				return err
			})
			if t, ok := v.(dict); ok && err == nil {
				if _, ok := t.get("Root").(ref); ok {
					d.trailer = t
				}
			}
		}
	}
	for _, at := range packs {
		p := d.pack(at)
		f.packs[at] = p
		for i, n := range p.nums {
			if old, ok := d.table[n]; !ok || old.off < at {
				d.table[n] = place{packed: true, off: at, index: i}
			}
		}
	}
	if d.trailer == nil {
		return nil, errStructure
	}
	return d, nil
}

// objectStart steps back from "obj" at i over "n g ".
func objectStart(b []byte, i int) (int, bool) {
	back := func(in func(byte) bool) bool {
		s := i
		for i > 0 && in(b[i-1]) {
			i--
		}
		return i < s
	}
	digit := func(c byte) bool { return '0' <= c && c <= '9' }
	if !back(isSpace) || !back(digit) || !back(isSpace) || !back(digit) {
		return 0, false
	}
	return i, true
}
