package pdfa

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// The objects of PDF. An object is one of: nil (null), bool, int64, float64,
// name, str, array, dict, ref, *stream; in content streams also keyword.
type (
	name    string // without the slash, #xx decoded
	str     string // decoded bytes
	keyword string
	array   []any
	dict    map[name]any
	ref     struct{ num, gen int }
)

// stream is a stream object; body is the encoded bytes, read on demand.
type stream struct {
	dict dict
	body *io.SectionReader
}

var (
	errShort  = errors.New("the object goes on beyond the window")
	errSyntax = errors.New("syntax error")
)

const maxDepth = 100

// lexer reads PDF tokens from a window of bytes. When whole is false, a token
// that touches the end of the window is errShort: the caller widens the window.
type lexer struct {
	b     []byte
	pos   int
	whole bool
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

func isDelim(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '[', ']', '{', '}', '/', '%':
		return true
	}
	return false
}

func isRegular(c byte) bool { return !isSpace(c) && !isDelim(c) }

func (l *lexer) end() error {
	if l.whole {
		return io.EOF
	}
	return errShort
}

func (l *lexer) skipSpace() {
	for l.pos < len(l.b) {
		c := l.b[l.pos]
		if c == '%' {
			for l.pos < len(l.b) && l.b[l.pos] != '\n' && l.b[l.pos] != '\r' {
				l.pos++
			}
			continue
		}
		if !isSpace(c) {
			return
		}
		l.pos++
	}
}

// next returns the next object or keyword. References ("1 0 R") are not put
// together here, because content streams have none; see object.
func (l *lexer) next(depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nested more than %d deep", errSyntax, maxDepth)
	}
	l.skipSpace()
	if l.pos >= len(l.b) {
		return nil, l.end()
	}
	switch c := l.b[l.pos]; c {
	case '/':
		return l.name()
	case '(':
		return l.literal()
	case '<':
		if l.pos+1 >= len(l.b) {
			return nil, l.end()
		}
		if l.b[l.pos+1] == '<' {
			l.pos += 2
			return l.dict(depth)
		}
		return l.hex()
	case '[':
		l.pos++
		return l.array(depth)
	case '>':
		if l.pos+1 < len(l.b) && l.b[l.pos+1] == '>' {
			l.pos += 2
			return keyword(">>"), nil
		}
		l.pos++
		return keyword(">"), nil
	case ']', '{', '}', ')':
		l.pos++
		return keyword(string(c)), nil
	}
	start := l.pos
	for l.pos < len(l.b) && isRegular(l.b[l.pos]) {
		l.pos++
	}
	if l.pos == len(l.b) && !l.whole {
		return nil, errShort
	}
	word := l.b[start:l.pos]
	if n, ok := number(word); ok {
		return n, nil
	}
	switch string(word) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	}
	return keyword(word), nil
}

// object returns the next object with references put together.
func (l *lexer) object(depth int) (any, error) {
	o, err := l.next(depth)
	if err != nil {
		return nil, err
	}
	num, ok := o.(int64)
	if !ok || num < 0 || num > math.MaxInt32 {
		return o, nil
	}
	mark := l.pos
	gen, err := l.smallInt()
	if err == nil {
		l.skipSpace()
		if l.pos >= len(l.b) && !l.whole {
			return nil, errShort
		}
		if l.pos < len(l.b) && l.b[l.pos] == 'R' {
			if l.pos+1 >= len(l.b) && !l.whole {
				return nil, errShort
			}
			if l.pos+1 >= len(l.b) || !isRegular(l.b[l.pos+1]) {
				l.pos++
				return ref{int(num), gen}, nil
			}
		}
	} else if errors.Is(err, errShort) {
		return nil, err
	}
	l.pos = mark
	return o, nil
}

