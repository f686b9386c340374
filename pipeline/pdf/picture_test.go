package pdf_test

import (
	"bytes"
	"image/png"
	"path/filepath"
	"testing"

	"sohoa/internal/testneed"
	"sohoa/pipeline/pdf"
)

func TestPicture(t *testing.T) {
	dir := testneed.Shared(t, "scans")
	pool := newPool(t, pdf.Options{Children: 1})
	s, err := pool.Open(t.Context(), filepath.Join(dir, "c200_03p_04.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Picture(t.Context(), 2, 50)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if got := img.Bounds().Size(); got.X < 410 || got.X > 416 || got.Y < 582 || got.Y > 588 {
		t.Errorf("an A4 page at 50 dpi is %v", got)
	}
	s.Close()
	for _, name := range []string{"page_200dpi_colour.jpg", "page_300dpi_g4.tif", "ocr_clean200.png"} {
		s, err := pool.Open(t.Context(), filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Picture(t.Context(), 1, 50)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if got := img.Bounds().Size(); got.X < 410 || got.X > 416 || got.Y < 580 || got.Y > 590 {
			t.Errorf("%s: an A4 page at 50 dpi is %v", name, got)
		}
		s.Close()
	}
	if s, err = pool.Open(t.Context(), filepath.Join(dir, "c200_03p_04.pdf")); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Picture(t.Context(), 4, 50); err == nil {
		t.Error("page 4 of 3 has a picture")
	}
}
