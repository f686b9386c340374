package pdf

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// errCut: data ends before what it promised. errBad: the data is there and is
// not what it claims to be.
var (
	errCut = errors.New("image data is cut off")
	errBad = errors.New("image data is damaged")
)

// jpegInfo is what a JPEG's markers say.
type jpegInfo struct {
	width, height int
	components    int
	bits          int
	progressive   bool
	complete      bool // reached EOI
	scans         int
}

// scanJPEG goes over a JPEG marker by marker to its end. Entropy-coded data is
// passed by searching for the next 0xFF, so it costs far less than decoding;
// what it cannot see is data that is wrong without being short.
func scanJPEG(b []byte) (jpegInfo, error) {
	var info jpegInfo
	i := bytes.Index(b[:min(len(b), 64)], []byte{0xff, 0xd8}) // some writers put a line break first
	if i < 0 {
		return info, fmt.Errorf("%w: no JPEG", errBad)
	}
	i += 2
	for {
		// To the next marker.
		j := bytes.IndexByte(b[i:], 0xff)
		if j < 0 || i+j+1 >= len(b) {
			return info, errCut
		}
		i += j + 1
		for i < len(b) && b[i] == 0xff {
			i++
		}
		if i >= len(b) {
			return info, errCut
		}
		m := b[i]
		i++
		switch {
		case m == 0x00 || m >= 0xd0 && m <= 0xd7 || m == 0x01 || m == 0xd8:
			continue // stuffed byte, restart marker
		case m == 0xd9:
			if info.scans == 0 {
				return info, fmt.Errorf("%w: JPEG without a scan", errCut)
			}
			info.complete = true
			return info, nil
		}
		if i+2 > len(b) {
			return info, errCut
		}
		n := int(binary.BigEndian.Uint16(b[i:]))
		if n < 2 {
			continue // junk between segments: go on searching
		}
		if i+n > len(b) {
			return info, errCut
		}
		seg := b[i+2 : i+n]
		switch {
		case m >= 0xc0 && m <= 0xcf && m != 0xc4 && m != 0xc8 && m != 0xcc:
			if len(seg) >= 6 && info.width == 0 {
				info.bits = int(seg[0])
				info.height = int(binary.BigEndian.Uint16(seg[1:]))
				info.width = int(binary.BigEndian.Uint16(seg[3:]))
				info.components = int(seg[5])
				info.progressive = m == 0xc2 || m == 0xc6 || m == 0xca || m == 0xce
			}
		case m == 0xda:
			info.scans++
		case m == 0xdc: // DNL: the height comes after the first scan
			if len(seg) >= 2 && info.height == 0 {
				info.height = int(binary.BigEndian.Uint16(seg))
			}
		}
		i += n
	}
}

// inflates reads a zlib stream and returns how many bytes it gives, at most
// limit. Bytes that follow its end do not matter.
func inflates(b []byte, limit int64) (int64, error) {
	r, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return 0, err
	}
	return io.Copy(io.Discard, io.LimitReader(r, limit))
}

// check says whether a picture's data is all there. Cheap for JPEG and JPEG 2000;
// Flate has to be inflated, for nothing else tells where it ends.
func (p *picture) check(limit int64) error {
	if p.stream == nil {
		return nil
	}
	raw := p.stream.Raw
	if len(raw) == 0 {
		return errCut
	}
	if len(p.stream.FilterPipeline) > 1 {
		return nil
	}
	switch p.filter {
	case "DCTDecode":
		info, err := scanJPEG(raw)
		if err != nil {
			return err
		}
		if p.colours == 0 {
			p.colours = info.components
		}
		if info.height > 0 && info.height < p.height*9/10 {
			return errCut
		}
	case "FlateDecode":
		want := int64((p.width*p.bits*p.samples+7)/8) * int64(p.height)
		got, err := inflates(raw, limit)
		if got < want && (err == nil || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)) {
			return errCut
		}
		if got < want {
			return errBad
		}
	case "":
		if want := int64((p.width*p.bits*p.samples+7)/8) * int64(p.height); int64(len(raw)) < want {
			return errCut
		}
	}
	return nil
}
