package pdfa

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// document is what the writer needs of a PDF: objects by reference. file reads
// them from bytes; loaded takes them from pdfcpu.
type document interface {
	resolve(o any) (any, error) // follows references; a missing object is null
	trailer() dict
}

func newByteReader(r io.Reader) io.ByteReader {
	if b, ok := r.(io.ByteReader); ok {
		return b
	}
	return bufio.NewReader(r)
}

const (
	maxObject    = 16 << 20 // a single object's text, without its stream
	maxObjNumber = 8_388_607
	maxObjStm    = 64 << 20 // decoded object stream
	maxEntries   = 1_000_000
)

// entry says where an object lies: at an offset, or in an object stream.
type entry struct {
	off int64 // offset, or the number of the object stream
	gen int
	idx int32 // index in the object stream; -1 for a plain object
}

// file is a lazy reader of a PDF: it keeps the cross-reference and the objects
// asked for, and no stream bytes.
type file struct {
	r       io.ReaderAt
	size    int64
	shift   int64 // bytes before %PDF, where offsets count from there
	xref    map[int]entry
	top     dict
	cache   map[int]any
	busy    map[int]bool
	objstm  map[int]*objectStream
	rebuilt bool // the cross-reference was put together from the bytes
	mended  bool // some stream's length or some offset was wrong
}

type objectStream struct {
	nums []int
	offs []int
	data []byte
}

// openFile reads the cross-reference, or rebuilds it where it is wrong.
func openFile(r io.ReaderAt, size int64) (*file, error) {
	f := &file{r: r, size: size}
	f.reset()
	head := make([]byte, min(1024, size))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, sourceError{fmt.Errorf("reading the PDF: %w", err)}
	}
	at := bytes.Index(head, []byte("%PDF-"))
	if at < 0 {
		return nil, fmt.Errorf("%w: no PDF header", errSyntax)
	}
	err := f.readXref()
	if err != nil && at > 0 {
		f.reset()
		f.shift = int64(at)
		err = f.readXref()
	}
	if err == nil {
		err = f.plausible()
	}
	if err != nil {
		if isSourceError(err) {
			return nil, err
		}
		if err := f.rebuild(); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *file) reset() {
	f.shift = 0
	f.xref, f.top = map[int]entry{}, dict{}
	f.cache, f.busy, f.objstm = map[int]any{}, map[int]bool{}, map[int]*objectStream{}
}

func (f *file) trailer() dict { return f.top }

// sourceError is an error of the bytes' source, not of the bytes.
type sourceError struct{ error }

func (s sourceError) Unwrap() error { return s.error }

func isSourceError(err error) bool {
	var s sourceError
	return errors.As(err, &s)
}

