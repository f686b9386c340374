package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
)

func reject() {
	put := func(reason, name string, data []byte) { write("reject/"+reason+"/"+name, data) }
	page, whole := base("page.jpg"), small().bytes()

	// not-a-document
	put("not-a-document", "empty-file.pdf", nil)
	put("not-a-document", "letter.docx", docx())
	put("not-a-document", "text.txt", []byte("Kính gửi: Bộ phận Một cửa\n"))
	put("not-a-document", "page.pdf", []byte("<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>502</body></html>\n"))

	// damaged
	put("damaged", "header-only.pdf", append([]byte("%PDF-1.5\n"), append(bytes.Repeat([]byte("\x13\x37 no objects here "), 200), "\nstartxref\n0\n%%EOF\n"...)...))
	put("damaged", "noise-after-header.jpg", append([]byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x01\x00\xc8\x00\xc8\x00\x00"), append(bytes.Repeat([]byte{0x55, 0x33}, 2000), 0xff, 0xd9)...))
	no := newFile()
	no.imagePage(g4(1), 300, "")
	no.bytes()
	put("damaged", "no-catalog.pdf", bytes.ReplaceAll(bytes.ReplaceAll(no.data, []byte("/Type/Catalog/Pages 2 0 R"), []byte("/Type/Catalog/Pagez 2 0 R")), []byte("/Type/Pages"), []byte("/Type/Pagez")))

	// truncated
	put("truncated", "pdf-at-60-percent.pdf", whole[:len(whole)*6/10])
	put("truncated", "pdf-without-end.pdf", whole[:bytes.LastIndex(whole, []byte("\nxref"))-40])
	put("truncated", "cut.jpg", page[:len(page)*7/10])
	put("truncated", "cut-progressive.jpg", base("progressive.jpg")[:150000])
	put("truncated", "cut.png", base("page.png")[:70000])
	t := tiff(300, g4(1), g4(2))
	put("truncated", "cut.tif", t[:len(t)*6/10])
	cut := jpegImage(page)
	cut.data = page[:len(page)*5/10]
	put("truncated", "jpeg-cut-inside.pdf", onePage(cut, 200).bytes())
	fax := g4(1)
	fax.data = fax.data[:len(fax.data)/2]
	put("truncated", "g4-cut-inside.pdf", onePage(fax, 300).bytes())
	pix := bytes.Repeat([]byte{0xF0, 0xFF, 0x10}, 1169*1653/3)
	raw := rawImage(1169, 1653, "DeviceGray", pix)
	raw.data = deflate(pix[:len(pix)/2])
	put("truncated", "rows-missing.pdf", onePage(raw, 200).bytes())

	put("encrypted", "password-rc4.pdf", small().encrypted("secret", "owner"))

	put("empty", "no-pages.pdf", newFile().bytes())

	many := newFile()
	c := many.addStream("", nil)
	for range 2001 {
		many.pages = append(many.pages, many.add(fmt.Sprintf("<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<<>>/Contents %d 0 R>>", c)))
	}
	put("too-large", "2001-pages.pdf", many.packedBytes())

	// too-complex
	put("too-complex", "object-number.pdf", []byte("%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Kids[2147483647 0 R]/Count 1>>\nendobj\n2147483647 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>\nendobj\ntrailer\n<</Size 2147483648/Root 1 0 R>>\n%%EOF\n"))
	bomb := newFile()
	zeros := deflate(deflate(make([]byte, 1<<30)))
	x := bomb.addStream(strings.Replace(image{w: 32768, h: 32768, bits: 8, colour: "DeviceGray"}.dict(), "/Type", "/Filter[/FlateDecode/FlateDecode]/Type", 1), zeros)
	bomb.page(595, 842, fmt.Sprintf("/XObject<</Im0 %d 0 R>>", x), "q 595 0 0 842 0 0 cm /Im0 Do Q\n", "")
	put("too-complex", "bomb-image.pdf", bomb.bytes())
	bomb = small()
	n := bomb.addStream("/Filter[/FlateDecode/FlateDecode]", deflate(deflate(bytes.Repeat([]byte("q Q\n"), 1<<28))))
	bomb.set(bomb.pages[0], strings.Replace(bomb.objs[bomb.pages[0]].body, "/Contents", fmt.Sprintf("/Contents %d 0 R/Was", n), 1))
	put("too-complex", "bomb-content.pdf", bomb.bytes())
	loop := small()
	loop.bytes()
	loop.append(object{num: 2, body: fmt.Sprintf("<</Type/Pages/Kids[%d 0 R 2 0 R]/Count 2>>", loop.pages[0])})
	put("too-complex", "page-tree-loop.pdf", loop.data)

	// active-content
	for name, f := range active() {
		put("active-content", name+".pdf", f.bytes())
	}
	put("active-content", "javascript-in-object-stream.pdf", active()["javascript"].packedBytes())

	put("low-resolution", "100-dpi.pdf", onePage(jpegImage(halved(page)), 100).bytes())
	put("low-resolution", "96-dpi.jpg", jfif(halved(page), 96))
	put("low-resolution", "150-dpi.tif", tiff(150, g4(1)))
	mixed := small()
	mixed.imagePage(jpegImage(halved(page)), 100, "")
	put("low-resolution", "second-page-100-dpi.pdf", mixed.bytes())

	put("wrong-dossier", "codes.txt", []byte(strings.Join([]string{
		"H51.04", "H51.04-240830", "H51.04-240830-1", "H51.04-241330-0001", "H51.04-240230-0001", "H51.04_240830_0001",
		"H51..04-240830-0001", "-240830-0001", "H51.04-240830-0001/..", "../H51-240830-0001", "H51.04-240830-00A1", "hồ sơ 12"}, "\n")+"\n"))

	// signature-broken
	f := scan()
	f.bytes()
	f.sign(signing{by: signerRSA, field: "Signature1", at: signedAt, pades: true})
	put("signature-broken", "tampered.pdf", tampered(f.data))
	write("flag/signature-doubtful/tampered.pdf", tampered(f.data))
	put("signature-broken", "shadow.pdf", shadow())
	write("flag/changed-after-signing/shadow.pdf", shadow())
}

// tampered is a signed scan whose image was changed by one byte.
func tampered(b []byte) []byte {
	b = bytes.Clone(b)
	b[bytes.Index(b, []byte("\xff\xda"))+5000] ^= 0x10 // in the entropy-coded part
	return b
}

// shadow is a signed page whose content an unsigned update replaces.
func shadow() []byte {
	f := letter(true)
	f.bytes()
	f.sign(signing{by: signerEC, field: "Signature1", at: signedAt})
	c := f.contentOf(0)
	f.append(object{num: c, packed: true, stream: []byte("BT /F1 14 Tf 72 760 Td (QUYET DINH so 99/QD-UBND) Tj ET\n")})
	return f.data
}

// contentOf is the number of the content stream of page i.
func (f *file) contentOf(i int) (n int) {
	b := f.objs[f.pages[i]].body
	_, err := fmt.Sscanf(b[strings.Index(b, "/Contents ")+10:], "%d", &n)
	check(err)
	return n
}

func docx() []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range [][2]string{
		{"[Content_Types].xml", `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`},
		{"word/document.xml", `<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"/>`},
	} {
		w, err := z.Create(e[0])
		check(err)
		_, err = w.Write([]byte(e[1]))
		check(err)
	}
	check(z.Close())
	return b.Bytes()
}

// active are scans that would do something when opened.
func active() map[string]*file {
	all := map[string]*file{}
	with := func(name, extra string, build func(f *file)) {
		f := small()
		f.extra = extra
		if build != nil {
			build(f)
		}
		all[name] = f
	}
	with("javascript", "/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>", nil)
	with("javascript-name-tree", "/Names<</JavaScript<</Names[(a)<</S/JavaScript/JS(app.alert\\(1\\))>>]>>>>", nil)
	with("launch", "/OpenAction<</S/Launch/F(calc.exe)>>", nil)
	with("page-action", "", func(f *file) {
		p := f.pages[0]
		f.set(p, strings.TrimSuffix(f.objs[p].body, ">>")+"/AA<</O<</S/JavaScript/JS(app.alert\\(1\\))>>>>>>")
	})
	with("remote-goto", "/OpenAction<</S/GoToR/F(other.pdf)/D[0/Fit]>>", nil)
	with("embedded-file", "", func(f *file) {
		e := f.addStream("/Type/EmbeddedFile", []byte("MZ not a program"))
		f.extra = fmt.Sprintf("/Names<</EmbeddedFiles<</Names[(a)<</Type/Filespec/F(a.exe)/EF<</F %d 0 R>>>>]>>>>", e)
	})
	with("xfa", "", func(f *file) {
		e := f.addStream("", []byte(`<xdp:xdp xmlns:xdp="http://ns.adobe.com/xdp/"></xdp:xdp>`))
		f.extra = fmt.Sprintf("/AcroForm<</Fields[]/XFA %d 0 R>>", e)
	})
	with("rich-media", "", func(f *file) {
		p := f.pages[0]
		f.set(p, strings.TrimSuffix(f.objs[p].body, ">>")+"/Annots[<</Type/Annot/Subtype/RichMedia/Rect[0 0 99 99]/RichMediaContent<</Type/RichMediaContent>>>>]>>")
	})
	return all
}
