package pdfa

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"

	"sohoa/dossier"
)

// ErrNotConvertible says that no copy can be made without changing what is
// shown; it is wrapped with what stood in the way. The caller keeps the
// original.
var ErrNotConvertible = errors.New("not convertible to PDF/A-2b")

// ErrEncrypted is an ErrNotConvertible: the file is encrypted, and pdfcpu, which
// decrypts those with an empty password, was not there to read it.
var ErrEncrypted = fmt.Errorf("%w: the file is encrypted", ErrNotConvertible)

func refuse(format string, a ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrNotConvertible}, discreet(a)...)...)
}

// discreet keeps what a document says out of error texts: of its words only
// those that look like PDF's own stay.
func discreet(a []any) []any {
	for i, v := range a {
		switch v := v.(type) {
		case name:
			a[i] = ownWord(string(v))
		case keyword:
			a[i] = ownWord(string(v))
		case str, dict, array, ref, *stream:
			a[i] = fmt.Sprintf("%T", v)
		}
	}
	return a
}

func ownWord(s string) string {
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '*' || c == '\'' || c == '"') {
			return "…"
		}
	}
	if len(s) > 24 {
		return "…"
	}
	return s
}

// Result is what was written.
type Result struct {
	Pages    int
	Size     int64
	SHA256   string // lower-case hexadecimal
	Findings []dossier.Finding
}

const (
	maxPages   = 100_000
	maxContent = 64 << 20  // decoded content of one page or form
	maxProfile = 16 << 20  // decoded ICC profile
	maxCopied  = 256 << 20 // decoded font, function or other small stream
)

// FromPDF writes the PDF/A-2b copy of a PDF to w. The file is read from raw;
// src, pdfcpu's context, is used where the file is encrypted and may be nil
// otherwise. Nothing may be done with what was written to w when an error
// comes back. Where text is shown the copy may still break a rule about the glyphs
// of its fonts, which Check finds.
//
// A signed file is never written: ErrNotConvertible.
func FromPDF(ctx context.Context, src *model.Context, raw io.ReaderAt, w io.Writer, l Label) (Result, error) {
	if src != nil && (src.SignatureExist || src.AppendOnly || len(src.Signatures) > 0 || src.URSignature != nil) {
		return Result{}, refuse("the file is signed")
	}
	doc, err := openDocument(src, raw)
	if err != nil {
		return Result{}, err
	}
	return fromDocument(ctx, doc, w, l)
}

// Convert is FromPDF without pdfcpu: enough for every file that is not
// encrypted, at a fraction of the memory.
func Convert(ctx context.Context, r io.ReaderAt, size int64, w io.Writer, l Label) (Result, error) {
	return FromPDF(ctx, nil, io.NewSectionReader(r, 0, size), w, l)
}

func openDocument(src *model.Context, raw io.ReaderAt) (document, error) {
	size, err := sizeOf(src, raw)
	if err != nil {
		return nil, err
	}
	f, err := openFile(raw, size)
	if err != nil && isSourceError(err) {
		return nil, err
	}
	if err == nil && f.top["Encrypt"] == nil && (src == nil || src.Encrypt == nil) {
		return f, nil
	}
	if src != nil && (err != nil || f.top["Encrypt"] != nil) {
		return newLoaded(src), nil
	}
	if err != nil {
		return nil, refuse("the file cannot be read: %v", err)
	}
	return nil, ErrEncrypted
}

func sizeOf(src *model.Context, raw io.ReaderAt) (int64, error) {
	switch r := raw.(type) {
	case interface{ Size() int64 }:
		return r.Size(), nil
	case io.Seeker:
		n, err := r.Seek(0, io.SeekEnd)
		if err != nil {
			return 0, fmt.Errorf("size of the PDF: %w", err)
		}
		return n, nil
	}
	if src != nil && src.Read != nil && src.Read.FileSize > 0 {
		return src.Read.FileSize, nil
	}
	return 0, errors.New("pdfa: the size of the source is unknown")
}

// fromDocument goes through the document twice: a dry run finds out whether and
// how it can be converted, so that nothing is written in vain, then it writes.
func fromDocument(ctx context.Context, doc document, w io.Writer, l Label) (Result, error) {
	plan := newConverter(ctx, doc, nil, l)
	if _, err := plan.run(); err != nil {
		return Result{}, err
	}
	c := newConverter(ctx, doc, w, l)
	if err := plan.decide(c); err != nil {
		return Result{}, err
	}
	return c.run()
}

