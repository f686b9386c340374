package pdf

import (
	"math"
)

// thumb is a small grey picture of an image, of which the flags are made. Each of
// its pixels is the mean of a square of the image's.
type thumb struct {
	w, h int
	pix  []uint8 // luminance, row by row

	dark  []uint8 // what ink has measured; nil: not yet
	darkW int
}

// shrinkSide is the side of that square.
const shrinkSide = 8

// shrinker makes a thumb of rows as they are decoded.
type shrinker struct {
	width, height int
	w, h          int
	sum           []uint32 // dark bits, or luminance
	max           uint32   // what a pixel's sum is where everything counts
	dark          bool     // the sums count dark pixels
}

func newShrinker(width, height int) *shrinker {
	s := &shrinker{width: width, height: height, w: (width + shrinkSide - 1) / shrinkSide, h: (height + shrinkSide - 1) / shrinkSide}
	if s.w*s.h > maxBlocks {
		s.w, s.h = 0, 0
	}
	s.sum = make([]uint32, s.w*s.h)
	return s
}

// runs adds a black-and-white row given by its changes, white first.
func (s *shrinker) runs(y int, changes []int) {
	if y/shrinkSide >= s.h {
		return
	}
	s.dark, s.max = true, shrinkSide*shrinkSide
	row := s.sum[y/shrinkSide*s.w : (y/shrinkSide+1)*s.w]
	for i := 0; i < len(changes); i += 2 {
		from, to := changes[i], s.width
		if i+1 < len(changes) {
			to = changes[i+1]
		}
		for from < to {
			end := min(to, (from/shrinkSide+1)*shrinkSide)
			row[from/shrinkSide] += uint32(end - from)
			from = end
		}
	}
}

// bits adds a row of one bit a pixel; which of them is dark is found out in the
// end: on paper it is the rarer one.
func (s *shrinker) bits(y int, row []byte) {
	if y/shrinkSide >= s.h {
		return
	}
	s.dark, s.max = true, shrinkSide*shrinkSide
	sum := s.sum[y/shrinkSide*s.w:]
	for x := range min(s.w, len(row)) {
		sum[x] += uint32(popcount[row[x]>>4] + popcount[row[x]&15])
	}
}

var popcount = [16]uint8{0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4}

// bytes adds a row of bytes, every step-th from first on.
func (s *shrinker) bytes(y int, row []byte, first, step int) {
	if y/shrinkSide >= s.h {
		return
	}
	s.max = 255 * shrinkSide * shrinkSide
	sum := s.sum[y/shrinkSide*s.w:]
	for x := range s.width {
		sum[x/shrinkSide] += uint32(row[first+x*step])
	}
}

func (s *shrinker) thumb() *thumb {
	// Pixels at the right and lower edge are means of fewer; they are left out.
	t := &thumb{w: s.width / shrinkSide, h: s.height / shrinkSide}
	if s.w == 0 || t.w == 0 || t.h == 0 || s.max == 0 {
		return nil
	}
	t.pix = make([]uint8, t.w*t.h)
	invert := false
	if s.dark {
		var all uint64
		for _, v := range s.sum {
			all += uint64(v)
		}
		invert = all*2 > uint64(s.max)*uint64(len(s.sum))
	}
	for y := range t.h {
		for x := range t.w {
			v := s.sum[y*s.w+x] * 255 / s.max
			if s.dark != invert {
				v = 255 - v
			}
			t.pix[y*t.w+x] = uint8(min(v, 255))
		}
	}
	return t
}

// appearance is what a thumb shows.
type appearance struct {
	blank    bool
	contrast int     // between paper and the darkest that is no speck, 0 to 255
	skew     float64 // degrees; 0 where there is nothing to measure by
}

// The numbers below were set by looking at the sample scans, the files of testdata
// and the real scans among the foreign files; they are ours. All of them only flag.
const (
	edge         = 0.04  // of each side: shadows of the scanner's lid and of folded paper
	tile         = 8     // side, in pixels, of the squares of which the paper's brightness is taken: 8 mm at 200 dpi
	inkAbove     = 6     // darker than the paper around it by so much is ink …
	blankShare   = 0.002 // … and a page with less of it than this is blank: dust and a page number
	faintBelow   = 40    // contrast below this is faint
	skewedAbove  = 2.0   // degrees
	skewSearched = 8.0
	enoughInk    = 400 // pixels of ink in a part of a page that stands for the whole
)

// ink returns how far each pixel within the edges lies below the paper around
// it, and how many pixels a row has. The paper is taken from the neighbourhood,
// because a scanner's light is not even, and from the whole page for what is
// darker than any light makes it.
func (t *thumb) ink() (darkness []uint8, w int) {
	if t.dark == nil {
		t.dark, t.darkW = t.measureInk()
	}
	return t.dark, t.darkW
}

