package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
)

func flags() {
	put := func(flag, name string, data []byte) { write("flag/"+flag+"/"+name, data) }
	back := small()
	back.imagePage(jpegImage(blank(1169, 1653)), 200, "")
	put("blank-page", "back.pdf", back.bytes())
	put("skewed", "5-degrees.pdf", onePage(jpegImage(base("skewed.jpg")), 200).bytes())
	put("low-contrast", "faint.pdf", onePage(jpegImage(base("faint.jpg")), 200).bytes())
	put("colour-below-profile", "black-and-white.pdf", small().bytes())
	put("unembedded-fonts", "helvetica.pdf", letter(false).bytes())
	put("not-convertible", "helvetica.pdf", letter(false).bytes())
	put("empty-password", "rc4.pdf", small().encrypted("", "owner"))
	put("resolution-unknown", "no-dpi.jpg", jfif(base("page.jpg"), 0))
	put("resolution-below-profile", "200-dpi.pdf", scan().bytes())
	put("active-content-stripped", "javascript.pdf", active()["javascript"].bytes())
	f := active()["javascript"]
	f.bytes()
	f.sign(signing{by: signerEC, field: "Signature1", at: signedAt})
	put("active-content-found", "signed-javascript.pdf", f.data)
	b := small().bytes()
	put("repaired", "wrong-length.pdf", regexp.MustCompile(`/Length \d{5}`).ReplaceAll(b, []byte("/Length 99")))
	put("read-by-second-reader", "version-9.pdf", bytes.Replace(b, []byte("%PDF-1.5"), []byte("%PDF-9.5"), 1))
	shifted := regexp.MustCompile(`(\d{10}) 00000 n`).ReplaceAllFunc(b, func(m []byte) []byte {
		n, err := strconv.Atoi(string(m[:10]))
		check(err)
		return fmt.Appendf(nil, "%010d 00000 n", n+3)
	})
	put("read-by-second-reader", "offsets-shifted.pdf", shifted)
	f = leaflet()
	f.data = bytes.Replace(f.data, []byte("%PDF-1."), []byte("%PDF-9."), 1)
	f.sign(signing{by: signerEC, field: "Signature1", at: signedAt})
	put("read-by-second-reader", "signed.pdf", f.data)
	odd := newFile()
	odd.page(300, 700, "", "0.9 g 20 20 260 660 re f 0 g 40 600 200 20 re f\n", "")
	put("paper-size", "strip.pdf", odd.bytes())
}
