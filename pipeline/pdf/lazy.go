package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"sohoa/pipeline/pdf/pdfa"
)

// lazyReader reads a PDF's structure without its streams: pdfcpu loads every
// stream of a file into memory, which for scans is the whole file, and we need
// one image at a time. It takes files that are in order, which are nearly all;
// whatever is odd (a wrong offset or length, encryption, a missing end) it leaves
// to pdfcpu by answering errOdd. Objects are parsed by pdfcpu, so what comes out
// is what the first reader would have read.
func lazyReader(r *io.SectionReader, lim Limits) (src *model.Context, err error) {
	defer func() {
		if p := recover(); p != nil {
			src, err = nil, fmt.Errorf("%w: panic (%T) at %s", errOdd, p, panicSite())
		}
	}()
	src, err = model.NewContext(r, readerConfig(lim))
	if err != nil {
		return nil, err
	}
	head := make([]byte, min(r.Size(), pdfHeaderWithin))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	}
	if !knownVersion.Match(head) {
		return nil, odd("version")
	}
	version := model.V17
	src.HeaderVersion = &version
	z := lazy{src: src, r: r, size: r.Size(), lim: lim, inStream: map[int][]packed{}}
	if err := z.sections(); err != nil {
		return nil, err
	}
	if err := z.objects(); err != nil {
		return nil, err
	}
	return src, nil
}

var knownVersion = regexp.MustCompile(`%PDF-(?:1\.[0-7]|2\.0)\b`)

var errOdd = errors.New("not in order")

func odd(what string) error { return fmt.Errorf("%w: %s", errOdd, what) }

type lazy struct {
	src      *model.Context
	r        *io.SectionReader
	size     int64
	lim      Limits
	inStream map[int][]packed // by object stream
}

// packed is an object within an object stream.
type packed struct{ num, index int }

// maxEntries bounds what a cross-reference may say; a dense file has a million.
const maxEntries = 2_000_000

// sections reads the cross-reference from the newest section to the oldest; the
// first mention of an object counts.
func (z *lazy) sections() error {
	tail := make([]byte, min(z.size, tailWithin))
	if _, err := z.r.ReadAt(tail, z.size-int64(len(tail))); err != nil && err != io.EOF {
		return err
	}
	i := bytes.LastIndex(tail, []byte("startxref"))
	if i < 0 || !bytes.Contains(tail[i:], []byte("%%EOF")) {
		return odd("no end")
	}
	f := bytes.Fields(tail[i+len("startxref"):])
	at, err := strconv.ParseInt(string(f[0]), 10, 64)
	if err != nil {
		return odd("startxref")
	}
	seen := map[int64]bool{}
	first := true
	for at > 0 {
		if at >= z.size || seen[at] || len(seen) > 1000 {
			return odd("cross-reference offset")
		}
		seen[at] = true
		trailer, err := z.section(at)
		if err != nil {
			return err
		}
		if trailer["Encrypt"] != nil {
			return odd("encrypted")
		}
		if first {
			root, ok := trailer["Root"].(types.IndirectRef)
			if !ok {
				return odd("no root")
			}
			z.src.Root = &root
			if info, ok := trailer["Info"].(types.IndirectRef); ok {
				z.src.Info = &info
			}
			z.src.ID, _ = trailer["ID"].(types.Array)
			first = false
		}
		if x, ok := trailer["XRefStm"].(types.Integer); ok {
			if _, err := z.section(int64(x)); err != nil {
				return err
			}
		}
		prev, ok := trailer["Prev"]
		if !ok {
			break
		}
		n, ok := prev.(types.Integer)
		if !ok {
			return odd("previous section")
		}
		at = int64(n)
	}
	if first {
		return odd("no cross-reference")
	}
	size := z.src.MaxObjNr + 1
	z.src.XRefTable.Size = &size
	return nil
}

