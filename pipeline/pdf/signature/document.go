package signature

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
)

// Bounds on what is read of a file. What exceeds them is not understood, and
// what is not understood is never called unchanged.
const (
	maxObject   = 32 << 20  // bytes of one object without its stream
	maxInflated = 128 << 20 // bytes of one object or cross-reference stream
	maxObjects  = 8_388_607 // the limit of the format
	maxSections = 4096
)

var errStructure = errors.New("signature: the file's cross-reference cannot be followed")

// watched is the reader of the file. It remembers that reading failed, which is
// nobody's fault but ours and must not become a verdict, and ends all work when
// the context does.
type watched struct {
	ctx context.Context
	r   io.ReaderAt
	err error
}

func (w *watched) ReadAt(b []byte, off int64) (int, error) {
	if err := w.ctx.Err(); err != nil {
		w.err = err
		return 0, err
	}
	n, err := w.r.ReadAt(b, off)
	if n == len(b) {
		return n, nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF // shorter than we were told
	}
	if w.err == nil {
		w.err = fmt.Errorf("signature: reading the file: %w", err)
	}
	return n, err
}

// file is the bytes with everything read of them so far. Objects are kept by
// where they stand, so that the states of a file at different times share them.
type file struct {
	r       io.ReaderAt
	size    int64
	header  int64 // where %PDF- stands: sloppy writers count from there
	objects map[int64]object
	packs   map[int64]*pack
}

type object struct {
	ref ref
	val any
	err error
}

// pack is an object stream, inflated.
type pack struct {
	nums, offs []int
	first      int
	body       []byte
	err        error
}

func newFile(r io.ReaderAt, size int64) *file {
	f := &file{r: r, size: size, objects: map[int64]object{}, packs: map[int64]*pack{}}
	if head, err := f.bytes(0, 1024); err == nil {
		f.header = int64(max(0, bytes.Index(head, []byte("%PDF-"))))
	}
	return f
}

// bytes reads up to n bytes at off.
func (f *file) bytes(off int64, n int) ([]byte, error) {
	if off < 0 || off >= f.size {
		return nil, errStructure
	}
	b := make([]byte, min(int64(n), f.size-off))
	if m, err := f.r.ReadAt(b, off); m < len(b) {
		return nil, err
	}
	return b, nil
}

// with calls parse on the bytes at off, with more of them as long as it asks.
func (f *file) with(off int64, start int, parse func(*parser) error) error {
	for n := start; ; n *= 8 {
		b, err := f.bytes(off, n)
		if err != nil {
			return err
		}
		whole := off+int64(len(b)) == f.size || n > maxObject
		err = parse(&parser{b: b, base: off, whole: whole})
		if !errors.Is(err, errShort) || whole {
			return err
		}
	}
}

// object reads the indirect object at off.
func (f *file) object(off int64) object {
	if o, ok := f.objects[off]; ok {
		return o
	}
	var o object
	o.err = f.with(off, 1024, func(p *parser) (err error) {
		o.ref, o.val, err = p.indirect()
		return err
	})
	f.objects[off] = o
	return o
}

// place is where an object stands: at an offset, or in an object stream.
type place struct {
	packed bool
	off    int64 // offset; of the object stream where packed
	index  int   // in the object stream
	gen    int
}

// doc is a file as its last cross-reference section before a certain offset
// presents it.
type doc struct {
	*file
	end      int64
	table    map[int]place
	trailer  dict
	sections []int64 // offsets of the cross-reference sections, newest first
	rebuilt  bool    // the table was gathered by looking for objects
}

// open reads the state of the file at end.
func (f *file) open(end int64) (*doc, error) {
	d := &doc{file: f, end: end, table: map[int]place{}}
	tail, err := f.bytes(max(0, end-4096), int(min(end, 4096)))
	if err != nil {
		return nil, err
	}
	i := bytes.LastIndex(tail, []byte("startxref"))
	if i < 0 {
		return nil, errStructure
	}
	p := parser{b: tail, i: i + len("startxref"), whole: true}
	off, ok := p.integer()
	if !ok {
		return nil, errStructure
	}
	packed := map[int][2]int{} // container and index; resolved when all is read
	seen := map[int64]bool{}
	queue := []int64{off}
	for len(queue) > 0 {
		off, queue = queue[0], queue[1:]
		if seen[off] {
			continue
		}
		seen[off] = true
		if len(seen) > maxSections || off < 0 || off >= end {
			return nil, errStructure
		}
		trailer, err := d.section(off, packed)
		if err != nil && f.header > 0 {
			trailer, err = d.section(off+f.header, packed)
		}
		if err != nil {
			return nil, err
		}
		d.sections = append(d.sections, off)
		if d.trailer == nil {
			d.trailer = trailer
		}
		if v, ok := trailer.get("XRefStm").(int64); ok {
			queue = append(queue, v) // hybrid: before the previous section
		}
		if v, ok := trailer.get("Prev").(int64); ok {
			queue = append(queue, v)
		}
	}
	for n, c := range packed {
		box, ok := d.table[c[0]]
		if !ok || box.packed {
			return nil, errStructure
		}
		d.table[n] = place{packed: true, off: box.off, index: c[1]}
	}
	if _, ok := d.trailer.get("Root").(ref); !ok {
		return nil, errStructure
	}
	return d, nil
}

