package main

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"fmt"
	"strings"
)

// signatures are what pipeline/pdf/signature is tried on. A folder's name is
// the verdict.
func signatures() {
	put := func(verdict, name string, f *file) { write("signature/"+verdict+"/"+name+".pdf", f.data) }

	var roots bytes.Buffer
	check(pem.Encode(&roots, &pem.Block{Type: "CERTIFICATE", Bytes: rootCA.cert.Raw}))
	write("signature/trust/root.pem", roots.Bytes())
	write("signature/trust/issuing-ca.crl", revocations())

	ec := signing{by: signerEC, field: "Signature1", at: signedAt}
	second := signing{by: signerEC384, field: "Signature2", at: signedAt.AddDate(0, 0, 1)}
	with := func(s signing, change func(*signing)) signing {
		change(&s)
		return s
	}
	signed := func(all ...signing) *file {
		f := leaflet()
		for _, s := range all {
			f.sign(s)
		}
		return f
	}

	// good
	put("good", "ec", signed(ec))
	put("good", "ec-p384-sha384", signed(with(second, func(s *signing) { s.hash = crypto.SHA384 })))
	put("good", "rsa", signed(with(ec, func(s *signing) { s.by = signerRSA })))
	put("good", "rsa-sha512", signed(with(ec, func(s *signing) { s.by, s.hash = signerRSA, crypto.SHA512 })))
	put("good", "rsa-sha1", signed(with(ec, func(s *signing) { s.by, s.hash = signerRSA, crypto.SHA1 })))
	put("good", "rsa-pss", signed(with(ec, func(s *signing) { s.by, s.pss = signerRSA, true })))
	put("good", "ed25519", signed(with(ec, func(s *signing) { s.by, s.hash = signerEd, crypto.SHA512 })))
	put("good", "pades", signed(with(ec, func(s *signing) { s.pades = true })))
	pades := with(ec, func(s *signing) { s.pades, s.stamp = true, tsa })
	put("good", "pades-timestamp", signed(pades))
	put("good", "two-signatures", signed(ec, second))
	put("good", "three-signatures", signed(ec, second, with(second, func(s *signing) { s.field, s.by = "Signature3", signerRSA })))
	put("good", "visible", signed(with(ec, func(s *signing) { s.visible = true })))
	put("good", "no-signing-time", signed(with(ec, func(s *signing) { s.noTime = true })))
	put("good", "ber-indefinite", signed(with(ec, func(s *signing) { s.contents = indefinite })))
	for p := 1; p <= 3; p++ {
		put("good", fmt.Sprintf("certified-%d", p), signed(with(ec, func(s *signing) { s.certify = p })))
	}
	put("good", "certified-2-then-signed", signed(with(ec, func(s *signing) { s.certify = 2 }), second))
	packed := newFile()
	packed.page(595, 842, "/Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>", "BT /F1 12 Tf 72 760 Td (Ket qua) Tj ET\n", "")
	packed.packedBytes()
	packed.sign(ec)
	packed.sign(second)
	put("good", "object-streams", packed)
	late := expired.at("2022-06-01")
	put("good", "expired-since", signed(late)) // in force when it was made
	f := signed(ec)
	f.data = append(f.data, "\r\n"...)
	put("good", "blank-after", f)
	f = leaflet()
	f.fill("before")
	f.sign(ec)
	put("good", "update-before", f)
	f = signed(ec)
	f.note()
	f.sign(second)
	put("good", "note-then-signed", f)
	f = signed(ec)
	f.fill("12/QD-UBND")
	f.sign(second)
	put("good", "filled-then-signed", f)

	f = leaflet()
	f.sign(with(ec, func(s *signing) { s.noForm = true }))
	put("good", "widget-without-form", f)

	lock := func(action, fields string) signing {
		return with(ec, func(s *signing) {
			s.dictionary = "/Reference[<</Type/SigRef/TransformMethod/FieldMDP/TransformParams<</Type/TransformParams/V/1.2/Action/" + action + fields + ">>>>]"
		})
	}
	for _, l := range []struct {
		verdict, name, action, fields string
	}{
		{"changed-after", "locked-all-then-filled", "All", ""},
		{"changed-after", "locked-field-then-filled", "Include", "/Fields[(SoKyHieu)]"},
		{"good", "locked-other-then-filled", "Include", "/Fields[(Khac)]"},
		{"good", "locked-all-but-this-then-filled", "Exclude", "/Fields[(SoKyHieu)]"},
	} {
		f = signed(lock(l.action, l.fields))
		f.fill("12/QD-UBND")
		f.sign(second)
		put(l.verdict, l.name, f)
	}

	// long-term
	f = signed(pades)
	f.dss()
	put("good", "dss", f)
	docStamp := signing{by: tsa, field: "Stamp", at: signedAt.AddDate(0, 1, 0), document: true}
	put("good", "document-timestamp", signed(pades, docStamp))
	f = signed(pades)
	f.dss()
	f.sign(docStamp)
	put("good", "dss-and-document-timestamp", f)
	f = signed(with(ec, func(s *signing) { s.certify = 1 }))
	f.dss()
	f.sign(docStamp)
	put("good", "certified-1-dss-and-timestamp", f)
	put("timestamp-only", "document-timestamp", signed(docStamp))

	// tampered
	f = signed(ec)
	f.data = bytes.Replace(f.data, []byte("(Ket qua)"), []byte("(Ket qux)"), 1)
	put("tampered", "content", f)
	f = signed(with(ec, func(s *signing) { s.by = signerRSA }))
	f.data = bytes.Replace(f.data, []byte("(Ket qua)"), []byte("(Ket qux)"), 1)
	put("tampered", "content-rsa", f)
	put("tampered", "digest-of-another-file", signed(with(ec, func(s *signing) { s.hashRange = func(r [4]int) [4]int { r[1] -= 10; return r } })))
	f = signed(ec, second)
	f.data = bytes.Replace(f.data, []byte("(Ket qua)"), []byte("(Ket qux)"), 1)
	put("tampered", "two-signatures", f)
	put("signature-invalid", "value", signed(with(ec, func(s *signing) {
		s.contents = func(c []byte) []byte { c[len(c)-3] ^= 1; return c }
	})))
	put("signature-invalid", "attributes", signed(with(ec, func(s *signing) {
		s.contents = func(c []byte) []byte { // the signing time, which is signed
			i := bytes.Index(c, []byte("260115023000Z"))
			c[i+1] = '5'
			return c
		}
	})))
	put("certificate-mismatch", "pades", signed(with(ec, func(s *signing) { s.pades, s.wrongCert = true, signerRSA })))
	put("timestamp-invalid", "other-imprint", signed(with(pades, func(s *signing) { s.stampWrong = true })))

	// changed after
	f = signed(ec)
	f.replaceContent("Ket qua khac")
	put("changed-after", "shadow-content", f)
	f = leaflet()
	p := f.pages[0]
	hole := f.alloc()
	f.append(object{num: p, body: strings.Replace(f.objs[p].body, "/Contents ", fmt.Sprintf("/Contents[%d 0 R ", hole), 1)})
	f.objs[p] = object{num: p, body: strings.Replace(f.objs[p].body, "0 R/Annots", "0 R]/Annots", 1)}
	f.append(f.objs[p])
	f.sign(ec)
	f.append(object{num: hole, packed: true, stream: []byte("BT /F1 40 Tf 72 700 Td (Phu luc) Tj ET\n")})
	put("changed-after", "shadow-dangling", f)
	f = signed(ec)
	f.append(object{num: f.font, body: "<</Type/Font/Subtype/Type1/BaseFont/Symbol>>"})
	put("changed-after", "shadow-font", f)
	f = signed(ec)
	f.note()
	put("changed-after", "note", f)
	f = signed(ec)
	f.fill("99/QD-UBND")
	put("changed-after", "filled", f)
	f = signed(ec)
	f.addPage()
	put("changed-after", "page-added", f)
	f = signed(ec)
	f.dss()
	f.replaceContent("Ket qua khac")
	put("changed-after", "dss-then-shadow", f)
	f = signed(ec)
	f.data = append(f.data, "99 0 obj\n<</Type/Nothing>>\nendobj\n"...)
	put("changed-after", "object-outside-the-table", f)
	f = signed(ec)
	f.data = append(f.data, bytes.Repeat([]byte("garbage "), 100)...)
	put("changed-after", "garbage", f)
	f = signed(ec, second)
	f.replaceContent("Ket qua khac")
	put("changed-after", "two-signatures-shadow", f)
	f = signed(ec)
	f.replaceContent("Ket qua khac")
	f.sign(second)
	put("changed-after", "shadow-then-signed", f)
	f = signed(ec)
	f.replaceContent("Ket qua khac")
	f.sign(docStamp)
	put("changed-after", "shadow-then-timestamp", f)
	f = signed(ec)
	f.fill("99/QD-UBND")
	f.sign(docStamp)
	put("changed-after", "filled-then-timestamp", f)
	put("changed-after", "certified-1-then-signed", signed(with(ec, func(s *signing) { s.certify = 1 }), second))
	f = signed(with(ec, func(s *signing) { s.certify = 2 }))
	f.note()
	f.sign(second)
	put("changed-after", "certified-2-note-then-signed", f)
	f = signed(ec)
	f.acroForm = nil
	f.append(f.catalog())
	put("changed-after", "signature-removed", f)
	f = signed(ec)
	f.append(object{num: 1, body: strings.Replace(f.catalog().body, "/Type/Catalog", "/Type/Catalog/OpenAction<</S/JavaScript/JS(1)>>", 1)})
	put("changed-after", "script-added", f)

	// byte ranges
	rng := func(name string, r func(b []byte, gap [2]int) [4]int) {
		put("byte-range", name, signed(with(ec, func(s *signing) { s.byteRange = r })))
	}
	rng("gap-too-wide", func(b []byte, g [2]int) [4]int { return [4]int{0, g[0] - 9, g[1] + 20, len(b) - g[1] - 20} })
	rng("brackets-covered", func(b []byte, g [2]int) [4]int { return [4]int{0, g[0] + 1, g[1] - 1, len(b) - g[1] + 1} })
	rng("not-from-the-start", func(b []byte, g [2]int) [4]int { return [4]int{9, g[0] - 9, g[1], len(b) - g[1]} })
	rng("short-of-the-end", func(b []byte, g [2]int) [4]int { return [4]int{0, g[0], g[1], 12} })
	rng("beyond-the-end", func(b []byte, g [2]int) [4]int { return [4]int{0, g[0], g[1], len(b) - g[1]} }) // patched below
	rng("overlapping", func(b []byte, g [2]int) [4]int { return [4]int{0, g[0], 0, len(b)} })
	rng("zeros", func(b []byte, g [2]int) [4]int { return [4]int{} })
	f = signed(ec)
	f.data = f.data[:len(f.data)-8]
	put("byte-range", "beyond-the-end", f)
	f = signed(ec)
	f.data = bytes.Replace(f.data, []byte("/ByteRange["), []byte("/ByteRang_["), 1)
	put("byte-range", "missing", f)
	f = signed(with(ec, func(s *signing) { s.dictionary = "/ByteRange[0 9 9 9]" }))
	put("byte-range", "twice", f)

	// wrapped: the range was moved away and the gap filled with other objects
	f = signed(ec)
	put("byte-range", "wrapped", wrapped(f))

	// malformed
	put("malformed", "contents-not-hexadecimal", signed(with(ec, func(s *signing) { s.contentsTxt = "zz" })))
	put("malformed", "contents-not-cms", signed(with(ec, func(s *signing) { s.contents = func([]byte) []byte { return []byte("not a signature") } })))
	put("malformed", "contents-zeros", signed(with(ec, func(s *signing) { s.contents = func([]byte) []byte { return []byte{0} } })))
	f = signed(ec)
	f.data = bytes.Replace(f.data, []byte("/Contents<"), []byte("/Kontents<"), 1)
	put("malformed", "contents-missing", f)

	// trust
	put("expired", "at-signing", signed(with(ec, func(s *signing) { s.by = expired })))
	put("revoked", "before-signing", signed(with(ec, func(s *signing) { s.by = revoked })))
	put("good", "revoked-since", signed(with(ec, func(s *signing) { s.by = retired })))
	put("revoked", "key-stolen-since", signed(with(ec, func(s *signing) { s.by = stolen })))
	put("good", "key-stolen-since-timestamped", signed(with(pades, func(s *signing) { s.by = stolen })))
	for name, since := range map[string]string{"revoked-by-answer": "2025-12-01", "answer-good": "", "revoked-since-by-answer": "2026-03-01"} {
		f = signed(with(ec, func(s *signing) { s.by = withdrawn }))
		f.answers(answer(name, withdrawn, since))
		if name == "revoked-by-answer" {
			put("revoked", name, f)
		} else {
			put("good", name, f)
		}
	}
	f = signed(with(ec, func(s *signing) { s.by = withdrawn }))
	f.answers(answer("answer-about-another", revoked, "2025-12-01"))
	put("good", "answer-about-another", f)
	put("unknown-root", "root-in-the-signature", signed(with(ec, func(s *signing) {
		s.by, s.certs = stranger, [][]byte{stranger.cert.Raw, otherCA.cert.Raw}
	})))
	put("self-signed", "self-signed", signed(with(ec, func(s *signing) { s.by = selfSigned })))
	put("chain-missing", "no-intermediate", signed(with(ec, func(s *signing) { s.certs = [][]byte{signerEC.cert.Raw} })))
	put("chain-missing", "unknown-root-absent", signed(with(ec, func(s *signing) { s.by = stranger })))
	put("signer-missing", "no-certificate", signed(with(ec, func(s *signing) { s.certs = [][]byte{subCA.cert.Raw} })))
}

