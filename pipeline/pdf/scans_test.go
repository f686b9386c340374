package pdf_test

import (
	"path/filepath"
	"testing"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline/pdf"
)

func newPool(t testing.TB, opt pdf.Options) *pdf.Pool {
	t.Helper()
	p, err := pdf.NewPool(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func inspect(t testing.TB, p *pdf.Pool, path string, q pdf.Question) (dossier.Verdict, error) {
	t.Helper()
	s, err := p.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return s.Inspect(t.Context(), q)
}

func TestScans(t *testing.T) {
	dir := testneed.Shared(t, "scans")
	pool := newPool(t, pdf.Options{})
	for _, tt := range []struct {
		file   string
		pages  int
		dpi    int
		colour dossier.Colour
	}{
		{"c200_01p_01.pdf", 1, 200, dossier.FullColour},
		{"c200_03p_04.pdf", 3, 200, dossier.FullColour},
		{"c300_01p_13.pdf", 1, 300, dossier.FullColour},
		{"g4_02p_22.pdf", 2, 300, dossier.BlackWhite},
		{"g4_05p_24.pdf", 5, 300, dossier.BlackWhite},
		{"page_200dpi_colour.jpg", 1, 200, dossier.FullColour},
		{"page_300dpi_colour.jpg", 1, 300, dossier.FullColour},
		{"page_300dpi_g4.tif", 1, 300, dossier.BlackWhite},
		{"ocr_clean200.png", 1, 200, dossier.Grey},
		{"ocr_noisy200.jpg", 1, 200, dossier.Grey},
	} {
		t.Run(tt.file, func(t *testing.T) {
			v, err := inspect(t, pool, filepath.Join(dir, tt.file), pdf.Question{Kind: dossier.Component})
			if err != nil {
				t.Fatal(err)
			}
			if v.Pages != tt.pages || v.MinDPI != tt.dpi || v.Colour != tt.colour || !v.Scan || v.PageSize != "A4" || v.Signed {
				t.Errorf("got %+v, want %+v", v, tt)
			}
		})
	}
}
