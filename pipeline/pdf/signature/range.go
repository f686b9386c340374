package signature

import (
	"bytes"
	"crypto"
	"hash"
	"io"
)

// byteRange reads the two ranges.
func byteRange(sig dict) (r [4]int64, ok bool) {
	v, ok := sig.once("ByteRange")
	a, isArray := v.([]any)
	if !ok || !isArray || len(a) != 4 {
		return r, false
	}
	for i := range r {
		n, ok := a[i].(int64)
		if !ok || n < 0 {
			return r, false
		}
		r[i] = n
	}
	return r, true
}

var errRange = problem{"byte-range"}

// covered checks that the byte range leaves out exactly /Contents, brackets
// included, and nothing else up to its end.
func (v *verifier) covered(s *found) ([]byte, error) {
	raw, ok := s.sig.once("Contents")
	contents, isText := raw.(text)
	if !ok || !isText || !contents.hex || contents.start < 0 || len(contents.b) == 0 {
		return nil, errMalformed
	}
	// A byte range behind a reference may change under the signature.
	r, ok := byteRange(s.sig)
	if !ok {
		return nil, errRange
	}
	if r[0] != 0 || r[1] != contents.start || r[2] != contents.end || r[2]+r[3] < r[2] || r[2]+r[3] > v.size {
		return contents.b, errRange
	}
	s.ranges, s.end = r, r[2]+r[3]
	return contents.b, nil
}

// endsRevision reports whether a revision ends at end: %%EOF and nothing but
// blanks behind it.
func (v *verifier) endsRevision(end int64) bool {
	b, err := v.bytes(max(0, end-64), int(min(end, 64)))
	return err == nil && bytes.HasSuffix(bytes.TrimRight(b, "\r\n\t \x00"), []byte("%%EOF"))
}

// digest hashes what the signature covers.
func (v *verifier) digest(s *found, h crypto.Hash) ([]byte, error) {
	sum := h.New()
	for _, part := range [][2]int64{{s.ranges[0], s.ranges[1]}, {s.ranges[2], s.ranges[3]}} {
		if err := hashPart(sum, v.r, part[0], part[1]); err != nil {
			return nil, err
		}
	}
	return sum.Sum(nil), nil
}

func hashPart(h hash.Hash, r io.ReaderAt, off, n int64) error {
	buf := make([]byte, 1<<18)
	for n > 0 {
		b := buf[:min(n, int64(len(buf)))]
		if m, err := r.ReadAt(b, off); m < len(b) {
			return err
		}
		h.Write(b)
		off, n = off+int64(len(b)), n-int64(len(b))
	}
	return nil
}