// enter notes where an object lies, unless a newer section did.
func (z *lazy) enter(num int, e *model.XRefTableEntry) error {
	if num < 0 || len(z.src.Table) >= maxEntries {
		return odd("object number")
	}
	if num > z.lim.Objects {
		return errObjects
	}
	if _, ok := z.src.Table[num]; ok {
		return nil
	}
	z.src.MaxObjNr = max(z.src.MaxObjNr, num)
	z.src.Table[num] = e
	if e.Compressed {
		z.inStream[*e.ObjectStream] = append(z.inStream[*e.ObjectStream], packed{num, *e.ObjectStreamInd})
	}
	return nil
}

// section reads one section, a table or a stream, and returns its trailer.
func (z *lazy) section(at int64) (types.Dict, error) {
	if at <= 0 || at >= z.size {
		return nil, odd("cross-reference offset")
	}
	var head [32]byte
	n, err := z.r.ReadAt(head[:], at)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if bytes.HasPrefix(bytes.TrimLeft(head[:n], " \r\n\t"), []byte("xref")) {
		return z.table(at)
	}
	return z.xrefStream(at, head[:n])
}

// table reads an old cross-reference table. Its entries are twenty bytes each,
// but not in every file, so it is read as words.
func (z *lazy) table(at int64) (types.Dict, error) {
	w := words{r: z.r, at: at, end: z.size}
	if s, err := w.next(); err != nil || s != "xref" {
		return nil, odd("xref")
	}
	for {
		s, err := w.next()
		if err != nil {
			return nil, err
		}
		if s == "trailer" {
			return z.trailer(w.offset())
		}
		start, err1 := strconv.Atoi(s)
		s, err = w.next()
		if err != nil {
			return nil, err
		}
		count, err2 := strconv.Atoi(s)
		if err1 != nil || err2 != nil || start < 0 || count < 0 || count > maxEntries {
			return nil, odd("cross-reference subsection")
		}
		for num := start; num < start+count; num++ {
			var f [3]string
			for i := range f {
				if f[i], err = w.next(); err != nil {
					return nil, err
				}
			}
			off, err1 := strconv.ParseInt(f[0], 10, 64)
			gen, err2 := strconv.Atoi(f[1])
			if err1 != nil || err2 != nil || f[2] != "n" && f[2] != "f" {
				return nil, odd("cross-reference entry")
			}
			e := &model.XRefTableEntry{Free: f[2] == "f" || off == 0, Offset: &off, Generation: &gen}
			if err := z.enter(num, e); err != nil {
				return nil, err
			}
		}
	}
}

const maxTrailer = 64 << 10

func (z *lazy) trailer(at int64) (types.Dict, error) {
	b := pdfa.InMemory(z.r, at, min(maxTrailer, z.size-at))
	if b == nil {
		b = make([]byte, min(maxTrailer, z.size-at))
		if _, err := z.r.ReadAt(b, at); err != nil && err != io.EOF {
			return nil, err
		}
	}
	if i := bytes.Index(b, []byte("startxref")); i >= 0 {
		b = b[:i]
	}
	d, ok := z.parse(string(b)).(types.Dict)
	if !ok {
		return nil, odd("trailer")
	}
	return d, nil
}

func (z *lazy) parse(s string) types.Object {
	o, err := model.ParseObjectContext(context.Background(), &s, 0, z.src.Conf.Limits.MaxRecursionDepth)
	if err != nil {
		return nil
	}
	return o
}

var objectHead = regexp.MustCompile(`^\s*([0-9]{1,10})\s+([0-9]{1,5})\s+obj`)

