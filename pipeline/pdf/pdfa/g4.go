package pdfa

// g4 encodes black-and-white rows as CCITT Group 4 (ITU-T T.6). It is used where
// an image has to be put together from several strips: its pixels stay exactly
// as they are and its size about as it was.
type g4 struct {
	out   []byte
	acc   uint64
	n     uint
	width int
	ref   []int // changing elements of the row above, then width, width …
	cur   []int
}

func newG4(width int) *g4 {
	return &g4{width: width, ref: []int{width, width, width}}
}

func (g *g4) put(bits uint64, n uint) {
	g.acc = g.acc<<n | bits
	g.n += n
	for g.n >= 8 {
		g.n -= 8
		g.out = append(g.out, byte(g.acc>>g.n))
	}
}

func (g *g4) run(n int, black bool) {
	codes := &whiteRuns
	if black {
		codes = &blackRuns
	}
	for n >= 2560 {
		c := codes[64+39]
		g.put(uint64(c.bits), uint(c.n))
		n -= 2560
	}
	if n >= 64 {
		c := codes[63+n/64]
		g.put(uint64(c.bits), uint(c.n))
		n %= 64
	}
	c := codes[n]
	g.put(uint64(c.bits), uint(c.n))
}

// row encodes one row, packed eight pixels a byte, 1 is black.
func (g *g4) row(b []byte) {
	g.cur = g.cur[:0]
	prev := byte(0)
	for x := 0; x < g.width; {
		v := b[x/8]
		if x%8 == 0 && (v == 0 && prev == 0 || v == 0xff && prev == 1) {
			x += 8
			continue
		}
		if bit := v >> (7 - x%8) & 1; bit != prev {
			g.cur = append(g.cur, x)
			prev = bit
		}
		x++
	}
	g.cur = append(g.cur, g.width, g.width, g.width)

	a0, black, ci, ri := -1, false, 0, 0
	for a0 < g.width {
		// a1: the next change on this row; b1: the first change above, right of
		// a0 and to the colour opposite to a0's
		for ci > 0 && g.cur[ci-1] > a0 {
			ci--
		}
		for g.cur[ci] <= a0 && g.cur[ci] < g.width {
			ci++
		}
		a1 := g.cur[ci]
		if a0 < 0 {
			a1 = g.cur[0]
		}
		for ri > 0 && g.ref[ri-1] > a0 {
			ri--
		}
		for ri < len(g.ref)-3 && (g.ref[ri] <= a0 || ri%2 == 1 != black) {
			ri++
		}
		// Even entries turn to black, odd ones to white.
		b1, b2 := g.width, g.width
		if ri < len(g.ref) {
			b1 = g.ref[ri]
			if ri+1 < len(g.ref) {
				b2 = g.ref[ri+1]
			}
		}
		switch d := a1 - b1; {
		case b2 < a1:
			g.put(1, 4) // pass
			a0 = b2
			continue
		case d >= -3 && d <= 3:
			switch d {
			case 0:
				g.put(1, 1)
			case 1:
				g.put(3, 3)
			case 2:
				g.put(3, 6)
			case 3:
				g.put(3, 7)
			case -1:
				g.put(2, 3)
			case -2:
				g.put(2, 6)
			case -3:
				g.put(2, 7)
			}
			a0 = a1
			black = !black
		default:
			a2 := g.width
			if ci+1 < len(g.cur) {
				a2 = g.cur[ci+1]
			}
			g.put(1, 3) // horizontal
			g.run(a1-max(a0, 0), black)
			g.run(a2-a1, !black)
			a0 = a2
		}
	}
	g.ref, g.cur = g.cur, g.ref
}

// finish closes the data and returns it.
func (g *g4) finish() []byte {
	g.put(1, 12)
	g.put(1, 12)
	if g.n > 0 {
		g.put(0, 8-g.n)
	}
	return g.out
}
