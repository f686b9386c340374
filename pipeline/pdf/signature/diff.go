package signature

import (
	"bytes"
	"crypto/sha256"
	"io"
)

// level is how far a later state of a file departs from an earlier one.
type level int

const (
	same     level = iota
	upkeep         // what keeps a signature verifiable: DSS, document timestamps, metadata
	filling        // form fields filled, signatures added
	markup         // annotations added or changed
	anything       // what is shown, or what nobody foresaw
)

// compare tells how far new departs from old. It walks both from their roots
// at the same time. What is not known to be harmless is anything: page content,
// resources, a reference that pointed nowhere and now points at something.
func compare(old, new *doc) (l level, filled []string) {
	if old.rebuilt || new.rebuilt {
		return anything, nil
	}
	c := &comparer{old: old, new: new, seen: map[visit]bool{}, roles: map[int]role{}, names: map[int]string{}}
	or, ok := old.trailer.get("Root").(ref)
	nr, ok2 := new.trailer.get("Root").(ref)
	if !ok || !ok2 || or != nr {
		return anything, nil
	}
	c.plan()
	c.values(old.trailer.get("Encrypt"), new.trailer.get("Encrypt"), anything)
	c.values(or, nr, anything)
	return c.worst, c.filled
}

// role is what an object is, wherever a walk comes upon it.
type role int

const (
	plainObject role = iota
	catalog
	page
	formField
	annotation
)

type visit struct {
	old, new int
	bad      level
}

// maxCompared bounds the walk. A file with more objects is called changed
// rather than trusted unseen.
const maxCompared = 2_000_000

type comparer struct {
	old, new *doc
	seen     map[visit]bool
	roles    map[int]role
	worst    level
	filled   []string       // names of the fields that have another value
	names    map[int]string // of the fields, by object
	count    int
}

func (c *comparer) found(l level) { c.worst = max(c.worst, l) }

// plan learns from the old state which objects are pages, fields and
// annotations.
func (c *comparer) plan() {
	d := c.old
	if r, ok := d.trailer.get("Root").(ref); ok {
		c.roles[r.num] = catalog
	}
	visited := map[int]bool{}
	var pages func(v any, depth int)
	pages = func(v any, depth int) {
		r, ok := v.(ref)
		if !ok || visited[r.num] || depth > maxDepth {
			return
		}
		visited[r.num] = true
		p := d.dict(v)
		if kids := d.array(p.get("Kids")); kids != nil {
			for _, k := range kids {
				pages(k, depth+1)
			}
			return
		}
		c.roles[r.num] = page
		for _, a := range d.array(p.get("Annots")) {
			if r, ok := a.(ref); ok {
				c.roles[r.num] = annotation
			}
		}
	}
	pages(d.root().get("Pages"), 0)
	var fields func(v any, prefix string, depth int)
	fields = func(v any, prefix string, depth int) {
		f := d.dict(v)
		if t, ok := d.resolve(f.get("T")).(text); ok {
			if prefix != "" {
				prefix += "."
			}
			prefix += plain(t.b)
		}
		r, ok := v.(ref)
		if ok {
			if c.roles[r.num] == formField || depth > maxDepth {
				return
			}
			c.roles[r.num], c.names[r.num] = formField, prefix
		}
		for _, k := range d.array(f.get("Kids")) {
			fields(k, prefix, depth+1)
		}
	}
	for _, f := range d.array(d.dict(d.root().get("AcroForm")).get("Fields")) {
		fields(f, "", 0)
	}
}

// values compares two values; bad is what a difference between them amounts to.
func (c *comparer) values(o, n any, bad level) {
	if c.worst == anything {
		return
	}
	or, oref := o.(ref)
	nr, nref := n.(ref)
	if !oref && !nref {
		c.direct(o, n, bad)
		return
	}
	var v visit
	v.bad = bad
	if oref {
		v.old = or.num
	}
	if nref {
		v.new = nr.num
	}
	if oref && nref {
		if c.seen[v] {
			return
		}
		c.seen[v] = true
	}
	if c.count++; c.count > maxCompared {
		c.found(anything)
		return
	}
	var ov, nv any = o, n
	if oref {
		op, oHas := c.old.find(or.num)
		if nref {
			np, nHas := c.new.find(nr.num)
			if oHas && nHas && or.num == nr.num && op == np {
				// The very same bytes. What they refer to may differ.
				ov, err := c.old.load(or.num, op)
				if err == nil {
					c.object(or.num, ov, ov, bad)
				}
				return
			}
		}
		ov = nil
		if oHas {
			var err error
			if ov, err = c.old.load(or.num, op); err != nil {
				c.found(anything)
				return
			}
		}
	}
	if nref {
		nv = nil
		if np, has := c.new.find(nr.num); has {
			var err error
			if nv, err = c.new.load(nr.num, np); err != nil {
				c.found(anything)
				return
			}
		}
	}
	num := 0
	if oref && nref && or.num == nr.num {
		num = or.num
	}
	c.object(num, ov, nv, bad)
}

