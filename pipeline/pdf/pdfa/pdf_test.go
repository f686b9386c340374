package pdfa_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline/pdf/pdfa"
	"sohoa/pipeline/pdf/pdfa/pdfatest"
)

// pdfFile puts a PDF together from objects 1, 2, …; object 1 is the catalog.
func pdfFile(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.5\n")
	var offs []int
	for i, o := range objects {
		offs = append(offs, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, o := range offs {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d /Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, start)
	return b.Bytes()
}

func streamOf(d, data string) string {
	return fmt.Sprintf("<<%s /Length %d>>\nstream\n%s\nendstream", d, len(data), data)
}

// onePage is a PDF with one page: the page's own entries, its content and the
// objects from 5 on.
func onePage(page, content string, more ...string) []byte {
	return pdfFile(append([]string{
		"<</Type /Catalog /Pages 2 0 R>>",
		"<</Type /Pages /Count 1 /Kids [3 0 R]>>",
		"<</Type /Page /Parent 2 0 R /MediaBox [0 0 100 80] /Contents 4 0 R " + page + ">>",
		streamOf("", content)}, more...)...)
}

// withCatalog replaces the catalog, keeping offsets right.
func withCatalog(catalog string, objects ...string) []byte {
	return pdfFile(append([]string{catalog,
		"<</Type /Pages /Count 1 /Kids [3 0 R]>>",
		"<</Type /Page /Parent 2 0 R /MediaBox [0 0 100 80] /Contents 4 0 R /Resources <</XObject <</Im 5 0 R>>>>>>",
		streamOf("", draw), rgbImage("")}, objects...)...)
}

const (
	draw   = "q 80 0 0 60 10 10 cm /Im Do Q"
	useIm  = "/Resources <</XObject <</Im 5 0 R>>>>"
	imDict = "/Type /XObject /Subtype /Image /Width 4 /Height 3 /BitsPerComponent 8 "
)

func samples(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteByte(byte(i * 37))
	}
	return b.String()
}

func rgbImage(extra string) string {
	return streamOf(imDict+"/ColorSpace /DeviceRGB "+extra, samples(36))
}

func deflate(s string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = io.WriteString(z, s)
	_ = z.Close()
	return b.String()
}

func convert(raw []byte) ([]byte, pdfa.Result, error) {
	var w bytes.Buffer
	res, err := pdfa.Convert(context.Background(), bytes.NewReader(raw), int64(len(raw)), &w, label)
	return w.Bytes(), res, err
}

// TestFromPDF: what can be carried over, and what the copy must hold of it.
func TestFromPDF(t *testing.T) {
	lzw := string(lzwTIFF(t, []byte(samples(36))))
	cmyk := streamOf(imDict+"/ColorSpace /DeviceCMYK", samples(48))
	tint := streamOf("/FunctionType 4 /Domain [0 1 0 1] /Range [0 1 0 1 0 1]", "{ 2 copy add 2 div }")
	cases := map[string]struct {
		raw   []byte
		holds []string // in the copy
		lacks []string
		flags []dossier.Flag
	}{
		"image": {raw: onePage(useIm, draw, rgbImage("")), holds: []string{samples(36), "/DeviceRGB"}},
		"rotated, cropped, scaled": {raw: onePage(useIm+" /Rotate 450 /CropBox [90 70 5 5] /UserUnit 2", draw, rgbImage("")),
			holds: []string{"/Rotate 90", "/CropBox [5 5 90 70]", "/UserUnit 2"}},
		"interpolate, alternates, names": {raw: onePage(useIm, draw, rgbImage("/Name /Im /Alternates [] /OPI <<>> /Metadata 9 0 R")),
			lacks: []string{"/Alternates", "/OPI", "/Name"}},
		"LZW":            {raw: onePage(useIm, draw, streamOf(imDict+"/ColorSpace /DeviceRGB /Filter /LZWDecode", lzw)), lacks: []string{"LZW"}, holds: []string{"/FlateDecode"}},
		"LZW in hex":     {raw: onePage(useIm, draw, streamOf(imDict+"/ColorSpace /DeviceRGB /Filter [/ASCIIHexDecode /LZWDecode]", hex.EncodeToString([]byte(lzw))+">")), lacks: []string{"LZW", "ASCIIHex"}},
		"hex kept":       {raw: onePage(useIm, draw, streamOf(imDict+"/ColorSpace /DeviceRGB /Filter /ASCIIHexDecode", hex.EncodeToString([]byte(samples(36)))+">")), holds: []string{hex.EncodeToString([]byte(samples(36)))}},
		"predictor":      {raw: onePage(useIm, draw, streamOf(imDict+"/ColorSpace /DeviceRGB /Filter /FlateDecode /DecodeParms <</Predictor 2 /Colors 3 /Columns 4 /Foo 1>>", deflate(samples(36)))), holds: []string{"/Predictor 2", deflate(samples(36))}, lacks: []string{"Foo"}},
		"soft mask":      {raw: onePage(useIm, draw, rgbImage("/SMask 6 0 R"), streamOf(imDict+"/ColorSpace /DeviceGray", samples(12))), holds: []string{"/SMask"}},
		"stencil mask":   {raw: onePage(useIm, draw, rgbImage("/Mask 6 0 R"), streamOf("/Type /XObject /Subtype /Image /Width 8 /Height 2 /ImageMask true /BitsPerComponent 1", "\x5a\xa5")), holds: []string{"/ImageMask true"}},
		"colour key":     {raw: onePage(useIm, draw, rgbImage("/Mask [0 10 0 255 0 255]")), holds: []string{"/Mask [0 10 0 255 0 255]"}},
		"stencil":        {raw: onePage(useIm, "1 0 0 rg "+draw, streamOf("/Type /XObject /Subtype /Image /Width 8 /Height 2 /ImageMask true", "\x5a\xa5")), holds: []string{"/ImageMask true", "1 0 0 rg"}},
		"CMYK":           {raw: onePage(useIm, draw, cmyk), holds: []string{"/DeviceCMYK", "Generic offset"}},
		"indexed":        {raw: onePage(useIm, draw, streamOf(imDict+"/ColorSpace [/Indexed /DeviceRGB 255 6 0 R]", samples(12)), streamOf("", samples(768))), holds: []string{"/Indexed"}},
		"CalRGB":         {raw: onePage(useIm, draw, streamOf(imDict+"/ColorSpace [/CalRGB <</WhitePoint [0.9505 1 1.089] /Gamma [2.2 2.2 2.2]>>]", samples(36))), holds: []string{"/CalRGB"}},
		"Lab":            {raw: onePage(useIm, draw, streamOf(imDict+"/ColorSpace [/Lab <</WhitePoint [0.9505 1 1.089] /Range [-100 100 -100 100]>>]", samples(36))), holds: []string{"/Lab"}},
		"DeviceN":        {raw: onePage(useIm, draw, streamOf("/Type /XObject /Subtype /Image /Width 4 /Height 3 /BitsPerComponent 8 /ColorSpace [/DeviceN [/Spot#201 /Spot#202] /DeviceRGB 6 0 R]", samples(24)), tint), holds: []string{"/Colorants", "/Separation"}},
		"inline":         {raw: onePage("", "q 80 0 0 60 10 10 cm BI /W 4 /H 3 /BPC 8 /CS /RGB ID "+samples(36)+" EI Q"), holds: []string{samples(36)}},
		"inline, coded":  {raw: onePage("", "q 80 0 0 60 10 10 cm BI /W 4 /H 3 /BPC 8 /CS /G /F [/AHx] ID "+hex.EncodeToString([]byte(samples(12)))+">\nEI Q"), holds: []string{"/ASCIIHexDecode"}},
		"form":           {raw: onePage("/Resources <</XObject <</Fm 6 0 R /Im 5 0 R>>>>", "/Fm Do", rgbImage(""), streamOf("/Type /XObject /Subtype /Form /BBox [0 0 100 80] /LastModified (x)", draw)), holds: []string{"/Form"}, lacks: []string{"LastModified"}},
		"strips":         {raw: onePage("/Resources <</XObject <</A 5 0 R /B 6 0 R>>>>", "q 80 0 0 30 10 40 cm /A Do Q q 80 0 0 30 10 10 cm /B Do Q", rgbImage(""), rgbImage("/Intent /Perceptual"))},
		"unbalanced q":   {raw: onePage(useIm, "q q "+draw+" Q Q Q Q q", rgbImage(""))},
		"unknown words":  {raw: onePage(useIm, "BX foo EX /Span <</MCID 0>> BDC "+draw+" EMC 1 2 3 bar", rgbImage("")), lacks: []string{"BDC"}},
		"content pieces": {raw: pdfFile("<</Type /Catalog /Pages 2 0 R>>", "<</Type /Pages /Count 1 /Kids [3 0 R] /MediaBox [0 0 100 80] /Resources <</XObject <</Im 6 0 R>>>>>>", "<</Type /Page /Parent 2 0 R /Contents [4 0 R 5 0 R]>>", streamOf("", "q 80 0 0 60 10"), streamOf("", "10 cm /Im Do Q"), rgbImage(""))},
		"opacity":        {raw: onePage("/Resources <</XObject <</Im 5 0 R>> /ExtGState <</G <</ca 0.5 /BM [/Foo /Multiply] /HT /Default /TR /Identity>>>>>>", "/G gs "+draw, rgbImage("")), holds: []string{"/BM /Multiply", "/ca 0.5"}, lacks: []string{"/HT", "/TR"}},
		"hidden text":    {raw: onePage("/Resources <</XObject <</Im 5 0 R>> /Font <</F 6 0 R>>>>", draw+" BT 3 Tr /F 12 Tf 10 10 Td (abc) Tj [(d) -20 (e)] TJ ET", rgbImage(""), "<</Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding>>"), holds: []string{"3 Tr", "(abc) Tj", "/Helvetica"}},
		"tiling pattern": {raw: onePage("/Resources <</XObject <</Im 5 0 R>> /Pattern <</P 6 0 R>>>>", draw+" /Pattern cs /P scn 0 0 50 9 re f", rgbImage(""), streamOf("/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 5 5] /XStep 5 /YStep 5 /Resources <<>>", "0 1 0 rg 0 0 3 3 re f")), holds: []string{"/PatternType 1"}},
		"shading":        {raw: onePage("/Resources <</XObject <</Im 5 0 R>> /Shading <</S <</ShadingType 2 /ColorSpace /DeviceRGB /Coords [0 0 100 0] /Function <</FunctionType 2 /Domain [0 1] /C0 [1 0 0] /C1 [0 0 1] /N 1>>>>>>>>", "/S sh "+draw, rgbImage("")), holds: []string{"/ShadingType 2"}},
		"link":           {raw: onePage(useIm+" /Annots [<</Subtype /Link /Rect [1 1 9 9] /Border [0 0 0] /A <</S /URI /URI (http://a.vn/)>>>>]", draw, rgbImage("")), holds: []string{"http://a.vn/"}},
		"RGB and CMYK": {raw: onePage("/Resources <</XObject <</Im 5 0 R /K 6 0 R /I 7 0 R>>>>", draw+" q 20 0 0 20 0 0 cm /K Do Q q 20 0 0 20 60 60 cm /I Do Q 0.2 0.4 0.6 rg 50 5 20 20 re f 1 0.5 0 RG 3 w 5 40 30 30 re S /DeviceRGB cs 0.9 0.1 0.3 sc 70 5 20 20 re f 0 1 0 0 k 40 60 9 9 re f",
			rgbImage(""), streamOf(imDict+"/ColorSpace /DeviceCMYK", samples(48)), streamOf(imDict+"/ColorSpace [/Indexed /DeviceRGB 255 8 0 R]", samples(12)), streamOf("", samples(768))),
			holds: []string{"Generic offset", "/DeviceCMYK", "/ICCBased"}, lacks: []string{"/DeviceRGB"}},
		"stamp": {raw: onePage(useIm+" /Annots [<</Type /Annot /Subtype /Stamp /Rect [60 10 90 40] /F 4 /Contents (seen) /AP <</N 6 0 R>>>>]", draw, rgbImage(""),
			streamOf("/Type /XObject /Subtype /Form /BBox [0 0 10 10] /Resources <<>>", "1 0 0 rg 2 2 6 6 re f")), holds: []string{"/Stamp", "(seen)"}},
		"hidden stamp": {raw: onePage(useIm+" /Annots [<</Type /Annot /Subtype /Stamp /Rect [60 10 90 40] /F 6 /AP <</N 6 0 R>>>>]", draw, rgbImage(""),
			streamOf("/Type /XObject /Subtype /Form /BBox [0 0 10 10] /Resources <<>>", "1 0 0 rg 2 2 6 6 re f")), lacks: []string{"/Stamp"}},
		"link to a program": {raw: onePage(useIm+" /Annots [<</Subtype /Link /Rect [1 1 9 9] /Border [0 0 0] /A <</S /Launch /F (x.exe)>>>>]", draw, rgbImage("")),
			lacks: []string{"Launch", "x.exe"}, flags: []dossier.Flag{dossier.ActiveContentGone}},
		"script": {raw: withCatalog("<</Type /Catalog /Pages 2 0 R /OpenAction <</S /JavaScript /JS (app.alert)>> /Names <</JavaScript <<>>>> /AA <<>>>>"),
			lacks: []string{"JavaScript", "app.alert"}, flags: []dossier.Flag{dossier.ActiveContentGone}},
		"attachment": {raw: withCatalog("<</Type /Catalog /Pages 2 0 R /Names <</EmbeddedFiles <</Names [(a) 6 0 R]>>>>>>", "<</Type /Filespec /F (a)>>"),
			lacks: []string{"Filespec"}, flags: []dossier.Flag{dossier.ActiveContentGone}},
		"language":          {raw: withCatalog("<</Type /Catalog /Pages 2 0 R /Lang (vi-VN)>>"), holds: []string{"/Lang (vi-VN)"}},
		"layers always on":  {raw: withCatalog("<</Type /Catalog /Pages 2 0 R /OCProperties <</OCGs [] /D <</ON []>>>>>>"), lacks: []string{"OCProperties"}},
		"wrong length":      {raw: bytes.Replace(onePage(useIm, draw, rgbImage("")), []byte("/Length 36"), []byte("/Length 30"), 1), flags: []dossier.Flag{dossier.Repaired}, holds: []string{samples(36)}},
		"no xref":           {raw: bytes.Replace(onePage(useIm, draw, rgbImage("")), []byte("xref\n"), []byte("yref\n"), 1), flags: []dossier.Flag{dossier.Repaired}},
		"junk in front":     {raw: append([]byte("From: scanner\n\n"), onePage(useIm, draw, rgbImage(""))...)},
		"later object wins": {raw: bytes.Replace(onePage(useIm, draw, rgbImage(""), rgbImage("/Marker true")), []byte("startxref"), []byte("startxxxx"), 1), flags: []dossier.Flag{dossier.Repaired}},
		"Type0 hidden":      {raw: onePage("/Resources <</XObject <</Im 5 0 R>> /Font <</F 6 0 R>>>>", draw+" BT 3 Tr /F 12 Tf <00410042> Tj ET", rgbImage(""), "<</Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /DescendantFonts [<</Type /Font /Subtype /CIDFontType2 /BaseFont /X /CIDSystemInfo <</Registry (Adobe) /Ordering (Identity) /Supplement 0>> /DW 500 /W [65 [500 600]]>>]>>"), holds: []string{"/Type0", "/W [65 [500 600]]"}},
		"two pages, one im": {raw: pdfFile("<</Type /Catalog /Pages 2 0 R>>", "<</Type /Pages /Count 2 /Kids [3 0 R 6 0 R] /MediaBox [0 0 100 80]>>", "<</Type /Page /Parent 2 0 R /Contents 4 0 R "+useIm+">>", streamOf("", draw), rgbImage(""), "<</Type /Page /Parent 2 0 R /Contents 4 0 R "+useIm+">>")},
		"unknown colour space": {raw: onePage("/Resources <</XObject <</Im 5 0 R /No 6 0 R>>>>", draw+" q 30 0 0 30 30 30 cm /No Do Q", rgbImage(""), streamOf(imDict+"/ColorSpace /XeviceGray", samples(12))),
			flags: []dossier.Flag{dossier.Repaired}, lacks: []string{"XeviceGray"}},
		"unknown coding of one": {raw: onePage("/Resources <</XObject <</Im 5 0 R /No 6 0 R>>>>", draw+" q 30 0 0 30 30 30 cm /No Do Q", rgbImage(""), streamOf(imDict+"/ColorSpace /DeviceGray /Filter /Foo", samples(12))),
			flags: []dossier.Flag{dossier.Repaired}, lacks: []string{"Foo"}},
		"image drawn nowhere": {raw: onePage(useIm, "q Q", streamOf(imDict+"/ColorSpace /DeviceRGB /Filter /Foo", "x"))},
	}
	r, out := pdfatest.NewRenderer(t), t.TempDir()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			copied, res, err := convert(c.raw)
			if err != nil {
				t.Fatal(err)
			}
			if err := pdfa.Check(bytes.NewReader(copied), int64(len(copied))); err != nil {
				t.Fatal(err)
			}
			pdfatest.WriteFile(t, out, strings.NewReplacer(" ", "-", ",", "").Replace(name)+".pdf", copied)
			for _, s := range c.holds {
				if !bytes.Contains(copied, []byte(s)) {
					t.Errorf("the copy lacks %q", s)
				}
			}
			for _, s := range c.lacks {
				if bytes.Contains(copied, []byte(s)) {
					t.Errorf("the copy holds %q", s)
				}
			}
			var got []dossier.Flag
			for _, f := range res.Findings {
				got = append(got, f.Flag)
			}
			if fmt.Sprint(got) != fmt.Sprint(c.flags) {
				t.Errorf("findings %v, want %v", got, c.flags)
			}
			a, err := r.Pages(c.raw, 100, 5)
			if err != nil {
				t.Fatal(err)
			}
			b, err := r.Pages(copied, 100, 5)
			if err != nil || len(a) != len(b) {
				t.Fatalf("%d pages, the copy %d: %v", len(a), len(b), err)
			}
			for i := range a {
				if n, most := pdfatest.Difference(a[i], b[i]); n > 0 {
					t.Errorf("page %d: %d pixels differ, by up to %d", i+1, n, most)
				}
			}
		})
	}
	t.Run("veraPDF", func(t *testing.T) { allPass(t, out) })
}