func (id *identity) at(d string) signing {
	return signing{by: id, field: "Signature1", at: day(d)}
}

// leaflet is a page of a few words with a text field on it.
func leaflet() *file {
	f := newFile()
	f.font = f.add("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
	p := f.page(595, 842, fmt.Sprintf("/Font<</F1 %d 0 R>>", f.font), "BT /F1 12 Tf 72 760 Td (Ket qua) Tj ET\n", "/Annots[]")
	f.input = f.add(fmt.Sprintf("<</Type/Annot/Subtype/Widget/FT/Tx/T(SoKyHieu)/Rect[300 740 500 760]/F 4/P %d 0 R/DA(/Helv 10 Tf)>>", p))
	f.acroForm = []int{f.input}
	f.objs[p] = object{num: p, body: withAnnots(f.objs[p].body, f.acroForm)}
	f.form = true
	f.bytes()
	return f
}

// fill fills the text field.
func (f *file) fill(s string) {
	body := f.objs[f.input].body
	if i := strings.Index(body, "/V("); i >= 0 {
		body = body[:i] + ">>"
	}
	f.append(object{num: f.input, body: strings.TrimSuffix(body, ">>") + "/V(" + s + ")>>"})
}

// note puts a note upon the page.
func (f *file) note() {
	n, p := f.alloc(), f.pages[0]
	f.notes = append(f.notes, n)
	f.append(
		object{num: n, body: "<</Type/Annot/Subtype/FreeText/Rect[72 600 300 640]/Contents(Da thu phi)/DA(/Helv 12 Tf)/F 4>>"},
		object{num: p, body: withAnnots(f.objs[p].body, append(append([]int{}, f.acroForm...), f.notes...))},
	)
}

func (f *file) replaceContent(s string) {
	f.append(object{num: f.contentOf(0), packed: true, stream: []byte("BT /F1 12 Tf 72 760 Td (" + s + ") Tj ET\n")})
}

func (f *file) addPage() {
	c, p := f.alloc(), f.alloc()
	f.pages = append(f.pages, p)
	f.append(
		object{num: c, packed: true, stream: []byte("BT /F1 12 Tf 72 760 Td (Trang 2) Tj ET\n")},
		object{num: p, body: strings.Replace(strings.Replace(f.objs[f.pages[0]].body, fmt.Sprintf("/Contents %d 0 R", f.contentOf(0)), fmt.Sprintf("/Contents %d 0 R", c), 1), "/Annots", "/Was", 1)},
		object{num: 2, body: fmt.Sprintf("<</Type/Pages/Kids[%s]/Count 2>>", refs(f.pages))},
	)
}

// dss adds a security store, as long-term signatures have.
func (f *file) dss() {
	cert, crl, d := f.alloc(), f.alloc(), f.alloc()
	f.extra += fmt.Sprintf("/DSS %d 0 R", d)
	f.append(
		object{num: cert, packed: true, stream: subCA.cert.Raw},
		object{num: crl, packed: true, stream: revocations()},
		object{num: d, body: fmt.Sprintf("<</Type/DSS/Certs[%d 0 R]/CRLs[%d 0 R]>>", cert, crl)},
		f.catalog(),
	)
}

// answers adds a security store of OCSP answers.
func (f *file) answers(der []byte) {
	a, d := f.alloc(), f.alloc()
	f.extra += fmt.Sprintf("/DSS %d 0 R", d)
	f.append(
		object{num: a, packed: true, stream: der},
		object{num: d, body: fmt.Sprintf("<</Type/DSS/OCSPs[%d 0 R]>>", a)},
		f.catalog(),
	)
}

// wrapped is signature wrapping: everything that was signed is still there, byte
// for byte, and its digest holds over the byte range. But the range comes from a
// second signature dictionary, hidden where the first left room for its own
// /Contents, together with another page content and a cross-reference to both.
func wrapped(f *file) *file {
	b := f.data
	i := bytes.LastIndex(b, []byte("/ByteRange["))
	var r [4]int
	_, err := fmt.Sscanf(string(b[i:]), "/ByteRange[%d %d %d %d", &r[0], &r[1], &r[2], &r[3])
	check(err)
	tail, cms := b[r[2]:], bytes.TrimRight(b[r[1]+1:r[2]-1], "0")
	if len(cms)%2 == 1 {
		cms = append(bytes.Clone(cms), '0')
	}
	field := f.acroForm[len(f.acroForm)-1]
	sig := field - 1

	var out bytes.Buffer
	out.Write(b[:r[1]])
	out.WriteString("<00>>>\nendobj\n")
	at := map[int]int{}
	put := func(o object) {
		at[o.num] = out.Len()
		o.write(&out)
	}
	put(object{num: f.contentOf(0), packed: true, stream: []byte("BT /F1 12 Tf 72 760 Td (Ket qua gia) Tj ET\n")})
	for _, n := range []int{1, f.pages[0], field} {
		put(f.objs[n])
	}
	xref := func() string {
		s := "xref\n"
		for _, n := range []int{1, f.pages[0], f.contentOf(0), sig, field} {
			s += fmt.Sprintf("%d 1\n%010d 00000 n \n", n, at[n])
		}
		// The signed end of the file says where its cross-reference stood; there
		// stands this one now.
		return s + fmt.Sprintf("trailer\n<</Size %d/Root 1 0 R/Prev %010d%s>>\n", f.next, f.first, f.id())
	}
	at[sig] = out.Len()
	second := f.xref + len(xref())
	put(object{num: sig, body: fmt.Sprintf("<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/adbe.pkcs7.detached/ByteRange[0 %d %d %d]/Contents<%s>>>", r[1], second, len(tail), cms)})
	if out.Len() > f.xref {
		panic("no room for the wrapped objects")
	}
	out.WriteString(strings.Repeat(" ", f.xref-out.Len()))
	out.WriteString(xref())
	out.Write(tail)
	f.data = out.Bytes()
	return f
}

// indefinite rewrites the outer lengths of the message as BER allows.
func indefinite(c []byte) []byte {
	head := 2
	if c[1]&0x80 != 0 {
		head += int(c[1] & 0x7F)
	}
	out := append([]byte{0x30, 0x80}, c[head:]...)
	return append(out, 0, 0)
}
