package pdfa

import (
	"context"
	"fmt"
	"io"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
)

// Source is a PDF whose pages can be taken out.
type Source struct {
	doc   document
	root  dict
	pages []pageSource
	from  *converter // reads, writes nothing
}

// OpenSource reads the page tree of a PDF; src is as for FromPDF. A file that
// cannot be taken apart is ErrNotConvertible.
func OpenSource(ctx context.Context, src *model.Context, raw io.ReaderAt) (*Source, error) {
	doc, err := openDocument(src, raw)
	if err != nil {
		return nil, err
	}
	c := newConverter(ctx, doc, nil, Label{})
	root, err := c.dict(doc.trailer()["Root"])
	if err != nil {
		return nil, err
	}
	if root == nil {
		return nil, refuse("no catalog")
	}
	pages, err := c.pages(root)
	if err != nil {
		return nil, err
	}
	return &Source{doc: doc, root: root, pages: pages, from: c}, nil
}

// Pages is the number of pages.
func (s *Source) Pages() int { return len(s.pages) }

// Extract writes the pages from first to last, from 1 and both included, as a
// PDF of their own. Streams keep their bytes. Of a page goes along what shows
// something; of the catalog which layers are visible. What else refers to a page
// that stays behind refers to nothing. The same pages give the same bytes.
func (s *Source) Extract(ctx context.Context, first, last int, w io.Writer) error {
	if first < 1 || last < first || last > len(s.pages) {
		return fmt.Errorf("pdfa: pages %d to %d of %d", first, last, len(s.pages))
	}
	x := &extraction{Source: s, out: newOutput(ctx, w), nums: map[ref]int{}, left: map[ref]bool{}}
	for _, p := range s.pages {
		x.left[p.at] = true
	}
	delete(x.left, ref{})
	root, tree := x.out.reserve(), x.out.reserve()
	kids := array{}
	for _, p := range s.pages[first-1 : last] {
		num := x.out.reserve()
		if p.at != (ref{}) {
			delete(x.left, p.at)
			x.nums[p.at] = num
		}
		kids = append(kids, ref{num, 0})
	}
	for i, p := range s.pages[first-1 : last] {
		d := dict{"Type": name("Page"), "Parent": ref{tree, 0}}
		for _, key := range pageKeys {
			v := p.d[key]
			switch key {
			case "Resources":
				v = p.resources
			case "MediaBox":
				v = p.media
			case "CropBox":
				v = p.crop
			case "Rotate":
				v = p.rotate
			}
			if v != nil {
				d[key] = x.carry(v, 0)
			}
		}
		x.out.put(kids[i].(ref).num, d)
	}
	catalog := dict{"Type": name("Catalog"), "Pages": ref{tree, 0}}
	for _, key := range []name{"OCProperties", "Lang"} {
		if v := s.root[key]; v != nil {
			catalog[key] = x.carry(v, 0)
		}
	}
	x.out.put(root, catalog)
	x.out.put(tree, dict{"Type": name("Pages"), "Count": len(kids), "Kids": kids})
	for len(x.queue) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		at := x.queue[0]
		x.queue = x.queue[1:]
		if err := x.object(at); err != nil {
			return err
		}
	}
	info := x.out.add(dict{})
	_, _, err := x.out.finish(ref{root, 0}, info)
	return err
}

// pageKeys is what shows something of a page.
var pageKeys = []name{"Annots", "Contents", "CropBox", "Group", "MediaBox", "Resources", "Rotate", "UserUnit"}

// extraction carries the objects over that pages need, each once.
type extraction struct {
	*Source
	out   *output
	nums  map[ref]int  // numbers in the new file
	left  map[ref]bool // pages that stay behind
	queue []ref        // given a number, not written yet
}

// carry is the value with its references in the new file.
func (x *extraction) carry(v any, depth int) any {
	if depth > maxDepth {
		return nil
	}
	switch v := v.(type) {
	case ref:
		if x.left[v] {
			return nil
		}
		num, ok := x.nums[v]
		if !ok {
			num = x.out.reserve()
			x.nums[v] = num
			x.queue = append(x.queue, v)
		}
		return ref{num, 0}
	case array:
		out := make(array, len(v))
		for i, e := range v {
			out[i] = x.carry(e, depth+1)
		}
		return out
	case dict:
		out := make(dict, len(v))
		for _, k := range sortedKeys(v) {
			out[k] = x.carry(v[k], depth+1)
		}
		return out
	}
	return v
}

func (x *extraction) object(at ref) error {
	v, err := x.from.get(at)
	if err != nil {
		return err
	}
	num := x.nums[at]
	s, ok := v.(*stream)
	if !ok {
		x.out.put(num, x.carry(v, 0))
		return x.out.err
	}
	d := make(dict, len(s.dict))
	for _, k := range sortedKeys(s.dict) {
		if k != "Length" {
			d[k] = x.carry(s.dict[k], 0)
		}
	}
	x.out.body(num, d, io.NewSectionReader(s.body, 0, s.body.Size()), s.body.Size())
	return x.out.err
}
