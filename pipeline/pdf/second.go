package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/klippa-app/go-pdfium"
	pdfiumerrors "github.com/klippa-app/go-pdfium/errors"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"sohoa/dossier"
)

// secondReader is PDFium, compiled to WebAssembly: foreign C++ that sees nothing
// of the machine but the file it is given. It is asked where the first reader
// says no, and for pictures. Starting it costs 0.1–0.3 s once its code has been
// compiled (3–8 s, once a machine), and memory, so a child starts it when it is
// first asked for and ends it with the document.
type secondReader struct {
	pool pdfium.Pool
	inst pdfium.Pdfium
	doc  references.FPDF_DOCUMENT
}

// startSecond starts PDFium. No document has a part in that: the error is ours.
func startSecond(ctx context.Context, s setup) (*secondReader, error) {
	conf := wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling).
		WithMemoryLimitPages(uint32(max(s.Limits.Memory/2, 128<<20) >> 16))
	if s.CacheDir != "" {
		dir := filepath.Join(s.CacheDir, "wasm")
		if err := os.MkdirAll(dir, 0o700); err == nil {
			// Without a cache it works as well, and starts slowly.
			if cache, err := wazero.NewCompilationCacheWithDir(dir); err == nil {
				conf = conf.WithCompilationCache(cache)
			}
		}
	}
	pool, err := webassembly.Init(webassembly.Config{
		Context: ctx, MaxTotal: 1, MaxIdle: 0,
		FSConfig: wazero.NewFSConfig(), RuntimeConfig: conf,
		Stdout: io.Discard, Stderr: io.Discard,
	})
	if err != nil {
		return nil, fmt.Errorf("starting the second reader: %w", err)
	}
	r := &secondReader{pool: pool}
	if r.inst, err = pool.GetInstance(time.Minute); err != nil {
		r.close()
		return nil, fmt.Errorf("starting the second reader: %w", err)
	}
	return r, nil
}

// open opens the file. The error is errPassword, or says that PDFium cannot open
// it (errSecondReader).
func (r *secondReader) open(f io.ReadSeeker, size int64) error {
	res, err := r.inst.OpenDocument(&requests.OpenDocument{FileReader: f, FileReaderSize: size})
	switch {
	case errors.Is(err, pdfiumerrors.ErrPassword), errors.Is(err, pdfiumerrors.ErrSecurity):
		return errPassword
	case err != nil:
		return fmt.Errorf("%w: %w", errSecondReader, pdfiumError(err))
	}
	r.doc = res.Document
	return nil
}

var errSecondReader = errors.New("the second reader cannot read it")

// pdfiumError lets only PDFium's closed set of errors through.
func pdfiumError(err error) error {
	for _, known := range []error{pdfiumerrors.ErrUnknown, pdfiumerrors.ErrFile, pdfiumerrors.ErrFormat,
		pdfiumerrors.ErrPassword, pdfiumerrors.ErrSecurity, pdfiumerrors.ErrPage} {
		if errors.Is(err, known) {
			return known
		}
	}
	return fmt.Errorf("%T", err)
}

func (r *secondReader) close() {
	if r == nil {
		return
	}
	// What fails to close ends with the process.
	if r.inst != nil {
		_ = r.inst.Close()
	}
	_ = r.pool.Close()
}

func (r *secondReader) pages() (int, error) {
	res, err := r.inst.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: r.doc})
	if err != nil {
		return 0, pdfiumError(err)
	}
	return res.PageCount, nil
}

// save writes PDFium's repaired copy.
func (r *secondReader) save(w io.Writer) error {
	_, err := r.inst.FPDF_SaveAsCopy(&requests.FPDF_SaveAsCopy{Document: r.doc, FileWriter: w, Flags: requests.SaveFlagNoIncremental})
	if err != nil {
		return pdfiumError(err)
	}
	return nil
}