// TestRefused: what would change what is shown, or harm a signature, is not
// converted.
func TestRefused(t *testing.T) {
	for name, raw := range map[string][]byte{
		"text":                onePage("/Resources <</Font <</F 5 0 R>>>>", "BT /F 12 Tf (abc) Tj ET", "<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>"),
		"text as clip":        onePage("/Resources <</Font <</F 6 0 R>> /XObject <</Im 5 0 R>>>>", "BT 7 Tr /F 12 Tf (abc) Tj ET "+draw, rgbImage(""), "<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>"),
		"signed":              withCatalog("<</Type /Catalog /Pages 2 0 R /AcroForm <</Fields [6 0 R]>>>>", "<</FT /Sig /V <</Type /Sig>>>>"),
		"signature in kids":   withCatalog("<</Type /Catalog /Pages 2 0 R /AcroForm <</Fields [<</Kids [6 0 R]>>]>>>>", "<</FT /Sig /V <</Type /Sig>>>>"),
		"signature flag":      withCatalog("<</Type /Catalog /Pages 2 0 R /AcroForm <</Fields [] /SigFlags 3>>>>"),
		"usage rights":        withCatalog("<</Type /Catalog /Pages 2 0 R /Perms <</UR3 <<>>>>>>"),
		"security store":      withCatalog("<</Type /Catalog /Pages 2 0 R /DSS <<>>>>"),
		"layer off":           withCatalog("<</Type /Catalog /Pages 2 0 R /OCProperties <</OCGs [6 0 R] /D <</OFF [6 0 R]>>>>>>", "<</Type /OCG /Name (x)>>"),
		"shown annotation":    onePage(useIm+" /Annots [<</Subtype /Stamp /Rect [1 1 9 9]>>]", draw, rgbImage("")),
		"profile too new":     onePage(useIm, draw, streamOf(imDict+"/ColorSpace [/ICCBased 6 0 R]", samples(36)), streamOf("/N 3", strings.Replace(string(pdfa.SRGB()), "\x02\x10", "\x05\x10", 1))),
		"profile of CMYK":     onePage(useIm, draw, streamOf(imDict+"/ColorSpace [/ICCBased 6 0 R]", samples(36)), streamOf("/N 3", string(pdfa.CMYK()))),
		"unknown coding":      onePage(useIm, draw, streamOf(imDict+"/ColorSpace /DeviceRGB /Filter /Foo", samples(36))),
		"unknown colours":     onePage(useIm, draw, streamOf(imDict+"/ColorSpace /XeviceGray", samples(12))),
		"mask of no coding":   onePage(useIm, draw, rgbImage("/SMask 6 0 R"), streamOf(imDict+"/ColorSpace /DeviceGray /Filter /Foo", samples(12))),
		"PostScript":          onePage(useIm, draw, streamOf("/Type /XObject /Subtype /PS", "showpage")),
		"page too small":      pdfFile("<</Type /Catalog /Pages 2 0 R>>", "<</Type /Pages /Count 1 /Kids [3 0 R]>>", "<</Type /Page /MediaBox [0 0 2 2]>>"),
		"form in itself":      onePage("/Resources <</XObject <</Im 5 0 R>>>>", draw, streamOf("/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources <</XObject <</Im 5 0 R>>>>", "/Im Do")),
		"image masks itself":  onePage(useIm, draw, rgbImage("/Mask 5 0 R")),
		"page tree in circle": pdfFile("<</Type /Catalog /Pages 2 0 R>>", "<</Type /Pages /Count 1 /Kids [2 0 R]>>"),
		"no pages":            pdfFile("<</Type /Catalog /Pages 2 0 R>>", "<</Type /Pages /Count 0 /Kids []>>"),
		"not a PDF":           []byte("hello"),
		"empty":               nil,
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := convert(raw)
			if !errors.Is(err, pdfa.ErrNotConvertible) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestScans converts the sample scans: image bytes untouched, output the same
// every time, metadata as labelled.
func TestScans(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testneed.Shared(t, "scans"), "*.pdf"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scans: %v", err)
	}
	r, out := pdfatest.NewRenderer(t), t.TempDir()
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copied, res, err := convert(raw)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		again, res2, err := convert(raw)
		if err != nil || !bytes.Equal(copied, again) || fmt.Sprint(res) != fmt.Sprint(res2) {
			t.Errorf("%s: another copy the second time: %v", path, err)
		}
		if err := pdfa.Check(bytes.NewReader(copied), int64(len(copied))); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if len(res.Findings) > 0 {
			t.Errorf("%s: findings %v", path, res.Findings)
		}
		if extra := len(copied) - len(raw); extra > 6000 {
			t.Errorf("%s: the copy is %d bytes larger", path, extra)
		}
		// Every image's bytes stand in the copy.
		for rest := raw; ; {
			i := bytes.Index(rest, []byte("\xff\xd8\xff"))
			if i < 0 {
				break
			}
			j := bytes.Index(rest[i:], []byte("\xff\xd9"))
			if j < 0 || !bytes.Contains(copied, rest[i:i+j+2]) {
				t.Errorf("%s: an image's bytes are not in the copy", path)
				break
			}
			rest = rest[i+j+2:]
		}
		for _, s := range []string{"<pdfaid:part>2<", "&lt;số 1&gt; &amp; phụ lục", label.Dossier, label.DocumentID, "2026-11-23T15:30:00+07:00", "D:20261123153000+07'00'"} {
			if !bytes.Contains(copied, []byte(s)) {
				t.Errorf("%s: the copy lacks %q", path, s)
			}
		}
		pdfatest.WriteFile(t, out, filepath.Base(path), copied)
		a, err := r.Pages(raw, 100, 10)
		if err != nil {
			t.Fatal(err)
		}
		b, err := r.Pages(copied, 100, 10)
		if err != nil || len(a) != len(b) {
			t.Fatalf("%s: %d pages, the copy %d: %v", path, len(a), len(b), err)
		}
		for i := range a {
			if n, _ := pdfatest.Difference(a[i], b[i]); n > 0 {
				t.Errorf("%s, page %d: %d pixels differ", path, i+1, n)
			}
		}
	}
	allPass(t, out)
}

