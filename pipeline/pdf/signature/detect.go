package signature

import (
	"bytes"
	"compress/zlib"
	"io"
)

// Detect reports whether the file bears, or may bear, a digital signature and
// must therefore never be written anew. It does not parse the file, so that
// damage and trickery cannot hide a signature from it: it looks for the names
// that only signatures need (/ByteRange, /Sig, /DocTimeStamp, /UR3 …)
// in the raw bytes, however they are escaped, and inside object streams.
//
// False positives are possible (a file that merely mentions the names, or has an
// empty signature field) and harmless: such a file is kept as it is. There is
// no false negative among files a reader would call signed: a signature has to
// leave its own /Contents out of what it signs, so its dictionary cannot lie in
// a compressed stream.
//
// Only an error of r is returned.
func Detect(r io.ReaderAt, size int64) (bool, error) {
	found, zipped, err := scanFile(r, size)
	if found || err != nil {
		return found, err
	}
	last := int64(-1)
	for _, at := range zipped {
		if at <= last {
			continue // seen twice, in the overlap
		}
		last = at
		if found, err := scanObjectStream(r, size, at); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// scanFile is scanNames over a whole file.
func scanFile(r io.ReaderAt, size int64) (found bool, zipped []int64, err error) {
	// What lies in memory is looked at where it lies.
	if m, ok := r.(interface{ Slice(off, n int64) []byte }); ok {
		if b := m.Slice(0, size); b != nil {
			found, zipped = scanNames(b, 0, true)
			return found, zipped, nil
		}
	}
	const step, overlap = 1 << 16, 256
	buf := make([]byte, overlap+step)
	keep := 0 // bytes at the head of buf that were read before
	for off := int64(0); off < size; {
		want := min(int64(step), size-off)
		n, err := r.ReadAt(buf[keep:keep+int(want)], off)
		if int64(n) < want {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return false, nil, err
		}
		window := buf[:keep+n]
		found, packs := scanNames(window, off-int64(keep), off+int64(n) == size)
		if found {
			return true, nil, nil
		}
		zipped = append(zipped, packs...)
		off += int64(n)
		keep = copy(buf, window[max(0, len(window)-overlap):])
	}
	return false, zipped, nil
}

// telltale are the names that stand in signed files and next to nowhere else.
// The longest decides how much of a name has to be compared.
var telltale = map[string]bool{
	"ByteRange": true, "Sig": true, "DocTimeStamp": true, "UR3": true,
	"adbe.pkcs7.detached": true, "adbe.pkcs7.sha1": true, "adbe.x509.rsa_sha1": true,
	"ETSI.CAdES.detached": true, "ETSI.RFC3161": true,
}

const longestName = 24

// scanNames looks through the names in b, which lies at offset base of the
// file, and also returns where object streams are declared. Unless b is the
// last of the file, a name too near its end is left to the next piece.
func scanNames(b []byte, base int64, last bool) (found bool, packs []int64) {
	for i := 0; ; {
		j := bytes.IndexByte(b[i:], '/')
		if j < 0 {
			return false, packs
		}
		i += j + 1
		rest := b[i:]
		if len(rest) < 2 || !last && len(rest) <= 3*longestName {
			return false, packs
		}
		switch c := rest[0]; c {
		case 'B', 'S', 'D', 'U', 'a', 'E', 'O', '#': // how those names begin
		default:
			continue
		}
		var name [longestName + 1]byte
		n := unescapeName(name[:], rest)
		if n == 0 || n > longestName {
			continue
		}
		if telltale[string(name[:n])] {
			return true, packs
		}
		if string(name[:n]) == "ObjStm" {
			packs = append(packs, base+int64(i))
		}
	}
}

// unescapeName writes the name at the head of b to dst, resolving #xx, and
// returns its length; len(dst) means "too long to matter".
func unescapeName(dst, b []byte) int {
	n := 0
	for i := 0; i < len(b) && n < len(dst); i++ {
		c := b[i]
		if !isRegular(c) {
			return n
		}
		if c == '#' && i+2 < len(b) {
			if hi, lo := unhex(b[i+1]), unhex(b[i+2]); hi >= 0 && lo >= 0 {
				c = byte(hi<<4 | lo)
				i += 2
			}
		}
		dst[n] = c
		n++
	}
	return n
}

// scanObjectStream looks for telltale names in the object stream whose /ObjStm
// stands at offset at. It inflates at most 8 MiB: what declares itself a
// signature field stands in a dictionary of a few hundred bytes, and the names
// of a signature proper stand in the raw bytes anyhow. What cannot be inflated
// (another filter, encrypted) is passed over.
func scanObjectStream(r io.ReaderAt, size, at int64) (bool, error) {
	head := make([]byte, min(4096, size-at))
	if n, err := r.ReadAt(head, at); n < len(head) {
		return false, err
	}
	i := bytes.Index(head, []byte("stream"))
	if i < 0 {
		return false, nil
	}
	i += len("stream")
	if i < len(head) && head[i] == '\r' {
		i++
	}
	if i < len(head) && head[i] == '\n' {
		i++
	}
	z, err := zlib.NewReader(io.NewSectionReader(r, at+int64(i), size-at-int64(i)))
	if err != nil {
		return false, nil // not zlib: nothing to be learnt here
	}
	defer z.Close()
	text, _ := io.ReadAll(io.LimitReader(z, 8<<20)) // what came out before the damage counts
	found, _ := scanNames(text, 0, true)
	return found, nil
}
