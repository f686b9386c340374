package pdfa

import (
	"strconv"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

// standardEncoding is Adobe's StandardEncoding, code to glyph name.
func standardEncoding() (e [256]string) {
	sid := 1
	for _, run := range [][2]int{{32, 126}, {161, 175}, {177, 180}, {182, 189}, {191, 191}, {193, 200}, {202, 203}, {205, 208},
		{225, 225}, {227, 227}, {232, 235}, {241, 241}, {245, 245}, {248, 251}} {
		for c := run[0]; c <= run[1]; c++ {
			e[c] = cffStrings[sid]
			sid++
		}
	}
	return e
}

// namedEncoding is one of the encodings a font can name.
func namedEncoding(n name) ([256]string, bool) {
	var e [256]string
	var cm *charmap.Charmap
	switch n {
	case "StandardEncoding":
		return standardEncoding(), true
	case "WinAnsiEncoding":
		cm = charmap.Windows1252
	case "MacRomanEncoding":
		cm = charmap.Macintosh
	default:
		return e, false
	}
	byRune := map[rune]string{}
	for n, r := range glyphRunes {
		byRune[r] = n
	}
	for c := 32; c < 256; c++ {
		e[c] = byRune[cm.DecodeByte(byte(c))]
	}
	if n == "WinAnsiEncoding" {
		e[0xa0], e[0xad] = "space", "hyphen"
		for c := 0x7f; c < 256; c++ {
			if e[c] == "" {
				e[c] = "bullet" // ISO 32000-1, annex D.2, note 3
			}
		}
	} else {
		e[0xca], e[0xdb] = "space", "currency"
	}
	return e, true
}

// glyphRune is the character that a glyph name stands for.
func glyphRune(n string) (rune, bool) {
	if r, ok := glyphRunes[n]; ok {
		return r, true
	}
	if h, ok := strings.CutPrefix(n, "uni"); ok && len(h) == 4 {
		v, err := strconv.ParseUint(h, 16, 32)
		return rune(v), err == nil
	}
	return 0, false
}

// macCode is the code of a glyph name in the Macintosh character set; 0 where it
// has none.
func macCode(n string) int {
	r, ok := glyphRune(n)
	if !ok {
		return 0
	}
	c, ok := charmap.Macintosh.EncodeRune(r)
	if !ok {
		return 0
	}
	return int(c)
}