// converter carries one document over.
type converter struct {
	ctx   context.Context
	doc   document
	out   *output
	label Label

	images   map[ref]int
	forms    map[formKey]formDone
	copies   map[ref]int
	fonts    map[fontUse]int
	spaces   map[ref]space
	inks     inkTable
	findings []dossier.Finding
	found    map[dossier.Flag]bool

	usesRGB, usesCMYK  bool // device colours, which need an output intent
	iccCMYK, overprint bool
	text               bool // some text is shown
	hiddenText         bool // some text is there and invisible
	drawn              int  // images drawn
	left               int  // images left out because no reader could draw them
	paths              bool // something is painted that is no image

	cmykIntent bool // decided by the dry run
	mixed      bool // decided by the dry run: the intent is for CMYK, and RGB is written as sRGB by its profile
	srgb       int  // object number of the sRGB profile, where one is used
}

func newConverter(ctx context.Context, doc document, w io.Writer, l Label) *converter {
	return &converter{ctx: ctx, doc: doc, out: newOutput(ctx, w), label: l,
		images: map[ref]int{}, forms: map[formKey]formDone{}, copies: map[ref]int{}, fonts: map[fontUse]int{}, spaces: map[ref]space{}, inks: inkTable{},
		found: map[dossier.Flag]bool{}}
}

func (c *converter) finding(f dossier.Flag, page int) {
	if !c.found[f] {
		c.found[f] = true
		c.findings = append(c.findings, dossier.Finding{Flag: f, Page: page})
	}
}

// decide sets in to what the dry run found out.
func (c *converter) decide(to *converter) error {
	if c.iccCMYK && c.overprint {
		return refuse("overprint with a CMYK profile")
	}
	to.cmykIntent = c.usesCMYK
	to.mixed = c.usesRGB && c.usesCMYK
	return nil
}

func (c *converter) dict(o any) (dict, error) {
	o, err := c.doc.resolve(o)
	if err != nil {
		return nil, c.unreadable(err)
	}
	switch o := o.(type) {
	case dict:
		return o, nil
	case *stream:
		return o.dict, nil
	}
	return nil, nil
}

func (c *converter) get(o any) (any, error) {
	o, err := c.doc.resolve(o)
	if err != nil {
		return nil, c.unreadable(err)
	}
	return o, nil
}

// unreadable turns damage of the file into "not convertible" and leaves errors
// of its source alone.
func (c *converter) unreadable(err error) error {
	if isSourceError(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNotConvertible) {
		return err
	}
	return refuse("the file is damaged: %v", err)
}

func (c *converter) run() (Result, error) {
	cat, err := c.dict(c.doc.trailer()["Root"])
	if err != nil {
		return Result{}, err
	}
	if cat == nil {
		return Result{}, refuse("no catalog")
	}
	if err := c.catalog(cat); err != nil {
		return Result{}, err
	}
	pages, err := c.pages(cat)
	if err != nil {
		return Result{}, err
	}
	if len(pages) == 0 {
		return Result{}, refuse("no pages")
	}
	tree := c.out.reserve()
	kids := make(array, 0, len(pages))
	for i, p := range pages {
		if err := c.ctx.Err(); err != nil {
			return Result{}, err
		}
		kid, err := c.page(p, i+1, tree)
		if err != nil {
			return Result{}, fmt.Errorf("page %d: %w", i+1, err)
		}
		kids = append(kids, kid)
	}
	c.out.put(tree, dict{"Type": name("Pages"), "Count": len(kids), "Kids": kids})
	if f, ok := c.doc.(*file); ok && (f.rebuilt || f.mended) {
		c.finding(dossier.Repaired, 0)
	}
	if _, ok := c.doc.(*loaded); ok {
		c.finding(dossier.EmptyPassword, 0)
	}
	extra := dict{}
	if s, err := c.get(cat["Lang"]); err != nil {
		return Result{}, err
	} else if s, ok := s.(str); ok && validLang(string(s)) {
		extra["Lang"] = s
	}
	size, sum, err := finish(c.out, ref{tree, 0}, extra, c.label, c.cmykIntent)
	if err != nil {
		return Result{}, err
	}
	return Result{Pages: len(pages), Size: size, SHA256: sum, Findings: c.findings}, nil
}

