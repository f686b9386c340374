package pipeline

import (
	"sohoa/dossier"
	"sohoa/pipeline/pdf"
)

// Document is a scan that was found good.
type Document struct {
	Scan
	Verdict dossier.Verdict
}

// validate asks the judge for its verdict by the scan rules of the day of
// reception. A *dossier.Rejection says that the scan is at fault.
func (r *run) validate(scan Scan) (Document, error) {
	if scan.decided() {
		return Document{Scan: scan}, nil
	}
	verdict, err := scan.session.Inspect(r.ctx, pdf.Question{
		Kind:       scan.Slip.Kind,
		Profile:    r.p.Profile(dossier.DateOf(scan.ReceivedAt)),
		DefaultDPI: r.p.DPI,
		At:         scan.ReceivedAt, // certificates are judged by this instant, whenever the work is done
	})
	return Document{scan, verdict}, err
}
