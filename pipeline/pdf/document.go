package pdf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"

	"sohoa/dossier"
)

// document is a file in the child.
type document struct {
	f     *os.File
	size  int64
	setup setup
	note  func(pages int) // tells the parent how many pages there are

	media   string         // as sniffed; set by inspect
	src     *model.Context // what the first reader made of a PDF; nil where it cannot read it
	raw     io.ReaderAt    // the bytes src was read from: the file, or the second reader's mended copy
	rawSize int64
	signed  bool // bears, or may bear, a signature: never rewritten
	judged  bool // inspect has accepted it
	pages   int
	second  *secondReader
	spare   []*os.File // temporary files without a name
}

func openDocument(path string, s setup, note func(int)) (*document, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, openError(err)
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, openError(err)
	}
	if !st.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("not a regular file")
	}
	return &document{f: f, size: st.Size(), setup: s, note: note}, nil
}

// openError drops the path, in which a person's file name may stand.
func openError(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s the file: %w", pe.Op, pe.Err)
	}
	return err
}

func (d *document) close() {
	if d == nil {
		return
	}
	d.second.close()
	for _, f := range d.spare {
		f.Close()
	}
	d.f.Close()
}

// inspect judges the file. It may be asked again with another question.
func (d *document) inspect(ctx context.Context, q wireQuestion) (dossier.Verdict, error) {
	d.src, d.raw, d.signed, d.judged, d.pages = nil, nil, false, false, 0
	lim := d.setup.Limits
	if d.size == 0 {
		return dossier.Verdict{}, reject(dossier.NotADocument, "tệp rỗng", "the file has no bytes", nil)
	}
	if max := lim.Size; d.size > max || q.Profile.MaxSize > 0 && d.size > q.Profile.MaxSize {
		if q.Profile.MaxSize > 0 {
			max = min(max, q.Profile.MaxSize)
		}
		return dossier.Verdict{}, reject(dossier.TooLarge,
			fmt.Sprintf("%d MB, tối đa %d MB", d.size>>20, max>>20), fmt.Sprintf("%d MB, at most %d MB", d.size>>20, max>>20), nil)
	}
	head := make([]byte, min(d.size, pdfHeaderWithin+8))
	if _, err := d.f.ReadAt(head, 0); err != nil && err != io.EOF {
		return dossier.Verdict{}, openError(err)
	}
	media, _, ok := Sniff(head)
	if !ok {
		return dossier.Verdict{}, reject(dossier.NotADocument, "", "", nil)
	}
	d.media = media
	var (
		v   dossier.Verdict
		err error
	)
	if media == "application/pdf" {
		v, err = d.inspectPDF(ctx, q)
	} else {
		v, err = d.inspectImage(ctx, q)
	}
	v.Profile = q.Profile.Name
	d.judged, d.pages = err == nil, v.Pages
	return v, err
}

// reject is dossier.Reject with the detail in both languages.
func reject(r dossier.Reason, vi, en string, err error) *dossier.Rejection {
	return dossier.Reject(r, dossier.Text{VI: vi, EN: en}, err)
}