// finish writes what every copy ends with: output intent, metadata, catalog.
func finish(out *output, tree ref, extra dict, l Label, cmyk bool) (int64, string, error) {
	if out.dry() {
		return 0, "", out.err
	}
	profile := out.reserve()
	intent := dict{"Type": name("OutputIntent"), "S": name("GTS_PDFA1"), "DestOutputProfile": ref{profile, 0}}
	if cmyk {
		out.bytes(profile, dict{"N": 4, "Filter": name("FlateDecode")}, cmykDeflated, false)
		intent["OutputConditionIdentifier"] = str("Custom")
		intent["Info"] = str(cmykName)
	} else {
		out.bytes(profile, dict{"N": 3, "Filter": name("FlateDecode")}, sRGBDeflated, false)
		intent["OutputConditionIdentifier"] = str("sRGB")
		intent["RegistryName"] = str("http://www.color.org")
		intent["Info"] = str("sRGB IEC61966-2.1")
	}
	meta := out.reserve()
	out.bytes(meta, dict{"Type": name("Metadata"), "Subtype": name("XML")}, l.xmp(), false)
	cat := dict{"Type": name("Catalog"), "Pages": tree, "Metadata": ref{meta, 0}, "OutputIntents": array{out.add(intent)}}
	for k, v := range extra {
		cat[k] = v
	}
	root := out.add(cat)
	return out.finish(root, out.add(l.info()))
}

func validLang(s string) bool {
	if len(s) < 2 || len(s) > 35 {
		return false
	}
	for i, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i >= 2 && (c == '-' || c >= '0' && c <= '9')) {
			return false
		}
	}
	return s[len(s)-1] != '-'
}

// catalog looks at what hangs on the catalog and does not go into the copy.
func (c *converter) catalog(cat dict) error {
	if perms, err := c.dict(cat["Perms"]); err != nil {
		return err
	} else if len(perms) > 0 {
		return refuse("the file is signed")
	}
	if cat["DSS"] != nil {
		return refuse("the file is signed")
	}
	form, err := c.dict(cat["AcroForm"])
	if err != nil {
		return err
	}
	if form != nil {
		if n, ok := form["SigFlags"].(int64); ok && n&1 != 0 {
			return refuse("the file has a signature field")
		}
		signed, err := c.signatureField(form["Fields"], 0, map[ref]bool{})
		if err != nil {
			return err
		}
		if signed {
			return refuse("the file is signed")
		}
		if form["XFA"] != nil {
			c.finding(dossier.ActiveContentGone, 0)
		}
	}
	if oc, err := c.dict(cat["OCProperties"]); err != nil {
		return err
	} else if oc != nil {
		if err := c.optionalContent(oc); err != nil {
			return err
		}
	}
	names, err := c.dict(cat["Names"])
	if err != nil {
		return err
	}
	if names["JavaScript"] != nil || names["EmbeddedFiles"] != nil || cat["AA"] != nil || cat["AF"] != nil || cat["Collection"] != nil {
		c.finding(dossier.ActiveContentGone, 0)
	}
	if a, err := c.dict(cat["OpenAction"]); err != nil {
		return err
	} else if a["S"] != nil && a["S"] != name("GoTo") {
		c.finding(dossier.ActiveContentGone, 0)
	}
	return nil
}

func (c *converter) signatureField(o any, depth int, seen map[ref]bool) (bool, error) {
	if depth > maxDepth {
		return false, refuse("form fields nested more than %d deep", maxDepth)
	}
	v, err := c.get(o)
	if err != nil {
		return false, err
	}
	list, _ := v.(array)
	if len(list) > 100_000 {
		return false, refuse("%d form fields", len(list))
	}
	for _, e := range list {
		if r, ok := e.(ref); ok {
			if seen[r] {
				continue
			}
			seen[r] = true
		}
		f, err := c.dict(e)
		if err != nil {
			return false, err
		}
		if f["FT"] == name("Sig") && f["V"] != nil {
			return true, nil
		}
		if f["Kids"] != nil {
			if signed, err := c.signatureField(f["Kids"], depth+1, seen); signed || err != nil {
				return signed, err
			}
		}
	}
	return false, nil
}

