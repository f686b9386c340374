package web

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"github.com/makiuchi-d/gozxing/qrcode/decoder"
	"github.com/makiuchi-d/gozxing/qrcode/encoder"

	"sohoa/dossier"
)

// qrPath is a QR code as the path of an SVG, a unit a module.
type qrPath struct {
	Size int
	Path string
}

// quiet is the white margin a QR code needs, in modules.
const quiet = 4

func qrOf(text string) (qrPath, error) {
	code, err := encoder.Encoder_encode(text, decoder.ErrorCorrectionLevel_M, nil)
	if err != nil {
		return qrPath{}, fmt.Errorf("QR code: %w", err)
	}
	m := code.GetMatrix()
	var b strings.Builder
	for y := range m.GetHeight() {
		for x := 0; x < m.GetWidth(); x++ {
			from := x
			for x < m.GetWidth() && m.Get(x, y) == 1 {
				x++
			}
			if x > from {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", from+quiet, y+quiet, x-from, x-from)
			}
		}
	}
	return qrPath{Size: m.GetWidth() + 2*quiet, Path: b.String()}, nil
}

type receiptPaper struct{ Name, Kind, Pages, State, ReceivedAt, Digest string }

// receiptPage is what the applicant takes home, or what goes on top of the pile:
// the dossier's code to be read by eye and by machine, and what was received,
// with the digest that tells the very bytes.
func (s *server) receiptPage(w http.ResponseWriter, r *http.Request) error {
	ctx, l := r.Context(), lang(r)
	d, known, docs, err := s.dossier(ctx, r.PathValue("code"))
	if err != nil {
		return err
	}
	tree, err := s.trees.get(ctx)
	if err != nil {
		return err
	}
	var b struct {
		Code             dossier.Code
		UnitName, By, At string
		QR               qrPath
		Facts            []fact
		Documents        []receiptPaper
	}
	b.Code, b.UnitName = d.Code, cmp.Or(tree.by[d.Unit].Name, string(d.Unit))
	b.By, b.At = actorOf(ctx).name, clock(s.Now())
	if b.QR, err = qrOf(string(d.Code)); err != nil {
		return err
	}
	if known {
		var returnBy string
		if !d.ResolvedAt.IsZero() {
			returnBy = dayOf(d.ResolvedAt)
		}
		b.Facts = facts(l, "procedure", string(d.Procedure), "received-on", dayOf(d.ReceivedAt), "resolved-on", returnBy, "still-lacks", lacks(d, l))
	}
	for _, st := range docs {
		if !here(st) {
			continue
		}
		p := paperOf(st, l)
		b.Documents = append(b.Documents, receiptPaper{Name: p.Name, Kind: p.Kind, Pages: p.Pages, State: p.State, ReceivedAt: p.ReceivedAt,
			Digest: string(st.Intake.Original.SHA256)})
	}
	return s.render(w, r, http.StatusOK, "receipt", fmt.Sprintf(say(l, "receipt-of"), d.Code), b, "print.js")
}
