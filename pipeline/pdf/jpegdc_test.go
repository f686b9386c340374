package pdf

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"

	"sohoa/internal/testneed"
)

// TestReadJPEGMeans compares the eighth-size picture with the means of the fully
// decoded one.
func TestReadJPEGMeans(t *testing.T) {
	for _, name := range []string{"page_200dpi_colour.jpg", "ocr_noisy200.jpg"} {
		b, err := os.ReadFile(filepath.Join(testneed.Shared(t, "scans"), name))
		if err != nil {
			t.Fatal(err)
		}
		_, th, err := readJPEG(b, true, nil)
		if err != nil || th == nil {
			t.Fatalf("%s: %v", name, err)
		}
		img, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		for y := 0; y+1 < th.h; y += 7 {
			for x := 0; x+1 < th.w; x += 7 {
				sum := 0
				for dy := range 8 {
					for dx := range 8 {
						var l uint8
						switch im := img.(type) {
						case *image.YCbCr:
							l = im.Y[im.YOffset(8*x+dx, 8*y+dy)]
						case *image.Gray:
							l = im.GrayAt(8*x+dx, 8*y+dy).Y
						default:
							l = color.GrayModel.Convert(img.At(8*x+dx, 8*y+dy)).(color.Gray).Y
						}
						sum += int(l)
					}
				}
				// Values beyond the range of a byte are cut off before the mean is taken there, after it here.
				if got, want := int(th.pix[y*th.w+x]), sum/64; got < want-12 || got > want+12 {
					t.Fatalf("%s: block %d,%d: mean %d, want %d", name, x, y, got, want)
				}
			}
		}
	}
}

// TestReadJPEGCut cuts a JPEG at every twentieth of its length and mends its end,
// as a careless program does.
func TestReadJPEGCut(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testneed.Shared(t, "scans"), "page_200dpi_colour.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 20; i++ {
		cut := bytes.Clone(b[:len(b)*i/20])
		if _, _, err := readJPEG(cut, true, nil); !errors.Is(err, errCut) {
			t.Errorf("cut at %d of 20: %v, want %v", i, err, errCut)
		}
		if cut[len(cut)-1] == 0xff {
			cut = cut[:len(cut)-1]
		}
		if _, _, err := readJPEG(append(cut, 0xff, 0xd9), true, nil); !errors.Is(err, errCut) {
			t.Errorf("cut at %d of 20 and closed: %v, want %v", i, err, errCut)
		}
	}
}

// TestThoroughProgressive: a progressive JPEG whose last scan is cut and closed is
// whole as far as its markers go; a thorough reading finds the cut.
func TestThoroughProgressive(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testneed.Root(t), "testdata", "accept", "progressive.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := readJPEG(b, true, nil); err != nil {
		t.Fatalf("the whole file: %v", err)
	}
	last := bytes.LastIndex(b, []byte{0xff, 0xda})
	if last < 0 || len(b)-last < 200 {
		t.Fatal("no scan to cut")
	}
	cut := bytes.Clone(b[:last+(len(b)-last)/2])
	for cut[len(cut)-1] == 0xff {
		cut = cut[:len(cut)-1]
	}
	cut = append(cut, 0xff, 0xd9)
	if _, _, err := readJPEG(cut, true, nil); !errors.Is(err, errCut) && !errors.Is(err, errBad) {
		t.Errorf("cut and closed: %v", err)
	}
}

func BenchmarkReadJPEG(b *testing.B) {
	data, err := os.ReadFile(filepath.Join(testneed.Shared(b, "scans"), "page_200dpi_colour.jpg"))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("sha256", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			sha256.Sum256(data)
		}
	})
	b.Run("markers", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := scanJPEG(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("means", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, _, err := readJPEG(data, true, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("quarter", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, _, err := readJPEG(data, false, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := jpeg.Decode(bytes.NewReader(data)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
