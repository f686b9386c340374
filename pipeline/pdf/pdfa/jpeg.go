package pdfa

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"sohoa/dossier"
)

// jpegInfo is what the markers of a JPEG say.
type jpegInfo struct {
	width, height int
	comps, bits   int
	sof           byte
	adobe         int // colour transform of the Adobe marker, -1 without one
	dpiX, dpiY    float64
	orientation   int
	icc           []byte
	end           int64 // just behind EOI
	scans         int
	whole         bool // EOI was reached
}

var errJPEG = errors.New("damaged JPEG")

// scanJPEG walks the markers from SOI to EOI. It decodes nothing.
func scanJPEG(r io.ReaderAt, size int64) (jpegInfo, error) {
	j := jpegInfo{adobe: -1, orientation: 1}
	m := &markers{r: r, size: size}
	var chunks []iccChunk
	var exif []byte
	for {
		kind, ok, err := m.next()
		if err != nil {
			return j, err
		}
		if !ok {
			break // the file ends before EOI
		}
		switch {
		case kind == 0xd8 || kind == 0x01 || kind >= 0xd0 && kind <= 0xd7:
			continue
		case kind == 0xd9:
			j.end, j.whole = m.pos, true
		default:
			body, ok, err := m.segment(kind)
			if err != nil {
				return j, err
			}
			if !ok {
				return j, j.finish(chunks, exif)
			}
			switch {
			case kind >= 0xc0 && kind <= 0xcf && kind != 0xc4 && kind != 0xc8 && kind != 0xcc:
				if len(body) < 6 {
					return j, fmt.Errorf("%w: frame header", errJPEG)
				}
				if j.sof != 0 {
					return j, fmt.Errorf("%w: two frame headers", errJPEG)
				}
				j.sof, j.bits = kind, int(body[0])
				j.height, j.width = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
				j.comps = int(body[5])
			case kind == 0xda:
				j.scans++
				if err := m.entropy(); err != nil {
					return j, err
				}
			case kind == 0xe0 && len(body) >= 12 && string(body[:5]) == "JFIF\x00":
				x, y := float64(binary.BigEndian.Uint16(body[8:])), float64(binary.BigEndian.Uint16(body[10:]))
				switch body[7] {
				case 1:
					j.dpiX, j.dpiY = saneBoth(x, y)
				case 2:
					j.dpiX, j.dpiY = saneBoth(x*2.54, y*2.54)
				}
			case kind == 0xe1 && len(body) > 6 && string(body[:6]) == "Exif\x00\x00" && exif == nil:
				exif = slices.Clone(body[6:])
			case kind == 0xe2 && len(body) > 14 && string(body[:12]) == "ICC_PROFILE\x00":
				chunks = append(chunks, iccChunk{int(body[12]), slices.Clone(body[14:])})
			case kind == 0xee && len(body) >= 12 && string(body[:5]) == "Adobe":
				j.adobe = int(body[11])
			}
			continue
		}
		break
	}
	return j, j.finish(chunks, exif)
}

type iccChunk struct {
	no   int
	data []byte
}

func (j *jpegInfo) finish(chunks []iccChunk, exif []byte) error {
	slices.SortStableFunc(chunks, func(a, b iccChunk) int { return a.no - b.no })
	for _, c := range chunks {
		j.icc = append(j.icc, c.data...)
	}
	if exif != nil {
		o, x, y := readExif(exif)
		j.orientation = o
		if j.dpiX == 0 {
			j.dpiX, j.dpiY = x, y
		}
	}
	return nil
}

// readExif returns orientation and resolution. By its standard, Exif writes 72
// dpi where the resolution is unknown, so 72 states nothing.
func readExif(b []byte) (orientation int, x, y float64) {
	orientation = 1
	t, err := newTIFF(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return
	}
	d, _, _ := t.directory(t.first)
	if d == nil {
		return // damaged Exif says nothing about the picture
	}
	if o := d.uint(274, 1); o >= 1 && o <= 8 {
		orientation = int(o)
	}
	x, y = d.resolution()
	if x == 72 && y == 72 {
		x, y = 0, 0
	}
	return
}

// markers reads a JPEG piece by piece.
type markers struct {
	r    io.ReaderAt
	size int64
	pos  int64
	base int64 // of buf
	buf  []byte
}

// fill makes at least n bytes from pos on available, fewer at the end.
func (m *markers) fill(n int) ([]byte, error) {
	if off := m.pos - m.base; off >= 0 && off+int64(n) <= int64(len(m.buf)) {
		return m.buf[off:], nil
	}
	want := min(int64(max(n, 32<<10)), m.size-m.pos)
	if want <= 0 {
		return nil, nil
	}
	if int64(cap(m.buf)) < want {
		m.buf = make([]byte, want)
	}
	m.buf = m.buf[:want]
	got, err := m.r.ReadAt(m.buf, m.pos)
	if int64(got) < want {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, sourceError{fmt.Errorf("reading the image: %w", err)}
	}
	m.base = m.pos
	return m.buf, nil
}

