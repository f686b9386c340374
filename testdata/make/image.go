package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	stdimage "image"
	"image/color"
	"image/jpeg"
)

// image is an image as a PDF holds it.
type image struct {
	w, h   int
	bits   int
	colour string // DeviceRGB, DeviceGray, DeviceCMYK
	filter string // with its parameters
	data   []byte
}

func (im image) dict() string {
	return fmt.Sprintf("/Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent %d/ColorSpace/%s%s", im.w, im.h, im.bits, im.colour, im.filter)
}

// jpegImage takes a JPEG file as it is.
func jpegImage(b []byte) image {
	for i := 2; i+9 < len(b); {
		m, n := b[i+1], int(binary.BigEndian.Uint16(b[i+2:]))
		if m >= 0xC0 && m <= 0xC2 {
			cs := map[byte]string{1: "DeviceGray", 3: "DeviceRGB", 4: "DeviceCMYK"}[b[i+9]]
			im := image{w: int(binary.BigEndian.Uint16(b[i+7:])), h: int(binary.BigEndian.Uint16(b[i+5:])), bits: 8, colour: cs, filter: "/Filter/DCTDecode", data: b}
			if cs == "DeviceCMYK" { // Adobe's CMYK JPEGs are inverted
				im.filter += "/Decode[1 0 1 0 1 0 1 0]"
			}
			return im
		}
		i += 2 + n
	}
	panic("no frame in the JPEG")
}

// g4Image takes the one strip of a little-endian G4 TIFF in which white is 0.
func g4Image(b []byte) image {
	t := tags(b)
	data := b[t[273]:][:t[279]]
	return image{w: t[256], h: t[257], bits: 1, colour: "DeviceGray",
		filter: fmt.Sprintf("/Filter/CCITTFaxDecode/DecodeParms<</K -1/Columns %d/Rows %d>>", t[256], t[257]), data: data}
}

func tags(b []byte) map[int]int {
	le := binary.LittleEndian
	ifd := b[le.Uint32(b[4:]):]
	t := map[int]int{}
	for i := range int(le.Uint16(ifd)) {
		e := ifd[2+12*i:]
		if le.Uint16(e[2:]) == 3 {
			t[int(le.Uint16(e))] = int(le.Uint16(e[8:]))
		} else {
			t[int(le.Uint16(e))] = int(le.Uint32(e[8:]))
		}
	}
	return t
}

// rawImage packs pixels with Flate.
func rawImage(w, h int, colour string, pix []byte) image {
	return image{w: w, h: h, bits: 8, colour: colour, filter: "/Filter/FlateDecode", data: deflate(pix)}
}

// tiff writes the G4 images as the pages of one TIFF.
func tiff(dpi int, pages ...image) []byte {
	le := binary.LittleEndian
	b := []byte{'I', 'I', 42, 0, 0, 0, 0, 0}
	link := 4
	for _, im := range pages {
		strip := len(b)
		b = append(b, im.data...)
		if len(b)%2 == 1 {
			b = append(b, 0)
		}
		res := len(b)
		b = le.AppendUint32(le.AppendUint32(b, uint32(dpi)), 1)
		le.PutUint32(b[link:], uint32(len(b)))
		entries := [][3]int{ // tag, type, value
			{256, 4, im.w}, {257, 4, im.h}, {258, 3, 1}, {259, 3, 4}, {262, 3, 0}, {273, 4, strip}, {277, 3, 1},
			{278, 4, im.h}, {279, 4, len(im.data)}, {282, 5, res}, {283, 5, res}, {296, 3, 2},
		}
		b = le.AppendUint16(b, uint16(len(entries)))
		for _, e := range entries {
			b = le.AppendUint16(le.AppendUint16(b, uint16(e[0])), uint16(e[1]))
			b = le.AppendUint32(le.AppendUint32(b, 1), uint32(e[2]))
		}
		link = len(b)
		b = le.AppendUint32(b, 0)
	}
	return b
}

// blank is a white page with a little of the grain that paper has.
func blank(w, h int) []byte {
	im := stdimage.NewGray(stdimage.Rect(0, 0, w, h))
	seed := uint32(1)
	for i := range im.Pix {
		seed = seed*1664525 + 1013904223
		im.Pix[i] = 250 + byte(seed>>30)
	}
	return encodeJPEG(im, 60)
}

func encodeJPEG(im stdimage.Image, quality int) []byte {
	var b bytes.Buffer
	check(jpeg.Encode(&b, im, &jpeg.Options{Quality: quality}))
	return b.Bytes()
}

// rotated is the JPEG turned by 90° clockwise in its pixels.
func rotated(b []byte) []byte {
	im, err := jpeg.Decode(bytes.NewReader(b))
	check(err)
	r := im.Bounds()
	out := stdimage.NewRGBA(stdimage.Rect(0, 0, r.Dy(), r.Dx()))
	for y := range r.Dy() {
		for x := range r.Dx() {
			c := color.RGBAModel.Convert(im.At(x, y)).(color.RGBA)
			out.SetRGBA(r.Dy()-1-y, x, c)
		}
	}
	return encodeJPEG(out, 60)
}

// halved is the JPEG at half its pixels.
func halved(b []byte) []byte {
	im, err := jpeg.Decode(bytes.NewReader(b))
	check(err)
	r := im.Bounds()
	out := stdimage.NewRGBA(stdimage.Rect(0, 0, r.Dx()/2, r.Dy()/2))
	for y := range r.Dy() / 2 {
		for x := range r.Dx() / 2 {
			out.Set(x, y, im.At(2*x, 2*y))
		}
	}
	return encodeJPEG(out, 60)
}

// jfif gives the JPEG a JFIF header that states dpi (0: none, an aspect ratio
// only), in place of any it has.
func jfif(b []byte, dpi int) []byte {
	unit := byte(1)
	if dpi == 0 {
		unit, dpi = 0, 1
	}
	out := []byte{0xFF, 0xD8, 0xFF, 0xE0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, unit, byte(dpi >> 8), byte(dpi), byte(dpi >> 8), byte(dpi), 0, 0}
	rest := b[2:]
	if rest[1] == 0xE0 {
		rest = rest[2+int(binary.BigEndian.Uint16(rest[2:])):]
	}
	return append(out, rest...)
}

// exif gives the JPEG an EXIF segment with orientation and dpi.
func exif(b []byte, orientation, dpi int) []byte {
	be := binary.BigEndian
	t := []byte("Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08")
	entries := [][3]int{{0x0112, 3, orientation << 16}, {0x011A, 5, 62}, {0x011B, 5, 62}, {0x0128, 3, 2 << 16}}
	t = be.AppendUint16(t, uint16(len(entries)))
	for _, e := range entries {
		t = be.AppendUint16(be.AppendUint16(t, uint16(e[0])), uint16(e[1]))
		t = be.AppendUint32(be.AppendUint32(t, 1), uint32(e[2]))
	}
	t = be.AppendUint32(t, 0)                                    // no further directory; offset 62 from the byte order mark
	t = be.AppendUint32(be.AppendUint32(t, uint32(dpi)), 1)      // the rational both point to
	seg := be.AppendUint16([]byte{0xFF, 0xE1}, uint16(len(t)+2)) // marker and length
	rest := b[2:]
	if rest[1] == 0xE0 {
		rest = rest[2+int(be.Uint16(rest[2:])):]
	}
	return append(append([]byte{0xFF, 0xD8}, append(seg, t...)...), rest...)
}
