package pdf

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"sohoa/dossier"
	"sohoa/pipeline/pdf/pdfa"
	"sohoa/pipeline/pdf/signature"
)

// divisible is how many pages extract can take out; 1 for what stays whole.
func (d *document) divisible(ctx context.Context, dpi int) (int, error) {
	var rej *dossier.Rejection
	switch err := d.openApart(ctx, dpi); {
	case errors.As(err, &rej), errors.Is(err, pdfa.ErrNotConvertible), errors.Is(err, ErrSigned),
		errors.Is(err, errPassword), errors.Is(err, errSecondReader), errors.Is(err, errFirstReader):
		return 1, nil // whatever is wrong with it, the judge says
	case err != nil:
		return 0, err
	}
	n := min(d.apart.Pages(), d.setup.Limits.Pages)
	d.note(response{Pages: n})
	return max(n, 1), nil
}

// openApart opens what pages are taken from: the file, an image's PDF, or the
// second reader's mended copy. Both readers must see the same pages: which of
// them are receipts is read off the second one's pictures.
func (d *document) openApart(ctx context.Context, dpi int) (err error) {
	if d.apart == nil {
		d.apart, err = d.source(ctx, dpi)
	}
	return err
}

func (d *document) source(ctx context.Context, dpi int) (*pdfa.Source, error) {
	if d.media == "" {
		return nil, reject(dossier.NotADocument, "", "", nil)
	}
	if d.media != "application/pdf" {
		f, size, err := d.asPDF(ctx, dpi)
		if err != nil {
			return nil, err
		}
		return pdfa.OpenSource(ctx, nil, io.NewSectionReader(f, 0, size))
	}
	guarded, err := signature.Detect(d.f, d.size)
	if err != nil {
		return nil, fmt.Errorf("looking for signatures: %w", err)
	}
	if guarded {
		return nil, ErrSigned
	}
	file, size := d.bytes, d.length
	src, err := firstReader(io.NewSectionReader(file, 0, size), d.setup.Limits)
	if err != nil && !final(err) {
		if file, size, err = d.repair(ctx); err == nil {
			src, err = firstReader(io.NewSectionReader(file, 0, size), d.setup.Limits)
		}
	}
	switch {
	case err != nil && final(err):
		return nil, refusal(err, d.setup.Limits.Pages)
	case err != nil:
		return nil, err
	case src.SignatureExist || src.AppendOnly || len(src.Signatures) > 0 || src.URSignature != nil:
		return nil, ErrSigned
	}
	apart, err := pdfa.OpenSource(ctx, src, io.NewSectionReader(file, 0, size))
	if err != nil {
		return nil, err
	}
	second, err := d.secondOpen(ctx)
	if err != nil {
		return nil, err
	}
	n, err := second.pages()
	if err != nil {
		return nil, fmt.Errorf("counting pages: %w", err)
	}
	if n != apart.Pages() {
		return nil, fmt.Errorf("%w: the readers count %d and %d pages", errSecondReader, apart.Pages(), n)
	}
	return apart, nil
}

// extract writes pages to the file out.
func (d *document) extract(ctx context.Context, first, last, dpi int, out string) error {
	if err := d.openApart(ctx, dpi); err != nil {
		return err
	}
	f, err := os.OpenFile(out, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return openError(err)
	}
	w := bufio.NewWriterSize(f, 1<<16)
	err = d.apart.Extract(ctx, first, last, w)
	if err == nil {
		err = w.Flush()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("extract: %w", openError(err))
	}
	return nil
}
