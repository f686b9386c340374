package pdfa

import (
	"context"
	"io"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
)

// Survey is what the pages of a PDF are made of. It is lenient where FromPDF is
// strict: what cannot be read is left out.
type Survey struct {
	Pages      int
	ImagePages int  // pages on which an image is drawn
	Images     int  // images drawn, repeats counted
	Text       bool // text is shown
	HiddenText bool // text is there and not shown: the text layer of a scan
	Paths      bool // lines, areas, shadings or patterns are painted
	Annots     bool // annotations other than links are there
}

// ImageOnly reports whether every page draws an image and none shows text or an
// annotation. Hidden text is allowed, and so are lines and areas: scanners paint
// frames and backgrounds.
func (s Survey) ImageOnly() bool {
	return s.Images > 0 && s.ImagePages == s.Pages && !s.Text && !s.Annots
}

// OnlyImages reports whether the pages show images and not so much as a line
// beside them; blank pages are allowed.
func (s Survey) OnlyImages() bool {
	return s.Images > 0 && !s.Text && !s.Paths && !s.Annots
}

// ImageOnly reports whether every page of a PDF draws an image and none shows
// text: see Survey.ImageOnly. Whether it can be converted, only FromPDF tells.
func ImageOnly(src *model.Context) bool {
	return LookAt(context.Background(), src).ImageOnly()
}

// LookAt surveys a PDF that pdfcpu has read.
func LookAt(ctx context.Context, src *model.Context) Survey {
	return survey(ctx, newLoaded(src))
}

// Look surveys a PDF without pdfcpu; ErrEncrypted says that it needs it.
func Look(ctx context.Context, r io.ReaderAt, size int64) (Survey, error) {
	doc, err := openDocument(nil, io.NewSectionReader(r, 0, size))
	if err != nil {
		return Survey{}, err
	}
	return survey(ctx, doc), nil
}

type surveyor struct {
	c     *converter
	s     Survey
	forms map[ref]bool
}

func survey(ctx context.Context, doc document) Survey {
	v := &surveyor{c: newConverter(ctx, doc, nil, Label{}), forms: map[ref]bool{}}
	cat, err := v.c.dict(doc.trailer()["Root"])
	if err != nil || cat == nil {
		return v.s
	}
	pages, _ := v.c.pages(cat) // what was found before an error counts
	v.s.Pages = len(pages)
	for _, p := range pages {
		if ctx.Err() != nil {
			break
		}
		before := v.s.Images
		res, err := v.c.dict(p.resources)
		if err != nil {
			continue
		}
		data, err := v.c.contents(p.d["Contents"])
		if err != nil {
			continue
		}
		v.content(data, res, 0, 0)
		if v.s.Images > before {
			v.s.ImagePages++
		}
		annots, err := v.c.get(p.d["Annots"])
		if err != nil {
			continue
		}
		list, _ := annots.(array)
		for _, a := range list {
			if d, err := v.c.dict(a); err == nil && d != nil && d["Subtype"] != name("Link") && d["Subtype"] != name("Popup") {
				v.s.Annots = true
			}
		}
	}
	return v.s
}

func (v *surveyor) content(data []byte, res dict, render, depth int) {
	if depth > 20 {
		return
	}
	l := &lexer{b: data, whole: true}
	w := &rewriter{c: v.c, res: res, used: map[name]dict{}}
	var args array
	type state struct {
		render int
		clip   bool // text was made the clipping path: what is painted next shows it
	}
	st := state{render: render}
	var stack []state
	for {
		o, err := l.next(0)
		if err != nil {
			return
		}
		op, ok := o.(keyword)
		if !ok {
			if len(args) < 1000 {
				args = append(args, o)
			}
			continue
		}
		switch op {
		case "Do", "BI", "S", "s", "f", "F", "f*", "B", "B*", "b", "b*", "sh":
			v.s.Text = v.s.Text || st.clip
		}
		switch op {
		case "q":
			stack = append(stack, st)
		case "Q":
			if n := len(stack); n > 0 {
				st, stack = stack[n-1], stack[:n-1]
			}
		case "Tr":
			if len(args) > 0 {
				if n, ok := num(args[len(args)-1]); ok {
					st.render = int(n)
				}
			}
		case "Tj", "TJ", "'", "\"":
			switch st.render {
			case 7:
				st.clip = true
				v.s.HiddenText = true
			case 3:
				v.s.HiddenText = true
			default:
				v.s.Text = true
			}
		case "S", "s", "f", "F", "f*", "B", "B*", "b", "b*", "sh":
			v.s.Paths = true
		case "BI":
			v.s.Images++
			if w.inline(l) != nil {
				return
			}
		case "Do":
			n, ok := lastName(args)
			if !ok {
				break
			}
			o, err := w.resource("XObject", n)
			if err != nil {
				break
			}
			x, err := v.c.get(o)
			if err != nil {
				break
			}
			s, ok := x.(*stream)
			if !ok {
				break
			}
			switch s.dict["Subtype"] {
			case name("Image"):
				v.s.Images++
			case name("Form"):
				key, _ := o.(ref)
				if v.forms[key] && key != (ref{}) {
					break
				}
				v.forms[key] = true
				sub, err := v.c.dict(s.dict["Resources"])
				if err != nil {
					break
				}
				if sub == nil {
					sub = res
				}
				if b, err := decoded(v.c.doc, s, maxContent); err == nil {
					v.content(b, sub, st.render, depth+1)
				}
			}
		}
		args = args[:0]
	}
}
