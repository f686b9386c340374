package pdfa_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/image/font/gofont/goregular"

	"sohoa/pipeline/pdf/pdfa"
	"sohoa/pipeline/pdf/pdfa/pdfatest"
)

// fontSample is a page with a font F.
type fontSample struct {
	font    string
	objects []string // from 6 on
}

func (f fontSample) page(content string) []byte {
	return onePage("/Resources <</Font <</F 5 0 R>>>>", content, append([]string{f.font}, f.objects...)...)
}

const descriptor = "/Type /FontDescriptor /FontName /T /FontBBox [0 -200 1000 900] /ItalicAngle 0 /Ascent 900 /Descent -200 /CapHeight 700 /StemV 80 "

// fontSamples are fonts of every kind that is carried over with its program, each
// with A and B.
func fontSamples(t testing.TB) map[string]fontSample {
	t.Helper()
	// Go Regular: 2048 units to the em; A is 1366 wide, B 1366.
	program := streamOf(fmt.Sprintf("/Length1 %d /Filter /FlateDecode", len(goregular.TTF)), deflate(string(goregular.TTF)))
	gidA, gidB, wide := goGlyphs(t)
	cid := fmt.Sprintf("<</Type /Font /Subtype /Type0 /BaseFont /T /Encoding /Identity-H /DescendantFonts [<</Type /Font /Subtype /CIDFontType2 /BaseFont /T /CIDSystemInfo <</Registry (Adobe) /Ordering (Identity) /Supplement 0>> /DW 1000 /W [%d [%g] %d %d %g] /FontDescriptor 6 0 R /CIDToGIDMap",
		0x4142, wide[0], 0x4344, 0x4344, wide[1])
	var toGID [2 * 0x4345]byte
	binary.BigEndian.PutUint16(toGID[2*0x4142:], uint16(gidA))
	binary.BigEndian.PutUint16(toGID[2*0x4344:], uint16(gidB))
	return map[string]fontSample{
		"TrueType": {fmt.Sprintf("<</Type /Font /Subtype /TrueType /BaseFont /T /FirstChar 65 /LastChar 66 /Widths [%g %g] /Encoding /WinAnsiEncoding /FontDescriptor 6 0 R>>", wide[0], wide[1]),
			[]string{"<<" + descriptor + "/Flags 32 /FontFile2 7 0 R>>", program}},
		"TrueType, LZW around it": {fmt.Sprintf("<</Type /Font /Subtype /TrueType /BaseFont /T /FirstChar 65 /LastChar 66 /Widths [%g %g] /Encoding /MacRomanEncoding /FontDescriptor 6 0 R>>", wide[0], wide[1]),
			[]string{"<<" + descriptor + "/Flags 32 /FontFile2 7 0 R>>", streamOf("/Filter /ASCIIHexDecode", fmt.Sprintf("%x>", goregular.TTF))}},
		"Type 1": {"<</Type /Font /Subtype /Type1 /BaseFont /T /FirstChar 65 /LastChar 66 /Widths [600 700] /FontDescriptor 6 0 R>>",
			[]string{"<<" + descriptor + "/Flags 32 /CharSet (/A) /FontFile 7 0 R>>", type1Sample()}},
		"Type 1, differences": {"<</Type /Font /Subtype /Type1 /BaseFont /T /FirstChar 65 /LastChar 66 /Widths [700 600] /Encoding <</Type /Encoding /Differences [65 /B /A]>> /FontDescriptor 6 0 R>>",
			[]string{"<<" + descriptor + "/Flags 4 /FontFile 7 0 R>>", type1Sample()}},
		"CFF": {"<</Type /Font /Subtype /Type1 /BaseFont /T /FirstChar 65 /LastChar 66 /Widths [600 700] /Encoding /WinAnsiEncoding /FontDescriptor 6 0 R>>",
			[]string{"<<" + descriptor + "/Flags 32 /FontFile3 7 0 R>>", streamOf("/Subtype /Type1C", cffSample())}},
		"composite, map to glyphs": {cid + " 8 0 R>>]>>", []string{"<<" + descriptor + "/Flags 4 /CIDSet 8 0 R /FontFile2 7 0 R>>", program, streamOf("", string(toGID[:]))}},
	}
}

// goGlyphs are the glyphs and widths of A and B in Go Regular.
func goGlyphs(t testing.TB) (a, b int, wide [2]float64) {
	t.Helper()
	f, err := pdfa.ReadTrueType(goregular.TTF)
	if err != nil {
		t.Fatal(err)
	}
	a, b = f.Glyph('A'), f.Glyph('B')
	return a, b, [2]float64{f.Width(a), f.Width(b)}
}

