package pdfa

import (
	"errors"
	"fmt"
	"io"

	"sohoa/dossier"
)

// errUndrawable is an ErrNotConvertible of one image: its coding or its colours
// have a name that PDF does not know, so that there is nothing a reader could
// draw. The page can be carried over without it.
var errUndrawable = fmt.Errorf("%w: an image that cannot be drawn", ErrNotConvertible)

// undrawn reports whether an image is left out of the copy because of err, and
// notes it.
func (c *converter) undrawn(err error) bool {
	if !errors.Is(err, errUndrawable) {
		return false
	}
	c.left++
	if !c.found[dossier.Repaired] {
		c.finding(dossier.Repaired, 0)
		c.findings[len(c.findings)-1].Detail = dossier.Text{
			VI: "bản lưu bỏ ảnh có mã hóa hoặc hệ màu không tồn tại, không trình đọc nào hiển thị",
			EN: "the copy leaves out an image of a coding or colour space that does not exist, which is not shown"}
	}
	return true
}

// image carries an image over and returns its object number. Its bytes stay as
// they are wherever PDF/A allows their coding.
func (c *converter) image(s *stream, key ref, res dict, stencilOnly bool) (int, error) {
	if num, ok := c.images[key]; ok && key != (ref{}) {
		if num == 0 {
			return 0, refuse("an image that masks itself")
		}
		return num, nil
	}
	if key != (ref{}) {
		c.images[key] = 0
	}
	num, err := c.newImage(s, res)
	if err != nil {
		delete(c.images, key)
		return 0, err
	}
	if key != (ref{}) {
		c.images[key] = num
	}
	return num, nil
}

func (c *converter) intEntry(d dict, k name) (int64, bool, error) {
	o, err := c.get(d[k])
	if err != nil {
		return 0, false, err
	}
	switch o := o.(type) {
	case int64:
		return o, true, nil
	case float64:
		if o == float64(int64(o)) {
			return int64(o), true, nil
		}
	}
	return 0, false, nil
}

func (c *converter) newImage(s *stream, res dict) (int, error) {
	d := s.dict
	out := dict{"Type": name("XObject"), "Subtype": name("Image")}
	for _, k := range []name{"Width", "Height"} {
		n, ok, err := c.intEntry(d, k)
		if err != nil {
			return 0, err
		}
		if !ok || n <= 0 || n > 1<<24 {
			return 0, refuse("an image without its size")
		}
		out[k] = n
	}
	fs, err := filters(c.doc, d)
	if err != nil {
		return 0, c.unreadable(err)
	}
	last := name("")
	if len(fs) > 0 {
		last = fs[len(fs)-1].name
	}
	stencil, err := c.get(d["ImageMask"])
	if err != nil {
		return 0, err
	}
	comps := 1
	if stencil == true {
		out["ImageMask"] = true
		out["BitsPerComponent"] = 1
	} else {
		if d["ColorSpace"] != nil || last != "JPXDecode" {
			cs, err := c.space(d["ColorSpace"], res, 0)
			if _, named := d["ColorSpace"].(name); named && errors.Is(err, errNoSuchSpace) {
				return 0, fmt.Errorf("%w: %w", errUndrawable, err)
			}
			if err != nil {
				return 0, err
			}
			if isPattern(cs.obj) {
				return 0, refuse("an image in pattern colours")
			}
			out["ColorSpace"] = cs.obj
			comps = cs.n
		}
		bits, ok, err := c.intEntry(d, "BitsPerComponent")
		if err != nil {
			return 0, err
		}
		switch last {
		case "CCITTFaxDecode", "JBIG2Decode":
			bits, ok = 1, true
		case "DCTDecode", "RunLengthDecode":
			if !ok && last == "DCTDecode" {
				bits, ok = 8, true
			}
		}
		if last == "JPXDecode" {
			if ok && (bits == 1 || bits == 2 || bits == 4 || bits == 8 || bits == 16) {
				out["BitsPerComponent"] = bits
			}
		} else {
			if !ok || bits != 1 && bits != 2 && bits != 4 && bits != 8 && bits != 16 {
				return 0, refuse("an image of %d bits", bits)
			}
			out["BitsPerComponent"] = bits
		}
	}
	if d["Decode"] != nil {
		dec, err := c.numbers(d["Decode"])
		if err != nil {
			return 0, err
		}
		if len(dec) >= 2*comps {
			out["Decode"] = dec[:2*comps]
		}
	}
	if in, err := c.get(d["Intent"]); err != nil {
		return 0, err
	} else if in, ok := in.(name); ok && standardIntent[in] {
		out["Intent"] = in
	}
	if stencil != true {
		if err := c.masks(d, out, res, comps); err != nil {
			return 0, err
		}
	}
	if last == "JPXDecode" {
		body, size, err := c.jpx(s, fs, out)
		if err != nil {
			return 0, err
		}
		out["Filter"] = name("JPXDecode")
		num := c.out.reserve()
		c.out.body(num, out, body, size)
		return num, c.out.err
	}
	return c.imageBody(s, fs, out)
}

