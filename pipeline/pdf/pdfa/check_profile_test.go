package pdfa_test

import (
	"testing"

	"sohoa/pipeline/pdf/pdfa"
)

// TestSRGBKnown: PDFium takes a profile of this size with this name at this
// place for sRGB itself.
func TestSRGBKnown(t *testing.T) {
	b := pdfa.SRGB()
	if len(b) != 3144 || string(b[400:417]) != "sRGB IEC61966-2.1" {
		t.Errorf("%d bytes, %q at 400", len(b), b[400:417])
	}
}
