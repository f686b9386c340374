package pdfa

import (
	"bytes"
	"encoding/xml"
	"io"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestOwnPacket: what we write is known again; whatever passes for ours keeps the
// rules when it is read.
func TestOwnPacket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Label{Title: rapid.String().Draw(t, "title"), Dossier: rapid.String().Draw(t, "dossier"), DocumentID: rapid.String().Draw(t, "id")}
		if rapid.Bool().Draw(t, "dated") {
			l.At = time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "at"), 0)
		}
		b := l.xmp()
		if !ownPacket(b) {
			t.Fatalf("not known again: %q", b)
		}
		if err := claims(b); err != nil {
			t.Fatalf("breaks a rule: %v", err)
		}
		if got := titleIn(t, b); got != l.title() {
			t.Fatalf("the title reads %q, want %q", got, l.title())
		}
		// Changed anywhere, it passes only where the change is one of text.
		at := rapid.IntRange(0, len(b)-1).Draw(t, "from")
		to := rapid.IntRange(at, min(len(b), at+8)).Draw(t, "to")
		changed := append(append(bytes.Clone(b[:at]), rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "new")...), b[to:]...)
		if ownPacket(changed) {
			if err := claims(changed); err != nil {
				t.Fatalf("passes for ours and breaks a rule: %v: %q", err, changed)
			}
		}
	})
}

// titleIn is the title as a reader of XML sees it.
func titleIn(t *rapid.T, packet []byte) string {
	d := xml.NewDecoder(bytes.NewReader(packet))
	title, within := "", false
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return title
		}
		if err != nil {
			t.Fatal(err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			within = within || tok.Name.Local == "title"
		case xml.EndElement:
			within = within && tok.Name.Local != "title"
		case xml.CharData:
			if within {
				title += string(tok)
			}
		}
	}
}
