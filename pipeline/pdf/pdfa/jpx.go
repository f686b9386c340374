package pdfa

import (
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
	palette  bool
	width    int64
	height   int64
}

// readJPX reads the headers of a JPEG 2000 image.
func readJPX(r io.ReaderAt, size int64) (jpxInfo, error) {
	var j jpxInfo
	head := make([]byte, 12)
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
	err := boxes(r, 0, size, func(kind string, at, n int64) error {
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
	if j.channels == 0 {
		j.channels = j.comps
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
	case "pclr":
		j.palette = true
	case "cdef":
		if len(b) < 2 {
			return nil
		}
		count := int(binary.BigEndian.Uint16(b))
		for i := 0; i < count && 2+6*i+6 <= len(b); i++ {
			if binary.BigEndian.Uint16(b[2+6*i+2:]) == 0 {
				j.channels++
			}
		}
	}
	return nil
}

// codestream reads the SIZ marker.
func (j *jpxInfo) codestream(r io.ReaderAt, at, n int64) error {
	b := make([]byte, min(n, 64<<10))
	got, err := r.ReadAt(b, at)
	b = b[:got]
	if err != nil && err != io.EOF {
		return err
	}
	if len(b) < 42 || b[0] != 0xff || b[1] != 0x4f || b[2] != 0xff || b[3] != 0x51 {
		return fmt.Errorf("JPEG 2000 codestream without its size")
	}
	siz := b[4:]
	u32 := func(i int) int64 { return int64(binary.BigEndian.Uint32(siz[i:])) }
	j.width, j.height = u32(4)-u32(12), u32(8)-u32(16)
	j.comps = int(binary.BigEndian.Uint16(siz[36-2:]))
	if j.comps < 1 || len(siz) < 36+3*j.comps {
		return fmt.Errorf("JPEG 2000 codestream header cut off")
	}
	for i := range j.comps {
		bits := int(siz[36+3*i]&0x7f) + 1
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
	case !j.boxed && !hasSpace:
		return fmt.Errorf("a bare codestream without colour space")
	case j.boxed && j.channels != 1 && j.channels != 3 && j.channels != 4:
		return fmt.Errorf("%d colour channels", j.channels)
	case j.bits < 1 || j.bits > 38:
		return fmt.Errorf("components of different depths")
	case j.colrs > 1 && j.approx != 1:
		return fmt.Errorf("%d colour boxes of which %d are the best", j.colrs, j.approx)
	case j.colrs > 0 && (j.method < 1 || j.method > 3):
		return fmt.Errorf("colour method %d", j.method)
	case j.enum == 19:
		return fmt.Errorf("CIEJab colours")
	case !hasSpace && j.colrs == 0:
		return fmt.Errorf("no colour space")
	}
	return nil
}

// jpx checks a JPEG 2000 image and notes the device colours it brings.
func (c *converter) jpx(s *stream, fs []filter, d, out dict) error {
	if len(fs) != 1 {
		return refuse("JPEG 2000 coded twice")
	}
	j, err := readJPX(s.body, s.body.Size())
	if err != nil {
		return refuse("JPEG 2000: %v", err)
	}
	if err := j.allowed(out["ColorSpace"] != nil); err != nil {
		return refuse("JPEG 2000: %v", err)
	}
	if out["ColorSpace"] == nil {
		switch {
		case j.method == 1 && j.enum == 12:
			c.usesCMYK = true
		case j.method == 1:
			if j.channels >= 3 {
				c.usesRGB = true
			}
		}
	}
	return nil
}
