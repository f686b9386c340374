package main

import (
	"bytes"
	"compress/zlib"
	"crypto/md5"
	"fmt"
	"slices"
	"strings"
)

// object is one indirect object. A stream's body is its dictionary without
// /Length, which the writer adds.
type object struct {
	num    int
	body   string
	stream []byte
	packed bool // has a stream
}

// file is a PDF under construction: objects first, bytes once written.
// Object 1 is the catalog, object 2 the page tree's root.
type file struct {
	objs        map[int]object
	next        int
	pages       []int
	streams     bool   // its cross-reference is a stream
	acroForm    []int  // the fields
	form        bool   // it has a form before it is signed
	notes       []int  // annotations of page 1 besides the fields
	font, input int    // of a leaflet
	extra       string // further entries of the catalog
	info        string // body of the Info dictionary, "" for none

	version string
	fixed   string // /ID once it may no longer change
	data    []byte // what has been written
	xref    int    // offset of the newest xref section
	first   int    // offset of the first one
}

func newFile() *file {
	return &file{objs: map[int]object{}, next: 3, version: "1.5"}
}

func (f *file) alloc() int { f.next++; return f.next - 1 }

func (f *file) add(body string) int {
	n := f.alloc()
	f.set(n, body)
	return n
}

func (f *file) set(n int, body string) { f.objs[n] = object{num: n, body: body} }

func (f *file) addStream(dict string, data []byte) int {
	n := f.alloc()
	f.objs[n] = object{num: n, body: dict, stream: data, packed: true}
	return n
}

// page adds a page; media in points, entries are further entries of the page.
func (f *file) page(w, h float64, resources, content, entries string) int {
	c := f.addStream("", []byte(content))
	n := f.add(fmt.Sprintf("<</Type/Page/Parent 2 0 R/MediaBox[0 0 %s %s]/Resources<<%s>>/Contents %d 0 R%s>>", num(w), num(h), resources, c, entries))
	f.pages = append(f.pages, n)
	return n
}

func num(v float64) string {
	s := strings.TrimRight(fmt.Sprintf("%.3f", v), "0")
	return strings.TrimSuffix(s, ".")
}

// imagePage adds a page that shows one image at the dpi given.
func (f *file) imagePage(im image, dpi float64, entries string) int {
	w, h := float64(im.w)*72/dpi, float64(im.h)*72/dpi
	x := f.addStream(im.dict(), im.data)
	return f.page(w, h, fmt.Sprintf("/XObject<</Im0 %d 0 R>>", x), fmt.Sprintf("q %s 0 0 %s 0 0 cm /Im0 Do Q\n", num(w), num(h)), entries)
}

func (f *file) tree() {
	var kids []string
	for _, p := range f.pages {
		kids = append(kids, fmt.Sprintf("%d 0 R", p))
	}
	f.set(1, fmt.Sprintf("<</Type/Catalog/Pages 2 0 R%s>>", f.extra))
	if f.form {
		f.set(1, f.catalog().body)
	}
	f.set(2, fmt.Sprintf("<</Type/Pages/Kids[%s]/Count %d>>", strings.Join(kids, " "), len(kids)))
}

func (f *file) sorted() []object {
	var all []object
	for _, o := range f.objs {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b object) int { return a.num - b.num })
	return all
}

func (f *file) id() string {
	if f.fixed != "" {
		return f.fixed
	}
	h := md5.New()
	for _, o := range f.sorted() {
		fmt.Fprintf(h, "%d %s", o.num, o.body)
		h.Write(o.stream)
	}
	s := fmt.Sprintf("%x", h.Sum(nil))
	return fmt.Sprintf("/ID[<%s><%s>]", s, s)
}

func header(version string) []byte {
	return []byte("%PDF-" + version + "\n%\xe2\xe3\xcf\xd3\n")
}

func (o object) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "%d 0 obj\n", o.num)
	if !o.packed {
		b.WriteString(o.body + "\nendobj\n")
		return
	}
	fmt.Fprintf(b, "<<%s/Length %d>>\nstream\n", o.body, len(o.stream))
	b.Write(o.stream)
	b.WriteString("\nendstream\nendobj\n")
}

// bytes writes the file with a classic cross-reference table.
func (f *file) bytes() []byte { return f.write(nil, "") }