// TestCheckRefuses breaks a good copy in one place each time.
func TestCheckRefuses(t *testing.T) {
	good, _, err := convert(onePage("/Resources <</XObject <</Im 5 0 R>> /Font <</F 6 0 R>>>>", draw+" BT 3 Tr /F 12 Tf (abc) Tj ET", rgbImage(""), "<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>"))
	if err != nil {
		t.Fatal(err)
	}
	if err := pdfa.Check(bytes.NewReader(good), int64(len(good))); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new string }{ // of the same length, so that offsets hold
		{"header", "%PDF-1.7", "%PDF-2.0"},
		{"binary comment", "\xe2\xe3\xcf\xd3", "abcd"},
		{"claim", "<pdfaid:part>2<", "<pdfaid:part>9<"},
		{"packet not XML", "</rdf:RDF>", "<rdf:RDFX>"},
		{"intent", "/S /GTS_PDFA1", "/S /GTS_PDFX1"},
		{"profile for three", "/N 3", "/N 4"},
		{"device CMYK", "/ColorSpace /DeviceRGB", "/ColorSpace/DeviceCMYK"},
		{"image bits", "/BitsPerComponent 8", "/BitsPerComponent 7"},
		{"length", "/Length 36", "/Length 35"},
		{"unknown key in the page", "/MediaBox", "/MadiaBox"},
		{"text shown", "3 Tr", "0 Tr"},
		{"unknown operator", "/Im Do", "/Im Dx"},
		{"missing resource", "/Im Do", "/In Do"},
		{"operand missing", " cm\n", " n \n"},
		{"font type", "/Subtype /Type1", "/Subtype /Type3"},
		{"trailer ID", "/ID [", "/IX ["},
		{"offset", "0000000015 00000 n", "0000000016 00000 n"},
		{"end", "%%EOF\n", "%%EOX\n"},
	} {
		if len(c.old) != len(c.new) {
			t.Fatalf("%s: not of the same length", c.name)
		}
		bad := bytes.Replace(good, []byte(c.old), []byte(c.new), 1)
		if bytes.Equal(bad, good) {
			t.Errorf("%s: nothing to break", c.name)
			continue
		}
		if err := pdfa.Check(bytes.NewReader(bad), int64(len(bad))); !errors.Is(err, pdfa.ErrNotPDFA) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for n := len(good) - 2; n > 0; n -= 101 {
		if err := pdfa.Check(bytes.NewReader(good[:n]), int64(n)); !errors.Is(err, pdfa.ErrNotPDFA) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	more := append(bytes.Clone(good), "more"...)
	if err := pdfa.Check(bytes.NewReader(more), int64(len(more))); !errors.Is(err, pdfa.ErrNotPDFA) {
		t.Errorf("data behind the end: %v", err)
	}
}

// TestForeignCheck: Check never passes what veraPDF fails, on files it did not
// write.
func TestForeignCheck(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testneed.Shared(t, "corpus"), "veraPDF-corpus", "*.pdf"))
	if err != nil || len(files) < 100 {
		t.Fatalf("the conformance suite is not there: %v", err)
	}
	out := t.TempDir()
	passed := 0
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if pdfa.Check(bytes.NewReader(b), int64(len(b))) == nil {
			passed++
			pdfatest.WriteFile(t, out, filepath.Base(path), b)
		}
	}
	t.Logf("of %d files Check vouches for %d", len(files), passed)
	if passed > 0 {
		allPass(t, out)
	}
}

