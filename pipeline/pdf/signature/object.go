package signature

import (
	"bytes"
	"errors"
	"strconv"
)

// The objects of a PDF, as far as signatures need them. Integers are int64,
// other numbers float64; null is nil.
type (
	name string
	ref  struct{ num, gen int }
	// text is a string object and where it stands in the file, its brackets
	// included; hex where it is written <…> and
	// holds nothing but digits.
	text struct {
		b          []byte
		hex        bool
		start, end int64
	}
	entry struct {
		key name
		val any
	}
	// dict keeps its entries in order, so that a key that stands twice is seen.
	dict   []entry
	stream struct {
		dict
		data int64 // where its data begin
	}
)

func (d dict) get(k name) any {
	for _, e := range d {
		if e.key == k {
			return e.val
		}
	}
	return nil
}

// once is get for a key that must not stand twice: readers differ in which of
// the two they take.
func (d dict) once(k name) (v any, ok bool) {
	n := 0
	for _, e := range d {
		if e.key == k {
			v = e.val
			n++
		}
	}
	return v, n == 1
}

var (
	errShort  = errors.New("signature: the object goes on beyond the bytes read")
	errSyntax = errors.New("signature: not a PDF object")
)

// maxDepth bounds nesting. Real files stay below twenty.
const maxDepth = 64

// parser reads objects from b, whose first byte lies at offset base of the file
// (-1: of an object stream, where offsets mean nothing). whole says that nothing
// follows b.
type parser struct {
	b     []byte
	i     int
	base  int64
	whole bool
}

func (p *parser) short() error {
	if p.whole {
		return errSyntax
	}
	return errShort
}

func (p *parser) at(i int) int64 {
	if p.base < 0 {
		return -1
	}
	return p.base + int64(i)
}

func (p *parser) space() {
	for p.i < len(p.b) {
		switch c := p.b[p.i]; {
		case isSpace(c):
			p.i++
		case c == '%':
			for p.i < len(p.b) && p.b[p.i] != '\n' && p.b[p.i] != '\r' {
				p.i++
			}
		default:
			return
		}
	}
}

// word reads a run of regular characters.
func (p *parser) word() string {
	s := p.i
	for p.i < len(p.b) && isRegular(p.b[p.i]) {
		p.i++
	}
	return string(p.b[s:p.i])
}

// keyword consumes w if it comes next.
func (p *parser) keyword(w string) bool {
	p.space()
	if bytes.HasPrefix(p.b[p.i:], []byte(w)) && (p.i+len(w) == len(p.b) || !isRegular(p.b[p.i+len(w)])) {
		p.i += len(w)
		return true
	}
	return false
}

func (p *parser) integer() (int64, bool) {
	p.space()
	s := p.i
	v, err := strconv.ParseInt(p.word(), 10, 64)
	if err != nil {
		p.i = s
		return 0, false
	}
	return v, true
}

// value reads one object. A reference is told from a number by what follows.
func (p *parser) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, errSyntax
	}
	p.space()
	if p.i >= len(p.b) {
		return nil, p.short()
	}
	switch c := p.b[p.i]; {
	case c == '/':
		return p.name()
	case c == '(':
		return p.literal()
	case c == '[':
		p.i++
		arr := []any{}
		for {
			p.space()
			if p.i >= len(p.b) {
				return nil, p.short()
			}
			if p.b[p.i] == ']' {
				p.i++
				return arr, nil
			}
			v, err := p.value(depth + 1)
			if err != nil {
				return nil, err
			}
			arr = append(arr, v)
		}
	case c == '<':
		if p.i+1 >= len(p.b) {
			return nil, p.short()
		}
		if p.b[p.i+1] == '<' {
			return p.dict(depth)
		}
		return p.hexadecimal()
	case isDelim(c):
		return nil, errSyntax
	}
	start := p.i
	w := p.word()
	if p.i >= len(p.b) && !p.whole {
		return nil, errShort
	}
	switch w {
	case "null":
		return nil, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	if n, err := strconv.ParseInt(w, 10, 64); err == nil {
		if n >= 0 && w[0] != '+' {
			after := p.i
			if g, ok := p.integer(); ok && g >= 0 && n < 1<<31 && g < 1<<17 {
				p.space()
				if p.i >= len(p.b) && !p.whole {
					return nil, errShort
				}
				if p.keyword("R") {
					return ref{int(n), int(g)}, nil
				}
			} else if p.i >= len(p.b) && !p.whole {
				return nil, errShort
			}
			p.i = after
		}
		return n, nil
	}
	if f, err := strconv.ParseFloat(w, 64); err == nil {
		return f, nil
	}
	p.i = start
	return nil, errSyntax
}