// write is bytes with an encryption of the streams and a trailer entry that
// belongs to it. Files to be encrypted must not contain strings.
func (f *file) write(encrypt func(num int, data []byte) []byte, trailer string) []byte {
	f.tree()
	if f.info != "" {
		trailer += fmt.Sprintf("/Info %d 0 R", f.add(f.info))
	}
	var b bytes.Buffer
	b.Write(header(f.version))
	at := map[int]int{}
	for _, o := range f.sorted() {
		if encrypt != nil && o.packed {
			o.stream = encrypt(o.num, o.stream)
		}
		at[o.num] = b.Len()
		o.write(&b)
	}
	f.xref = b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", f.next)
	for n := 1; n < f.next; n++ {
		if off, ok := at[n]; ok {
			fmt.Fprintf(&b, "%010d 00000 n \n", off)
		} else {
			b.WriteString("0000000000 00000 f \n")
		}
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d/Root 1 0 R%s%s>>\nstartxref\n%d\n%%%%EOF\n", f.next, trailer, f.id(), f.xref)
	f.data, f.first = b.Bytes(), f.xref
	return f.data
}

// packedBytes writes the file with object streams and a cross-reference stream.
func (f *file) packedBytes() []byte {
	f.tree()
	var b bytes.Buffer
	b.Write(header("1.5"))
	type place struct{ kind, a, b int }
	at := map[int]place{0: {0, 0, 65535}}
	var head, bodies bytes.Buffer
	index := 0
	container := f.alloc()
	for _, o := range f.sorted() {
		if o.packed {
			at[o.num] = place{1, b.Len(), 0}
			o.write(&b)
			continue
		}
		fmt.Fprintf(&head, "%d %d ", o.num, bodies.Len())
		bodies.WriteString(o.body + "\n")
		at[o.num] = place{2, container, index}
		index++
	}
	at[container] = place{1, b.Len(), 0}
	object{num: container, packed: true, stream: deflate(append(head.Bytes(), bodies.Bytes()...)),
		body: fmt.Sprintf("/Type/ObjStm/N %d/First %d/Filter/FlateDecode", index, head.Len())}.write(&b)
	self := f.alloc()
	f.xref = b.Len()
	at[self] = place{1, f.xref, 0}
	var rows []byte
	for n := range f.next {
		p := at[n]
		rows = append(rows, byte(p.kind), byte(p.a>>24), byte(p.a>>16), byte(p.a>>8), byte(p.a), byte(p.b>>8), byte(p.b))
	}
	object{num: self, packed: true, stream: deflate(rows),
		body: fmt.Sprintf("/Type/XRef/Size %d/Root 1 0 R/W[1 4 2]%s/Filter/FlateDecode", f.next, f.id())}.write(&b)
	fmt.Fprintf(&b, "startxref\n%d\n%%%%EOF\n", f.xref)
	f.data, f.streams = b.Bytes(), true
	return f.data
}

// append adds an incremental update with the objects given to the bytes
// written so far.
func (f *file) append(changed ...object) {
	b := bytes.NewBuffer(slices.Clone(f.data))
	slices.SortFunc(changed, func(x, y object) int { return x.num - y.num })
	at := map[int]int{}
	for _, o := range changed {
		f.objs[o.num] = o
		at[o.num] = b.Len()
		o.write(b)
	}
	prev := f.xref
	f.xref = b.Len()
	if f.streams {
		// A file keeps to one kind of cross-reference.
		self := f.alloc()
		at[self] = f.xref
		index, rows := "", []byte(nil)
		for _, o := range append(changed, object{num: self}) {
			index += fmt.Sprintf("%d 1 ", o.num)
			p := at[o.num]
			rows = append(rows, 1, byte(p>>24), byte(p>>16), byte(p>>8), byte(p), 0, 0)
		}
		object{num: self, packed: true, stream: rows,
			body: fmt.Sprintf("/Type/XRef/Size %d/Root 1 0 R/Prev %d/Index[%s]/W[1 4 2]%s", f.next, prev, index, f.id())}.write(b)
		fmt.Fprintf(b, "startxref\n%d\n%%%%EOF\n", f.xref)
		f.data = b.Bytes()
		return
	}
	b.WriteString("xref\n")
	for _, o := range changed {
		fmt.Fprintf(b, "%d 1\n%010d 00000 n \n", o.num, at[o.num])
	}
	fmt.Fprintf(b, "trailer\n<</Size %d/Root 1 0 R/Prev %d%s>>\nstartxref\n%d\n%%%%EOF\n", f.next, prev, f.id(), f.xref)
	f.data = b.Bytes()
}

func deflate(p []byte) []byte {
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, zlib.BestCompression)
	check(err)
	_, err = w.Write(p)
	check(err)
	check(w.Close())
	return b.Bytes()
}