// masks carries the soft mask, the stencil mask or the colour key over.
func (c *converter) masks(d, out dict, res dict, comps int) error {
	if n, ok, err := c.intEntry(d, "SMaskInData"); err != nil {
		return err
	} else if ok && n != 0 {
		return refuse("a soft mask inside JPEG 2000 data")
	}
	if d["SMask"] != nil {
		m, err := c.get(d["SMask"])
		if err != nil {
			return err
		}
		if ms, ok := m.(*stream); ok {
			key, _ := d["SMask"].(ref)
			num, err := c.softMaskImage(ms, key)
			if errors.Is(err, errUndrawable) {
				return refuse("a soft mask that cannot be drawn")
			}
			if err != nil {
				return err
			}
			out["SMask"] = ref{num, 0}
		}
	}
	if d["Mask"] == nil {
		return nil
	}
	m, err := c.get(d["Mask"])
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *stream:
		key, _ := d["Mask"].(ref)
		if len(m.dict) > 0 && m.dict["ImageMask"] != true {
			mm := with(m.dict, "ImageMask", true)
			delete(mm, "ColorSpace")
			m = &stream{mm, m.body}
		}
		num, err := c.image(m, key, res, true)
		if errors.Is(err, errUndrawable) {
			return refuse("a mask that cannot be drawn")
		}
		if err != nil {
			return err
		}
		out["Mask"] = ref{num, 0}
	case array:
		k, err := c.numbers(m)
		if err != nil {
			return err
		}
		if len(k) >= 2*comps {
			k = k[:2*comps]
			for _, e := range k {
				if _, ok := e.(int64); !ok {
					return refuse("a colour key that is no whole number")
				}
			}
			out["Mask"] = k
		}
	}
	return nil
}

func (c *converter) softMaskImage(s *stream, key ref) (int, error) {
	cs, err := c.get(s.dict["ColorSpace"])
	if err != nil {
		return 0, err
	}
	d := s.dict
	if cs != name("DeviceGray") {
		fs, err := filters(c.doc, d)
		if err != nil {
			return 0, c.unreadable(err)
		}
		if len(fs) > 0 && fs[len(fs)-1].name == "JPXDecode" && cs == nil {
			return 0, refuse("a soft mask in JPEG 2000")
		}
		return 0, refuse("a soft mask that is not grey")
	}
	d = with(d, "SMask", nil)
	delete(d, "SMask")
	delete(d, "Mask")
	var matte array
	if d["Matte"] != nil {
		if matte, err = c.numbers(d["Matte"]); err != nil {
			return 0, err
		}
	}
	if num, ok := c.images[key]; ok && key != (ref{}) && num != 0 {
		return num, nil
	}
	sub := &stream{d, s.body}
	if matte != nil {
		return 0, refuse("a soft mask with a matte colour")
	}
	return c.image(sub, key, nil, false)
}

