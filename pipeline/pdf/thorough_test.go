package pdf

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"sohoa/dossier"
	"sohoa/internal/testneed"
)

// waves is a grey JPEG 2000 picture of 64 × 64 pixels, made by OpenJPEG.
const waves = "" +
	"/0//UQApAAAAAABAAAAAQAAAAAAAAAAAAAAAQAAAAEAAAAAAAAAAAAABBwEB/1IADAAAAAEAAgQEAAD/XAARQl9SUAVQBVBHV9NX01di/2QAJQ" +
	"ABQ3JlYXRlZCBieSBPcGVuSlBFRyB2ZXJzaW9uIDIuNS40/5AACgAAAAACPQAB/5PH3aCgFDgpLnSBwuusGPoRkYkftG7VtHckilrZ84ZYpvv5" +
	"GfWdDwnvtwZQwB4AGdv54Z2Th1M6DKfhroERbbg/Eb6onnESvRqMCyihIAW8tnRSbUNokbkzc4L+RwDEEBLx0mh8fiuIhTfAOzj5ccnntJ9M6J" +
	"dGLowouTeNz3UdhvWx85uOMSr1Jeu7Aku/9oeiPWYtbNYZyt/DwQmu8wtW2ZPJEgoSsH1WoS0ZPTWWKICBChwuSJgRMFF0aQZ+EXlO01THNmu8" +
	"Ef5uPqxSqH8t2WoKjph5xlp/l2tLpvl/zgKBwRoSjSrwHsimKgenw9yexkvs90pMFX1Qsf8i6SS2Y+A3DcRZj4GLwfLRI+nQcAygYk8SWp4f2e" +
	"QnUFRzkMQkwSTX0fDy/R8fu4A/kN0ENZ3wLOpKQBgrJm/A1QvA5Sw5O9reDvrbeO4h1GgU27bVyrk9us+h2UfR5GR/TKQgDpIROUGWQ/AW9PMK" +
	"OP4MlzqF3bEOpG16PNvHIujMvFSMhGcGHWvxpCMA6qf7/HDdOD+ZXmCWWN/5d+uvtYFJfOJXbhJrvYVHPn53HEjpZs8o59Ou9tY8h/xvNzEmNF" +
	"LSxeeHKryIuxsY0+N4zE80M3dp4TBiDd07OGCOfIRr2C+CCobA+JJA+JCArP0W7+5/UV0pE9/BhGx3QOgdQNj1C3yoTQkQVgnq757Pdluk4a1J" +
	"k+RbwXJSBGhIHo3QMqofTI/s18NLIpmNHOUR0oS0/9k="

// mqEncoder is the arithmetic encoder of JBIG2 (ISO/IEC 14492, annex E).
type mqEncoder struct {
	a, c  uint32
	ct    int
	out   []byte      // the first byte is none
	index map[int]int // state, by context
	mps   map[int]int // more probable symbol, by context
}

// mqTable: probability, next state after the more and the less probable symbol, and
// whether their senses change.
var mqTable = [47][4]uint32{{0x5601, 1, 1, 1}, {0x3401, 2, 6, 0}, {0x1801, 3, 9, 0}, {0x0ac1, 4, 12, 0}, {0x0521, 5, 29, 0}, {0x0221, 38, 33, 0},
	{0x5601, 7, 6, 1}, {0x5401, 8, 14, 0}, {0x4801, 9, 14, 0}, {0x3801, 10, 14, 0}, {0x3001, 11, 17, 0}, {0x2401, 12, 18, 0}, {0x1c01, 13, 20, 0},
	{0x1601, 29, 21, 0}, {0x5601, 15, 14, 1}, {0x5401, 16, 14, 0}, {0x5101, 17, 15, 0}, {0x4801, 18, 16, 0}, {0x3801, 19, 17, 0}, {0x3401, 20, 18, 0},
	{0x3001, 21, 19, 0}, {0x2801, 22, 19, 0}, {0x2401, 23, 20, 0}, {0x2201, 24, 21, 0}, {0x1c01, 25, 22, 0}, {0x1801, 26, 23, 0}, {0x1601, 27, 24, 0},
	{0x1401, 28, 25, 0}, {0x1201, 29, 26, 0}, {0x1101, 30, 27, 0}, {0x0ac1, 31, 28, 0}, {0x09c1, 32, 29, 0}, {0x08a1, 33, 30, 0}, {0x0521, 34, 31, 0},
	{0x0441, 35, 32, 0}, {0x02a1, 36, 33, 0}, {0x0221, 37, 34, 0}, {0x0141, 38, 35, 0}, {0x0111, 39, 36, 0}, {0x0085, 40, 37, 0}, {0x0049, 41, 38, 0},
	{0x0025, 42, 39, 0}, {0x0015, 43, 40, 0}, {0x0009, 44, 41, 0}, {0x0005, 45, 42, 0}, {0x0001, 45, 43, 0}, {0x5601, 46, 46, 0}}