// next goes to the next marker; false at the end of the data.
func (m *markers) next() (byte, bool, error) {
	b, err := m.fill(2)
	if err != nil || len(b) < 2 {
		return 0, false, err
	}
	if b[0] != 0xff {
		// Bytes between segments: decoders skip to the next marker.
		for {
			b, err := m.fill(2)
			if err != nil || len(b) < 2 {
				return 0, false, err
			}
			if i := bytes.IndexByte(b[:len(b)-1], 0xff); i >= 0 && b[i+1] != 0 {
				m.pos += int64(i)
				break
			} else if i >= 0 {
				m.pos += int64(i) + 2
				continue
			}
			m.pos += int64(len(b) - 1)
		}
	}
	for {
		b, err := m.fill(2)
		if err != nil || len(b) < 2 {
			return 0, false, err
		}
		if b[1] != 0xff {
			m.pos += 2
			return b[1], true, nil
		}
		m.pos++ // a fill byte
	}
}

// segment reads a marker's body; false where the file ends within it.
func (m *markers) segment(kind byte) ([]byte, bool, error) {
	b, err := m.fill(2)
	if err != nil || len(b) < 2 {
		return nil, false, err
	}
	n := int(binary.BigEndian.Uint16(b))
	if n < 2 {
		return nil, false, fmt.Errorf("%w: marker %x of length %d", errJPEG, kind, n)
	}
	if b, err = m.fill(n); err != nil || len(b) < n {
		return nil, false, err
	}
	m.pos += int64(n)
	return b[2:n], true, nil
}

// entropy skips coded data up to the next marker that is no restart.
func (m *markers) entropy() error {
	for {
		b, err := m.fill(2)
		if err != nil || len(b) < 2 {
			m.pos = m.size
			return err
		}
		i := 0
		for {
			k := bytes.IndexByte(b[i:len(b)-1], 0xff)
			if k < 0 {
				i = len(b) - 1
				break
			}
			i += k
			if c := b[i+1]; c != 0 && (c < 0xd0 || c > 0xd7) && c != 0xff {
				m.pos += int64(i)
				return nil
			}
			i++
		}
		m.pos += int64(i)
		if m.size-m.pos < 2 {
			m.pos = m.size
			return nil
		}
	}
}

func openJPEG(r io.ReaderAt, size int64) ([]picture, error) {
	j, err := scanJPEG(r, size)
	if err != nil {
		if errors.Is(err, errJPEG) {
			return nil, damagedImage("%v", err)
		}
		return nil, err
	}
	if !j.whole {
		return nil, truncated("no end of image")
	}
	if j.sof == 0 || j.scans == 0 {
		return nil, damagedImage("no frame or no scan in the JPEG")
	}
	if j.width == 0 || j.height == 0 {
		return nil, damagedImage("a JPEG of %d × %d pixels", j.width, j.height)
	}
	p := picture{Frame: Frame{Width: j.width, Height: j.height, DPIX: j.dpiX, DPIY: j.dpiY, Bits: j.bits,
		Components: j.comps, Orientation: j.orientation, Colour: dossier.FullColour, Coding: "JPEG"}}
	if j.comps == 1 {
		p.Colour = dossier.Grey
	}
	p.stop = j.unfit()
	p.write = func(w *imageWriter) (ref, error) {
		return w.jpeg(j, io.NewSectionReader(r, 0, j.end), j.end)
	}
	return []picture{p}, nil
}

// unfit says why PDF cannot hold the JPEG as it is, if it cannot.
func (j jpegInfo) unfit() error {
	switch {
	case j.sof != 0xc0 && j.sof != 0xc1 && j.sof != 0xc2:
		return refuse("JPEG of type SOF%d", j.sof-0xc0)
	case j.bits != 8:
		return refuse("JPEG of %d bits", j.bits)
	case j.comps != 1 && j.comps != 3 && j.comps != 4:
		return refuse("JPEG of %d components", j.comps)
	}
	return nil
}

// jpeg writes a JPEG as it is. Four components of an Adobe JPEG are inverted.
func (w *imageWriter) jpeg(j jpegInfo, body io.Reader, size int64) (ref, error) {
	d := dict{"Type": name("XObject"), "Subtype": name("Image"), "Width": j.width, "Height": j.height,
		"BitsPerComponent": 8, "Filter": name("DCTDecode"), "ColorSpace": w.colour(j.comps, j.icc)}
	if j.comps == 4 && j.adobe >= 0 {
		d["Decode"] = array{1, 0, 1, 0, 1, 0, 1, 0}
	}
	num := w.out.reserve()
	w.out.body(num, d, body, size)
	return ref{num, 0}, w.out.err
}