// type1Sample is a Type 1 program in which A is a square and B a flat box.
func type1Sample() string {
	box := func(width, high int) string {
		n := func(v int) string { return "\xff" + string(binary.BigEndian.AppendUint32(nil, uint32(v))) }
		return n(50) + n(width) + "\x0d" + // hsbw
			n(0) + n(0) + "\x15" + n(400) + "\x06" + n(high) + "\x07" + n(-400) + "\x06\x09\x0e"
	}
	var glyphs strings.Builder
	for _, g := range []struct{ name, code string }{{".notdef", box(500, 100)}, {"A", box(600, 400)}, {"B", box(700, 200)}} {
		code := encryptType1("0000"+g.code, 4330)
		fmt.Fprintf(&glyphs, "/%s %d RD %s ND\n", g.name, len(code), code)
	}
	plain := "%!PS-AdobeFont-1.0: T\n11 dict begin\n/FontInfo 1 dict dup begin end readonly def\n/FontName /T def\n/PaintType 0 def\n/FontType 1 def\n" +
		"/FontMatrix [0.001 0 0 0.001 0 0] readonly def\n/Encoding 256 array 0 1 255 {1 index exch /.notdef put} for\ndup 65 /A put\ndup 66 /B put\nreadonly def\n" +
		"/FontBBox {0 0 1000 1000} readonly def\ncurrentdict end\ncurrentfile eexec\n"
	private := encryptType1("0000dup /Private 8 dict dup begin\n/RD {string currentfile exch readstring pop} executeonly def\n/ND {noaccess def} executeonly def\n/NP {noaccess put} executeonly def\n"+
		"/BlueValues [] def\n/MinFeature {16 16} def\n/password 5839 def\n2 index /CharStrings 3 dict dup begin\n"+glyphs.String()+"end\nend\nreadonly put\nnoaccess put\ndup /FontName get exch definefont pop\nmark currentfile closefile\n", 55665)
	trailer := strings.Repeat(strings.Repeat("0", 64)+"\n", 8) + "cleartomark\n"
	return streamOf(fmt.Sprintf("/Length1 %d /Length2 %d /Length3 %d", len(plain), len(private), len(trailer)), plain+private+trailer)
}

func encryptType1(s string, key uint16) string {
	out := make([]byte, len(s))
	for i := range len(s) {
		out[i] = s[i] ^ byte(key>>8)
		key = (uint16(out[i])+key)*52845 + 22719
	}
	return string(out)
}

// cffSample is the same font in the Compact Font Format.
func cffSample() string {
	num := func(v int) string { return "\x1c" + string(binary.BigEndian.AppendUint16(nil, uint16(v))) }
	long := func(v int) string { return "\x1d" + string(binary.BigEndian.AppendUint32(nil, uint32(v))) }
	index := func(items ...string) string {
		if len(items) == 0 {
			return "\x00\x00"
		}
		s, at := string(binary.BigEndian.AppendUint16(nil, uint16(len(items))))+"\x02", 1
		for _, e := range append([]string{""}, items...) {
			at += len(e)
			s += string(binary.BigEndian.AppendUint16(nil, uint16(at)))
		}
		return s + strings.Join(items, "")
	}
	box := func(width string, high int) string {
		return width + num(50) + num(0) + "\x15" + num(400) + num(high) + num(-400) + "\x06\x0e"
	}
	chars := index(box("", 100), box(num(100), 400), box(num(200), 200)) // 500, and 500 more than what stands there
	charset := "\x00" + string(binary.BigEndian.AppendUint16(nil, 34)) + string(binary.BigEndian.AppendUint16(nil, 35))
	private := num(500) + "\x14" + num(500) + "\x15"
	top := func(charsetAt, charsAt, privateAt int) string {
		return long(charsetAt) + "\x0f" + long(charsAt) + "\x11" + long(len(private)) + long(privateAt) + "\x12"
	}
	head := func(dict string) string { return "\x01\x00\x04\x02" + index("T") + index(dict) + index() + index() }
	at := len(head(top(0, 0, 0)))
	return head(top(at, at+len(charset), at+len(charset)+len(chars))) + charset + chars + private
}