type brokenWriter struct{ left int }

func (b *brokenWriter) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

// TestFaults: what goes wrong around the file is ours and comes back as it is.
func TestFaults(t *testing.T) {
	raw := scan(t, "c200_01p_01.pdf")
	for _, n := range []int{0, 1000, 200_000, 800_000} {
		_, err := pdfa.Convert(context.Background(), bytes.NewReader(raw), int64(len(raw)), &brokenWriter{n}, label)
		if !errors.Is(err, errBroken) || errors.Is(err, pdfa.ErrNotConvertible) {
			t.Errorf("writer broken after %d bytes: %v", n, err)
		}
	}
	for _, n := range []int64{0, 1000, 300_000, 800_000, int64(len(raw)) - 100} {
		_, err := pdfa.FromPDF(context.Background(), nil, failing{bytes.NewReader(raw), n}, io.Discard, label)
		if !errors.Is(err, errBroken) || errors.Is(err, pdfa.ErrNotConvertible) {
			t.Errorf("source broken after %d bytes: %v", n, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := pdfa.Convert(ctx, bytes.NewReader(raw), int64(len(raw)), io.Discard, label); !errors.Is(err, context.Canceled) || errors.Is(err, pdfa.ErrNotConvertible) {
		t.Errorf("cancelled: %v", err)
	}
}
