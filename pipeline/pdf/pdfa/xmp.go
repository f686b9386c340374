package pdfa

import (
	"encoding/binary"
	"encoding/xml"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"sohoa/dossier"
)

const producer = "sohoa"

// Label is what a copy says of itself. At is the time of reception: it stands
// for creation and modification, so that the same scan gives the same copy.
type Label struct {
	Title, Dossier, DocumentID string
	At                         time.Time
}

// clean drops what XML cannot hold and trims the ends.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || r < ' ' || r == 0xfffe || r == 0xffff || r >= 0xd800 && r < 0xe000 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	s = strings.TrimSpace(s)
	if len(s) > 2000 { // far below the limit of a PDF string in UTF-16
		s = strings.ToValidUTF8(s[:2000], "")
	}
	return s
}

func (l Label) info() dict {
	d := dict{"Producer": str(producer), "Creator": str(producer)}
	if t := clean(l.Title); t != "" {
		d["Title"] = textString(t)
	}
	if k := clean(l.Dossier); k != "" {
		d["Keywords"] = textString(k)
	}
	if !l.At.IsZero() {
		s := l.At.In(dossier.Zone).Format("D:20060102150405") + "+07'00'"
		d["CreationDate"], d["ModDate"] = str(s), str(s)
	}
	return d
}

// textString is a text string: ASCII as it is, else UTF-16 with its mark.
func textString(s string) str {
	ascii := true
	for i := 0; i < len(s); i++ {
		ascii = ascii && s[i] < 0x80 && s[i] >= ' '
	}
	if ascii {
		return str(s)
	}
	b := []byte{0xfe, 0xff}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.BigEndian.AppendUint16(b, u)
	}
	return str(b)
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}

// xmp is the metadata packet, equal to info where they say the same.
func (l Label) xmp() []byte {
	var b strings.Builder
	b.WriteString("<?xpacket begin=\"\ufeff\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n" +
		`<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">` + "\n" +
		`<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"><pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance></rdf:Description>` + "\n")
	b.WriteString(`<rdf:Description rdf:about="" xmlns:pdf="http://ns.adobe.com/pdf/1.3/"><pdf:Producer>` + producer + `</pdf:Producer>`)
	if k := clean(l.Dossier); k != "" {
		b.WriteString(`<pdf:Keywords>` + escape(k) + `</pdf:Keywords>`)
	}
	b.WriteString("</rdf:Description>\n")
	b.WriteString(`<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"><xmp:CreatorTool>` + producer + `</xmp:CreatorTool>`)
	if !l.At.IsZero() {
		at := l.At.In(dossier.Zone).Format("2006-01-02T15:04:05-07:00")
		b.WriteString(`<xmp:CreateDate>` + at + `</xmp:CreateDate><xmp:ModifyDate>` + at + `</xmp:ModifyDate><xmp:MetadataDate>` + at + `</xmp:MetadataDate>`)
	}
	b.WriteString("</rdf:Description>\n")
	title, dossier, id := clean(l.Title), clean(l.Dossier), clean(l.DocumentID)
	b.WriteString(`<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:format>application/pdf</dc:format>`)
	if title != "" {
		b.WriteString(`<dc:title><rdf:Alt><rdf:li xml:lang="x-default">` + escape(title) + `</rdf:li></rdf:Alt></dc:title>`)
	}
	if id != "" {
		b.WriteString(`<dc:identifier>` + escape(id) + `</dc:identifier>`)
	}
	if dossier != "" {
		b.WriteString(`<dc:relation><rdf:Bag><rdf:li>` + escape(dossier) + `</rdf:li></rdf:Bag></dc:relation>`)
	}
	b.WriteString("</rdf:Description>\n")
	if id != "" {
		b.WriteString(`<rdf:Description rdf:about="" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"><xmpMM:DocumentID>` + escape(id) + "</xmpMM:DocumentID></rdf:Description>\n")
	}
	b.WriteString("</rdf:RDF></x:xmpmeta>\n<?xpacket end=\"r\"?>")
	return []byte(b.String())
}
