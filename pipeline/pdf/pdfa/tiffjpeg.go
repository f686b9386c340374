package pdfa

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// writeJPEG puts the JPEG tables of the directory in front of the strip.
func (p *tiffPage) writeJPEG(w *imageWriter) (ref, error) {
	if len(p.offs) != 1 {
		return p.stitchJPEG(w)
	}
	strip := io.NewSectionReader(p.t.r, int64(p.offs[0]), int64(p.counts[0]))
	head := p.jpegHead()
	j, err := scanJPEG(strip, strip.Size())
	if err != nil {
		if errors.Is(err, errJPEG) {
			return ref{}, damagedImage("%v", err)
		}
		return ref{}, err
	}
	if !j.whole {
		return ref{}, truncated("a JPEG strip has no end")
	}
	if err := j.unfit(); err != nil {
		return ref{}, err
	}
	if j.width != p.width || j.height != p.height {
		return ref{}, refuse("TIFF: JPEG of another size than its page")
	}
	head = p.colourMarker(&j, head)
	body := io.MultiReader(bytes.NewReader(head), io.NewSectionReader(strip, 2, j.end-2))
	return w.jpeg(j, body, int64(len(head))+j.end-2)
}

// jpegHead is the start of a JPEG: SOI and the tables of the directory.
func (p *tiffPage) jpegHead() []byte {
	head := []byte{0xff, 0xd8}
	if len(p.tables) > 4 {
		t := bytes.TrimPrefix(p.tables, []byte{0xff, 0xd8})
		head = append(head, bytes.TrimSuffix(t, []byte{0xff, 0xd9})...)
	}
	return head
}

// colourMarker says what the components are, where the JPEG does not: without
// an Adobe marker readers take three components for YCbCr. TIFF keeps its CMYK
// upright, Adobe's JPEGs invert it.
func (p *tiffPage) colourMarker(j *jpegInfo, head []byte) []byte {
	j.icc = p.icc
	if j.adobe < 0 && j.comps >= 3 {
		transform := byte(1)
		if p.photometric == 2 || p.photometric == 5 {
			transform = 0
		}
		head = append(head, 0xff, 0xee, 0, 14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, transform)
	}
	if p.photometric == 5 {
		j.adobe = -1
	} else {
		j.adobe = 1
	}
	return head
}

// jpegStrip is a baseline JPEG taken apart.
type jpegStrip struct {
	tables, frame, start []byte // DQT and DHT segments, the frame header, the scan header
	data                 []byte // coded data
}

// takeApart reads a JPEG strip of one scan without restarts.
func takeApart(b []byte) (jpegStrip, error) {
	var s jpegStrip
	if len(b) < 4 || b[0] != 0xff || b[1] != 0xd8 {
		return s, fmt.Errorf("%w: strip", errJPEG)
	}
	for i := 2; i+4 <= len(b); {
		if b[i] != 0xff {
			return s, fmt.Errorf("%w: strip", errJPEG)
		}
		kind := b[i+1]
		if kind == 0xff {
			i++
			continue
		}
		n := int(binary.BigEndian.Uint16(b[i+2:]))
		if n < 2 || i+2+n > len(b) {
			return s, fmt.Errorf("%w: strip", errJPEG)
		}
		seg := b[i : i+2+n]
		i += 2 + n
		switch {
		case kind == 0xc0 || kind == 0xc1:
			s.frame = seg
		case kind == 0xdb || kind == 0xc4:
			s.tables = append(s.tables, seg...)
		case kind == 0xdd:
			if n == 4 && (seg[4] != 0 || seg[5] != 0) {
				return s, refuse("TIFF: JPEG strips with restarts")
			}
		case kind == 0xda:
			end := bytes.LastIndex(b[i:], []byte{0xff, 0xd9})
			if end < 0 || s.frame == nil {
				return s, fmt.Errorf("%w: strip", errJPEG)
			}
			s.start, s.data = seg, b[i:i+end]
			for k := 0; k+1 < len(s.data); k++ {
				if s.data[k] == 0xff && s.data[k+1] != 0 {
					return s, refuse("TIFF: JPEG strips of several scans")
				}
			}
			return s, nil
		case kind >= 0xc2 && kind <= 0xcf:
			return s, refuse("TIFF: JPEG strips that are not baseline")
		}
	}
	return s, fmt.Errorf("%w: strip", errJPEG)
}

