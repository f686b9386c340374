package pdfa

import "io"

// Memory is a file that lies in memory as it is. Whoever reads it here reads it
// in place; nobody may write to it meanwhile.
type Memory []byte

// ReadAt implements io.ReaderAt.
func (m Memory) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= int64(len(m)) {
		return 0, io.EOF
	}
	n := copy(p, m[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Slice is the n bytes at off, not to be written to; nil where there are none.
func (m Memory) Slice(off, n int64) []byte {
	if off < 0 || n <= 0 || off > int64(len(m)) || n > int64(len(m))-off {
		return nil
	}
	return m[off : off+n : off+n]
}

// InMemory is the n bytes at off of a file that is Memory, or of a section of
// one, not to be written to. It is nil for any other file.
func InMemory(r io.ReaderAt, off, n int64) []byte {
	switch r := r.(type) {
	case Memory:
		return r.Slice(off, n)
	case *io.SectionReader:
		outer, from, size := r.Outer()
		if off < 0 || n > size-off {
			return nil
		}
		return InMemory(outer, from+off, n)
	}
	return nil
}
