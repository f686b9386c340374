package pdfa

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strconv"
)

// output writes a PDF from front to back. It remembers offsets only. In a dry
// run (w nil) nothing is written and stream bodies are not read.
type output struct {
	ctx  context.Context
	w    *bufio.Writer
	sum  hash.Hash
	n    int64
	offs []int64 // by object number; 0: not written yet
	err  error
	buf  []byte
	// what copy reads into, where a stream is not in memory
	piece []byte
}

func newOutput(ctx context.Context, w io.Writer) *output {
	o := &output{ctx: ctx, offs: make([]int64, 1)}
	if w != nil {
		o.sum = sha256.New()
		o.w = bufio.NewWriter(io.MultiWriter(w, o.sum))
	}
	// The four bytes above 127 tell transports that the file is binary.
	o.write([]byte("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"))
	return o
}

func (o *output) dry() bool { return o.w == nil }

func (o *output) write(b []byte) {
	if o.err != nil || o.w == nil {
		return
	}
	n, err := o.w.Write(b)
	o.n += int64(n)
	if err != nil {
		o.err = fmt.Errorf("writing the archive copy: %w", err)
	}
}

// reserve gives out the next object number.
func (o *output) reserve() int {
	o.offs = append(o.offs, 0)
	return len(o.offs) - 1
}

func (o *output) begin(num int) {
	o.offs[num] = o.n
	o.buf = append(strconv.AppendInt(o.buf[:0], int64(num), 10), " 0 obj\n"...)
}

// put writes an object that is no stream under a reserved number.
func (o *output) put(num int, v any) {
	o.begin(num)
	if o.dry() {
		return
	}
	o.buf = appendObject(o.buf, v)
	o.buf = append(o.buf, "\nendobj\n"...)
	o.write(o.buf)
}

// add writes an object that is no stream and returns its reference.
func (o *output) add(v any) ref {
	num := o.reserve()
	o.put(num, v)
	return ref{num, 0}
}

// bytes writes a stream of bytes at hand, deflated where that is asked for.
func (o *output) bytes(num int, d dict, b []byte, deflate bool) {
	if o.dry() {
		o.begin(num)
		return
	}
	if deflate {
		b = deflated(b)
		d = with(d, "Filter", name("FlateDecode"))
	}
	o.body(num, d, bytes.NewReader(b), int64(len(b)))
}

// body writes a stream of size bytes from r as they are.
func (o *output) body(num int, d dict, r io.Reader, size int64) {
	o.begin(num)
	if o.dry() || o.err != nil {
		return
	}
	o.buf = appendObject(o.buf, with(d, "Length", size))
	o.buf = append(o.buf, "\nstream\n"...)
	o.write(o.buf)
	if s, ok := r.(*io.SectionReader); ok && InMemory(s, 0, size) != nil {
		o.write(InMemory(s, 0, size))
	} else if n := o.copy(r); o.err == nil && n != size {
		o.err = fmt.Errorf("writing the archive copy: a stream of %d bytes gave %d: %w", size, n, io.ErrUnexpectedEOF)
	}
	o.write([]byte("\nendstream\nendobj\n"))
}

// deflate writes a stream of unknown size deflated; its length follows it.
func (o *output) deflate(num int, d dict, r io.Reader) {
	length := o.reserve()
	o.begin(num)
	if o.dry() || o.err != nil {
		return
	}
	o.buf = appendObject(o.buf, with(d, "Length", ref{length, 0}))
	o.buf = append(o.buf, "\nstream\n"...)
	o.write(o.buf)
	start := o.n
	z := zlib.NewWriter(writerFunc(func(p []byte) (int, error) {
		o.write(p)
		return len(p), o.err
	}))
	if _, err := io.Copy(z, ctxReader{o.ctx, r}); err != nil && o.err == nil && !isDamage(err) {
		o.err = err
	}
	if err := z.Close(); err != nil && o.err == nil {
		o.err = err
	}
	size := o.n - start
	o.write([]byte("\nendstream\nendobj\n"))
	o.put(length, size)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func (o *output) copy(r io.Reader) int64 {
	if o.err != nil {
		return 0
	}
	if o.piece == nil {
		o.piece = make([]byte, 64<<10)
	}
	n, err := io.CopyBuffer(writerFunc(o.w.Write), ctxReader{o.ctx, r}, o.piece)
	o.n += n
	if err != nil {
		o.err = fmt.Errorf("copying a stream: %w", err)
	}
	return n
}

// ctxReader ends a copy when the context does.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// finish writes the cross-reference and the trailer. The file's ID is the
// digest of all that stands before it.
func (o *output) finish(root, info ref) (size int64, digest string, err error) {
	if o.err == nil && !o.dry() {
		if err := o.w.Flush(); err != nil {
			o.err = fmt.Errorf("writing the archive copy: %w", err)
		}
	}
	if o.err != nil || o.dry() {
		return 0, "", o.err
	}
	id := str(o.sum.Sum(nil)[:16])
	start := o.n
	o.buf = append(o.buf[:0], fmt.Sprintf("xref\n0 %d\n0000000000 65535 f \n", len(o.offs))...)
	for num, off := range o.offs[1:] {
		if off == 0 {
			return 0, "", fmt.Errorf("pdfa: object %d was promised and not written", num+1)
		}
		o.buf = append(o.buf, fmt.Sprintf("%010d 00000 n \n", off)...)
	}
	o.buf = append(o.buf, "trailer\n"...)
	o.buf = appendObject(o.buf, dict{"Size": len(o.offs), "Root": root, "Info": info, "ID": array{id, id}})
	o.buf = append(o.buf, fmt.Sprintf("\nstartxref\n%d\n%%%%EOF\n", start)...)
	o.write(o.buf)
	if o.err == nil {
		if err := o.w.Flush(); err != nil {
			o.err = fmt.Errorf("writing the archive copy: %w", err)
		}
	}
	return o.n, hex.EncodeToString(o.sum.Sum(nil)), o.err
}

// with returns a copy of d with one more entry.
func with(d dict, key name, v any) dict {
	out := make(dict, len(d)+1)
	for k, e := range d {
		out[k] = e
	}
	out[key] = v
	return out
}

func deflated(b []byte) []byte {
	var buf bytes.Buffer
	z := zlib.NewWriter(&buf)
	_, _ = z.Write(b) // a bytes.Buffer takes everything
	_ = z.Close()
	return buf.Bytes()
}