// object compares what two references lead to, by the role of the object.
func (c *comparer) object(num int, o, n any, bad level) {
	od, ok := o.(dict)
	nd, ok2 := n.(dict)
	if ok && ok2 {
		switch c.roles[num] {
		case catalog:
			c.catalog(od, nd)
			return
		case page:
			c.page(od, nd)
			return
		case formField:
			c.field(c.names[num], od, nd)
			return
		case annotation:
			if od.get("Subtype") == name("Widget") {
				c.field(c.names[num], od, nd)
			} else {
				c.annotation(od, nd)
			}
			return
		}
	}
	c.direct(o, n, bad)
}

func (c *comparer) direct(o, n any, bad level) {
	switch o := o.(type) {
	case dict:
		n, ok := n.(dict)
		if !ok {
			c.found(bad)
			return
		}
		c.dicts(o, n, bad, nil)
	case stream:
		n, ok := n.(stream)
		if !ok {
			c.found(bad)
			return
		}
		c.dicts(o.dict, n.dict, bad, nil)
		if o.data != n.data && !c.sameData(o, n) {
			c.found(bad)
		}
	case []any:
		n, ok := n.([]any)
		if !ok || len(o) != len(n) {
			c.found(bad)
			return
		}
		for i := range o {
			c.values(o[i], n[i], bad)
		}
	case text:
		if n, ok := n.(text); !ok || !bytes.Equal(o.b, n.b) {
			c.found(bad)
		}
	case ref:
		c.values(o, n, bad)
	default:
		if _, ok := n.(ref); ok {
			c.values(o, n, bad)
			return
		}
		switch n.(type) {
		case dict, stream, []any, text:
			c.found(bad)
		default:
			if o != n {
				c.found(bad)
			}
		}
	}
}

// dicts compares key by key; special says what a difference under a key amounts
// to, or handles the key itself by returning same.
func (c *comparer) dicts(o, n dict, bad level, special func(k name, o, n any) (l level, handled bool)) {
	keys := map[name]bool{}
	for _, d := range []dict{o, n} {
		for _, e := range d {
			if keys[e.key] {
				continue
			}
			keys[e.key] = true
			ov, nv, l := o.get(e.key), n.get(e.key), bad
			if special != nil {
				var handled bool
				if l, handled = special(e.key, ov, nv); handled {
					continue
				}
			}
			c.values(ov, nv, l)
		}
	}
}

func (c *comparer) catalog(o, n dict) {
	c.dicts(o, n, anything, func(k name, ov, nv any) (level, bool) {
		switch k {
		case "DSS", "Extensions", "Version", "Metadata":
			return upkeep, false // never shown
		case "StructTreeRoot", "MarkInfo":
			return filling, false
		case "AcroForm":
			c.acroForm(c.old.dict(ov), c.new.dict(nv), ov != nil && nv == nil)
			return same, true
		}
		return anything, false
	})
}

func (c *comparer) acroForm(o, n dict, gone bool) {
	if gone {
		c.found(anything)
		return
	}
	c.dicts(o, n, anything, func(k name, ov, nv any) (level, bool) {
		switch k {
		case "Fields":
			c.members(c.old.array(ov), c.new.array(nv), c.newField)
			return same, true
		case "SigFlags":
			return upkeep, false
		case "DR", "DA", "Q", "NeedAppearances":
			return filling, false
		}
		return anything, false
	})
}

// members compares two lists in which old members have to stay and new ones are
// judged one by one.
func (c *comparer) members(o, n []any, added func(v any) level) {
	have := map[ref]bool{}
	for _, v := range n {
		if r, ok := v.(ref); ok {
			have[r] = true
		}
	}
	had := map[ref]bool{}
	var od, nd []any // members that stand in the list themselves
	for _, v := range o {
		r, ok := v.(ref)
		switch {
		case !ok:
			od = append(od, v)
		case have[r]:
			had[r] = true
			c.values(r, r, anything)
		case c.old.dict(r) == nil: // pointed nowhere
		default:
			c.found(anything)
		}
	}
	for _, v := range n {
		r, ok := v.(ref)
		switch {
		case !ok:
			nd = append(nd, v)
		case !had[r]:
			c.found(added(r))
		}
	}
	for i, v := range nd {
		if i < len(od) {
			c.values(od[i], v, anything)
		} else {
			c.found(added(v))
		}
	}
	if len(od) > len(nd) {
		c.found(anything)
	}
}

// newField judges a field that was not there: only signature fields may come.
func (c *comparer) newField(v any) level { return c.signatureField(v, 0) }

