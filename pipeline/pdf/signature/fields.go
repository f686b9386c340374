package signature

// field is a signature field that holds a value.
type field struct {
	name string
	num  int  // object of the field, 0 where it is direct
	sig  dict // the signature dictionary
	at   int64
}

const maxFields = 100_000

// fields lists the signature fields of d that are signed.
func (d *doc) fields() []field {
	var out []field
	seen := map[int]bool{}
	count := 0
	var walk func(v any, prefix string, kind any, value any, depth int)
	walk = func(v any, prefix string, kind, value any, depth int) {
		r, _ := v.(ref)
		if count++; count > maxFields || depth > maxDepth || r.num != 0 && seen[r.num] {
			return
		}
		seen[r.num] = true
		f := d.dict(v)
		if f == nil {
			return
		}
		// In an encrypted file the name is as unreadable as all text.
		if t, ok := d.resolve(f.get("T")).(text); ok && d.trailer.get("Encrypt") == nil {
			if prefix != "" {
				prefix += "."
			}
			prefix += plain(t.b)
		}
		if k := d.resolve(f.get("FT")); k != nil {
			kind = k
		}
		if w := f.get("V"); w != nil {
			value = w
		}
		kids := d.array(f.get("Kids"))
		named := false
		for _, k := range kids {
			if d.dict(k).get("T") != nil {
				named = true
			}
		}
		if kind == name("Sig") && !named {
			if sig := d.dict(value); sig != nil || d.unreadable(value) {
				out = append(out, field{name: prefix, num: r.num, sig: sig, at: contentsAt(sig)})
			}
			return
		}
		for _, k := range kids {
			walk(k, prefix, kind, value, depth+1)
		}
	}
	for _, v := range d.array(d.dict(d.root().get("AcroForm")).get("Fields")) {
		walk(v, "", nil, nil, 0)
	}
	// Readers also show a signature whose widget stands on a page and in no form.
	for _, p := range d.pages() {
		for _, a := range d.array(p.get("Annots")) {
			if d.dict(a).get("Subtype") == name("Widget") && d.dict(a).get("Parent") == nil {
				walk(a, "", nil, nil, 0)
			}
		}
	}
	return out
}

// pages lists the page dictionaries, as far as the tree can be followed.
func (d *doc) pages() (out []dict) {
	seen := map[int]bool{}
	var walk func(v any, depth int)
	walk = func(v any, depth int) {
		r, ok := v.(ref)
		if !ok || seen[r.num] || depth > maxDepth || len(out) > maxFields {
			return
		}
		seen[r.num] = true
		p := d.dict(v)
		kids := d.array(p.get("Kids"))
		if kids == nil && p != nil {
			out = append(out, p)
		}
		for _, k := range kids {
			walk(k, depth+1)
		}
	}
	walk(d.root().get("Pages"), 0)
	return out
}

// contentsAt is where /Contents stands, which tells one signature from another;
// -1 where it does not stand in the file itself.
func contentsAt(sig dict) int64 {
	t, ok := sig.get("Contents").(text)
	if !ok {
		return -1
	}
	return t.start
}

// plain is a text string, of which only the name of a field is made: UTF-16 or
// one byte a character.
func plain(b []byte) string {
	if len(b) >= 2 && b[0] == 0xFE && b[1] == 0xFF {
		var s []rune
		for i := 2; i+1 < len(b); i += 2 {
			s = append(s, rune(b[i])<<8|rune(b[i+1]))
		}
		return string(s)
	}
	s := make([]rune, len(b))
	for i, c := range b {
		s[i] = rune(c)
	}
	return string(s)
}

// strays looks through the bytes for signature dictionaries, for files whose
// structure cannot be followed.
func (f *file) strays() []field {
	var out []field
	d, err := f.rebuild()
	if err != nil {
		return nil
	}
	for _, pl := range d.table {
		if pl.packed || pl.off < 0 {
			continue
		}
		sig, ok := f.object(pl.off).val.(dict)
		if ok && sig.get("ByteRange") != nil && sig.get("Contents") != nil {
			out = append(out, field{sig: sig, at: contentsAt(sig)})
		}
	}
	return out
}

// unreadable reports whether v refers to something that is there and cannot be
// understood.
func (d *doc) unreadable(v any) bool {
	r, ok := v.(ref)
	if !ok {
		return v != nil
	}
	pl, ok := d.find(r.num)
	if !ok {
		return false
	}
	_, err := d.load(r.num, pl)
	return err != nil
}