// maxPicturePixels bounds a page's picture: a page may be as large as a room.
const maxPicturePixels = 24 << 20

// secondOpen returns PDFium with the document open.
func (d *document) secondOpen(ctx context.Context) (*secondReader, error) {
	if d.second != nil {
		return d.second, nil
	}
	d.note(response{Starting: true})
	r, err := startSecond(ctx, d.setup)
	// What compiling it left behind is not the document's either.
	debug.FreeOSMemory()
	d.note(response{})
	if err != nil {
		return nil, err
	}
	file, size := d.bytes, d.length
	if d.media != "application/pdf" {
		if file, size, err = d.asPDF(ctx, assumedDPI); err != nil {
			r.close()
			return nil, err
		}
	}
	if err := r.open(io.NewSectionReader(file, 0, size), size); err != nil {
		r.close()
		return nil, err
	}
	d.second = r
	return r, nil
}

// assumedDPI is the resolution at which an image that states none is drawn.
const assumedDPI = 200

// picture draws a page as a PNG.
func (d *document) picture(ctx context.Context, page, dpi int) ([]byte, error) {
	if page < 1 || dpi < 1 || dpi > 1200 {
		return nil, fmt.Errorf("picture: no such page or resolution")
	}
	if d.media == "" {
		return nil, reject(dossier.NotADocument, "", "", nil)
	}
	r, err := d.secondOpen(ctx)
	switch {
	case errors.Is(err, errPassword):
		return nil, reject(dossier.Encrypted, "", "", err)
	case errors.Is(err, errSecondReader):
		return nil, reject(dossier.Damaged, "", "", err)
	case err != nil:
		return nil, err
	}
	n, err := r.pages()
	if err != nil {
		return nil, fmt.Errorf("picture: %w", err)
	}
	if page > n {
		return nil, ErrNoPage
	}
	at := requests.Page{ByIndex: &requests.PageByIndex{Document: r.doc, Index: page - 1}}
	if size, err := r.inst.GetPageSize(&requests.GetPageSize{Page: at}); err == nil {
		for dpi > 1 && size.Width*size.Height*float64(dpi)*float64(dpi)/72/72 > maxPicturePixels {
			dpi = dpi * 3 / 4
		}
	}
	res, err := r.inst.RenderPageInDPI(&requests.RenderPageInDPI{DPI: max(dpi, 1), Page: at})
	if err != nil {
		return nil, fmt.Errorf("picture: %w", pdfiumError(err))
	}
	defer res.Cleanup()
	var buf bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := enc.Encode(&buf, res.Result.RenderedImage); err != nil {
		return nil, fmt.Errorf("picture: %w", err)
	}
	return buf.Bytes(), nil
}

// repair has PDFium open the file and write a mended copy.
func (d *document) repair(ctx context.Context) (*os.File, int64, error) {
	r, err := d.secondOpen(ctx)
	if err != nil {
		return nil, 0, err
	}
	f, err := nameless()
	if err != nil {
		return nil, 0, err
	}
	w := &limitedWriter{w: f, left: 2*d.size + 64<<20}
	if err := r.save(w); err != nil {
		f.Close()
		if w.left < 0 {
			return nil, 0, fmt.Errorf("%w: its copy has no end", errSecondReader)
		}
		return nil, 0, fmt.Errorf("%w: %w", errSecondReader, err)
	}
	d.spare = append(d.spare, f)
	return f, w.n, nil
}

// nameless is a temporary file without a name, which no death can leave behind.
func nameless() (*os.File, error) {
	f, err := os.CreateTemp("", "sohoa-*.pdf")
	if err != nil {
		return nil, openError(err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, openError(err)
	}
	return f, nil
}

type limitedWriter struct {
	w       io.Writer
	left, n int64
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	if w.left -= int64(len(p)); w.left < 0 {
		return 0, io.ErrShortWrite
	}
	n, err := w.w.Write(p)
	w.n += int64(n)
	return n, err
}
