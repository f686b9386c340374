package hotfolder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/text/unicode/norm"

	"sohoa/dossier"
)

// Pile takes a file of many pages apart; a child process does it.
type Pile interface {
	// Pages is the number of pages; 1 for what cannot be taken apart (a signed
	// file, a picture).
	Pages(ctx context.Context, path string) (int, error)
	// Code reads the dossier code of the receipt that the page is, if it is one.
	Code(ctx context.Context, path string, page int) (code dossier.Code, ok bool, err error)
	// Extract writes the pages from first to last, both included, to the file out.
	// The same pages give the same bytes.
	Extract(ctx context.Context, path string, first, last int, out string) error
}

// part is what lies in a pile from one receipt to the next.
type part struct {
	code        dossier.Code
	first, last int // pages, the receipt being the first
	receipts    int // how many of the first pages are receipts
}

// parts finds the receipts in a pile whose first page is the receipt of the
// dossier code. Receipts of one dossier that follow each other are one.
func (f *Folder) parts(ctx context.Context, name string, code dossier.Code) ([]part, error) {
	n, err := f.Pile.Pages(ctx, f.full(name))
	if err != nil {
		return nil, err
	}
	all := []part{{code: code, first: 1, last: n, receipts: 1}}
	for page := 2; page <= n; page++ {
		code, ok, err := f.Pile.Code(ctx, f.full(name), page)
		if err != nil {
			return nil, err
		}
		at := &all[len(all)-1]
		switch {
		case !ok:
		case code == at.code && page == at.first+at.receipts:
			at.receipts++
		case code != at.code:
			at.last = page - 1
			all = append(all, part{code: code, first: page, last: n, receipts: 1})
		}
	}
	return all, nil
}

// bringPile hands in the parts one after the other, then moves the pile: to
// done/ when all are stored, to rejected/ with the verdict of each part that was
// refused, to the tray when only somebody must say whose a part is. Started
// again after a crash, the parts handed in before are recognised.
func (f *Folder) bringPile(ctx context.Context, h *os.File, before fs.FileInfo, name string, slip dossier.Slip, parts []part) error {
	whole := ending{folder: Done}
	var vi, en strings.Builder
	for i, p := range parts {
		first := p.first
		if !f.Receipts {
			first += p.receipts
		}
		if first > p.last {
			continue // a receipt with nothing behind it
		}
		slip.Dossier = p.code
		slip.FileName = fmt.Sprintf("%s (%d).pdf", strings.TrimSuffix(norm.NFC.String(path.Base(name)), path.Ext(name)), i+1)
		end, err := f.bringPart(ctx, name, slip, first, p.last)
		if err != nil {
			return err
		}
		switch {
		case end.folder == Refused:
			whole.folder, whole.reason = Refused, end.reason
			fmt.Fprintf(&vi, "Phần %d (trang %d–%d): %s\r\n", i+1, first, p.last, end.text.VI)
			fmt.Fprintf(&en, "Part %d (pages %d–%d): %s\r\n", i+1, first, p.last, end.text.EN)
		case end.folder == TrayName && whole.folder == Done:
			whole.folder = TrayName
		}
	}
	if err := f.unchanged(h, name, before); err != nil {
		return err
	}
	if whole.folder == Refused {
		return f.reject(name, whole.reason, dossier.Text{
			VI: vi.String() + "Các phần khác đã được tiếp nhận. Chỉ quét lại phần bị từ chối.",
			EN: en.String() + "The other parts were taken in. Scan again only what was rejected."})
	}
	return f.move(name, whole.folder)
}

func (f *Folder) bringPart(ctx context.Context, name string, slip dossier.Slip, first, last int) (end ending, err error) {
	dir, err := os.MkdirTemp("", "sohoa-pile-")
	if err != nil {
		return end, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	out := path.Join(dir, "part.pdf")
	if err := f.Pile.Extract(ctx, f.full(name), first, last, out); err != nil {
		return end, err
	}
	body, err := os.Open(out)
	if err != nil {
		return end, err
	}
	defer body.Close()
	st, err := body.Stat()
	if err != nil {
		return end, err
	}
	return f.submit(ctx, slip, body, st.Size())
}