func (t *thumb) measureInk() (darkness []uint8, w int) {
	x0, y0 := int(float64(t.w)*edge), int(float64(t.h)*edge)
	w, h := t.w-2*x0, t.h-2*y0
	if w <= 0 || h <= 0 {
		return nil, 0
	}
	tw, th := (w+tile-1)/tile, (h+tile-1)/tile
	local := make([]uint8, tw*th)
	var whole [256]int
	for ty := range th {
		for tx := range tw {
			var hist [256]uint8 // a tile has 64 pixels
			n := 0
			for y := ty * tile; y < min(h, (ty+1)*tile); y++ {
				for _, v := range t.pix[(y0+y)*t.w+x0+tx*tile : (y0+y)*t.w+x0+min(w, (tx+1)*tile)] {
					hist[v]++
					whole[v]++
					n++
				}
			}
			local[ty*tw+tx] = brightest(&hist, n/4)
		}
	}
	page := int(brightest(&whole, w*h/3)) - 64
	darkness = make([]uint8, w*h)
	for ty := range th {
		for tx := range tw {
			paper := 0
			for ny := max(0, ty-1); ny <= min(th-1, ty+1); ny++ {
				for nx := max(0, tx-1); nx <= min(tw-1, tx+1); nx++ {
					paper = max(paper, int(local[ny*tw+nx]))
				}
			}
			paper = max(paper, page)
			for y := ty * tile; y < min(h, (ty+1)*tile); y++ {
				from := (y0+y)*t.w + x0
				for x := tx * tile; x < min(w, (tx+1)*tile); x++ {
					darkness[y*w+x] = uint8(max(0, paper-int(t.pix[from+x])))
				}
			}
		}
	}
	return darkness, w
}

// brightest is the brightness that all but the n brightest pixels stay below.
func brightest[count uint8 | int](hist *[256]count, n int) uint8 {
	v := 255
	for sum := int(hist[255]); v > 0 && sum <= n; sum += int(hist[v]) {
		v--
	}
	return uint8(v)
}

func (t *thumb) blank() bool {
	dark, _ := t.ink()
	return blankInk(dark)
}

// telling reports whether there is enough ink to judge the page by: some lines of
// text and not a number in a corner.
func (t *thumb) telling() bool {
	dark, _ := t.ink()
	return inked(dark) >= enoughInk
}

// inked counts the pixels of ink.
func inked(dark []uint8) int {
	n := 0
	for _, d := range dark {
		if d > inkAbove {
			n++
		}
	}
	return n
}

func blankInk(dark []uint8) bool {
	return float64(inked(dark)) <= blankShare*float64(len(dark))
}

// look measures.
func (t *thumb) look() appearance {
	dark, w := t.ink()
	if blankInk(dark) {
		return appearance{blank: true}
	}
	// The darkest tenth of the ink: the edges of letters are paler than letters.
	var hist [256]int
	n := 0
	for _, d := range dark {
		if d > inkAbove {
			hist[d]++
			n++
		}
	}
	l := appearance{contrast: int(brightest(&hist, n/10))}
	l.skew = skewOf(dark, w, max(inkAbove, l.contrast/3))
	return l
}

// skewOf finds the angle at which the lines of text lie, by the angle at which
// the sums along parallel lines differ most from line to line.
func skewOf(dark []uint8, w, least int) float64 {
	type dot struct {
		x, y float32
		v    float32
	}
	all := 0
	for _, d := range dark {
		if int(d) > least {
			all++
		}
	}
	if all < 40 || all > len(dark)/2 {
		return 0
	}
	// More than some thousands tell no more.
	step := all/3000 + 1
	dots := make([]dot, 0, all/step)
	h, seen := len(dark)/w, 0
	for i, d := range dark {
		if int(d) <= least {
			continue
		}
		if seen%step == 0 && len(dots) < cap(dots) {
			dots = append(dots, dot{float32(i%w) - float32(w)/2, float32(i / w), float32(d)})
		}
		seen++
	}
	margin := w/2*int(math.Ceil(skewSearched))/57 + 4
	bins := make([]float32, h+2*margin+2)
	score := func(deg float64) float64 {
		clear(bins)
		tan := float32(math.Tan(deg * math.Pi / 180))
		for _, d := range dots {
			y := d.y + d.x*tan + float32(margin)
			i := int(y)
			if uint(i) >= uint(len(bins)-1) {
				continue
			}
			f := d.v * (y - float32(i))
			two := bins[i : i+2 : i+2]
			two[0] += d.v - f
			two[1] += f
		}
		var s float64
		for i := 1; i < len(bins); i++ {
			d := float64(bins[i] - bins[i-1])
			s += d * d
		}
		return s
	}
	straight := score(0)
	best, at := straight, 0.0
	for deg := -skewSearched; deg <= skewSearched; deg += 0.5 {
		if s := score(deg); s > best {
			best, at = s, deg
		}
	}
	if best < 1.2*straight {
		return 0
	}
	return -at
}