// object parses the object at an offset, which must be the one it is said to be
// (num −1: any), without its stream.
func (z *lazy) object(at int64, num int, head []byte) (types.Object, error) {
	if at <= 0 || at >= z.size {
		return nil, odd("offset")
	}
	if head == nil {
		var b [32]byte
		n, err := z.r.ReadAt(b[:], at)
		if err != nil && err != io.EOF {
			return nil, err
		}
		head = b[:n]
	}
	m := objectHead.FindSubmatch(head)
	if m == nil {
		return nil, odd("object")
	}
	is, err := strconv.Atoi(string(m[1]))
	if err != nil || num >= 0 && is != num {
		return nil, odd("object number")
	}
	gen, err := strconv.Atoi(string(m[2]))
	if err != nil {
		return nil, odd("generation")
	}
	o, err := pdfcpu.ParseObjectWithContext(context.Background(), z.src, at, is, gen)
	if err != nil {
		return nil, fmt.Errorf("%w: %T", errOdd, err)
	}
	return o, nil
}

// stream makes sure of a stream's length: its end must follow.
func (z *lazy) stream(sd *types.StreamDict) error {
	if sd.StreamLength == nil {
		if sd.StreamLengthObjNr == nil {
			return odd("stream length")
		}
		e, ok := z.src.Table[*sd.StreamLengthObjNr]
		if !ok || e.Free || e.Offset == nil {
			return odd("stream length")
		}
		if e.Object == nil {
			o, err := z.object(*e.Offset, *sd.StreamLengthObjNr, nil)
			if err != nil {
				return err
			}
			e.Object = o
		}
		n, ok := e.Object.(types.Integer)
		if !ok {
			return odd("stream length")
		}
		long := int64(n)
		sd.StreamLength = &long
	}
	long := *sd.StreamLength
	if long < 0 || sd.StreamOffset+long > z.size {
		return odd("stream length")
	}
	var b [20]byte
	n, err := z.r.ReadAt(b[:], sd.StreamOffset+long)
	if err != nil && err != io.EOF {
		return err
	}
	if !bytes.HasPrefix(bytes.TrimLeft(b[:n], "\r\n \t"), []byte("endstream")) {
		return odd("stream length")
	}
	return nil
}

// xrefStream reads a cross-reference stream.
func (z *lazy) xrefStream(at int64, head []byte) (types.Dict, error) {
	o, err := z.object(at, -1, head)
	if err != nil {
		return nil, err
	}
	sd, ok := o.(types.StreamDict)
	if !ok || lookName(z.src, sd.Dict["Type"]) != "XRef" {
		return nil, odd("cross-reference stream")
	}
	if err := z.stream(&sd); err != nil {
		return nil, err
	}
	body, err := decodedFrom(z.src, &sd, z.lim.Decoded)
	if err != nil {
		return nil, odd("cross-reference stream")
	}
	widths, ok := sd.Dict["W"].(types.Array)
	if !ok || len(widths) < 3 {
		return nil, odd("cross-reference stream")
	}
	var w [3]int
	for i := range w {
		n, ok := widths[i].(types.Integer)
		if !ok || n < 0 || n > 8 {
			return nil, odd("cross-reference stream")
		}
		w[i] = int(n)
	}
	size, ok := sd.Dict["Size"].(types.Integer)
	if !ok {
		return nil, odd("cross-reference stream")
	}
	index, ok := sd.Dict["Index"].(types.Array)
	if !ok {
		index = types.Array{types.Integer(0), size}
	}
	row := w[0] + w[1] + w[2]
	if row == 0 {
		return nil, odd("cross-reference stream")
	}
	field := func(n int) (v int64) {
		for _, c := range body[:n] {
			v = v<<8 | int64(c)
		}
		body = body[n:]
		return v
	}
	for i := 0; i+1 < len(index); i += 2 {
		start, ok1 := index[i].(types.Integer)
		count, ok2 := index[i+1].(types.Integer)
		if !ok1 || !ok2 || count < 0 || int64(count)*int64(row) > int64(len(body)) {
			return nil, odd("cross-reference stream")
		}
		for num := int(start); num < int(start+count); num++ {
			kind := int64(1)
			if w[0] > 0 {
				kind = field(w[0])
			}
			a, b := field(w[1]), int(field(w[2]))
			var e *model.XRefTableEntry
			switch kind {
			case 0:
				e = &model.XRefTableEntry{Free: true, Offset: &a, Generation: &b}
			case 1:
				e = &model.XRefTableEntry{Offset: &a, Generation: &b, Free: a == 0}
			case 2:
				if a <= 0 || a > int64(z.lim.Objects) || b < 0 {
					return nil, odd("cross-reference stream")
				}
				in, zero := int(a), 0
				e = &model.XRefTableEntry{Compressed: true, ObjectStream: &in, ObjectStreamInd: &b, Generation: &zero}
			default:
				continue
			}
			if err := z.enter(num, e); err != nil {
				return nil, err
			}
		}
	}
	return sd.Dict, nil
}