// stitchJPEG puts the JPEG strips of a page together without decoding them:
// each becomes a restart interval of one JPEG, for a restart begins as a new
// picture does.
func (p *tiffPage) stitchJPEG(w *imageWriter) (ref, error) {
	var head, tables, frame, start []byte
	j := jpegInfo{adobe: -1, sof: 0xc0, bits: 8, width: p.width, height: p.height, orientation: 1}
	var size int64
	for i := range p.offs {
		b, err := p.piece(i)
		if err != nil {
			return ref{}, err
		}
		s, err := takeApart(b)
		if errors.Is(err, errJPEG) {
			return ref{}, damagedImage("%v", err)
		}
		if err != nil {
			return ref{}, err
		}
		f := s.frame
		if len(f) < 10 || f[4] != 8 || len(f) < 10+3*int(f[9]) || int(binary.BigEndian.Uint16(f[7:])) != p.width {
			return ref{}, refuse("TIFF: a JPEG strip of another shape than its page")
		}
		j.comps = int(f[9])
		rows := int(binary.BigEndian.Uint16(f[5:]))
		if i == 0 {
			hmax, vmax := 1, 1
			for c := range j.comps {
				hmax, vmax = max(hmax, int(f[11+3*c]>>4)), max(vmax, int(f[11+3*c]&15))
			}
			if j.comps == 1 {
				hmax, vmax = 1, 1
			}
			if p.th%(8*vmax) != 0 {
				return ref{}, refuse("TIFF: JPEG strips of %d rows", p.th)
			}
			interval := (p.width + 8*hmax - 1) / (8 * hmax) * (p.th / (8 * vmax))
			if interval > 65535 {
				return ref{}, refuse("TIFF: JPEG strips that are too large")
			}
			tables, start = s.tables, s.start
			frame = bytes.Clone(f)
			binary.BigEndian.PutUint16(frame[5:], uint16(p.height))
			head = p.colourMarker(&j, p.jpegHead())
			head = append(head, tables...)
			head = append(head, frame...)
			head = append(head, 0xff, 0xdd, 0, 4, byte(interval>>8), byte(interval))
			head = append(head, start...)
			size = int64(len(head)) + 2
		} else {
			// Everything but the height must be as in the first strip.
			same := bytes.Clone(f)
			binary.BigEndian.PutUint16(same[5:], uint16(p.height))
			if !bytes.Equal(same, frame) || !bytes.Equal(s.tables, tables) || !bytes.Equal(s.start, start) {
				return ref{}, refuse("TIFF: JPEG strips that are coded differently")
			}
			size += 2
		}
		vmax := 1
		if j.comps > 1 {
			for c := range j.comps {
				vmax = max(vmax, int(f[11+3*c]&15))
			}
		}
		// The last strip may be padded, though not by a whole row of blocks.
		want := p.pieceRows(i)
		if rows < want || i < len(p.offs)-1 && rows != want || (rows-1)/(8*vmax) != (want-1)/(8*vmax) {
			return ref{}, refuse("TIFF: a JPEG strip of another shape than its page")
		}
		size += int64(len(s.data))
	}
	if err := j.unfit(); err != nil {
		return ref{}, err
	}
	pr, pw := io.Pipe()
	go func() {
		pw.CloseWithError(func() error {
			if _, err := pw.Write(head); err != nil {
				return err
			}
			for i := range p.offs {
				b, err := p.piece(i)
				if err != nil {
					return err
				}
				s, err := takeApart(b)
				if err != nil {
					return err
				}
				end := []byte{0xff, 0xd0 + byte(i%8)}
				if i == len(p.offs)-1 {
					end[1] = 0xd9
				}
				if _, err := pw.Write(append(bytes.Clone(s.data), end...)); err != nil {
					return err
				}
			}
			return nil
		}())
	}()
	r, err := w.jpeg(j, pr, size)
	_ = pr.CloseWithError(io.ErrClosedPipe)
	return r, err
}