// section reads the cross-reference section at off. Entries that stand already
// are newer and stay.
func (d *doc) section(off int64, packed map[int][2]int) (trailer dict, err error) {
	put := func(n int, pl place) {
		if _, ok := d.table[n]; ok || n > maxObjects {
			return
		}
		d.table[n] = pl
	}
	type row struct {
		n  int
		pl place
	}
	var rows []row
	err = d.with(off, 4096, func(p *parser) error {
		rows = rows[:0]
		if !p.keyword("xref") {
			trailer = nil
			return nil
		}
		for {
			p.space()
			if p.keyword("trailer") {
				v, err := p.value(0)
				t, ok := v.(dict)
				if err == nil && !ok {
					err = errStructure
				}
				trailer = t
				return err
			}
			first, ok := p.integer()
			count, ok2 := p.integer()
			if !ok || !ok2 || first < 0 || count < 0 || count > maxObjects {
				if p.i+64 > len(p.b) {
					return p.short()
				}
				return errStructure
			}
			for i := range count {
				at, ok := p.integer()
				gen, ok2 := p.integer()
				p.space()
				if !ok || !ok2 || p.i >= len(p.b) {
					if p.i+64 > len(p.b) {
						return p.short()
					}
					return errStructure
				}
				kind := p.word()
				if kind == "n" {
					rows = append(rows, row{int(first + i), place{off: at, gen: int(gen)}})
				} else if kind == "f" {
					rows = append(rows, row{int(first + i), place{off: -1}})
				} else {
					return errStructure
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if trailer != nil {
		for _, r := range rows {
			put(r.n, r.pl)
		}
		return trailer, nil
	}
	return d.xrefStream(off, put, packed)
}

func (d *doc) xrefStream(off int64, put func(int, place), packed map[int][2]int) (dict, error) {
	o := d.object(off)
	s, ok := o.val.(stream)
	if o.err != nil || !ok || s.get("Type") != name("XRef") {
		return nil, errStructure
	}
	body, err := d.inflate(s)
	if err != nil {
		return nil, err
	}
	w, _ := s.get("W").([]any)
	if len(w) < 3 {
		return nil, errStructure
	}
	var width [3]int
	for i := range width {
		v, ok := w[i].(int64)
		if !ok || v < 0 || v > 8 {
			return nil, errStructure
		}
		width[i] = int(v)
	}
	index, _ := s.get("Index").([]any)
	if index == nil {
		index = []any{int64(0), s.get("Size")}
	}
	step := width[0] + width[1] + width[2]
	if step == 0 {
		return nil, errStructure
	}
	for ; len(index) >= 2; index = index[2:] {
		first, ok := index[0].(int64)
		count, ok2 := index[1].(int64)
		if !ok || !ok2 || first < 0 || count < 0 {
			return nil, errStructure
		}
		for n := first; n < first+count && len(body) >= step; n++ {
			var v [3]int64
			b := body
			for i, w := range width {
				for range w {
					v[i] = v[i]<<8 | int64(b[0])
					b = b[1:]
				}
			}
			if width[0] == 0 {
				v[0] = 1
			}
			body = body[step:]
			if n > maxObjects {
				continue
			}
			switch v[0] {
			case 0:
				put(int(n), place{off: -1})
			case 1:
				put(int(n), place{off: v[1], gen: int(v[2])})
			case 2:
				if _, ok := d.table[int(n)]; !ok {
					put(int(n), place{packed: true, off: -1})
					packed[int(n)] = [2]int{int(v[1]), int(v[2])}
				}
			}
		}
	}
	return s.dict, nil
}

// inflate returns the data of a cross-reference or object stream. Only Flate
// (and no filter at all) is known here; nobody uses another one for these.
func (f *file) inflate(s stream) ([]byte, error) {
	filter := s.get("Filter")
	if a, ok := filter.([]any); ok && len(a) == 1 {
		filter = a[0]
	}
	if filter == nil {
		n, ok := s.get("Length").(int64)
		if !ok || n < 0 || n > maxInflated {
			return nil, errStructure
		}
		return f.bytes(s.data, int(n))
	}
	if filter != name("FlateDecode") {
		return nil, errStructure
	}
	z, err := zlib.NewReader(io.NewSectionReader(f.r, s.data, f.size-s.data))
	if err != nil {
		return nil, errStructure
	}
	defer z.Close()
	body, err := io.ReadAll(io.LimitReader(z, maxInflated+1))
	if err != nil && !errors.Is(err, zlib.ErrChecksum) || len(body) > maxInflated {
		return nil, errStructure
	}
	parms := s.get("DecodeParms")
	if a, ok := parms.([]any); ok && len(a) == 1 {
		parms = a[0]
	}
	p, _ := parms.(dict)
	predictor, _ := p.get("Predictor").(int64)
	if predictor < 2 {
		return body, nil
	}
	columns, ok := p.get("Columns").(int64)
	if !ok {
		columns = 1
	}
	if predictor < 10 || columns < 1 || columns > 1<<16 {
		return nil, errStructure
	}
	return unpredict(body, int(columns))
}

// unpredict undoes the PNG predictors for rows of one-byte samples.
func unpredict(b []byte, columns int) ([]byte, error) {
	out := make([]byte, 0, len(b))
	prev := make([]byte, columns)
	for len(b) > columns {
		kind, row := b[0], b[1:columns+1]
		b = b[columns+1:]
		for i := range row {
			var left, up, upLeft byte
			up = prev[i]
			if i > 0 {
				left, upLeft = row[i-1], prev[i-1]
			}
			switch kind {
			case 0:
			case 1:
				row[i] += left
			case 2:
				row[i] += up
			case 3:
				row[i] += byte((int(left) + int(up)) / 2)
			case 4:
				row[i] += paeth(int(left), int(up), int(upLeft))
			default:
				return nil, errStructure
			}
		}
		out = append(out, row...)
		prev = row
	}
	return out, nil
}

func paeth(a, b, c int) byte {
	abs := func(v int) int { return max(v, -v) }
	p := a + b - c
	switch pa, pb, pc := abs(p-a), abs(p-b), abs(p-c); {
	case pa <= pb && pa <= pc:
		return byte(a)
	case pb <= pc:
		return byte(b)
	}
	return byte(c)
}

// find returns where object n stands; ok is false where it does not exist (a
// place beyond the state's end is none: it was not there when that was signed).
func (d *doc) find(n int) (place, bool) {
	pl, ok := d.table[n]
	return pl, ok && pl.off >= 0 && pl.off < d.end
}

// load reads the object at pl; err says that something is there and cannot be
// read.
func (d *doc) load(n int, pl place) (any, error) {
	if pl.packed {
		return d.unpack(n, pl)
	}
	o := d.object(pl.off)
	if (o.err != nil || o.ref.num != n) && d.header > 0 {
		o = d.object(pl.off + d.header)
	}
	if o.err != nil {
		return nil, o.err
	}
	if o.ref.num != n {
		return nil, errStructure
	}
	return o.val, nil
}

func (d *doc) unpack(n int, pl place) (any, error) {
	p, ok := d.packs[pl.off]
	if !ok {
		p = d.pack(pl.off)
		d.packs[pl.off] = p
	}
	if p.err != nil {
		return nil, p.err
	}
	i := pl.index
	if i < 0 || i >= len(p.nums) || p.nums[i] != n {
		return nil, errStructure
	}
	start := p.first + p.offs[i]
	if start < 0 || start > len(p.body) {
		return nil, errStructure
	}
	return (&parser{b: p.body[start:], base: -1, whole: true}).value(0)
}

func (d *doc) pack(off int64) *pack {
	o := d.object(off)
	s, ok := o.val.(stream)
	if o.err != nil || !ok {
		return &pack{err: errStructure}
	}
	body, err := d.inflate(s)
	if err != nil {
		return &pack{err: err}
	}
	count, ok := s.get("N").(int64)
	first, ok2 := s.get("First").(int64)
	if !ok || !ok2 || count < 0 || count > maxObjects || first < 0 || first > int64(len(body)) {
		return &pack{err: errStructure}
	}
	p := &pack{first: int(first), body: body}
	in := parser{b: body[:first], whole: true}
	for range count {
		n, ok := in.integer()
		o, ok2 := in.integer()
		if !ok || !ok2 || n < 0 || n > maxObjects || o < 0 || o > int64(len(body)) {
			return &pack{err: errStructure}
		}
		p.nums, p.offs = append(p.nums, int(n)), append(p.offs, int(o))
	}
	return p
}

// resolve follows references; what is missing or cannot be read is nil.
func (d *doc) resolve(v any) any {
	for range 16 {
		r, ok := v.(ref)
		if !ok {
			return v
		}
		pl, ok := d.find(r.num)
		if !ok {
			return nil
		}
		v, _ = d.load(r.num, pl)
	}
	return nil
}

func (d *doc) dict(v any) dict {
	switch v := d.resolve(v).(type) {
	case dict:
		return v
	case stream:
		return v.dict
	}
	return nil
}

func (d *doc) array(v any) []any {
	a, _ := d.resolve(v).([]any)
	return a
}

func (d *doc) root() dict { return d.dict(d.trailer.get("Root")) }
