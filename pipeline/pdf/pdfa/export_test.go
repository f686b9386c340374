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