// readAt reads up to len(b) bytes at off; fewer at the end of the file.
func (f *file) readAt(b []byte, off int64) (int, error) {
	if off < 0 || off >= f.size {
		return 0, fmt.Errorf("%w: offset outside the file", errSyntax)
	}
	b = b[:min(int64(len(b)), f.size-off)]
	n, err := f.r.ReadAt(b, off)
	if n == len(b) {
		return n, nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, sourceError{fmt.Errorf("reading the PDF: %w", err)}
}

// window calls parse with ever larger pieces of the file from off on, until it
// no longer runs into the piece's end.
func (f *file) window(off int64, first int, parse func(l *lexer) error) error {
	if b := InMemory(f.r, off, min(maxObject, f.size-off)); b != nil {
		err := parse(&lexer{b: b, whole: off+int64(len(b)) >= f.size})
		if errors.Is(err, errShort) {
			return fmt.Errorf("%w: object too long", errSyntax)
		}
		return err
	}
	for n := first; ; n *= 8 {
		b := make([]byte, n)
		got, err := f.readAt(b, off)
		if err != nil {
			return err
		}
		l := &lexer{b: b[:got], whole: off+int64(got) >= f.size}
		err = parse(l)
		if !errors.Is(err, errShort) {
			return err
		}
		if n >= maxObject {
			return fmt.Errorf("%w: object too long", errSyntax)
		}
	}
}

func (f *file) readXref() error {
	n := min(f.size, 2048)
	tail := make([]byte, n)
	if _, err := f.readAt(tail, f.size-n); err != nil {
		return err
	}
	i := bytes.LastIndex(tail, []byte("startxref"))
	if i < 0 {
		return fmt.Errorf("%w: no startxref", errSyntax)
	}
	l := &lexer{b: tail[i+len("startxref"):], whole: true}
	start, err := l.smallInt()
	if err != nil {
		return err
	}
	seen := map[int64]bool{}
	queue := []int64{int64(start)}
	first := true
	for len(queue) > 0 {
		off := queue[0]
		queue = queue[1:]
		if seen[off] {
			continue
		}
		seen[off] = true
		if len(seen) > 1024 {
			return fmt.Errorf("%w: too many cross-reference sections", errSyntax)
		}
		top, err := f.readSection(off + f.shift)
		if err != nil {
			return err
		}
		if first {
			f.top = top
			first = false
		}
		if x, ok := top["XRefStm"].(int64); ok {
			queue = append(queue, x)
		}
		switch p := top["Prev"].(type) {
		case int64:
			queue = append(queue, p)
		case float64:
			queue = append(queue, int64(p))
		}
	}
	return nil
}

// readSection reads one cross-reference table or stream; entries already known
// are newer and stay.
func (f *file) readSection(off int64) (dict, error) {
	var top dict
	isTable := false
	err := f.window(off, 4096, func(l *lexer) error {
		w, err := l.word()
		if err != nil {
			return err
		}
		isTable = w == "xref"
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !isTable {
		return f.readXrefStream(off)
	}
	err = f.window(off, 4096, func(l *lexer) error {
		if _, err := l.word(); err != nil {
			return err
		}
		found := map[int]entry{}
		for {
			l.skipSpace()
			mark := l.pos
			start, err := l.smallInt()
			if errors.Is(err, errShort) {
				return err
			}
			if err != nil {
				l.pos = mark
				break
			}
			count, err := l.smallInt()
			if err != nil {
				return err
			}
			if len(found)+count > maxEntries {
				return fmt.Errorf("%w: too many objects", errSyntax)
			}
			for i := range count {
				a, err := l.smallInt()
				if err != nil {
					return err
				}
				gen, err := l.smallInt()
				if err != nil {
					return err
				}
				kind, err := l.word()
				if err != nil {
					return err
				}
				if kind != "n" && kind != "f" {
					return fmt.Errorf("%w: cross-reference entry", errSyntax)
				}
				num := start + i
				if kind == "n" && num <= maxObjNumber && a > 0 {
					found[num] = entry{int64(a) + f.shift, gen, -1}
				} else {
					found[num] = entry{-1, gen, -1}
				}
			}
		}
		w, err := l.word()
		if err != nil {
			return err
		}
		if w != "trailer" {
			return fmt.Errorf("%w: no trailer", errSyntax)
		}
		o, err := l.object(0)
		if err != nil {
			return err
		}
		t, ok := o.(dict)
		if !ok {
			return fmt.Errorf("%w: trailer is a %T", errSyntax, o)
		}
		for n, e := range found {
			if _, ok := f.xref[n]; !ok {
				f.xref[n] = e
			}
		}
		top = t
		return nil
	})
	return top, err
}

func (f *file) readXrefStream(off int64) (dict, error) {
	_, _, o, err := f.parseAt(off)
	if err != nil {
		return nil, err
	}
	s, ok := o.(*stream)
	if !ok || s.dict["Type"] != name("XRef") {
		return nil, fmt.Errorf("%w: no cross-reference at its offset", errSyntax)
	}
	data, err := decoded(f, s, maxObjStm)
	if err != nil {
		return nil, err
	}
	w, _ := s.dict["W"].(array)
	if len(w) != 3 {
		return nil, fmt.Errorf("%w: /W", errSyntax)
	}
	var width [3]int
	total := 0
	for i, o := range w {
		n, ok := o.(int64)
		if !ok || n < 0 || n > 8 {
			return nil, fmt.Errorf("%w: /W", errSyntax)
		}
		width[i] = int(n)
		total += int(n)
	}
	if total == 0 {
		return nil, fmt.Errorf("%w: /W", errSyntax)
	}
	size, _ := s.dict["Size"].(int64)
	index, _ := s.dict["Index"].(array)
	if index == nil {
		index = array{int64(0), size}
	}
	for i := 0; i+1 < len(index); i += 2 {
		start, ok1 := index[i].(int64)
		count, ok2 := index[i+1].(int64)
		if !ok1 || !ok2 || start < 0 || count < 0 {
			return nil, fmt.Errorf("%w: /Index", errSyntax)
		}
		for n := start; n < start+count && len(data) >= total; n++ {
			v := [3]int64{1, 0, 0}
			p := 0
			for j, wd := range width {
				if wd > 0 {
					v[j] = 0
				}
				for range wd {
					v[j] = v[j]<<8 | int64(data[p])
					p++
				}
			}
			data = data[total:]
			if n > maxObjNumber {
				continue
			}
			if len(f.xref) > maxEntries {
				return nil, fmt.Errorf("%w: too many objects", errSyntax)
			}
			num := int(n)
			if _, ok := f.xref[num]; ok {
				continue
			}
			switch v[0] {
			case 1:
				f.xref[num] = entry{v[1] + f.shift, int(v[2] & 0xffff), -1}
			case 2:
				f.xref[num] = entry{v[1], 0, int32(v[2] & 0x7fffffff)}
			default:
				f.xref[num] = entry{-1, 0, -1}
			}
		}
	}
	return s.dict, nil
}

// plausible reports whether the cross-reference leads to a catalog with pages.
func (f *file) plausible() error {
	root, err := f.resolve(f.top["Root"])
	if err != nil {
		return err
	}
	cat, ok := root.(dict)
	if !ok {
		return fmt.Errorf("%w: no catalog", errSyntax)
	}
	pages, err := f.resolve(cat["Pages"])
	if err != nil {
		return err
	}
	if _, ok := pages.(dict); !ok {
		return fmt.Errorf("%w: no page tree", errSyntax)
	}
	return nil
}

// parseAt reads the indirect object at an offset.
func (f *file) parseAt(off int64) (num, gen int, o any, err error) {
	var streamAt int64 = -1
	err = f.window(off, 1024, func(l *lexer) error {
		var err error
		if num, err = l.smallInt(); err != nil {
			return err
		}
		if gen, err = l.smallInt(); err != nil {
			return err
		}
		w, err := l.word()
		if err != nil {
			return err
		}
		if w != "obj" {
			// "1 0 obj<<" ends at the delimiter; "1 0 obj123" is seen too
			rest, ok := strings.CutPrefix(w, "obj")
			if !ok {
				return fmt.Errorf("%w: no object at its offset", errSyntax)
			}
			l.pos -= len(rest)
		}
		if o, err = l.object(0); err != nil {
			return err
		}
		if k, ok := o.(keyword); ok {
			if k == "endobj" {
				o = nil
				return nil
			}
			return fmt.Errorf("%w: a word where an object should be", errSyntax)
		}
		if _, ok := o.(dict); !ok {
			return nil
		}
		w, err = l.word()
		if err != nil {
			return err
		}
		if w != "stream" {
			return nil
		}
		// the bytes begin after one end of line
		if l.pos+2 > len(l.b) && !l.whole {
			return errShort
		}
		for l.pos < len(l.b) && (l.b[l.pos] == ' ' || l.b[l.pos] == '\t') {
			l.pos++
		}
		if l.pos+2 > len(l.b) && !l.whole {
			return errShort
		}
		if l.pos < len(l.b) && l.b[l.pos] == '\r' {
			l.pos++
		}
		if l.pos < len(l.b) && l.b[l.pos] == '\n' {
			l.pos++
		}
		streamAt = off + int64(l.pos)
		return nil
	})
	if err != nil || streamAt < 0 {
		return num, gen, o, err
	}
	d := o.(dict)
	n, err := f.streamLength(d, streamAt)
	if err != nil {
		return num, gen, nil, err
	}
	return num, gen, &stream{d, io.NewSectionReader(f.r, streamAt, n)}, nil
}

// streamLength is the stated length where "endstream" follows it, else the
// distance to the next "endstream".
func (f *file) streamLength(d dict, at int64) (int64, error) {
	lo, err := f.resolve(d["Length"])
	if err != nil && isSourceError(err) {
		return 0, err
	}
	if n, ok := lo.(int64); ok && n >= 0 && at+n <= f.size {
		b := make([]byte, 32)
		if at+n < f.size {
			got, err := f.readAt(b, at+n)
			if err != nil {
				return 0, err
			}
			if bytes.HasPrefix(bytes.TrimLeft(b[:got], "\r\n \t"), []byte("endstream")) {
				return n, nil
			}
		}
	}
	f.mended = true
	const piece = 64 << 10
	buf := make([]byte, piece+16)
	for p := at; p < f.size; p += piece {
		got, err := f.readAt(buf, p)
		if err != nil {
			return 0, err
		}
		i := bytes.Index(buf[:got], []byte("endstream"))
		if j := bytes.Index(buf[:got], []byte("endobj")); i < 0 || j >= 0 && j < i {
			i = j
		}
		if i < 0 {
			continue
		}
		end := p + int64(i)
		// the end of line before endstream is not data
		tail := make([]byte, 2)
		if end-at >= 2 {
			if _, err := f.readAt(tail, end-2); err != nil {
				return 0, err
			}
			switch {
			case tail[0] == '\r' && tail[1] == '\n':
				end -= 2
			case tail[1] == '\n' || tail[1] == '\r':
				end--
			}
		}
		return end - at, nil
	}
	return f.size - at, nil
}

func (f *file) resolve(o any) (any, error) {
	for range 32 {
		r, ok := o.(ref)
		if !ok {
			return o, nil
		}
		var err error
		if o, err = f.get(r.num); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: a chain of references", errSyntax)
}

func (f *file) get(num int) (any, error) {
	if o, ok := f.cache[num]; ok {
		return o, nil
	}
	e, ok := f.xref[num]
	if !ok || e.off < 0 {
		return nil, nil
	}
	if f.busy[num] {
		return nil, fmt.Errorf("%w: object %d refers to itself", errSyntax, num)
	}
	f.busy[num] = true
	defer delete(f.busy, num)
	o, err := f.load(num, e)
	if err != nil {
		return nil, err
	}
	f.cache[num] = o
	return o, nil
}

func (f *file) load(num int, e entry) (any, error) {
	if e.idx >= 0 {
		return f.fromObjectStream(num, e)
	}
	got, _, o, err := f.parseAt(e.off)
	if err == nil && got == num {
		return o, nil
	}
	if err == nil {
		err = fmt.Errorf("%w: another object at the offset of %d", errSyntax, num)
	}
	if f.rebuilt || isSourceError(err) {
		return nil, err
	}
	// A wrong offset: look for the object itself, once for the whole file.
	old := *f
	if err := f.rebuild(); err != nil {
		*f = old
		f.rebuilt = true
		return nil, err
	}
	if e, ok := f.xref[num]; ok && e.off >= 0 {
		return f.load(num, e)
	}
	return nil, nil
}

func (f *file) fromObjectStream(num int, e entry) (any, error) {
	os, err := f.objectStream(int(e.off))
	if err != nil {
		return nil, err
	}
	i := int(e.idx)
	if i >= len(os.nums) || os.nums[i] != num {
		i = -1
		for j, n := range os.nums {
			if n == num {
				i = j
			}
		}
		if i < 0 {
			return nil, nil
		}
	}
	l := &lexer{b: os.data, pos: os.offs[i], whole: true}
	o, err := l.object(0)
	if err == io.EOF {
		return nil, nil
	}
	if _, ok := o.(keyword); ok {
		return nil, fmt.Errorf("%w: object %d", errSyntax, num)
	}
	return o, err
}

func (f *file) objectStream(num int) (*objectStream, error) {
	if os, ok := f.objstm[num]; ok {
		return os, nil
	}
	if e := f.xref[num]; e.idx >= 0 {
		return nil, fmt.Errorf("%w: object stream in an object stream", errSyntax)
	}
	o, err := f.get(num)
	if err != nil {
		return nil, err
	}
	s, ok := o.(*stream)
	if !ok {
		return nil, fmt.Errorf("%w: no object stream %d", errSyntax, num)
	}
	os, err := f.parseObjectStream(s)
	if err != nil {
		return nil, err
	}
	f.objstm[num] = os
	return os, nil
}

func (f *file) parseObjectStream(s *stream) (*objectStream, error) {
	n, err := intParm(f, s.dict, "N", -1)
	if err != nil {
		return nil, err
	}
	first, err := intParm(f, s.dict, "First", -1)
	if err != nil {
		return nil, err
	}
	data, err := decoded(f, s, maxObjStm)
	if err != nil {
		return nil, err
	}
	if n < 0 || n > maxEntries || first < 0 || first > len(data) {
		return nil, fmt.Errorf("%w: object stream header", errSyntax)
	}
	os := &objectStream{data: data}
	l := &lexer{b: data[:first], whole: true}
	for range n {
		num, err := l.smallInt()
		if err != nil {
			break
		}
		off, err := l.smallInt()
		if err != nil || first+off > len(data) {
			break
		}
		os.nums = append(os.nums, num)
		os.offs = append(os.offs, first+off)
	}
	return os, nil
}

// rebuild puts the cross-reference together from what stands in the file: the
// last object of a number counts, and the last trailer with a catalog.
func (f *file) rebuild() error {
	f.reset()
	f.rebuilt = true
	var streams []int
	tops := []dict{}
	const piece = 1 << 20
	const overlap = 64
	buf := make([]byte, piece+overlap)
	for base := int64(0); base < f.size; base += piece {
		got, err := f.readAt(buf, base)
		if err != nil {
			return err
		}
		b := buf[:got]
		limit := min(got, piece)
		for i := 0; i < limit; {
			j := bytes.Index(b[i:], []byte("obj"))
			t := bytes.Index(b[i:min(len(b), i+max(j, 0)+overlap)], []byte("trailer"))
			if j < 0 {
				t = bytes.Index(b[i:], []byte("trailer"))
			}
			if t >= 0 && (j < 0 || t < j) {
				if i+t >= limit {
					break
				}
				at := base + int64(i+t) + int64(len("trailer"))
				if at < f.size {
					err := f.window(at, 2048, func(l *lexer) error {
						o, err := l.object(0)
						if d, ok := o.(dict); ok {
							tops = append(tops, d)
						}
						return err
					})
					if isSourceError(err) {
						return err
					}
				}
				i += t + len("trailer")
				continue
			}
			if j < 0 || i+j >= limit+overlap/2 {
				break
			}
			at := i + j
			i = at + 3
			num, gen, start, ok := objectHeader(b, at)
			if !ok || num > maxObjNumber || (start == 0 && base > 0) {
				// a header cut by the piece's start was seen whole in the overlap of the last
				continue
			}
			if len(f.xref) > maxEntries {
				return fmt.Errorf("%w: too many objects", errSyntax)
			}
			f.xref[num] = entry{base + int64(start), gen, -1}
			delete(f.cache, num)
			streams = append(streams, num)
		}
	}
	// Object streams and cross-reference streams are among the objects.
	seen := map[int]bool{}
	for _, num := range streams {
		if seen[num] {
			continue
		}
		seen[num] = true
		e := f.xref[num]
		if e.idx >= 0 {
			continue
		}
		_, _, o, err := f.parseAt(e.off)
		if err != nil {
			if isSourceError(err) {
				return err
			}
			continue
		}
		switch o := o.(type) {
		case *stream:
			switch o.dict["Type"] {
			case name("XRef"):
				tops = append(tops, o.dict)
			case name("ObjStm"):
				os, err := f.parseObjectStream(o)
				if err != nil {
					if isSourceError(err) {
						return err
					}
					continue
				}
				f.objstm[num] = os
				for i, n := range os.nums {
					if old, ok := f.xref[n]; n <= maxObjNumber && (!ok || old.idx >= 0) {
						f.xref[n] = entry{int64(num), 0, int32(i)}
					}
				}
			}
		case dict:
			if o["Type"] == name("Catalog") {
				tops = append([]dict{{"Root": ref{num, e.gen}}}, tops...)
			}
		}
	}
	for i := len(tops) - 1; i >= 0; i-- {
		f.top = tops[i]
		if f.plausible() == nil {
			for _, t := range tops {
				if t["Encrypt"] != nil && f.top["Encrypt"] == nil {
					f.top["Encrypt"] = t["Encrypt"]
				}
			}
			return nil
		}
	}
	// A catalog inside an object stream, with no trailer left.
	for n, e := range f.xref {
		if e.idx < 0 {
			continue
		}
		o, err := f.get(n)
		if err != nil {
			continue
		}
		if d, ok := o.(dict); ok && d["Type"] == name("Catalog") {
			f.top = dict{"Root": ref{n, 0}}
			if f.plausible() == nil {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: no catalog with pages", errSyntax)
}

// objectHeader reads backwards from "obj" at at: "12 0 obj".
func objectHeader(b []byte, at int) (num, gen, start int, ok bool) {
	i := at
	back := func() (int, bool) {
		j := i
		for j > 0 && isSpace(b[j-1]) {
			j--
		}
		if j == i {
			return 0, false
		}
		k := j
		v, scale := 0, 1
		for k > 0 && b[k-1] >= '0' && b[k-1] <= '9' && j-k < 9 {
			v += int(b[k-1]-'0') * scale
			scale *= 10
			k--
		}
		if k == j {
			return 0, false
		}
		i = k
		return v, true
	}
	if gen, ok = back(); !ok {
		return
	}
	if num, ok = back(); !ok {
		return
	}
	return num, gen, i, num > 0 && gen <= 65535
}
