package pdfa

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/image/webp"

	"sohoa/dossier"
)

// openWebP reads a still WebP. PDF knows no WebP: its pixels are decoded and
// kept without loss.
func openWebP(r io.ReaderAt, size int64) ([]picture, error) {
	h := make([]byte, 12)
	if _, err := r.ReadAt(h, 0); err != nil {
		return nil, truncated("no WebP header")
	}
	n := int64(binary.LittleEndian.Uint32(h[4:])) + 8
	if n > size {
		return nil, truncated(fmt.Sprintf("%d of %d bytes", size, n))
	}
	var icc []byte
	orientation, x, y := 1, 0.0, 0.0
	for at := int64(12); at+8 <= n; {
		var c [8]byte
		if _, err := r.ReadAt(c[:], at); err != nil {
			return nil, fmt.Errorf("reading the image: %w", err)
		}
		length := int64(binary.LittleEndian.Uint32(c[4:]))
		if at+8+length > n {
			return nil, truncated("a WebP chunk is cut off")
		}
		switch string(c[:4]) {
		case "ICCP", "EXIF":
			if length > maxProfile {
				break
			}
			b := make([]byte, length)
			if _, err := r.ReadAt(b, at+8); err != nil && err != io.EOF {
				return nil, fmt.Errorf("reading the image: %w", err)
			}
			if c[0] == 'I' {
				icc = b
			} else {
				if len(b) > 6 && string(b[:6]) == "Exif\x00\x00" {
					b = b[6:]
				}
				orientation, x, y = readExif(b)
			}
		case "ANIM":
			return nil, damagedImage("an animated WebP is no scan")
		}
		at += 8 + length + length%2
	}
	cfg, err := webp.DecodeConfig(io.NewSectionReader(r, 0, n))
	if err != nil {
		return nil, webpError(err)
	}
	if int64(cfg.Width)*int64(cfg.Height) > maxWhole {
		return nil, rejected(dossier.TooLarge, "ảnh quá lớn", "too many pixels", nil)
	}
	im, err := webp.Decode(io.NewSectionReader(r, 0, n))
	if err != nil {
		return nil, webpError(err)
	}
	p := picture{Frame: Frame{Width: im.Bounds().Dx(), Height: im.Bounds().Dy(), DPIX: x, DPIY: y, Bits: 8, Components: 3,
		Orientation: orientation, Colour: dossier.FullColour, Coding: "WebP"}}
	p.write = func(w *imageWriter) (ref, error) { return w.decoded(im, icc) }
	return []picture{p}, nil
}

func webpError(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return truncated("WebP data end early")
	}
	return damagedImage("WebP: %v", err)
}
