package pipeline

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"

	"sohoa/dossier"
	"sohoa/pipeline/pdf"
	"sohoa/storage"
)

// Master is a document with its archival copy, if one could be made.
type Master struct {
	Document
	copy     *storage.Temp // nil where the original is the archive copy
	conforms dossier.Conformance
}

// normalise makes the archival copy. The bytes of a signed file are its legal
// value: it passes untouched and the original is the archive copy.
func (r *run) normalise(doc Document) (Master, error) {
	m := Master{Document: doc, conforms: dossier.AsOriginal}
	if doc.decided() {
		return m, nil
	}
	// The judge is done with this document; the next need not wait while this one
	// is stored and settled.
	defer doc.session.Close()
	if doc.Verdict.Signed {
		return m, nil
	}
	out := filepath.Join(r.p.SpoolDir, "temp-copy-"+doc.ID+".pdf")
	r.later(func() { os.Remove(out) })
	made, err := doc.session.Normalise(r.ctx, out, pdf.Label{
		Title:      cmp.Or(doc.Slip.Name, string(doc.Slip.Paper), string(doc.Slip.Kind)),
		Dossier:    string(doc.Slip.Dossier),
		DocumentID: doc.ID,
		At:         doc.ReceivedAt,
	})
	if err != nil {
		return m, err
	}
	m.Verdict.Findings = append(m.Verdict.Findings, made.Findings...)
	if made.Conforms == dossier.AsOriginal {
		return m, nil
	}
	m.conforms = made.Conforms
	if m.copy, err = storage.AdoptTemp(out, made.Size, string(made.SHA256)); err != nil {
		return m, fmt.Errorf("take the archival copy: %w", err)
	}
	r.later(func() { m.copy.Close() })
	return m, nil
}
