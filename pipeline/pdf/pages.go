package pdf

import (
	"errors"
	"fmt"
	"math"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// page is a page of a PDF with what it inherits.
type page struct {
	dict      types.Dict
	resources types.Dict
	media     box // where something is shown: the crop box within the media box
	unit      float64
	rotate    int
}

// errPageTree: what should be a page is none.
var (
	errPageTree = errors.New("a part of the page tree is missing")
	errTooMany  = errors.New("too many pages")
	errTooDeep  = errors.New("nested too deeply")
)

// pageTree walks the pages in order. It forgives a wrong /Type and a wrong
// /Count, but not a kid that is missing: then pages are lost.
func pageTree(src *model.Context, limit int) ([]page, error) {
	if src.Root == nil {
		return nil, errPageTree
	}
	root := lookDict(src, *src.Root)
	if root == nil {
		return nil, errPageTree
	}
	w := treeWalk{src: src, limit: limit, seen: map[int]bool{}}
	top := lookDict(src, root["Pages"])
	if top == nil {
		return nil, errPageTree
	}
	if ref, ok := root["Pages"].(types.IndirectRef); ok {
		w.seen[int(ref.ObjectNumber)] = true
	}
	err := w.node(top, page{media: box{0, 0, 612, 792}, unit: 1}, 0)
	return w.pages, err
}

type treeWalk struct {
	src   *model.Context
	limit int
	seen  map[int]bool
	pages []page
}

func (w *treeWalk) node(d types.Dict, inherited page, depth int) error {
	if depth > 64 {
		return errTooDeep
	}
	if r := lookDict(w.src, d["Resources"]); r != nil {
		inherited.resources = r
	}
	if b, ok := lookBox(w.src, d["MediaBox"]); ok {
		inherited.media = b
	}
	if n, ok := lookNumber(w.src, d["Rotate"]); ok {
		inherited.rotate = int(math.Mod(n, 360))
	}
	kids, isNode := look(w.src, d["Kids"]).(types.Array)
	if !isNode || lookName(w.src, d["Type"]) == "Page" {
		if len(w.pages) >= w.limit {
			return errTooMany
		}
		if b, ok := lookBox(w.src, d["CropBox"]); ok {
			if c := b.intersect(inherited.media); c.area() > 0 {
				inherited.media = c
			}
		}
		if u, ok := lookNumber(w.src, d["UserUnit"]); ok && u > 0 {
			inherited.unit = u
		}
		inherited.dict = d
		w.pages = append(w.pages, inherited)
		return nil
	}
	var lost error
	for _, kid := range kids {
		if ref, ok := kid.(types.IndirectRef); ok {
			n := int(ref.ObjectNumber)
			if w.seen[n] {
				if sub := lookDict(w.src, ref); sub == nil || sub["Kids"] == nil {
					// The same page twice is allowed by every viewer.
				} else {
					return fmt.Errorf("%w: the page tree points at itself", errTooDeep)
				}
			}
			w.seen[n] = true
		}
		sub := lookDict(w.src, kid)
		if sub == nil {
			lost = errPageTree
			continue
		}
		if err := w.node(sub, inherited, depth+1); errors.Is(err, errPageTree) {
			lost = err
		} else if err != nil {
			return err
		}
	}
	return lost
}

func lookBox(src *model.Context, o types.Object) (box, bool) {
	a := lookArray(src, o)
	if len(a) != 4 {
		return box{}, false
	}
	var n [4]float64
	for i := range a {
		v, ok := lookNumber(src, a[i])
		if !ok || math.IsNaN(v) || math.IsInf(v, 0) {
			return box{}, false
		}
		n[i] = v
	}
	b := box{min(n[0], n[2]), min(n[1], n[3]), max(n[0], n[2]), max(n[1], n[3])}
	return b, b.area() > 0
}

// draw is one image as it is drawn on a page.
type draw struct {
	img   *picture
	dpi   float64 // the lower of the two directions
	share float64 // of the page's area that it covers, 0 to 1
}

// picture is an image of the document, looked at once however often it is drawn.
type picture struct {
	object   int // 0: inline
	width    int
	height   int
	bits     int
	mask     bool // a stencil
	samples  int  // of a pixel in the data; 0: not known
	colours  int  // that they make
	filter   string
	stream   *types.StreamDict
	fault    error       // what its completeness check found; nil: complete
	seen     *appearance // nil where it is not known
	looked   bool        // fault and seen are known
	softMask *picture
}

// pageFacts is what was seen on one page.
type pageFacts struct {
	draws   []draw
	text    bool // shown text
	hidden  bool // invisible text (an OCR layer)
	paths   int  // painted paths and shadings
	ops     int
	lost    error // a content stream that could not be read
	bare    bool  // shown text in a font that is not embedded
	annots  int
	missing bool // an XObject that is drawn but not there
}

// maxDraws is how many images of a page are looked at. A page that draws more is
// no picture of paper.
const maxDraws = 20_000

func (f *pageFacts) add(d draw) {
	if len(f.draws) < maxDraws {
		f.draws = append(f.draws, d)
	}
}

// walker runs content streams. One walker serves a document.
type walker struct {
	src      *model.Context
	limits   Limits
	pictures map[int]*picture // by object number
	fonts    map[int]bool     // by object number: not embedded
	budget   int              // operators left, over all pages: forms that draw forms can grow without end
}

// opBudget bounds the operators run for one document. A dense drawing has a
// million.
const opBudget = 10_000_000

var errBudget = errors.New("too many drawing operators")

func newWalker(src *model.Context, lim Limits) *walker {
	return &walker{src: src, limits: lim, pictures: map[int]*picture{}, fonts: map[int]bool{}, budget: opBudget}
}

// maxContent bounds the drawing operators of a page or form, in bytes. A dense map
// has ten million.
const maxContent = 64 << 20

func (w *walker) contentLimit() int64 { return min(maxContent, w.limits.Decoded) }

type graphics struct {
	ctm  matrix
	mode int  // text rendering mode
	bare bool // the font is not embedded
}

// page runs a page's contents.
func (w *walker) page(p page) (*pageFacts, error) {
	f := &pageFacts{}
	var body []byte
	switch c := look(w.src, p.dict["Contents"]).(type) {
	case types.StreamDict:
		b, err := decodedFrom(w.src, &c, w.contentLimit())
		if err != nil {
			f.lost = err
		}
		body = b
	case types.Array:
		for _, o := range c {
			sd, ok := lookStream(w.src, o)
			if !ok {
				continue
			}
			b, err := decodedFrom(w.src, sd, w.contentLimit())
			if err != nil {
				f.lost = err
			}
			if int64(len(body)+len(b)) > w.contentLimit() {
				return f, errBudget
			}
			body = append(append(body, b...), '\n')
		}
	}
	f.annots = len(lookArray(w.src, p.dict["Annots"]))
	err := w.run(body, p.resources, graphics{ctm: identity}, p, f, 0)
	return f, err
}

func (w *walker) run(body []byte, res types.Dict, g graphics, p page, f *pageFacts, depth int) error {
	if depth > 24 {
		return nil // viewers stop here, too
	}
	var (
		l     = lexer{b: body}
		stack []graphics
		nums  [6]float64
		n     int
		name  []byte
	)
	for {
		t := l.next()
		switch t.kind {
		case tokEnd:
			return nil
		case tokNumber:
			if n == 6 {
				copy(nums[:], nums[1:])
				n = 5
			}
			nums[n] = t.num
			n++
			continue
		case tokName:
			name = t.text
			continue
		case tokString, tokOpen, tokClose:
			continue
		}
		f.ops++
		if w.budget--; w.budget < 0 {
			return errBudget
		}
		switch string(t.text) {
		case "q":
			if len(stack) < 512 {
				stack = append(stack, g)
			}
		case "Q":
			if len(stack) > 0 {
				g, stack = stack[len(stack)-1], stack[:len(stack)-1]
			}
		case "cm":
			if n == 6 {
				g.ctm = matrix(nums).mul(g.ctm)
			}
		case "Tr":
			if n > 0 {
				g.mode = int(nums[n-1])
			}
		case "Tf":
			g.bare = w.bareFont(lookDict(w.src, res["Font"]), string(name))
		case "Tj", "TJ", "'", "\"":
			if g.mode == 3 || g.mode == 7 {
				f.hidden = true
			} else {
				f.text = true
				f.bare = f.bare || g.bare
			}
		case "f", "F", "f*", "S", "s", "B", "B*", "b", "b*", "sh":
			f.paths++
		case "Do":
			if err := w.object(string(name), res, g, p, f, depth); err != nil {
				return err
			}
		case "BI":
			w.inlineImage(&l, res, g, p, f)
		}
		n, name = 0, nil
	}
}

// bareFont reports whether the font's shapes are not in the file, so that each
// viewer shows others. A font that is missing altogether counts as bare.
func (w *walker) bareFont(fonts types.Dict, name string) bool {
	o, ok := fonts[decodeName(name)]
	if !ok {
		o = fonts[name]
	}
	ref, isRef := o.(types.IndirectRef)
	if bare, ok := w.fonts[int(ref.ObjectNumber)]; isRef && ok {
		return bare
	}
	d := lookDict(w.src, o)
	if lookName(w.src, d["Subtype"]) == "Type0" {
		if kids := lookArray(w.src, d["DescendantFonts"]); len(kids) > 0 {
			d = lookDict(w.src, kids[0])
		}
	}
	desc := lookDict(w.src, d["FontDescriptor"])
	bare := desc["FontFile"] == nil && desc["FontFile2"] == nil && desc["FontFile3"] == nil &&
		lookName(w.src, d["Subtype"]) != "Type3"
	if isRef {
		w.fonts[int(ref.ObjectNumber)] = bare
	}
	return bare
}

// object draws the XObject of that name.
func (w *walker) object(name string, res types.Dict, g graphics, p page, f *pageFacts, depth int) error {
	xs := lookDict(w.src, res["XObject"])
	o, ok := xs[decodeName(name)]
	if !ok {
		if o, ok = xs[name]; !ok {
			f.missing = true
			return nil
		}
	}
	sd, ok := lookStream(w.src, o)
	if !ok {
		f.missing = true
		return nil
	}
	switch lookName(w.src, sd.Dict["Subtype"]) {
	case "Image":
		num := 0
		if ref, ok := o.(types.IndirectRef); ok {
			num = int(ref.ObjectNumber)
		}
		pic := w.pictures[num]
		if pic == nil {
			pic = w.describe(sd, res, num)
			if num != 0 {
				w.pictures[num] = pic
			}
		}
		f.add(drawn(pic, g.ctm, p))
	case "Form":
		body, err := decodedFrom(w.src, sd, w.contentLimit())
		if err != nil {
			f.lost = err
		}
		if m := lookArray(w.src, sd.Dict["Matrix"]); len(m) == 6 {
			var fm matrix
			for i := range m {
				fm[i], _ = lookNumber(w.src, m[i])
			}
			g.ctm = fm.mul(g.ctm)
		}
		if r := lookDict(w.src, sd.Dict["Resources"]); r != nil {
			res = r
		}
		return w.run(body, res, g, p, f, depth+1)
	}
	return nil
}

// decodeName undoes the #xx escapes of a name, which pdfcpu has already undone
// in dictionaries.
func decodeName(s string) string {
	out, err := types.DecodeName(s)
	if err != nil {
		return s
	}
	return out
}

func drawn(pic *picture, m matrix, p page) draw {
	d := draw{img: pic}
	wide := math.Hypot(m[0], m[1]) * p.unit
	high := math.Hypot(m[2], m[3]) * p.unit
	if wide > 0 && high > 0 {
		d.dpi = min(float64(pic.width)*72/wide, float64(pic.height)*72/high)
	}
	if a := p.media.area(); a > 0 {
		d.share = min(1, m.unit().intersect(p.media).area()/a)
	}
	return d
}

// describe reads an image's dictionary.
func (w *walker) describe(sd *types.StreamDict, res types.Dict, num int) *picture {
	d := sd.Dict
	pic := &picture{
		object: num, stream: sd,
		width: lookInt(w.src, d["Width"]), height: lookInt(w.src, d["Height"]),
		bits: lookInt(w.src, d["BitsPerComponent"]), mask: lookBool(w.src, d["ImageMask"]),
	}
	if n := len(sd.FilterPipeline); n > 0 {
		pic.filter = sd.FilterPipeline[n-1].Name
	}
	if pic.mask {
		pic.bits, pic.samples, pic.colours = 1, 1, 1
	} else {
		pic.samples, pic.colours = w.components(d["ColorSpace"], res, 0)
	}
	if pic.bits == 0 && (pic.filter == "CCITTFaxDecode" || pic.filter == "JBIG2Decode") {
		pic.bits = 1
	}
	if sm, ok := lookStream(w.src, d["SMask"]); ok {
		if ref, ok := d["SMask"].(types.IndirectRef); !ok || int(ref.ObjectNumber) != num {
			pic.softMask = &picture{stream: sm, width: lookInt(w.src, sm.Dict["Width"]), height: lookInt(w.src, sm.Dict["Height"]),
				bits: lookInt(w.src, sm.Dict["BitsPerComponent"]), samples: 1, colours: 1}
			if n := len(sm.FilterPipeline); n > 0 {
				pic.softMask.filter = sm.FilterPipeline[n-1].Name
			}
		}
	}
	return pic
}

// components is how many samples a pixel of a colour space has and how many
// colours they make: one sample of an indexed space picks a colour of its base.
// Zeros where it cannot be told.
func (w *walker) components(o types.Object, res types.Dict, depth int) (samples, colours int) {
	if depth > 4 {
		return 0, 0
	}
	same := func(n int) (int, int) { return n, n }
	switch cs := look(w.src, o).(type) {
	case types.Name:
		if n, ok := deviceSpaces[string(cs)]; ok {
			return same(n)
		}
		if v, ok := lookDict(w.src, res["ColorSpace"])[string(cs)]; ok {
			return w.components(v, nil, depth+1)
		}
	case types.Array:
		if len(cs) == 0 {
			return 0, 0
		}
		family := lookName(w.src, cs[0])
		if n, ok := deviceSpaces[family]; ok {
			return same(n)
		}
		if len(cs) < 2 {
			return 0, 0
		}
		switch family {
		case "ICCBased":
			return same(lookInt(w.src, lookDict(w.src, cs[1])["N"]))
		case "Indexed", "I":
			_, colours = w.components(cs[1], res, depth+1)
			return 1, colours
		case "Separation":
			return same(1)
		case "DeviceN":
			return same(len(lookArray(w.src, cs[1])))
		}
	}
	return 0, 0
}

// deviceSpaces are the colour spaces whose name tells their components, with the
// short names of inline images.
var deviceSpaces = map[string]int{
	"DeviceGray": 1, "CalGray": 1, "G": 1,
	"DeviceRGB": 3, "CalRGB": 3, "RGB": 3, "Lab": 3,
	"DeviceCMYK": 4, "CMYK": 4,
}

// inlineImage reads BI … ID … EI.
func (w *walker) inlineImage(l *lexer, res types.Dict, g graphics, p page, f *pageFacts) {
	pic := &picture{}
	var key string
	filters := 0
	for {
		t := l.next()
		if t.kind == tokEnd {
			return
		}
		if t.kind == tokOperator && string(t.text) == "ID" {
			break
		}
		switch {
		case t.kind == tokName && key == "":
			key = string(t.text)
			continue
		case t.kind == tokOpen || t.kind == tokClose:
			continue // the filter or colour space of an array counts as if it stood alone
		}
		switch key {
		case "W", "Width":
			pic.width = int(t.num)
		case "H", "Height":
			pic.height = int(t.num)
		case "BPC", "BitsPerComponent":
			pic.bits = int(t.num)
		case "IM", "ImageMask":
			pic.mask = string(t.text) == "true"
		case "CS", "ColorSpace":
			if pic.colours == 0 {
				pic.samples, pic.colours = w.components(types.Name(t.text), res, 0)
			}
		case "F", "Filter":
			filters++
		}
		key = ""
	}
	if pic.mask {
		pic.bits, pic.samples, pic.colours = 1, 1, 1
	}
	length := -1
	if filters == 0 && pic.width > 0 && pic.height > 0 && pic.samples > 0 && pic.width < 1<<20 && pic.height < 1<<20 {
		length = (pic.width*pic.bits*pic.samples + 7) / 8 * pic.height
	}
	l.inlineData(length)
	f.add(drawn(pic, g.ctm, p))
}
