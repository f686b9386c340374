package pdf

import (
	"bytes"
	"math"
	"strconv"
)

// lexer reads the tokens of a content stream. It never fails: what it does not
// understand it skips, as every viewer does.
type lexer struct {
	b   []byte
	pos int
}

type tokenKind byte

const (
	tokEnd tokenKind = iota
	tokOperator
	tokNumber
	tokName
	tokString // literal or hexadecimal; its contents are not kept
	tokOpen   // [ or <<
	tokClose  // ] or >>
)

type token struct {
	kind tokenKind
	text []byte  // operator or name, a slice of the stream
	num  float64 // number
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

func (l *lexer) next() token {
	for l.pos < len(l.b) {
		c := l.b[l.pos]
		switch {
		case isSpace(c):
			l.pos++
		case c == '%':
			for l.pos < len(l.b) && l.b[l.pos] != '\n' && l.b[l.pos] != '\r' {
				l.pos++
			}
		case c == '(':
			l.literal()
			return token{kind: tokString}
		case c == '<':
			if l.pos+1 < len(l.b) && l.b[l.pos+1] == '<' {
				l.pos += 2
				return token{kind: tokOpen}
			}
			if i := bytes.IndexByte(l.b[l.pos:], '>'); i >= 0 {
				l.pos += i + 1
			} else {
				l.pos = len(l.b)
			}
			return token{kind: tokString}
		case c == '>':
			l.pos++
			if l.pos < len(l.b) && l.b[l.pos] == '>' {
				l.pos++
			}
			return token{kind: tokClose}
		case c == '[':
			l.pos++
			return token{kind: tokOpen}
		case c == ']':
			l.pos++
			return token{kind: tokClose}
		case c == '/':
			l.pos++
			return token{kind: tokName, text: l.regular()}
		case c == ')' || c == '{' || c == '}':
			l.pos++
		default:
			w := l.regular()
			if n, ok := number(w); ok {
				return token{kind: tokNumber, num: n}
			}
			return token{kind: tokOperator, text: w}
		}
	}
	return token{}
}

func (l *lexer) regular() []byte {
	from := l.pos
	for l.pos < len(l.b) && !isSpace(l.b[l.pos]) && !isDelim(l.b[l.pos]) {
		l.pos++
	}
	return l.b[from:l.pos]
}

func (l *lexer) literal() {
	depth := 0
	for ; l.pos < len(l.b); l.pos++ {
		switch l.b[l.pos] {
		case '\\':
			l.pos++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				l.pos++
				return
			}
		}
	}
	l.pos = min(l.pos, len(l.b))
}

// number reads an integer or a real; the fast path covers nearly all of them.
func number(w []byte) (float64, bool) {
	if len(w) == 0 {
		return 0, false
	}
	i, neg := 0, false
	if w[0] == '-' || w[0] == '+' {
		neg = w[0] == '-'
		i++
	}
	if i == len(w) || !(w[i] == '.' || w[i] >= '0' && w[i] <= '9' || w[i] == '-') {
		return 0, false
	}
	var n, scale float64 = 0, 0
	for ; i < len(w); i++ {
		switch c := w[i]; {
		case c >= '0' && c <= '9':
			n = n*10 + float64(c-'0')
			scale *= 10
		case c == '.' && scale == 0:
			scale = 1
		default:
			f, err := strconv.ParseFloat(string(w), 64)
			if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
				return 0, c == '-' // "12-34", seen in the wild, reads as a number
			}
			return f, true
		}
	}
	if scale > 1 {
		n /= scale
	}
	if neg {
		n = -n
	}
	return n, true
}

// inlineData returns the data of an inline image whose ID operator has just been
// read, and passes its EI. length is how long the data must be where that is
// known (no filter), else -1.
func (l *lexer) inlineData(length int) []byte {
	if l.pos < len(l.b) && isSpace(l.b[l.pos]) {
		l.pos++
	}
	from := l.pos
	if length >= 0 && from+length <= len(l.b) {
		l.pos = from + length
	}
	for l.pos < len(l.b) {
		i := bytes.Index(l.b[l.pos:], []byte("EI"))
		if i < 0 {
			break
		}
		at := l.pos + i
		before := at == from || isSpace(l.b[at-1]) || length >= 0 && at == from+length
		after := at+2 >= len(l.b) || isSpace(l.b[at+2])
		l.pos = at + 2
		if before && after && plausible(l.b[l.pos:]) {
			end := at
			if end > from && isSpace(l.b[end-1]) {
				end--
			}
			return l.b[from:max(end, from)]
		}
	}
	l.pos = len(l.b)
	return l.b[from:]
}

// plausible reports whether what follows an EI can be content and not image data.
func plausible(b []byte) bool {
	for _, c := range b[:min(len(b), 10)] {
		if c >= 0x80 || c < ' ' && !isSpace(c) {
			return false
		}
	}
	return true
}

// matrix is a PDF transformation [a b c d e f].
type matrix [6]float64

var identity = matrix{1, 0, 0, 1, 0, 0}

// mul is m applied first, then n.
func (m matrix) mul(n matrix) matrix {
	return matrix{
		m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3],
		m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5],
	}
}

// box is a rectangle with its corners in order.
type box struct{ x0, y0, x1, y1 float64 }

func (b box) width() float64  { return b.x1 - b.x0 }
func (b box) height() float64 { return b.y1 - b.y0 }
func (b box) area() float64 {
	if b.x1 <= b.x0 || b.y1 <= b.y0 {
		return 0
	}
	return b.width() * b.height()
}

func (b box) intersect(c box) box {
	return box{max(b.x0, c.x0), max(b.y0, c.y0), min(b.x1, c.x1), min(b.y1, c.y1)}
}

// unit is where the unit square comes to lie: its bounding box.
func (m matrix) unit() box {
	xs := [4]float64{m[4], m[4] + m[0], m[4] + m[2], m[4] + m[0] + m[2]}
	ys := [4]float64{m[5], m[5] + m[1], m[5] + m[3], m[5] + m[1] + m[3]}
	b := box{xs[0], ys[0], xs[0], ys[0]}
	for i := 1; i < 4; i++ {
		b.x0, b.x1 = min(b.x0, xs[i]), max(b.x1, xs[i])
		b.y0, b.y1 = min(b.y0, ys[i]), max(b.y1, ys[i])
	}
	return b
}