func (p *parser) name() (any, error) {
	p.i++
	s := p.i
	p.word()
	if p.i >= len(p.b) && !p.whole {
		return nil, errShort
	}
	raw := p.b[s:p.i]
	if bytes.IndexByte(raw, '#') < 0 {
		return name(raw), nil
	}
	out := make([]byte, len(raw))
	return name(out[:unescapeName(out, raw)]), nil
}

func (p *parser) literal() (any, error) {
	start := p.i
	p.i++
	var out []byte
	for depth := 1; p.i < len(p.b); p.i++ {
		c := p.b[p.i]
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				p.i++
				return text{b: out, start: p.at(start), end: p.at(p.i)}, nil
			}
		case '\\':
			p.i++
			if p.i >= len(p.b) {
				return nil, p.short()
			}
			c = p.b[p.i]
			switch c {
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			case 'b':
				c = '\b'
			case 'f':
				c = '\f'
			case '\r', '\n':
				continue
			case '0', '1', '2', '3', '4', '5', '6', '7':
				v := 0
				j := p.i
				for ; j < len(p.b) && j < p.i+3 && '0' <= p.b[j] && p.b[j] <= '7'; j++ {
					v = v*8 + int(p.b[j]-'0')
				}
				p.i = j - 1
				c = byte(v)
			}
		}
		out = append(out, c)
	}
	return nil, p.short()
}

func (p *parser) hexadecimal() (any, error) {
	start := p.i
	n := bytes.IndexByte(p.b[p.i:], '>')
	if n < 0 {
		return nil, p.short()
	}
	p.i += n + 1
	out := make([]byte, 0, n/2)
	hi, clean := -1, true
	for _, c := range p.b[start+1 : p.i-1] {
		v := unhex(c)
		switch {
		case isSpace(c):
		case v < 0:
			clean = false // readers pass over it; nothing that matters is written so
		case hi < 0:
			hi = v
		default:
			out = append(out, byte(hi<<4|v))
			hi = -1
		}
	}
	if hi >= 0 {
		out = append(out, byte(hi<<4))
	}
	return text{b: out, hex: clean, start: p.at(start), end: p.at(p.i)}, nil
}

func (p *parser) dict(depth int) (any, error) {
	p.i += 2
	d := dict{}
	for {
		p.space()
		if p.i+1 >= len(p.b) {
			return nil, p.short()
		}
		if p.b[p.i] == '>' && p.b[p.i+1] == '>' {
			p.i += 2
			return d, nil
		}
		if p.b[p.i] != '/' {
			return nil, errSyntax
		}
		k, err := p.name()
		if err != nil {
			return nil, err
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		d = append(d, entry{k.(name), v})
	}
}

// indirect reads "n g obj … endobj"; a stream ends where its data begin.
func (p *parser) indirect() (ref, any, error) {
	n, ok := p.integer()
	g, ok2 := p.integer()
	if !ok || !ok2 || n < 0 || n >= 1<<31 || g < 0 || g >= 1<<17 {
		return ref{}, nil, errSyntax
	}
	if !p.keyword("obj") {
		return ref{}, nil, errSyntax
	}
	v, err := p.value(0)
	if err != nil {
		return ref{}, nil, err
	}
	p.space()
	if len(p.b)-p.i < len("stream")+2 && !p.whole {
		return ref{}, nil, errShort
	}
	if d, ok := v.(dict); ok && p.keyword("stream") {
		if p.i < len(p.b) && p.b[p.i] == '\r' {
			p.i++
		}
		if p.i < len(p.b) && p.b[p.i] == '\n' {
			p.i++
		}
		v = stream{d, p.at(p.i)}
	}
	return ref{int(n), int(g)}, v, nil
}
