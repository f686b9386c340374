package main

func flag() {
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
}
