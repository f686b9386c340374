package pdf

import (
	"encoding/binary"
	"errors"
	"testing"
)

// jpx builds a codestream of one tile part with so many bytes of data.
func jpx(data int) []byte {
	b := []byte{0xff, 0x4f, 0xff, 0x51, 0, 41}
	siz := make([]byte, 39)
	binary.BigEndian.PutUint32(siz[2:], 1654)
	binary.BigEndian.PutUint32(siz[6:], 2339)
	binary.BigEndian.PutUint16(siz[34:], 1)
	siz[36] = 7
	b = append(b, siz...)
	b = append(b, 0xff, 0x90, 0, 10, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(14+data))
	b = append(b, 0, 1, 0xff, 0x93)
	b = append(b, make([]byte, data)...)
	return append(b, 0xff, 0xd9)
}

// jbig2 builds an embedded stream: page information and one region.
func jbig2(data int) []byte {
	b := []byte{0, 0, 0, 0, 48, 0, 1, 0, 0, 0, 19}
	b = append(b, make([]byte, 19)...)
	b = append(b, 0, 0, 0, 1, 38, 0, 1)
	b = binary.BigEndian.AppendUint32(b, uint32(data))
	return append(b, make([]byte, data)...)
}

func TestScanSegments(t *testing.T) {
	info, err := scanJPX(jpx(500))
	if err != nil || info.width != 1654 || info.height != 2339 || info.components != 1 || info.bits != 8 {
		t.Errorf("JPEG 2000: %+v, %v", info, err)
	}
	if err := scanJBIG2(jbig2(500)); err != nil {
		t.Errorf("JBIG2: %v", err)
	}
	for tenth := 1; tenth < 10; tenth++ {
		b := jpx(500)
		if _, err := scanJPX(b[:len(b)*tenth/10]); !errors.Is(err, errCut) {
			t.Errorf("JPEG 2000 cut at %d of 10: %v", tenth, err)
		}
		b = jbig2(500)
		if err := scanJBIG2(b[:len(b)*tenth/10]); !errors.Is(err, errCut) {
			t.Errorf("JBIG2 cut at %d of 10: %v", tenth, err)
		}
	}
	boxed := append([]byte("\x00\x00\x00\x0cjP  \r\n\x87\n\x00\x00\x00\x08jp2c"), jpx(500)...)
	if _, err := scanJPX(boxed); err != nil {
		t.Errorf("JPEG 2000 in boxes: %v", err)
	}
}

func TestPageResolution(t *testing.T) {
	scan := func(px int, share float64) draw {
		return draw{img: &picture{width: px * 8, height: px * 11, bits: 8}, dpi: float64(px), share: share}
	}
	stencil := func(px int, share float64) draw {
		d := scan(px, share)
		d.img.bits, d.img.mask = 1, true
		return d
	}
	for _, tt := range []struct {
		name  string
		draws []draw
		want  int
	}{
		{"one image", []draw{scan(200, 1)}, 200},
		{"a fine logo on a coarse page", []draw{scan(100, 1), scan(600, 0.02)}, 100},
		{"a coarse stamp on a fine page", []draw{scan(300, 1), scan(72, 0.05)}, 300},
		{"strips", []draw{scan(200, 0.25), scan(200, 0.25), scan(200, 0.25), scan(200, 0.25)}, 200},
		{"half fine, half coarse", []draw{scan(300, 0.5), scan(100, 0.5)}, 100},
		{"a mask over the whole page (MRC)", []draw{scan(100, 1), stencil(300, 1)}, 300},
		{"masks for the lines (MRC)", []draw{scan(100, 1), stencil(300, 0.1), stencil(300, 0.1)}, 300},
		{"a small stamp as a mask", []draw{scan(100, 1), stencil(300, 0.02)}, 100},
		{"a pixel drawn large", []draw{{img: &picture{width: 1, height: 1, bits: 8}, dpi: 0.1, share: 1}, scan(200, 0.9)}, 200},
		{"nothing to go by", []draw{{img: &picture{width: 1, height: 1, bits: 8}, dpi: 0.1, share: 1}}, 0},
	} {
		f := pageFacts{draws: tt.draws}
		if got := f.dpi(); got != tt.want {
			t.Errorf("%s: %d dpi, want %d", tt.name, got, tt.want)
		}
	}
	for dpi, coarse := range map[int]bool{195: true, 196: false, 199: false, 200: false, 150: true} {
		if tooCoarse(dpi, 200) != coarse {
			t.Errorf("%d dpi against 200: too coarse is %v", dpi, !coarse)
		}
	}
}