func (e *mqEncoder) bit(context, d int) {
	q := mqTable[e.index[context]]
	e.a -= q[0]
	if d == e.mps[context] {
		if e.a&0x8000 != 0 {
			e.c += q[0]
			return
		}
		if e.a < q[0] {
			e.a = q[0]
		} else {
			e.c += q[0]
		}
		e.index[context] = int(q[1])
	} else {
		if e.a < q[0] {
			e.c += q[0]
		} else {
			e.a = q[0]
		}
		if q[3] == 1 {
			e.mps[context] = 1 - e.mps[context]
		}
		e.index[context] = int(q[2])
	}
	for {
		e.a <<= 1
		e.c <<= 1
		if e.ct--; e.ct == 0 {
			e.byte()
		}
		if e.a&0x8000 != 0 {
			return
		}
	}
}

func (e *mqEncoder) byte() {
	last := len(e.out) - 1
	if e.out[last] != 0xff {
		if e.c >= 0x8000000 {
			if e.out[last]++; e.out[last] == 0xff {
				e.c &= 0x7ffffff
			}
		}
		if e.out[last] != 0xff {
			e.out = append(e.out, byte(e.c>>19))
			e.c &= 0x7ffff
			e.ct = 8
			return
		}
	}
	e.out = append(e.out, byte(e.c>>20))
	e.c &= 0xfffff
	e.ct = 7
}

func (e *mqEncoder) finish() []byte {
	limit := e.c + e.a
	e.c |= 0xffff
	if e.c >= limit {
		e.c -= 0x8000
	}
	e.c <<= e.ct
	e.byte()
	e.c <<= e.ct
	e.byte()
	return append(e.out[1:], 0xff, 0xac)
}

// genericRegion codes a picture (width a multiple of 8, ones black) as JBIG2:
// template 0 of generic regions.
func genericRegion(rows [][]byte) []byte {
	w, h := len(rows[0])*8, len(rows)
	at := func(x, y int) int {
		if x < 0 || x >= w || y < 0 {
			return 0
		}
		return int(rows[y][x/8]>>(7-x%8)) & 1
	}
	e := &mqEncoder{a: 0x8000, ct: 12, out: []byte{0}, index: map[int]int{}, mps: map[int]int{}}
	for y := range h {
		for x := range w {
			cx := 0
			// The order of the context's bits is the decoder's affair alone, as long
			// as it is one to one; its pixels are figure 3's
			for _, p := range [][2]int{{-1, -2}, {0, -2}, {1, -2}, {-2, -1}, {-1, -1}, {0, -1}, {1, -1}, {2, -1}, {-4, 0}, {-3, 0}, {-2, 0}, {-1, 0},
				{3, -1}, {-3, -1}, {2, -2}, {-2, -2}} {
				cx = cx<<1 | at(x+p[0], y+p[1])
			}
			e.bit(cx, at(x, y))
		}
	}
	data := e.finish()
	info := binary.BigEndian.AppendUint32(nil, uint32(w))
	info = binary.BigEndian.AppendUint32(info, uint32(h))
	b := append([]byte{0, 0, 0, 0, 48, 0, 1, 0, 0, 0, 19}, info...)
	b = append(b, make([]byte, 11)...)
	region := append(bytes.Clone(info), 0, 0, 0, 0, 0, 0, 0, 0, 0)       // at 0, 0; or
	region = append(region, 0, 3, 0xff, 0xfd, 0xff, 2, 0xfe, 0xfe, 0xfe) // template 0, where its four free pixels are
	b = append(b, 0, 0, 0, 1, 38, 0, 1)
	b = binary.BigEndian.AppendUint32(b, uint32(len(region)+len(data)))
	return append(append(b, region...), data...)
}

