package pdfa

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

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
	if t := l.title(); t != "" {
		d["Title"] = textString(t)
	}
	if k := l.dossier(); k != "" {
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

// packetPart is a piece of the metadata packet: fixed, or a text between tags
// that is left out where there is none.
type packetPart struct {
	before string
	text   func(Label) string // nil: a fixed piece
	after  string
}

// packet is the metadata packet, equal to info where they say the same.
var packet = []packetPart{
	{before: "<?xpacket begin=\"\ufeff\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n" +
		`<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">` + "\n" +
		`<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"><pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance></rdf:Description>` + "\n" +
		`<rdf:Description rdf:about="" xmlns:pdf="http://ns.adobe.com/pdf/1.3/"><pdf:Producer>` + producer + `</pdf:Producer>`},
	{`<pdf:Keywords>`, Label.dossier, `</pdf:Keywords>`},
	{before: "</rdf:Description>\n" +
		`<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"><xmp:CreatorTool>` + producer + `</xmp:CreatorTool>`},
	{`<xmp:CreateDate>`, Label.at, `</xmp:CreateDate>`},
	{`<xmp:ModifyDate>`, Label.at, `</xmp:ModifyDate>`},
	{`<xmp:MetadataDate>`, Label.at, `</xmp:MetadataDate>`},
	{before: "</rdf:Description>\n" +
		`<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:format>application/pdf</dc:format>`},
	{`<dc:title><rdf:Alt><rdf:li xml:lang="x-default">`, Label.title, `</rdf:li></rdf:Alt></dc:title>`},
	{`<dc:identifier>`, Label.id, `</dc:identifier>`},
	{`<dc:relation><rdf:Bag><rdf:li>`, Label.dossier, `</rdf:li></rdf:Bag></dc:relation>`},
	{before: "</rdf:Description>\n"},
	{`<rdf:Description rdf:about="" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"><xmpMM:DocumentID>`, Label.id, "</xmpMM:DocumentID></rdf:Description>\n"},
	{before: "</rdf:RDF></x:xmpmeta>\n<?xpacket end=\"r\"?>"},
}

func (l Label) title() string   { return clean(l.Title) }
func (l Label) dossier() string { return clean(l.Dossier) }
func (l Label) id() string      { return clean(l.DocumentID) }

func (l Label) at() string {
	if l.At.IsZero() {
		return ""
	}
	return l.At.In(dossier.Zone).Format("2006-01-02T15:04:05-07:00")
}

func (l Label) xmp() []byte {
	var b bytes.Buffer
	for _, p := range packet {
		if p.text == nil {
			b.WriteString(p.before)
		} else if s := p.text(l); s != "" {
			b.WriteString(p.before)
			_ = xml.EscapeText(&b, []byte(s)) // a bytes.Buffer takes everything
			b.WriteString(p.after)
		}
	}
	return b.Bytes()
}

// ownPacket reports whether b is a packet as xmp writes it, whatever its texts
// say. So what the rules ask of such a packet need not be read anew in each copy.
func ownPacket(b []byte) bool {
	for _, p := range packet {
		rest, ok := bytes.CutPrefix(b, []byte(p.before))
		if p.text == nil {
			if b = rest; !ok {
				return false
			}
			continue
		}
		if !ok {
			continue
		}
		i := bytes.IndexByte(rest, '<')
		if i < 0 || !plainText(rest[:i]) {
			return false
		}
		if b, ok = bytes.CutPrefix(rest[i:], []byte(p.after)); !ok {
			return false
		}
	}
	return len(b) == 0
}

// plainText reports whether b is text that XML takes for nothing else, escaped
// as xml.EscapeText does.
func plainText(b []byte) bool {
	if !utf8.Valid(b) || bytes.Contains(b, []byte("\uffff")) || bytes.Contains(b, []byte("\ufffe")) {
		return false
	}
	for i, c := range b {
		switch {
		case c < ' ' || c == '<' || c == '>':
			return false
		case c == '&' && !slices.ContainsFunc(escapes, func(e string) bool { return bytes.HasPrefix(b[i:], []byte(e)) }):
			return false
		}
	}
	return true
}

var escapes = []string{"&#34;", "&#39;", "&amp;", "&lt;", "&gt;"}
