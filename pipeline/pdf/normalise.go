package pdf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"sohoa/dossier"
	"sohoa/pipeline/pdf/pdfa"
	"sohoa/storage/direct"
)

// normalise writes the archival copy of a file that inspect has accepted. A
// signed file is refused whatever was asked.
func (d *document) normalise(ctx context.Context, q wireQuestion, out string, label Label) (Copy, error) {
	if !d.judged {
		// A fresh child has not seen the file, or it was rejected.
		if _, err := d.inspect(ctx, q); err != nil {
			return Copy{}, err
		}
	}
	if d.signed {
		return Copy{}, ErrSigned
	}
	asOriginal := Copy{Conforms: dossier.AsOriginal, Findings: []dossier.Finding{{Flag: dossier.NotConvertible}}}
	if d.guarded {
		// No signature is in force, but the marks of one are there.
		asOriginal.Findings[0].Detail = dossier.Text{VI: "có trường chữ ký", EN: "it has a signature field"}
		return asOriginal, nil
	}
	if d.media == "application/pdf" && d.src == nil {
		return asOriginal, nil // only the second reader understands it
	}
	if d.media == "application/pdf" && d.rawSize == d.size && !d.mended {
		if err := pdfa.Check(d.f, d.size); err == nil {
			return Copy{Conforms: dossier.AsOriginal}, nil // it is PDF/A already
		} else if !errors.Is(err, pdfa.ErrNotPDFA) {
			return Copy{}, openError(err)
		}
	}
	f, err := os.OpenFile(out, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return Copy{}, openError(err)
	}
	made, err := d.write(ctx, f, q, label)
	if cerr := f.Close(); err == nil && cerr != nil {
		err = openError(cerr)
	}
	if err == nil {
		// What has been said of the document need not be said of its copy.
		made.Findings = slices.DeleteFunc(made.Findings, func(f dossier.Finding) bool {
			return slices.ContainsFunc(d.found, func(g dossier.Finding) bool { return f.Flag == g.Flag && f.Page == g.Page })
		})
		return made, nil
	}
	if rerr := os.Remove(out); rerr != nil {
		return Copy{}, errors.Join(openError(rerr), err)
	}
	if errors.Is(err, pdfa.ErrNotConvertible) {
		asOriginal.Findings[0].Detail.EN = strings.Replace(err.Error(), pdfa.ErrNotConvertible.Error()+": ", "", 1)
		return asOriginal, nil
	}
	return Copy{}, fmt.Errorf("writing the copy: %w", err)
}

// write writes the copy to f and has it checked: nothing is called PDF/A before
// the rules have been read against the written bytes.
func (d *document) write(ctx context.Context, f *os.File, q wireQuestion, label Label) (c Copy, err error) {
	w := draft{f: f}
	if d.size <= readWhole {
		d.room.out = direct.Grow(d.room.out, int(d.size)+copyGrows)
		w.kept = d.room.out[:0]
	}
	defer func() {
		if err != nil && w.spill == nil {
			return // nothing of it is of use, and nothing was written yet
		}
		if werr := w.close(); err == nil {
			err = openError(werr)
		}
	}()
	l := pdfa.Label{Title: label.Title, Dossier: label.Dossier, DocumentID: label.DocumentID, At: label.At}
	var res pdfa.Result
	if d.media == "application/pdf" {
		res, err = pdfa.FromPDF(ctx, d.src, io.NewSectionReader(d.raw, 0, d.rawSize), &w, l)
	} else {
		res, err = pdfa.FromImage(ctx, d.f, d.size, &w, l, q.DefaultDPI)
	}
	if err != nil {
		return Copy{}, err
	}
	written := io.ReaderAt(f)
	if w.spill != nil {
		if err := w.close(); err != nil {
			return Copy{}, openError(err)
		}
	} else {
		written = pdfa.Memory(w.kept)
	}
	switch err := pdfa.Check(written, res.Size); {
	case errors.Is(err, pdfa.ErrNotPDFA):
		return Copy{}, fmt.Errorf("%w: the copy would break a rule: %w", pdfa.ErrNotConvertible, err)
	case err != nil:
		return Copy{}, openError(err)
	}
	c = Copy{Conforms: dossier.PDFA2b, Size: res.Size, SHA256: dossier.Digest(res.SHA256), Findings: res.Findings}
	if d.active {
		c.Findings = append(c.Findings, dossier.Finding{Flag: dossier.ActiveContentGone})
	}
	if d.mended {
		c.Findings = append(c.Findings, dossier.Finding{Flag: dossier.Repaired})
	}
	return c, nil
}

// copyGrows is what a copy of a scan is larger than the scan at most, as a rule:
// profile, metadata, objects.
const copyGrows = 64 << 10

// draft keeps what is written to it in memory while that has room for it, so that
// it can be read again at no cost, and is a file from then on. close ends the file.
type draft struct {
	f      *os.File
	kept   []byte         // never beyond its capacity
	spill  *direct.Writer // nil while all is kept
	closed bool
}

func (d *draft) Write(p []byte) (int, error) {
	if d.spill == nil {
		if len(d.kept)+len(p) <= cap(d.kept) {
			d.kept = append(d.kept, p...)
			return len(p), nil
		}
		d.spill = direct.NewWriter(d.f)
		if _, err := d.spill.Write(d.kept); err != nil {
			return 0, err
		}
	}
	return d.spill.Write(p)
}

func (d *draft) close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	if d.spill != nil {
		return d.spill.Close()
	}
	return direct.WriteFile(d.f, d.kept)
}
