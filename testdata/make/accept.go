package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

func accept() {
	put := func(name string, data []byte) { write("accept/"+name, data) }

	put("scan-a4-colour-linearised.pdf", base("c200_01p_01.pdf"))
	put("scan-a4-g4-2-pages.pdf", base("g4_02p_22.pdf"))
	put("scan-a4-g4-5-pages.pdf", base("g4_05p_24.pdf"))
	put("scan-a5-colour.pdf", scan().bytes())
	put("scan-a5-grey.pdf", onePage(jpegImage(base("grey.jpg")), 200).bytes())
	put("scan-a5-cmyk.pdf", onePage(jpegImage(base("cmyk.jpg")), 200).bytes())

	put("page.jpg", base("page.jpg"))
	put("progressive.jpg", base("progressive.jpg"))
	put("cmyk.jpg", base("cmyk.jpg"))
	put("exif-rotated.jpg", exif(rotated(rotated(rotated(base("page.jpg")))), 6, 200))
	put("page.png", base("page.png"))
	put("page-a4-g4.tif", base("page_300dpi_g4.tif"))
	put("g4-5-pages.tif", tiff(300, g4(1), g4(2), g4(3), g4(4), g4(5)))

	put("object-streams.pdf", small().packedBytes())
	put("strips.pdf", strips().bytes())
	put("inline-image.pdf", inline().bytes())
	put("stamp-on-page.pdf", stamped().bytes())
	back := small()
	back.imagePage(jpegImage(blank(1169, 1653)), 200, "")
	put("blank-back.pdf", back.bytes())
	put("skewed.pdf", onePage(jpegImage(base("skewed.jpg")), 200).bytes())
	put("low-contrast.pdf", onePage(jpegImage(base("faint.jpg")), 200).bytes())
	turned := newFile()
	turned.imagePage(jpegImage(rotated(base("page.jpg"))), 200, "/Rotate 270")
	put("rotated.pdf", turned.bytes())
	land := newFile()
	land.imagePage(jpegImage(rotated(base("page.jpg"))), 200, "")
	put("landscape.pdf", land.bytes())
	put("empty-password.pdf", small().encrypted("", "owner"))
	put("appended.pdf", appended())
	put("garbage-around.pdf", append(append([]byte("HTTP/1.1 200 OK\r\n\r\n"), small().bytes()...), "\x00\x00\x00\x00\r\n"...))

	put("born-digital-embedded.pdf", letter(true).bytes())
	put("born-digital-helvetica.pdf", letter(false).bytes())
	put("two-layer.pdf", twoLayer().bytes())
	put("pdfa-2b.pdf", archival().bytes())

	f := scan()
	f.bytes()
	f.sign(signing{by: signerRSA, field: "Signature1", at: signedAt, pades: true, stamp: tsa, visible: true})
	put("signed-rsa-pades.pdf", f.data)
	f = small()
	f.bytes()
	f.sign(signing{by: signerEC, field: "Signature1", at: signedAt, visible: true})
	put("signed-ec.pdf", f.data)
	f = letter(true)
	f.packedBytes()
	f.sign(signing{by: signerEC, field: "LanhDao", at: signedAt, visible: true})
	f.sign(signing{by: signerEC384, field: "VanThu", at: signedAt.AddDate(0, 0, 1)})
	put("signed-twice-born-digital.pdf", f.data)
}

// strips shows one page in five images, as fax software writes it.
func strips() *file {
	f := newFile()
	pix := make([]byte, 1169*1653)
	for i := range pix {
		pix[i] = 0xFF
		if x, y := i%1169, i/1169; y/12%3 == 0 && x > 120 && x < 1050 && y > 150 && y < 1500 && (x*7+y/36*13)%29 < 17 {
			pix[i] = 0x20
		}
	}
	res, content, top := "/XObject<<", "", 1653
	for i := 0; top > 0; i++ {
		h := min(331, top)
		x := f.addStream(rawImage(1169, h, "DeviceGray", nil).dict(), deflate(pix[(1653-top)*1169:][:h*1169]))
		res += fmt.Sprintf("/S%d %d 0 R", i, x)
		content += fmt.Sprintf("q %s 0 0 %s 0 %s cm /S%d Do Q\n", num(1169*.36), num(float64(h)*.36), num(float64(top-h)*.36), i)
		top -= h
	}
	f.page(1169*.36, 1653*.36, res+">>", content, "")
	return f
}