// objects parses every object.
func (z *lazy) objects() error {
	for num, e := range z.src.Table {
		if e.Free || e.Compressed || e.Object != nil {
			continue
		}
		o, err := z.object(*e.Offset, num, nil)
		if err != nil {
			return err
		}
		if sd, ok := o.(types.StreamDict); ok {
			if err := z.stream(&sd); err != nil {
				return err
			}
			o = sd
		}
		e.Object = o
	}
	total := int64(0)
	for in, members := range z.inStream {
		e, ok := z.src.Table[in]
		if !ok {
			return odd("object stream")
		}
		sd, ok := e.Object.(types.StreamDict)
		if !ok {
			return odd("object stream")
		}
		body, err := decodedFrom(z.src, &sd, z.lim.Decoded)
		if err != nil {
			return odd("object stream")
		}
		if total += int64(len(body)); total > z.lim.Decoded {
			return odd("object streams beyond the limit")
		}
		if err := z.unpack(body, lookInt(z.src, sd.Dict["First"]), lookInt(z.src, sd.Dict["N"]), members); err != nil {
			return err
		}
	}
	return nil
}

func (z *lazy) unpack(body []byte, first, n int, members []packed) error {
	if first < 0 || first > len(body) || n < 0 || n > first {
		return odd("object stream")
	}
	nums := bytes.Fields(body[:first])
	if len(nums) < 2*n {
		return odd("object stream")
	}
	for _, m := range members {
		if m.index >= n {
			return odd("object stream")
		}
		num, err1 := strconv.Atoi(string(nums[2*m.index]))
		from, err2 := strconv.Atoi(string(nums[2*m.index+1]))
		if err1 != nil || err2 != nil || num != m.num || from < 0 || first+from > len(body) {
			return odd("object stream")
		}
		to := len(body)
		if m.index+1 < n {
			if next, err := strconv.Atoi(string(nums[2*m.index+3])); err == nil && next >= from && first+next <= len(body) {
				to = first + next
			}
		}
		s := string(bytes.TrimSpace(body[first+from : to]))
		if s == "" {
			continue
		}
		o, err := model.ParseObjectContext(context.Background(), &s, 0, z.src.Conf.Limits.MaxRecursionDepth)
		if err != nil {
			return fmt.Errorf("%w: %T", errOdd, err)
		}
		z.src.Table[m.num].Object = o
	}
	return nil
}

// words reads the words of a cross-reference table.
type words struct {
	r       io.ReaderAt
	at, end int64
	buf     []byte
}

// next is the next word, of at most 20 bytes.
func (w *words) next() (string, error) {
	for {
		w.buf = bytes.TrimLeft(w.buf, " \r\n\t\x00\f")
		i := bytes.IndexAny(w.buf, " \r\n\t\x00\f<")
		if i > 0 {
			s := string(w.buf[:i])
			w.buf = w.buf[i:]
			return s, nil
		}
		if i == 0 || len(w.buf) > 20 || w.at >= w.end {
			return "", odd("cross-reference table")
		}
		more := make([]byte, min(4096, w.end-w.at))
		n, err := w.r.ReadAt(more, w.at)
		if n == 0 && err != nil {
			return "", err
		}
		w.at += int64(n)
		w.buf = append(bytes.Clone(w.buf), more[:n]...)
	}
}

// offset is where the next word begins.
func (w *words) offset() int64 { return w.at - int64(len(w.buf)) }
