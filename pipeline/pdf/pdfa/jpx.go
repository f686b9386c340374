package pdfa

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// jpxInfo is what the rules ask of a JPEG 2000 image.
type jpxInfo struct {
	comps    int
	bits     int  // of every component; 0: they differ
	boxed    bool // in the JP2 boxes, not a bare codestream
	colrs    int
	approx   int // colour boxes of the best fidelity
	method   int // of the colour box that counts
	enum     int
	channels int // colour channels, opacity left out
	nc, bpc  int // components and depth by the image header box
	palette  bool
	extra    bool // channels that are no colours
	codeAt   int64
	codeSize int64
	bpcc     bool // depths of the components in a box of their own
	width    int64
	height   int64
}

// readJPX reads the headers of a JPEG 2000 image.
func readJPX(r io.ReaderAt, size int64) (j jpxInfo, err error) {
	head := make([]byte, 12)
	defer func() {
		if j.channels == 0 {
			j.channels = j.comps
		}
	}()
	if _, err := r.ReadAt(head, 0); err != nil {
		return j, fmt.Errorf("JPEG 2000 header: %w", err)
	}
	if head[0] == 0xff && head[1] == 0x4f {
		return j, j.codestream(r, 0, size)
	}
	if binary.BigEndian.Uint32(head[4:]) != 0x6a502020 {
		return j, fmt.Errorf("not JPEG 2000")
	}
	j.boxed = true
	found := false
	err = boxes(r, 0, size, func(kind string, at, n int64) error {
		switch kind {
		case "jp2h":
			return boxes(r, at, n, func(kind string, at, n int64) error { return j.header(r, kind, at, n) })
		case "jp2c":
			if !found {
				found = true
				return j.codestream(r, at, n)
			}
		}
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("JPEG 2000 without its codestream")
	}
	return j, err
}

// boxes calls f for every box between at and at+n.
func boxes(r io.ReaderAt, at, n int64, f func(kind string, at, n int64) error) error {
	end := at + n
	for count := 0; at+8 <= end; count++ {
		if count > 10_000 {
			return fmt.Errorf("too many JPEG 2000 boxes")
		}
		var h [16]byte
		if _, err := r.ReadAt(h[:8], at); err != nil {
			return err
		}
		size, head := int64(binary.BigEndian.Uint32(h[:])), int64(8)
		switch size {
		case 0:
			size = end - at
		case 1:
			if _, err := r.ReadAt(h[8:], at+8); err != nil {
				return err
			}
			size, head = int64(binary.BigEndian.Uint64(h[8:])), 16
		}
		if size < head || at+size > end {
			// a box that is cut off: what it holds is still looked at
			size = end - at
			if size < head {
				return nil
			}
		}
		if err := f(string(h[4:8]), at+head, size-head); err != nil {
			return err
		}
		at += size
	}
	return nil
}

func (j *jpxInfo) header(r io.ReaderAt, kind string, at, n int64) error {
	b := make([]byte, min(n, 64<<10))
	if len(b) > 0 {
		if _, err := r.ReadAt(b, at); err != nil && err != io.EOF {
			return err
		}
	}
	switch kind {
	case "colr":
		if len(b) < 3 {
			return fmt.Errorf("JPEG 2000 colour box cut off")
		}
		j.colrs++
		first := j.colrs == 1
		if b[2] == 1 {
			j.approx++
			first = true
		}
		if first {
			j.method, j.enum = int(b[0]), 0
			if b[0] == 1 && len(b) >= 7 {
				j.enum = int(binary.BigEndian.Uint32(b[3:]))
			}
		}
	case "ihdr":
		if len(b) < 14 {
			return fmt.Errorf("JPEG 2000 image header cut off")
		}
		j.nc, j.bpc = int(binary.BigEndian.Uint16(b[8:])), int(b[10]&0x7f)+1
		if b[10] == 0xff {
			j.bpc = 0
		}
	case "pclr":
		j.palette = true
	case "bpcc":
		j.bpcc = true
	case "cdef":
		if len(b) < 2 {
			return nil
		}
		count := int(binary.BigEndian.Uint16(b))
		for i := 0; i < count && 2+6*i+6 <= len(b); i++ {
			if binary.BigEndian.Uint16(b[2+6*i+2:]) == 0 {
				j.channels++
			} else {
				j.extra = true
			}
		}
	}
	return nil
}

// codestream reads the SIZ marker.
func (j *jpxInfo) codestream(r io.ReaderAt, at, n int64) error {
	j.codeAt, j.codeSize = at, n
	b := make([]byte, min(n, 64<<10))
	got, err := r.ReadAt(b, at)
	b = b[:got]
	if err != nil && err != io.EOF {
		return err
	}
	if len(b) < 45 || b[0] != 0xff || b[1] != 0x4f || b[2] != 0xff || b[3] != 0x51 {
		return fmt.Errorf("JPEG 2000 codestream without its size")
	}
	siz := b[4:]
	u32 := func(i int) int64 { return int64(binary.BigEndian.Uint32(siz[i:])) }
	j.width, j.height = u32(4)-u32(12), u32(8)-u32(16)
	j.comps = int(binary.BigEndian.Uint16(siz[36:]))
	if j.comps < 1 || len(siz) < 38+3*j.comps {
		return fmt.Errorf("JPEG 2000 codestream header cut off")
	}
	for i := range j.comps {
		bits := int(siz[38+3*i]&0x7f) + 1
		if i == 0 {
			j.bits = bits
		} else if bits != j.bits {
			j.bits = 0
		}
	}
	return nil
}

// allowed says what PDF/A-2 has against the image (ISO 19005-2, 6.2.8.3).
func (j jpxInfo) allowed(hasSpace bool) error {
	switch {
	case !j.boxed || j.nc == 0:
		return fmt.Errorf("a bare codestream")
	case j.nc != 1 && j.nc != 3 && j.nc != 4, j.channels != 1 && j.channels != 3 && j.channels != 4:
		return fmt.Errorf("%d components, %d colour channels", j.nc, j.channels)
	case j.bpcc || j.bpc < 1 || j.bpc > 38:
		return fmt.Errorf("components of different depths or of %d bits", j.bpc)
	case !hasSpace && j.colrs != 1 && j.approx != 1:
		return fmt.Errorf("%d colour boxes of which %d are the best", j.colrs, j.approx)
	case !hasSpace && (j.method < 1 || j.method > 3):
		return fmt.Errorf("colour method %d", j.method)
	case !hasSpace && j.enum == 19:
		return fmt.Errorf("CIEJab colours")
	}
	return nil
}

// rewrap returns JP2 boxes to put before the codestream, where the image's own
// are missing or wrong and the codestream says all there is to say.
func (j jpxInfo) rewrap(hasSpace bool) ([]byte, bool) {
	if j.palette || j.extra || j.bits < 1 || j.bits > 38 || j.comps != 1 && j.comps != 3 && j.comps != 4 || j.width <= 0 || j.height <= 0 {
		return nil, false
	}
	enum := j.enum
	switch {
	case hasSpace:
		enum = map[int]int{1: 17, 3: 16, 4: 12}[j.comps]
	case j.method == 1 && (enum == 16 || enum == 18) && j.comps == 3, j.method == 1 && enum == 17 && j.comps == 1, j.method == 1 && enum == 12 && j.comps == 4:
	default:
		return nil, false
	}
	box := func(kind string, body ...byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
		return append(append(b, kind...), body...)
	}
	ihdr := binary.BigEndian.AppendUint32(nil, uint32(j.height))
	ihdr = binary.BigEndian.AppendUint32(ihdr, uint32(j.width))
	ihdr = binary.BigEndian.AppendUint16(ihdr, uint16(j.comps))
	ihdr = append(ihdr, byte(j.bits-1), 7, 0, 0)
	colr := binary.BigEndian.AppendUint32([]byte{1, 0, 0}, uint32(enum))
	out := box("jP  ", 0x0d, 0x0a, 0x87, 0x0a)
	out = append(out, box("ftyp", []byte("jp2 \x00\x00\x00\x00jp2 ")...)...)
	out = append(out, box("jp2h", append(box("ihdr", ihdr...), box("colr", colr...)...)...)...)
	// The last box may leave its length open: it goes to the end.
	return append(out, 0, 0, 0, 0, 'j', 'p', '2', 'c'), true
}

// jpx checks a JPEG 2000 image, notes the device colours it brings and returns
// its body, in new boxes where its own are not allowed.
func (c *converter) jpx(s *stream, fs []filter, out dict) (io.Reader, int64, error) {
	if len(fs) != 1 {
		return nil, 0, refuse("JPEG 2000 coded twice")
	}
	size := s.body.Size()
	j, err := readJPX(s.body, size)
	if err != nil {
		return nil, 0, refuse("JPEG 2000: %v", err)
	}
	var body io.Reader = io.NewSectionReader(s.body, 0, size)
	hasSpace := out["ColorSpace"] != nil
	if bad := j.allowed(hasSpace); bad != nil {
		head, ok := j.rewrap(hasSpace)
		if !ok {
			return nil, 0, refuse("JPEG 2000: %v", bad)
		}
		body = io.MultiReader(bytes.NewReader(head), io.NewSectionReader(s.body, j.codeAt, j.codeSize))
		size = int64(len(head)) + j.codeSize
	}
	if !hasSpace {
		switch {
		case j.method == 1 && j.enum == 12:
			c.usesCMYK = true
		case j.method == 1 && j.channels >= 3:
			c.usesRGB = true
			if c.mixed {
				out["ColorSpace"] = c.sRGB()
			}
		}
	}
	return body, size, nil
}