// inline holds its image, a fax page, within the content stream.
func inline() *file {
	f, im := newFile(), g4(2)
	w, h := float64(im.w)*.24, float64(im.h)*.24
	f.page(w, h, "", fmt.Sprintf("q %s 0 0 %s 0 0 cm\nBI /W %d /H %d /BPC 1 /CS /G /F /CCF /DP <</K -1/Columns %d/Rows %d>>\nID %s\nEI Q\n",
		num(w), num(h), im.w, im.h, im.w, im.h, im.data), "")
	return f
}

// stamped is a scan with a small picture of low resolution upon it (a stamp
// put there by software), which must not make the page low-resolution.
func stamped() *file {
	f, im := newFile(), g4(3)
	a := f.addStream(im.dict(), im.data)
	logo := make([]byte, 24*24*3)
	for i := range logo {
		logo[i] = byte(200 * (i % 3 & 1))
	}
	b := f.addStream(rawImage(24, 24, "DeviceRGB", logo).dict(), deflate(logo))
	f.page(419.52, 595.2, fmt.Sprintf("/XObject<</Im0 %d 0 R/Im1 %d 0 R>>", a, b),
		"q 419.52 0 0 595.2 0 0 cm /Im0 Do Q\nq 36 0 0 36 340 40 cm /Im1 Do Q\n", "")
	return f
}

// appended is a scan to which a page was added in an incremental update.
func appended() []byte {
	f := small()
	f.bytes()
	im := g4(4)
	x, c, p := f.alloc(), f.alloc(), f.alloc()
	f.pages = append(f.pages, p)
	f.append(
		object{num: x, packed: true, body: im.dict(), stream: im.data},
		object{num: c, packed: true, stream: []byte("q 419.52 0 0 595.2 0 0 cm /Im0 Do Q\n")},
		object{num: p, body: fmt.Sprintf("<</Type/Page/Parent 2 0 R/MediaBox[0 0 419.52 595.2]/Resources<</XObject<</Im0 %d 0 R>>>>/Contents %d 0 R>>", x, c)},
		object{num: 2, body: fmt.Sprintf("<</Type/Pages/Kids[%s]/Count 2>>", refs(f.pages))},
	)
	return f.data
}

// letter is a born-digital page of text.
func letter(embedded bool) *file {
	f := newFile()
	var n int
	if embedded {
		n = f.trueType()
	} else {
		n = f.add("<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>")
	}
	f.page(595.28, 841.89, fmt.Sprintf("/Font<</F1 %d 0 R>>", n), "BT /F1 14 Tf 72 760 Td (QUYET DINH so 12/QD-UBND) Tj 0 -28 Td /F1 11 Tf (Van ban dien tu, khong phai ban quet.) Tj ET\n", "")
	return f
}

// twoLayer is a scan with its text, invisible, over the image.
func twoLayer() *file {
	f, im := newFile(), g4(5)
	x := f.addStream(im.dict(), im.data)
	n := f.trueType()
	f.page(419.52, 595.2, fmt.Sprintf("/XObject<</Im0 %d 0 R>>/Font<</F1 %d 0 R>>", x, n),
		"q 419.52 0 0 595.2 0 0 cm /Im0 Do Q\nBT 3 Tr /F1 8 Tf 98 540 Td (CONG HOA XA HOI CHU NGHIA VIET NAM) Tj ET\n", "")
	return f
}