// smallInt reads a plain unsigned number of at most ten digits.
func (l *lexer) smallInt() (int, error) {
	l.skipSpace()
	start := l.pos
	for l.pos < len(l.b) && l.b[l.pos] >= '0' && l.b[l.pos] <= '9' {
		l.pos++
	}
	if l.pos == len(l.b) && !l.whole {
		return 0, errShort
	}
	if l.pos == start || l.pos-start > 10 {
		return 0, errSyntax
	}
	n, err := strconv.ParseInt(string(l.b[start:l.pos]), 10, 64)
	if err != nil || n > math.MaxInt32 {
		return 0, errSyntax
	}
	return int(n), nil
}

// word reads a run of regular characters after blanks.
func (l *lexer) word() (string, error) {
	l.skipSpace()
	start := l.pos
	for l.pos < len(l.b) && isRegular(l.b[l.pos]) {
		l.pos++
	}
	if l.pos == len(l.b) && !l.whole {
		return "", errShort
	}
	return string(l.b[start:l.pos]), nil
}

func number(w []byte) (any, bool) {
	if len(w) == 0 {
		return nil, false
	}
	i, neg := 0, false
	for i < len(w) && (w[i] == '+' || w[i] == '-') {
		neg = neg || w[i] == '-'
		i++
	}
	if i == len(w) || i > 2 {
		return nil, false
	}
	dot := false
	var n int64
	for _, c := range w[i:] {
		switch {
		case c >= '0' && c <= '9':
			if n < math.MaxInt64/20 {
				n = n*10 + int64(c-'0')
			} else if !dot {
				dot = true // too long for an integer: read as a real
			}
		case c == '.' && bytes.IndexByte(w, '.') == bytes.LastIndexByte(w, '.'):
			dot = true
		default:
			return nil, false
		}
	}
	if !dot {
		if neg {
			n = -n
		}
		return n, true
	}
	if len(w[i:]) == 1 && w[i] == '.' {
		return float64(0), true
	}
	f, err := strconv.ParseFloat(string(w[i:]), 64)
	if err != nil {
		return nil, false
	}
	if neg {
		f = -f
	}
	return f, true
}

func (l *lexer) name() (any, error) {
	l.pos++
	start, plain := l.pos, true
	for l.pos < len(l.b) && isRegular(l.b[l.pos]) {
		if l.b[l.pos] == '#' {
			plain = false
		}
		l.pos++
	}
	if l.pos == len(l.b) && !l.whole {
		return nil, errShort
	}
	w := l.b[start:l.pos]
	if plain {
		return name(w), nil
	}
	out := make([]byte, 0, len(w))
	for i := 0; i < len(w); i++ {
		if w[i] == '#' && i+2 < len(w) {
			if v, err := strconv.ParseUint(string(w[i+1:i+3]), 16, 8); err == nil {
				out = append(out, byte(v))
				i += 2
				continue
			}
		}
		out = append(out, w[i])
	}
	return name(out), nil
}

func (l *lexer) literal() (any, error) {
	l.pos++
	var out []byte
	open := 1
	for l.pos < len(l.b) {
		c := l.b[l.pos]
		l.pos++
		switch c {
		case '(':
			open++
		case ')':
			open--
			if open == 0 {
				return str(out), nil
			}
		case '\r':
			if l.pos < len(l.b) && l.b[l.pos] == '\n' {
				l.pos++
			}
			c = '\n'
		case '\\':
			if l.pos >= len(l.b) {
				return nil, l.end()
			}
			c = l.b[l.pos]
			l.pos++
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
			case '\r':
				if l.pos < len(l.b) && l.b[l.pos] == '\n' {
					l.pos++
				}
				continue
			case '\n':
				continue
			case '0', '1', '2', '3', '4', '5', '6', '7':
				v := int(c - '0')
				for n := 0; n < 2 && l.pos < len(l.b) && l.b[l.pos] >= '0' && l.b[l.pos] <= '7'; n++ {
					v = v*8 + int(l.b[l.pos]-'0')
					l.pos++
				}
				c = byte(v)
			}
		}
		out = append(out, c)
	}
	return nil, l.end()
}