func (c *comparer) signatureField(v any, depth int) level {
	f := c.new.dict(v)
	if f == nil || depth > 8 {
		return anything
	}
	if r, ok := v.(ref); ok {
		if pl, has := c.old.find(r.num); has && c.new.table[r.num] != pl {
			return anything // an old object in a new dress
		}
	}
	kind := c.inherited(f, "FT")
	if kids := c.new.array(f.get("Kids")); kids != nil && kind != name("Sig") {
		l := filling
		for _, k := range kids {
			l = max(l, c.signatureField(k, depth+1))
		}
		return l
	}
	if kind != name("Sig") {
		return anything
	}
	sig := c.new.dict(c.inherited(f, "V"))
	if sig.get("Type") == name("DocTimeStamp") && invisible(c.new, f) {
		return upkeep
	}
	return filling
}

func (c *comparer) inherited(f dict, k name) any {
	for range 8 {
		if f == nil {
			return nil
		}
		if v := f.get(k); v != nil {
			return c.new.resolve(v)
		}
		f = c.new.dict(f.get("Parent"))
	}
	return nil
}

// invisible: the widget covers nothing of the page.
func invisible(d *doc, f dict) bool {
	for _, k := range d.array(f.get("Kids")) {
		if !invisible(d, d.dict(k)) {
			return false
		}
	}
	rect := d.array(f.get("Rect"))
	if len(rect) != 4 {
		return rect == nil
	}
	num := func(v any) float64 {
		switch v := d.resolve(v).(type) {
		case int64:
			return float64(v)
		case float64:
			return v
		}
		return 0
	}
	if num(rect[0]) == num(rect[2]) || num(rect[1]) == num(rect[3]) {
		return true
	}
	flags, _ := d.resolve(f.get("F")).(int64)
	const hidden, noView = 2, 32
	return flags&(hidden|noView) != 0 || f.get("AP") == nil
}

func (c *comparer) page(o, n dict) {
	c.dicts(o, n, anything, func(k name, ov, nv any) (level, bool) {
		switch k {
		case "Annots":
			c.annots(c.old.array(ov), c.new.array(nv))
			return same, true
		case "Tabs", "StructParents":
			return filling, false
		case "LastModified", "PieceInfo":
			return filling, false
		}
		return anything, false
	})
}

func (c *comparer) annots(o, n []any) {
	have := map[ref]bool{}
	for _, v := range n {
		if r, ok := v.(ref); ok {
			have[r] = true
		}
	}
	var stay []any
	for _, v := range o {
		if r, ok := v.(ref); ok && !have[r] {
			switch d := c.old.dict(r); {
			case d == nil:
			case d.get("Subtype") == name("Widget"):
				c.found(anything)
			default:
				c.found(markup)
			}
			continue
		}
		stay = append(stay, v)
	}
	c.members(stay, n, func(v any) level {
		a := c.new.dict(v)
		if a == nil {
			return same
		}
		if a.get("Subtype") == name("Widget") {
			return c.signatureField(v, 0)
		}
		return markup
	})
}

// field compares a form field or its widget.
func (c *comparer) field(fullName string, o, n dict) {
	kind := c.inherited(n, "FT")
	signed := kind == name("Sig") && c.old.dict(o.get("V")) != nil
	c.dicts(o, n, anything, func(k name, ov, nv any) (level, bool) {
		if signed {
			// What shows a signature stays as it was when it was made.
			return anything, false
		}
		switch k {
		case "V":
			if kind == name("Sig") {
				sig := c.new.dict(nv)
				if sig.get("Type") == name("DocTimeStamp") && invisible(c.new, n) {
					c.found(upkeep)
				} else if sig != nil {
					c.found(filling)
				}
				return same, true
			}
			before := c.worst
			c.worst = same
			c.values(ov, nv, filling)
			if c.worst != same {
				c.filled = append(c.filled, fullName)
			}
			c.worst = max(c.worst, before)
			return same, true
		case "AP", "AS", "I", "RV", "M", "Ff", "F", "DA", "MK", "Lock", "P":
			return filling, false
		case "Kids":
			c.members(c.old.array(ov), c.new.array(nv), c.newField)
			return same, true
		}
		return anything, false
	})
}

// annotation compares annotations that are no widgets: any difference is markup.
func (c *comparer) annotation(o, n dict) {
	c.dicts(o, n, markup, func(k name, ov, nv any) (level, bool) {
		return markup, k == "P" || k == "Parent" || k == "Popup" || k == "IRT"
	})
}

// sameData compares the data of two streams, by their lengths.
func (c *comparer) sameData(o, n stream) bool {
	a, ok := c.old.resolve(o.get("Length")).(int64)
	b, ok2 := c.new.resolve(n.get("Length")).(int64)
	if !ok || !ok2 || a != b || a < 0 {
		return false
	}
	sum := func(off int64) (s [32]byte, err error) {
		h := sha256.New()
		var m int64
		if m, err = io.Copy(h, io.NewSectionReader(c.old.r, off, a)); err == nil && m < a {
			err = io.ErrUnexpectedEOF
		}
		return [32]byte(h.Sum(nil)), err
	}
	x, err := sum(o.data)
	y, err2 := sum(n.data)
	return err == nil && err2 == nil && x == y
}
