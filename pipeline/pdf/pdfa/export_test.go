package pdfa

// EncodeG4 encodes packed rows, ones black, for the tests' TIFF files.
func EncodeG4(rows []byte, w, h int) []byte {
	g, stride := newG4(w), (w+7)/8
	for y := range h {
		g.row(rows[y*stride : (y+1)*stride])
	}
	return g.finish()
}

// SRGB and CMYK are the generated profiles.
var (
	SRGB = sRGBProfile
	CMYK = cmykProfile
)

// ReadTrueType reads a TrueType program.
func ReadTrueType(b []byte) (TrueType, error) {
	f, err := readTrueType(b)
	return TrueType{f}, err
}

// TrueType is a TrueType program.
type TrueType struct{ f *trueType }

// Glyph is the glyph of a character.
func (t TrueType) Glyph(r rune) int { return t.f.maps[[2]int{3, 1}][int(r)] }

// Width is the advance of a glyph in thousandths of the em, as widths in
// dictionaries are.
func (t TrueType) Width(gid int) float64 {
	w, err := t.f.width(gid)
	if err != nil {
		return -1
	}
	return w
}