// TestShownText: text in embedded fonts is carried over, font programs and all,
// looks the same, and passes veraPDF.
func TestShownText(t *testing.T) {
	r, out := pdfatest.NewRenderer(t), t.TempDir()
	for name, c := range fontSamples(t) {
		shown := "(AB)"
		if strings.HasPrefix(name, "composite") {
			shown = "<41424344>"
		}
		for how, content := range map[string]string{
			"":                 "BT /F 24 Tf 5 20 Td " + shown + " Tj ET",
			", array":          "BT /F 24 Tf 5 20 Td [" + shown + " -200 " + shown + "] TJ ET",
			", outline":        "BT /F 24 Tf 1 Tr 5 20 Td " + shown + " Tj ET",
			", clip":           "q BT /F 24 Tf 5 Tr 5 20 Td " + shown + " Tj ET 1 0 0 rg 0 25 100 5 re f Q",
			", hidden too":     "BT /F 24 Tf 5 20 Td " + shown + " Tj 3 Tr " + shown + " Tj 0 Tr T* " + shown + " Tj ET",
			", state kept":     "/F 24 Tf q 3 Tr Q BT 5 20 Td 2 Tc " + shown + " Tj ET",
			", restored by Q ": "q /F 9 Tf BT 5 50 Td " + shown + " Tj ET Q /F 24 Tf BT 5 20 Td " + shown + " Tj ET",
		} {
			t.Run(name+how, func(t *testing.T) {
				raw := c.page(content)
				copied, _, err := convert(raw)
				if err != nil {
					t.Fatal(err)
				}
				if err := pdfa.Check(bytes.NewReader(copied), int64(len(copied))); err != nil {
					t.Fatal(err)
				}
				pdfatest.WriteFile(t, out, strings.NewReplacer(" ", "-", ",", "").Replace(name+how)+".pdf", copied)
				for _, gone := range []string{"/CharSet", "/CIDSet"} {
					if bytes.Contains(copied, []byte(gone)) {
						t.Errorf("the copy holds %s", gone)
					}
				}
				a, err := r.Pages(raw, 100, 1)
				if err != nil {
					t.Fatal(err)
				}
				b, err := r.Pages(copied, 100, 1)
				if err != nil {
					t.Fatal(err)
				}
				if n, most := pdfatest.Difference(a[0], b[0]); n > 0 {
					t.Errorf("%d pixels differ, by up to %d", n, most)
				}
				if brightness(a[0]) > 254.9 {
					t.Error("nothing is drawn")
				}
			})
		}
	}
	t.Run("veraPDF", func(t *testing.T) { allPass(t, out) })
}

// TestFontRules breaks a font of a copy in one place each time; Check refuses what
// veraPDF refuses.
func TestFontRules(t *testing.T) {
	out := t.TempDir()
	samples := fontSamples(t)
	for name, c := range map[string]struct{ sample, old, new, text string }{
		"width":                    {sample: "Type 1", old: "[600 700]", new: "[600 710]"},
		"width of TrueType":        {sample: "TrueType", old: "/Widths [", new: "/Widths [1"},
		"width of CFF":             {sample: "CFF", old: "[600 700]", new: "[640 700]"},
		"glyph missing":            {sample: "Type 1", text: "(AC)", old: "/LastChar 66 /Widths [600 700]", new: "/LastChar 67 /Widths [600 700 500]"},
		"glyph missing in CFF":     {sample: "CFF", text: "(AC)", old: "/LastChar 66 /Widths [600 700]", new: "/LastChar 67 /Widths [600 700 500]"},
		"notdef by name":           {sample: "Type 1, differences", old: "[65 /B /A]", new: "[65 /.notdef /A]"},
		"notdef by code":           {sample: "composite, map to glyphs", text: "<00010001>"},
		"symbolic with encoding":   {sample: "TrueType", old: "/Flags 32", new: "/Flags 4"},
		"plain without encoding":   {sample: "TrueType", old: "/Encoding /WinAnsiEncoding", new: ""},
		"program of another kind":  {sample: "CFF", old: "/FontFile3", new: "/FontFile"},
		"program cut off":          {sample: "CFF", old: "\x06\x0e", new: ""},
		"type of program not told": {sample: "CFF", old: "/Subtype /Type1C", new: ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := samples[c.sample]
			broken := fontSample{font: strings.Replace(s.font, c.old, c.new, 1)}
			for _, o := range s.objects {
				o = strings.Replace(o, c.old, c.new, 1)
				if d, data, ok := strings.Cut(o, "stream\n"); ok {
					o = streamOf(strings.Split(strings.TrimPrefix(d, "<<"), "/Length ")[0], strings.TrimSuffix(data, "\nendstream"))
				}
				broken.objects = append(broken.objects, o)
			}
			text := c.text
			if text == "" {
				text = "(AB)"
			}
			copied, _, err := convert(broken.page("BT /F 24 Tf 5 20 Td " + text + " Tj ET"))
			if errors.Is(err, pdfa.ErrNotConvertible) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := pdfa.Check(bytes.NewReader(copied), int64(len(copied))); !errors.Is(err, pdfa.ErrNotPDFA) {
				t.Errorf("Check: %v", err)
			}
			pdfatest.WriteFile(t, out, strings.ReplaceAll(name, " ", "-")+".pdf", copied)
		})
	}
	t.Run("veraPDF agrees", func(t *testing.T) {
		for name, rules := range pdfatest.VeraPDF(t, out) {
			if len(rules) == 0 {
				t.Errorf("%s: veraPDF passes it", name)
			}
		}
	})
}
