package pdfatest

import (
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/enums"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/responses"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// Renderer draws pages with PDFium, compiled to WebAssembly.
type Renderer struct {
	pool pdfium.Pool
	inst pdfium.Pdfium
}

// NewRenderer starts PDFium; it ends with the test.
func NewRenderer(t testing.TB) *Renderer {
	t.Helper()
	conf := wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling)
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	// Compiling takes seconds; the cache makes the second start quick.
	cache, err := wazero.NewCompilationCacheWithDir(filepath.Join(dir, "sohoa", "wasm"))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := webassembly.Init(webassembly.Config{Context: context.Background(), MaxTotal: 1, MaxIdle: 1,
		FSConfig: wazero.NewFSConfig(), RuntimeConfig: conf.WithCompilationCache(cache)})
	if err != nil {
		t.Fatal(err)
	}
	r := &Renderer{pool: pool}
	if r.inst, err = pool.GetInstance(2 * time.Minute); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.inst.Close()
		_ = pool.Close()
	})
	return r
}

// restart replaces the instance after PDFium has died on a file.
func (r *Renderer) restart() error {
	_ = r.inst.Kill()
	var err error
	r.inst, err = r.pool.GetInstance(2 * time.Minute)
	return err
}

// Pages draws the first pages of a PDF, at most max of them.
func (r *Renderer) Pages(pdf []byte, dpi, max int) (pages []*image.RGBA, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("PDFium died: %v", p)
			if e := r.restart(); e != nil {
				err = e
			}
		}
	}()
	doc, err := r.inst.OpenDocument(&requests.OpenDocument{File: &pdf})
	if err != nil {
		return nil, err
	}
	defer func() { _, _ = r.inst.FPDF_CloseDocument(&requests.FPDF_CloseDocument{Document: doc.Document}) }()
	count, err := r.inst.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: doc.Document})
	if err != nil {
		return nil, err
	}
	for i := range min(count.PageCount, max) {
		im, err := r.page(&requests.RenderPageInDPI{DPI: dpi, RenderFlags: enums.FPDF_RENDER_FLAG_REVERSE_BYTE_ORDER | enums.FPDF_RENDER_FLAG_ANNOT,
			Page: requests.Page{ByIndex: &requests.PageByIndex{Document: doc.Document, Index: i}}})
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", i+1, err)
		}
		pages = append(pages, im)
	}
	return pages, nil
}

func (r *Renderer) page(q *requests.RenderPageInDPI) (*image.RGBA, error) {
	var res *responses.RenderPageInDPI
	res, err := r.inst.RenderPageInDPI(q)
	if err != nil {
		return nil, err
	}
	defer res.Cleanup()
	src, ok := res.Result.RenderedImage.(*image.RGBA)
	if !ok {
		return nil, fmt.Errorf("the page was drawn as %T", res.Result.RenderedImage)
	}
	out := image.NewRGBA(src.Bounds())
	copy(out.Pix, src.Pix)
	return out, nil
}

// Difference is the number of pixels in which two pictures differ and the
// greatest difference of a sample. Pictures of different size differ wholly.
func Difference(a, b *image.RGBA) (pixels, most int) {
	if a.Rect != b.Rect {
		return a.Rect.Dx() * a.Rect.Dy(), 255
	}
	for i := 0; i < len(a.Pix); i += 4 {
		d := 0
		for c := range 4 {
			d = max(d, int(a.Pix[i+c])-int(b.Pix[i+c]), int(b.Pix[i+c])-int(a.Pix[i+c]))
		}
		if d > 0 {
			pixels++
		}
		most = max(most, d)
	}
	return pixels, most
}