// optionalContent accepts layers only where every layer is shown by default:
// then leaving the marks out changes nothing.
func (c *converter) optionalContent(oc dict) error {
	d, err := c.dict(oc["D"])
	if err != nil {
		return err
	}
	if b, err := c.get(d["BaseState"]); err != nil {
		return err
	} else if b != nil && b != name("ON") {
		return refuse("optional content that is not shown")
	}
	for _, key := range []name{"OFF", "AS"} {
		off, err := c.get(d[key])
		if err != nil {
			return err
		}
		if a, ok := off.(array); ok && len(a) > 0 {
			return refuse("optional content that is not always shown")
		}
	}
	return nil
}

// pageSource is a page with what it inherits.
type pageSource struct {
	at                             ref // zero: a page that is no object of its own
	d                              dict
	resources, media, crop, rotate any
}

// pages lists the pages in order.
func (c *converter) pages(cat dict) ([]pageSource, error) {
	var out []pageSource
	seen := map[ref]bool{}
	var walk func(o any, up pageSource, depth int) error
	walk = func(o any, up pageSource, depth int) error {
		if depth > maxDepth {
			return refuse("the page tree is more than %d deep", maxDepth)
		}
		if r, ok := o.(ref); ok {
			if seen[r] {
				return refuse("the page tree runs in a circle or names a page twice")
			}
			seen[r] = true
		}
		d, err := c.dict(o)
		if err != nil {
			return err
		}
		if d == nil {
			return nil
		}
		for key, to := range map[name]*any{"Resources": &up.resources, "MediaBox": &up.media, "CropBox": &up.crop, "Rotate": &up.rotate} {
			if d[key] != nil {
				*to = d[key]
			}
		}
		kids, err := c.get(d["Kids"])
		if err != nil {
			return err
		}
		list, isNode := kids.(array)
		if !isNode || d["Type"] == name("Page") {
			up.d = d
			up.at, _ = o.(ref)
			if out = append(out, up); len(out) > maxPages {
				return refuse("more than %d pages", maxPages)
			}
			return nil
		}
		for _, k := range list {
			if err := walk(k, up, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	err := walk(cat["Pages"], pageSource{}, 0)
	return out, err
}

func (c *converter) rect(o any) (array, bool, error) {
	o, err := c.get(o)
	if err != nil {
		return nil, false, err
	}
	a, _ := o.(array)
	if len(a) != 4 {
		return nil, false, nil
	}
	var v [4]float64
	for i, e := range a {
		e, err := c.get(e)
		if err != nil {
			return nil, false, err
		}
		f, ok := num(e)
		if !ok || math.Abs(f) > 1e6 {
			return nil, false, nil
		}
		v[i] = f
	}
	x0, x1 := min(v[0], v[2]), max(v[0], v[2])
	y0, y1 := min(v[1], v[3]), max(v[1], v[3])
	if x1 <= x0 || y1 <= y0 {
		return nil, false, nil
	}
	return array{x0, y0, x1, y1}, true, nil
}

func (c *converter) page(p pageSource, no, tree int) (ref, error) {
	d := dict{"Type": name("Page"), "Parent": ref{tree, 0}}
	media, ok, err := c.rect(p.media)
	if err != nil {
		return ref{}, err
	}
	if !ok {
		return ref{}, refuse("no media box")
	}
	d["MediaBox"] = media
	boxes := []array{media}
	if crop, ok, err := c.rect(p.crop); err != nil {
		return ref{}, err
	} else if ok {
		d["CropBox"] = crop
		boxes = append(boxes, crop)
	}
	unit := 1.0
	if u, err := c.get(p.d["UserUnit"]); err != nil {
		return ref{}, err
	} else if f, ok := num(u); ok && f > 0 && f != 1 {
		d["UserUnit"] = f
		unit = f
	}
	_ = unit
	for _, b := range boxes {
		w, h := b[2].(float64)-b[0].(float64), b[3].(float64)-b[1].(float64)
		if w < 3 || h < 3 || w > 14400 || h > 14400 {
			return ref{}, refuse("a page of %.0f × %.0f units", w, h)
		}
	}
	if r, err := c.get(p.rotate); err != nil {
		return ref{}, err
	} else if f, ok := num(r); ok && int(f)%90 == 0 && math.Abs(f) < 1e6 {
		if q := ((int(f)%360 + 360) % 360); q != 0 {
			d["Rotate"] = q
		}
	}
	if p.d["AA"] != nil {
		c.finding(dossier.ActiveContentGone, no)
	}
	annots, err := c.annotations(p.d["Annots"], no)
	if err != nil {
		return ref{}, err
	}
	if len(annots) > 0 {
		d["Annots"] = annots
	}
	if g, err := c.group(p.d["Group"]); err != nil {
		return ref{}, err
	} else if g != nil {
		d["Group"] = g
	}
	data, err := c.contents(p.d["Contents"])
	if err != nil {
		return ref{}, err
	}
	res, err := c.dict(p.resources)
	if err != nil {
		return ref{}, err
	}
	drawn, left := c.drawn, c.left
	content, newRes, err := c.rewrite(data, res, &graphics{}, 0)
	if err != nil {
		return ref{}, err
	}
	if c.left > left && c.drawn == drawn {
		return ref{}, refuse("the page's only image cannot be drawn")
	}
	body := c.out.reserve()
	c.out.bytes(body, dict{}, content, len(content) > 200)
	d["Contents"] = ref{body, 0}
	d["Resources"] = newRes
	return c.out.add(d), nil
}

// contents joins the content streams of a page, a blank between them.
func (c *converter) contents(o any) ([]byte, error) {
	o, err := c.get(o)
	if err != nil {
		return nil, err
	}
	var list array
	switch o := o.(type) {
	case nil:
		return nil, nil
	case *stream:
		list = array{o}
	case array:
		list = o
	default:
		return nil, nil
	}
	var data []byte
	for _, e := range list {
		e, err := c.get(e)
		if err != nil {
			return nil, err
		}
		s, ok := e.(*stream)
		if !ok {
			continue
		}
		b, err := decoded(c.doc, s, maxContent-int64(len(data)))
		if err != nil {
			return nil, c.unreadable(err)
		}
		data = append(data, b...)
		data = append(data, '\n')
	}
	return data, nil
}

// annotations keeps links to the web and drawn remarks, leaves out what shows
// nothing, and refuses the rest: their appearance is part of what is shown.
func (c *converter) annotations(o any, page int) (array, error) {
	o, err := c.get(o)
	if err != nil {
		return nil, err
	}
	list, _ := o.(array)
	var out array
	for _, e := range list {
		a, err := c.dict(e)
		if err != nil {
			return nil, err
		}
		if a == nil {
			continue
		}
		flags := 0
		if f, err := c.get(a["F"]); err != nil {
			return nil, err
		} else if n, ok := f.(int64); ok {
			flags = int(n)
		}
		sub, err := c.get(a["Subtype"])
		if err != nil {
			return nil, err
		}
		hidden := flags&2 != 0 || flags&32 != 0
		switch {
		case sub == name("Link"):
			if a["AP"] != nil && !hidden {
				return nil, refuse("a link with an appearance of its own")
			}
			link, err := c.link(a, page)
			if err != nil {
				return nil, err
			}
			if link != nil && !hidden {
				out = append(out, link)
			}
		case sub == name("Popup"), hidden:
		default:
			kept, err := c.markup(a, sub, flags)
			if err != nil {
				return nil, err
			}
			out = append(out, kept)
		}
	}
	return out, nil
}

// markups are the remarks whose appearance says all that is shown of them.
var markups = map[name]bool{"Stamp": true, "FreeText": true, "Ink": true, "Square": true, "Circle": true, "Line": true,
	"Polygon": true, "PolyLine": true, "Highlight": true, "Underline": true, "Squiggly": true, "StrikeOut": true, "Caret": true}

// markup carries a remark over with its drawn appearance, which must be there
// and be meant for paper too: PDF/A wants both.
func (c *converter) markup(a dict, sub any, flags int) (any, error) {
	kind, _ := sub.(name)
	if !markups[kind] || flags&4 == 0 || flags&(1|256) != 0 {
		return nil, refuse("an annotation that is shown")
	}
	ap, err := c.dict(a["AP"])
	if err != nil {
		return nil, err
	}
	v, err := c.get(ap["N"])
	if err != nil {
		return nil, err
	}
	s, ok := v.(*stream)
	if !ok || a["OC"] != nil {
		return nil, refuse("an annotation that is shown")
	}
	rect, ok, err := c.rect(a["Rect"])
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, refuse("an annotation without its place")
	}
	key, _ := ap["N"].(ref)
	num, err := c.form(s, key, nil, &graphics{}, 1)
	if err != nil {
		return nil, err
	}
	out := dict{"Type": name("Annot"), "Subtype": kind, "Rect": rect, "F": flags &^ (2 | 32), "AP": dict{"N": ref{num, 0}}}
	if t, err := c.get(a["Contents"]); err != nil {
		return nil, err
	} else if t, ok := t.(str); ok && len(t) < 32000 {
		out["Contents"] = t
	}
	return c.out.add(out), nil
}

// link carries a link to the web over with its border; any other link is left
// out, unless its border is shown: then that stays.
func (c *converter) link(a dict, page int) (any, error) {
	act, err := c.dict(a["A"])
	if err != nil {
		return nil, err
	}
	kind, err := c.get(act["S"])
	if err != nil {
		return nil, err
	}
	rect, ok, err := c.rect(a["Rect"])
	if err != nil || !ok {
		return nil, err
	}
	out := dict{"Type": name("Annot"), "Subtype": name("Link"), "Rect": rect, "F": 4}
	width := 1.0
	if a["Border"] != nil {
		b, err := c.get(a["Border"])
		if err != nil {
			return nil, err
		}
		if list, ok := b.(array); ok && len(list) >= 3 {
			v, err := c.numbers(list[:3])
			if err != nil {
				return nil, err
			}
			width, _ = num(v[2])
			out["Border"] = v
			if len(list) > 3 {
				dash, err := c.numbers(list[3])
				if err != nil {
					return nil, err
				}
				out["Border"] = append(v, dash)
			}
		}
	}
	if bs, err := c.dict(a["BS"]); err != nil {
		return nil, err
	} else if bs != nil {
		w, err := c.get(bs["W"])
		if err != nil {
			return nil, err
		}
		width = 1
		style := dict{}
		if f, ok := num(w); ok {
			width, style["W"] = f, f
		}
		if s, err := c.get(bs["S"]); err != nil {
			return nil, err
		} else if s, ok := s.(name); ok && len(s) == 1 {
			style["S"] = s
		}
		if bs["D"] != nil {
			if style["D"], err = c.numbers(bs["D"]); err != nil {
				return nil, err
			}
		}
		out["BS"] = style
	}
	if a["C"] != nil {
		col, err := c.numbers(a["C"])
		if err != nil {
			return nil, err
		}
		if len(col) == 3 || len(col) == 1 {
			out["C"] = col
		}
	}
	uri, err := c.get(act["URI"])
	if err != nil {
		return nil, err
	}
	switch kind {
	case name("URI"):
		if s, ok := uri.(str); ok && len(s) < 4000 {
			out["A"] = dict{"Type": name("Action"), "S": name("URI"), "URI": s}
		}
	case nil, name("GoTo"), name("Named"):
	default:
		c.finding(dossier.ActiveContentGone, page)
	}
	if out["A"] == nil && width == 0 {
		return nil, nil
	}
	return c.out.add(out), nil
}

// group carries a transparency group's attributes over.
func (c *converter) group(o any) (dict, error) {
	g, err := c.dict(o)
	if err != nil || g == nil {
		return nil, err
	}
	if s, err := c.get(g["S"]); err != nil || s != name("Transparency") {
		return nil, err
	}
	out := dict{"Type": name("Group"), "S": name("Transparency")}
	for _, k := range []name{"I", "K"} {
		if b, err := c.get(g[k]); err != nil {
			return nil, err
		} else if b, ok := b.(bool); ok {
			out[k] = b
		}
	}
	if g["CS"] != nil {
		cs, err := c.space(g["CS"], nil, 0)
		if err != nil {
			return nil, err
		}
		out["CS"] = cs.obj
	}
	return out, nil
}