func (l *lexer) hex() (any, error) {
	l.pos++
	var out []byte
	half, n := byte(0), 0
	for l.pos < len(l.b) {
		c := l.b[l.pos]
		l.pos++
		var v byte
		switch {
		case c == '>':
			if n%2 == 1 {
				out = append(out, half<<4)
			}
			return str(out), nil
		case c >= '0' && c <= '9':
			v = c - '0'
		case c >= 'a' && c <= 'f':
			v = c - 'a' + 10
		case c >= 'A' && c <= 'F':
			v = c - 'A' + 10
		default:
			continue
		}
		if n%2 == 1 {
			out = append(out, half<<4|v)
		}
		half = v
		n++
	}
	return nil, l.end()
}

func (l *lexer) array(depth int) (any, error) {
	out := array{}
	for {
		o, err := l.object(depth + 1)
		if err != nil {
			return nil, err
		}
		if k, ok := o.(keyword); ok {
			if k == "]" {
				return out, nil
			}
			if k == ">>" || k == "endobj" || k == "stream" {
				return nil, fmt.Errorf("%w: array not closed", errSyntax)
			}
			continue
		}
		out = append(out, o)
	}
}

func (l *lexer) dict(depth int) (any, error) {
	out := dict{}
	for {
		k, err := l.next(depth + 1)
		if err != nil {
			return nil, err
		}
		switch k := k.(type) {
		case keyword:
			if k == ">>" {
				return out, nil
			}
			if k == "endobj" || k == "stream" {
				return nil, fmt.Errorf("%w: dictionary not closed", errSyntax)
			}
		case name:
			v, err := l.object(depth + 1)
			if err != nil {
				return nil, err
			}
			if kw, ok := v.(keyword); ok {
				if kw == ">>" {
					return out, nil
				}
				continue
			}
			if v != nil {
				out[k] = v
			}
		}
	}
}

// appendObject writes an object in PDF syntax, dictionary keys sorted, so that
// the same object always gives the same bytes. Streams are written by file.
func appendObject(b []byte, o any) []byte {
	switch o := o.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, o)
	case int:
		return strconv.AppendInt(b, int64(o), 10)
	case int64:
		return strconv.AppendInt(b, o, 10)
	case float64:
		return appendReal(b, o)
	case name:
		return appendName(b, o)
	case keyword:
		return append(b, o...)
	case str:
		return appendString(b, o)
	case ref:
		b = strconv.AppendInt(b, int64(o.num), 10)
		b = append(b, ' ')
		b = strconv.AppendInt(b, int64(o.gen), 10)
		return append(b, " R"...)
	case array:
		b = append(b, '[')
		for i, e := range o {
			if i > 0 {
				b = append(b, ' ')
			}
			b = appendObject(b, e)
		}
		return append(b, ']')
	case dict:
		b = append(b, "<<"...)
		for _, k := range sortedKeys(o) {
			b = appendName(b, k)
			b = append(b, ' ')
			b = appendObject(b, o[k])
		}
		return append(b, ">>"...)
	}
	panic(fmt.Sprintf("pdfa: %T is not an object that can be written", o))
}

func sortedKeys(d dict) []name {
	keys := make([]name, 0, len(d))
	for k := range d {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func appendReal(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		f = 0
	}
	// Below the smallest float32 a reader sees zero; PDF/A wants it written so.
	if f != 0 && math.Abs(f) < 1.175e-38 {
		f = 0
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}

func appendName(b []byte, n name) []byte {
	b = append(b, '/')
	for i := 0; i < len(n); i++ {
		if c := n[i]; c < '!' || c > '~' || c == '#' || isDelim(c) {
			b = append(b, '#', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

func appendString(b []byte, s str) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' {
			b = append(b, '<')
			const digits = "0123456789abcdef"
			for j := 0; j < len(s); j++ {
				b = append(b, digits[s[j]>>4], digits[s[j]&15])
			}
			return append(b, '>')
		}
	}
	b = append(b, '(')
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == '(' || c == ')' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, ')')
}

// num returns a number as a float64.
func num(o any) (float64, bool) {
	switch o := o.(type) {
	case int64:
		return float64(o), true
	case float64:
		return o, true
	}
	return 0, false
}