// allowedParms are the entries of the decode parameters that are carried over.
var allowedParms = map[name][]name{
	"FlateDecode":    {"Predictor", "Colors", "BitsPerComponent", "Columns"},
	"LZWDecode":      {"Predictor", "Colors", "BitsPerComponent", "Columns"},
	"CCITTFaxDecode": {"K", "EndOfLine", "EncodedByteAlign", "Columns", "Rows", "EndOfBlock", "BlackIs1", "DamagedRowsBeforeError"},
	"DCTDecode":      {"ColorTransform"},
}

// imageBody writes the image with its data: as it is where its coding is
// allowed, LZW turned into Flate.
func (c *converter) imageBody(s *stream, fs []filter, out dict) (int, error) {
	lzwAt := -1
	for i, f := range fs {
		switch f.name {
		case "FlateDecode", "RunLengthDecode", "ASCII85Decode", "ASCIIHexDecode":
		case "CCITTFaxDecode", "DCTDecode", "JBIG2Decode", "JPXDecode":
			if i != len(fs)-1 {
				return 0, refuse("an image coded twice")
			}
		case "LZWDecode":
			lzwAt = i
		case "Crypt":
			return 0, refuse("an image with encryption of its own")
		default:
			if i == len(fs)-1 {
				return 0, fmt.Errorf("%w: coded as %s", errUndrawable, ownWord(string(f.name)))
			}
			return 0, refuse("an image coded as %s", f.name)
		}
	}
	var names, parms array
	some := false
	rest := fs[lzwAt+1:]
	if lzwAt >= 0 {
		f := filter{"FlateDecode", fs[lzwAt].parms}
		rest = append([]filter{f}, rest...)
	}
	for _, f := range rest {
		p, err := c.parms(f)
		if err != nil {
			return 0, err
		}
		names = append(names, f.name)
		if len(p) > 0 {
			parms = append(parms, p)
			some = true
		} else {
			parms = append(parms, nil)
		}
	}
	switch len(names) {
	case 0:
	case 1:
		out["Filter"] = names[0]
		if some {
			out["DecodeParms"] = parms[0]
		}
	default:
		out["Filter"] = names
		if some {
			out["DecodeParms"] = parms
		}
	}
	num := c.out.reserve()
	if lzwAt < 0 {
		c.out.body(num, out, io.NewSectionReader(s.body, 0, s.body.Size()), s.body.Size())
		return num, c.out.err
	}
	coded := append([]filter{}, fs[:lzwAt+1]...)
	// Keep the predictor: only the coding around it changes.
	early := fs[lzwAt].parms["EarlyChange"]
	coded[lzwAt] = filter{name: "LZWDecode"}
	if early != nil {
		coded[lzwAt].parms = dict{"EarlyChange": early}
	}
	r, err := decoder(c.doc, s.body, coded)
	if err != nil {
		return 0, c.unreadable(err)
	}
	c.out.deflate(num, out, r)
	return num, c.out.err
}

func (c *converter) parms(f filter) (dict, error) {
	out := dict{}
	for _, k := range allowedParms[f.name] {
		if f.parms[k] == nil {
			continue
		}
		v, err := c.get(f.parms[k])
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case bool:
			out[k] = v
		case int64, float64:
			if err := checkNumber(v); err != nil {
				return nil, err
			}
			out[k] = v
		}
	}
	if f.name == "JBIG2Decode" && f.parms["JBIG2Globals"] != nil {
		o := f.parms["JBIG2Globals"]
		v, err := c.get(o)
		if err != nil {
			return nil, err
		}
		g, ok := v.(*stream)
		if !ok {
			return nil, refuse("JBIG2 globals that are missing")
		}
		key, isRef := o.(ref)
		num, done := c.copies[key]
		if !isRef || !done {
			b, err := decoded(c.doc, g, maxCopied)
			if err != nil {
				return nil, c.unreadable(err)
			}
			num = c.out.reserve()
			c.out.bytes(num, dict{}, b, false)
			if isRef {
				c.copies[key] = num
			}
		}
		out["JBIG2Globals"] = ref{num, 0}
	}
	return out, nil
}
