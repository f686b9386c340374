package hotfolder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/text/unicode/norm"

	"sohoa/dossier"
	"sohoa/storage"
)

// Pile opens scans that may hold the papers of several dossiers.
type Pile interface {
	Open(ctx context.Context, path string) (Pages, error)
}

// Pages are those of a scan; a child process reads them. Close gives it back.
type Pages interface {
	// Count is the number of pages; 1 for what cannot be taken apart (a signed
	// file, a picture).
	Count(ctx context.Context) (int, error)
	// Code reads the dossier code of the receipt that the page is, if it is one.
	Code(ctx context.Context, page int) (code dossier.Code, ok bool, err error)
	// Extract writes the pages from first to last, both included, to the file out.
	// The same pages give the same bytes: by that a part is recognised that was
	// handed in before.
	Extract(ctx context.Context, first, last int, out string) error
	Close()
}

// part is what lies in a pile from one receipt to the next.
type part struct {
	code        dossier.Code
	first, last int    // pages, the receipt being the first
	receipts    int    // how many of the first pages are receipts
	file        string // its pages, taken out
}

// papers are the pages that are handed in; none where there is nothing behind a
// receipt.
func (p part) papers(withReceipts bool) (first, last int, ok bool) {
	first = p.first + p.receipts
	if ok = first <= p.last; withReceipts {
		first = p.first
	}
	return first, p.last, ok
}

// receiptsIn finds the receipts in a pile whose first page is the receipt of the
// dossier code. Receipts of one dossier that follow each other are one.
func receiptsIn(ctx context.Context, pages Pages, n int, code dossier.Code) ([]part, error) {
	all := []part{{code: code, first: 1, last: n, receipts: 1}}
	for page := 2; page <= n; page++ {
		code, ok, err := pages.Code(ctx, page)
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

// split takes a scan apart at its receipts. None comes back where it is one
// document as it is. The child is given back before anything is handed in, since
// that needs one. done removes the parts' files.
func (f *Folder) split(ctx context.Context, scan string, code dossier.Code) (parts []part, done func() error, err error) {
	var made []string
	done = func() error {
		var errs []error
		for _, name := range made {
			errs = append(errs, os.Remove(name))
		}
		return errors.Join(errs...)
	}
	if f.Pile == nil {
		return nil, done, nil
	}
	pages, err := f.Pile.Open(ctx, scan)
	if err != nil {
		return nil, done, err
	}
	defer pages.Close()
	n, err := pages.Count(ctx)
	if err != nil || n < 2 {
		return nil, done, err
	}
	if parts, err = receiptsIn(ctx, pages, n, code); err != nil {
		return nil, done, err
	}
	if len(parts) == 1 {
		if first, _, ok := parts[0].papers(f.Receipts); !ok || first == 1 {
			return nil, done, nil // nothing is left out
		}
	}
	for i := range parts {
		p := &parts[i]
		first, last, ok := p.papers(f.Receipts)
		if !ok {
			continue
		}
		if p.file, err = storage.CreateTemp(f.Spool); err != nil {
			return nil, done, err
		}
		made = append(made, p.file)
		if err := pages.Extract(ctx, first, last, p.file); err != nil {
			return nil, done, err
		}
	}
	return parts, done, nil
}

// submitParts hands in the parts one after the other. The pile is done when all
// are stored; it is refused with the verdict of each part that was refused. A
// part nobody knows the unit of goes to the tray by itself, so that whoever files
// it does not file the others again. Started again after a crash, the parts
// handed in before are recognised by their bytes.
func (f *Folder) submitParts(ctx context.Context, name string, slip dossier.Slip, parts []part) (ending, error) {
	whole := ending{folder: Done}
	stem := strings.TrimSuffix(norm.NFC.String(path.Base(name)), path.Ext(name))
	var vi, en strings.Builder
	for i, p := range parts {
		first, last, ok := p.papers(f.Receipts)
		if !ok {
			f.Log.Warn().Str("file", tag(name)).Int("part", i+1).Msg("a receipt in a pile has no paper behind it")
			continue
		}
		slip.Dossier = p.code
		slip.FileName = fmt.Sprintf("%s (%d).pdf", stem, i+1)
		end, err := f.submitPart(ctx, slip, p.file)
		if err != nil {
			return whole, err
		}
		switch end.folder {
		case Refused:
			whole.folder, whole.reason = Refused, end.reason
			fmt.Fprintf(&vi, "Phần %d (trang %d–%d): %s\r\n", i+1, first, last, end.text.VI)
			fmt.Fprintf(&en, "Part %d (pages %d–%d): %s\r\n", i+1, first, last, end.text.EN)
		case TrayName:
			if err := f.layInTray(path.Join(path.Dir(inFolder(name)), slip.FileName), p.file); err != nil {
				return whole, err
			}
		}
	}
	if whole.folder == Refused {
		whole.text = dossier.Text{
			VI: vi.String() + "Các phần khác đã được tiếp nhận. Chỉ quét lại phần bị từ chối.",
			EN: en.String() + "The other parts were taken in. Scan again only what was rejected."}
	}
	return whole, nil
}

func (f *Folder) submitPart(ctx context.Context, slip dossier.Slip, file string) (ending, error) {
	body, err := os.Open(file)
	if err != nil {
		return ending{}, err
	}
	defer body.Close()
	st, err := body.Stat()
	if err != nil {
		return ending{}, err
	}
	return f.submit(ctx, slip, body, st.Size())
}

// layInTray copies a part into the tray, unless it lies there since an earlier
// try. Another pile's part of that name is left as it is.
func (f *Folder) layInTray(name, file string) error {
	part, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	to := path.Join(TrayName, name)
	for i := 2; ; i++ {
		there, err := f.root.ReadFile(to)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil || bytes.Equal(there, part) {
			return err
		}
		to = path.Join(TrayName, numbered(name, i))
	}
	if err := f.root.MkdirAll(path.Dir(to), 0o777); err != nil {
		return err
	}
	return f.writeWhole(to, part)
}