// shortened is JBIG2 of which the last segment has lost so many bytes, and says so.
func shortened(b []byte, lost int) []byte {
	b = bytes.Clone(b[:len(b)-lost])
	at := 11 + 19 + 7
	binary.BigEndian.PutUint32(b[at:], binary.BigEndian.Uint32(b[at:])-uint32(lost))
	return b
}

// TestThorough: data that is shorter than the picture, while every length in it is
// right, is found by decoding to the last row.
func TestThorough(t *testing.T) {
	jpx, err := base64.StdEncoding.DecodeString(waves)
	if err != nil {
		t.Fatal(err)
	}
	rows := make([][]byte, 200)
	for y := range rows {
		rows[y] = make([]byte, 32)
		for x := range rows[y] {
			rows[y][x] = byte(x*y*7 + y*y/9)
		}
	}
	jbig := genericRegion(rows)
	cutJPX := func(tenth int) []byte {
		b := append(bytes.Clone(jpx[:len(jpx)*tenth/10]), 0xff, 0xd9)
		part := bytes.Index(b, []byte{0xff, 0x90})
		binary.BigEndian.PutUint32(b[part+6:], 0) // a tile part "to the end"
		return b
	}
	type picked struct {
		name, filter  string
		width, height int
		data          []byte
		want          dossier.Reason
	}
	cases := []picked{
		{"JPX", "JPXDecode", 64, 64, jpx, ""},
		{"JBIG2", "JBIG2Decode", 256, 200, jbig, ""},
		{"JBIG2 without the marker at its end", "JBIG2Decode", 256, 200, shortened(jbig, 2), ""},
	}
	for tenth := 3; tenth < 10; tenth++ {
		cases = append(cases, picked{"JPX cut", "JPXDecode", 64, 64, cutJPX(tenth), dossier.Damaged})
	}
	for _, lost := range []int{12, 40, 400, len(jbig) - 100} {
		cases = append(cases, picked{"JBIG2 cut", "JBIG2Decode", 256, 200, shortened(jbig, lost), dossier.Truncated})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := &picture{width: c.width, height: c.height, filter: c.filter}
			path := filepath.Join(t.TempDir(), "picture.pdf")
			if err := os.WriteFile(path, pictureFile(p, c.data, nil), 0o600); err != nil {
				t.Fatal(err)
			}
			if r := judged(t, path, false); r != "" {
				t.Errorf("a quick look says %q, and so decoding is not what finds it", r)
			}
			if r := judged(t, path, true); r != c.want {
				t.Errorf("got %q, want %q", r, c.want)
			}
		})
	}
}

// TestThoroughForeign: what other people's encoders wrote is not refused for what
// follows its end.
func TestThoroughForeign(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testneed.Shared(t, "corpus"), "*", "*.pdf"))
	if err != nil || len(files) < 100 {
		t.Fatalf("the corpus is not there: %v", err)
	}
	looked := 0
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(b, []byte("JPXDecode")) && !bytes.Contains(b, []byte("JBIG2Decode")) || judged(t, path, false) != "" {
			continue
		}
		looked++
		if r := judged(t, path, true); r != "" {
			t.Errorf("%s: %s", filepath.Base(path), r)
		}
	}
	t.Logf("%d files with JPEG 2000 or JBIG2 read to the last row", looked)
	if looked < 5 {
		t.Errorf("only %d files", looked)
	}
}

// judged is the reason for which a file is refused, if it is.
func judged(t *testing.T, path string, thorough bool) dossier.Reason {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	d, err := openDocument(path, setup{Limits: Limits{}.withDefaults(), CacheDir: filepath.Join(cache, "sohoa")}, func(response) {}, &rooms{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	_, err = d.inspect(context.Background(), wireQuestion{Kind: dossier.Component, Thorough: thorough})
	var r *dossier.Rejection
	if errors.As(err, &r) {
		return r.Reason
	}
	if err != nil {
		t.Fatal(err)
	}
	return ""
}
