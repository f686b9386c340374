package pdf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"

	"sohoa/dossier"
	"sohoa/pipeline/pdf/pdfa"
	"sohoa/storage/direct"
)

// document is a file in the child.
type document struct {
	f     io.ReaderAt // the file's bytes
	file  *os.File    // nil where they are all in memory
	size  int64
	setup setup
	note  func(response) // tells the parent how far it is

	media   string      // as sniffed; "" where it is nothing we take
	bytes   io.ReaderAt // the file, with a header before it where it has lost its own
	length  int64
	src     *model.Context // what the first reader made of a PDF; nil where it cannot read it
	raw     io.ReaderAt    // the bytes src was read from: the file, or the second reader's mended copy
	rawSize int64
	guarded bool              // may bear a signature: never rewritten
	signed  bool              // bears one
	active  bool              // has active content
	mended  bool              // raw is a mended copy
	judged  bool              // inspect has accepted it
	found   []dossier.Finding // by inspect
	pages   int
	second  *secondReader
	apart   *pdfa.Source // what extract takes pages from
	spare   []*os.File   // temporary files without a name
	room    *rooms
}

// readWhole is up to what size a file is read in one piece: nearly every scan of
// less than thirty pages.
const readWhole = 8 << 20

// rooms are what one document after another uses.
type rooms struct {
	in    []byte // for a small file's bytes
	out   []byte // for those of its copy
	known codeTables
}

func (r *rooms) tables() codeTables {
	if r.known == nil {
		r.known = codeTables{}
	}
	return r.known
}

func openDocument(path string, s setup, note func(response), r *rooms) (*document, error) {
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
	d := &document{f: f, file: f, size: st.Size(), setup: s, note: note, length: st.Size(), room: r}
	if d.size <= readWhole {
		var data []byte
		data, r.in, err = direct.ReadFile(f, int(d.size), r.in)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, openError(err)
		}
		d.f, d.file = pdfa.Memory(data), nil
	}
	d.bytes = d.f
	head := make([]byte, min(d.size, pdfHeaderWithin+8))
	if _, err := d.f.ReadAt(head, 0); err != nil && err != io.EOF {
		d.close()
		return nil, openError(err)
	}
	d.media, _, _ = Sniff(head)
	if d.media == "application/pdf" && lostHeader(head) {
		d.bytes, d.length = headed(d.f, d.size)
	}
	return d, nil
}

// openError drops the path, in which a person's file name may stand.
func openError(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s the file: %w", pe.Op, pe.Err)
	}
	return err
}

// large reports whether the document has made the process grow.
func (d *document) large() bool {
	return d != nil && (d.second != nil || d.size > 16<<20 || d.pages > 50)
}

func (d *document) close() {
	if d == nil {
		return
	}
	d.second.close()
	for _, f := range d.spare {
		f.Close()
	}
	if d.file != nil {
		d.file.Close()
	}
}

// inspect judges the file. It may be asked again with another question.
func (d *document) inspect(ctx context.Context, q wireQuestion) (dossier.Verdict, error) {
	d.src, d.raw, d.guarded, d.signed, d.judged, d.pages = nil, nil, false, false, false, 0
	d.active, d.mended = false, false
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
	if d.media == "" {
		return dossier.Verdict{}, reject(dossier.NotADocument, "", "", nil)
	}
	var (
		v   dossier.Verdict
		err error
	)
	if d.media == "application/pdf" {
		v, err = d.inspectPDF(ctx, q)
	} else {
		v, err = d.inspectImage(ctx, q)
	}
	v.Profile = q.Profile.Name
	d.judged, d.pages, d.found = err == nil, v.Pages, v.Findings
	return v, err
}

// reject is dossier.Reject with the detail in both languages.
func reject(r dossier.Reason, vi, en string, err error) *dossier.Rejection {
	return dossier.Reject(r, dossier.Text{VI: vi, EN: en}, err)
}

const header = "%PDF-1.4\n"

// headed is a file with a PDF header put before it. What it says of offsets is
// wrong by the header's length then; both readers find the objects all the same.
func headed(f io.ReaderAt, size int64) (io.ReaderAt, int64) {
	return prefixed{f}, size + int64(len(header))
}

type prefixed struct{ r io.ReaderAt }

func (p prefixed) ReadAt(b []byte, at int64) (int, error) {
	n := 0
	if at < int64(len(header)) {
		n = copy(b, header[at:])
		if n == len(b) {
			return n, nil
		}
	}
	m, err := p.r.ReadAt(b[n:], at+int64(n)-int64(len(header)))
	return n + m, err
}