// trueType adds the Go Regular font, embedded whole, and returns its number.
func (f *file) trueType() int {
	font0, err := sfnt.Parse(goregular.TTF)
	check(err)
	var b sfnt.Buffer
	widths := ""
	for c := rune(32); c < 127; c++ {
		g, err := font0.GlyphIndex(&b, c)
		check(err)
		adv, err := font0.GlyphAdvance(&b, g, fixed.I(1000), font.HintingNone)
		check(err)
		widths += fmt.Sprintf("%d ", adv.Round())
	}
	data := f.addStream(fmt.Sprintf("/Filter/FlateDecode/Length1 %d", len(goregular.TTF)), deflate(goregular.TTF))
	desc := f.add(fmt.Sprintf("<</Type/FontDescriptor/FontName/GoRegular/Flags 32/FontBBox[-440 -432 2160 1030]/ItalicAngle 0/Ascent 945/Descent -212/CapHeight 723/StemV 80/FontFile2 %d 0 R>>", data))
	return f.add(fmt.Sprintf("<</Type/Font/Subtype/TrueType/BaseFont/GoRegular/FirstChar 32/LastChar 126/Widths[%s]/FontDescriptor %d 0 R/Encoding/WinAnsiEncoding>>", widths, desc))
}

// archival is a scan that is PDF/A-2b already.
func archival() *file {
	f := scan()
	f.version = "1.7"
	icc := f.addStream("/N 3/Filter/FlateDecode", deflate(srgb()))
	xmp := f.addStream("/Type/Metadata/Subtype/XML", []byte(`<?xpacket begin="`+"\ufeff"+`" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"><pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance></rdf:Description>
</rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>`))
	f.extra = fmt.Sprintf("/Metadata %d 0 R/OutputIntents[<</Type/OutputIntent/S/GTS_PDFA1/OutputConditionIdentifier(sRGB)/Info(sRGB)/DestOutputProfile %d 0 R>>]", xmp, icc)
	return f
}

// srgb is a small ICC profile of the sRGB primaries with a plain gamma.
func srgb() []byte {
	be := binary.BigEndian
	s15 := func(v float64) []byte { return be.AppendUint32(nil, uint32(int32(math.Round(v*65536)))) }
	xyz := func(x, y, z float64) []byte {
		return bytes.Join([][]byte{[]byte("XYZ \x00\x00\x00\x00"), s15(x), s15(y), s15(z)}, nil)
	}
	desc := append([]byte("desc\x00\x00\x00\x00\x00\x00\x00\x05sRGB\x00"), make([]byte, 4+4+2+1+67)...)
	curve := []byte("curv\x00\x00\x00\x00\x00\x00\x00\x01\x02\x33")
	tags := []struct {
		sig  string
		data []byte
	}{
		{"desc", desc}, {"cprt", []byte("text\x00\x00\x00\x00No copyright\x00")}, {"wtpt", xyz(0.9642, 1, 0.8249)},
		{"rXYZ", xyz(0.4360, 0.2225, 0.0139)}, {"gXYZ", xyz(0.3851, 0.7169, 0.0971)}, {"bXYZ", xyz(0.1431, 0.0606, 0.7141)},
		{"rTRC", curve}, {"gTRC", curve}, {"bTRC", curve},
	}
	table, data := be.AppendUint32(nil, uint32(len(tags))), []byte{}
	for _, t := range tags {
		table = append(table, t.sig...)
		table = be.AppendUint32(be.AppendUint32(table, uint32(128+4+12*len(tags)+len(data))), uint32(len(t.data)))
		data = append(data, t.data...)
		for len(data)%4 != 0 {
			data = append(data, 0)
		}
	}
	h := make([]byte, 128)
	be.PutUint32(h, uint32(128+len(table)+len(data)))
	copy(h[8:], "\x02\x10\x00\x00mntrRGB XYZ ")
	copy(h[24:], "\x07\xea\x00\x01\x00\x01")
	copy(h[36:], "acsp")
	copy(h[68:], xyz(0.9642, 1, 0.8249)[8:])
	return append(append(h, table...), data...)
}
