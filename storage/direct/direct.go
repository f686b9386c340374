// Package direct writes and reads files past the kernel's page cache. A scan is
// written once and read once or twice soon after, so that the cache costs more
// than it gives: every new page of it is taken from the memory of everybody
// else, cleared and filled, and on a virtual machine often fetched from the host
// first, which was measured at four times the cost of writing the bytes.
//
// Where the file system or the kernel knows no such way, or a file is small, the
// usual way is taken; what is in the file is the same.
package direct

import (
	"errors"
	"io"
	"os"
	"sync"
	"unsafe"
)

const (
	block = 4096 // what memory, offset and length are multiples of, on every file system we know
	chunk = 256 << 10
	least = 64 << 10 // a smaller file is written the usual way
)

// Writer writes a new file from its beginning. Close must be called in any case.
type Writer struct {
	f    *os.File
	buf  []byte // aligned
	n    int    // bytes in buf
	mode mode
	err  error
}

type mode int

const (
	untried mode = iota
	past         // writes go past the cache
	usual
)

var chunks = sync.Pool{New: func() any { b := Room(chunk); return &b }}

// NewWriter returns a writer for an empty file open for writing. The file stays
// its owner's, who must not use it before Close.
func NewWriter(f *os.File) *Writer { return &Writer{f: f, buf: *chunks.Get().(*[]byte)} }

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	done := 0
	for len(p) > 0 {
		if w.err != nil {
			return done, w.err
		}
		k := copy(w.buf[w.n:], p)
		w.n += k
		done += k
		p = p[k:]
		if w.n == len(w.buf) {
			w.flush()
		}
	}
	return done, w.err
}

// ReadFrom implements io.ReaderFrom: it reads into the writer's own memory.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	var done int64
	for w.err == nil {
		k, err := r.Read(w.buf[w.n:])
		w.n += k
		done += int64(k)
		if w.n == len(w.buf) {
			w.flush()
		}
		if err == io.EOF {
			return done, w.err
		}
		if err != nil {
			return done, err
		}
	}
	return done, w.err
}

// flush writes the whole blocks of the buffer and keeps the rest.
func (w *Writer) flush() {
	whole := w.n &^ (block - 1)
	w.blocks(w.buf[:whole])
	w.n = copy(w.buf, w.buf[whole:w.n])
}

// blocks writes whole blocks that begin at the edge of one.
func (w *Writer) blocks(b []byte) {
	if len(b) == 0 || w.err != nil {
		return
	}
	if w.mode == untried {
		if w.mode = usual; setDirect(w.f, true) == nil {
			w.mode = past
		}
	}
	k, err := w.f.Write(b)
	if err != nil && w.mode == past && k&(block-1) == 0 && refused(err) {
		// The file system agreed and then would not.
		w.mode = usual
		if err = setDirect(w.f, false); err == nil {
			_, err = w.f.Write(b[k:])
		}
	}
	w.err = err
}

// rest writes the end of the file, of any length, and makes the file an ordinary
// one again.
func (w *Writer) rest(b []byte) error {
	if w.mode == past {
		w.err = errors.Join(w.err, setDirect(w.f, false))
	}
	if len(b) > 0 && w.err == nil {
		_, w.err = w.f.Write(b)
	}
	return w.err
}

// Close writes what is left. The file stays open, and from then on is read and
// written the usual way.
func (w *Writer) Close() error {
	if w.buf == nil {
		return w.err
	}
	if w.n >= least || w.mode == past {
		w.flush()
	}
	buf := w.buf
	w.buf = nil
	defer chunks.Put(&buf)
	return w.rest(buf[:w.n])
}

// WriteFile writes a whole file to f, which is empty and open for writing, and
// stays its owner's. Data in memory of Room is not copied on the way.
func WriteFile(f *os.File, data []byte) error {
	if uintptr(unsafe.Pointer(unsafe.SliceData(data)))%block != 0 {
		w := NewWriter(f)
		_, err := w.Write(data)
		return errors.Join(err, w.Close())
	}
	w := Writer{f: f}
	whole := 0
	if len(data) >= least {
		whole = len(data) &^ (block - 1)
		w.blocks(data[:whole])
	}
	return w.rest(data[whole:])
}

// ReadFile reads a file of the given size whole, past the cache where that can
// be, into buf or, where that is too small, into new memory, which it returns as
// room for the next file. A file that ends early is io.ErrUnexpectedEOF.
func ReadFile(f *os.File, size int, buf []byte) (data, room []byte, err error) {
	need := (size + block - 1) &^ (block - 1)
	room = Grow(buf, need)
	room = room[:cap(room)]
	if size < least || setDirect(f, true) != nil {
		_, err = f.ReadAt(room[:size], 0)
		return room[:size], room, early(err)
	}
	n, err := f.ReadAt(room[:need], 0)
	if n >= size {
		err = nil
	}
	err = errors.Join(early(err), setDirect(f, false))
	if err != nil && refused(err) {
		n, err = f.ReadAt(room[:size], 0)
		err = early(err)
	}
	return room[:min(n, size)], room, err
}

func early(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Room is so many bytes of memory that ReadFile and WriteFile need not copy: it
// begins at the edge of a block.
func Room(n int) []byte {
	b := make([]byte, n+block)
	skip := block - int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))%block)
	return b[skip%block : skip%block+n : skip%block+n]
}

// Grow returns buf where it has room for n bytes, and otherwise new memory of Room,
// twice as much as buf at least: files of which each is a little larger than the
// one before do not make garbage of the room for each.
func Grow(buf []byte, n int) []byte {
	if cap(buf) >= n {
		return buf
	}
	return Room(max(n, 2*cap(buf)))
}
