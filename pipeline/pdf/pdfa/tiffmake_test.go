package pdfa_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"math/bits"
	"testing"

	tifflzw "golang.org/x/image/tiff/lzw"

	"sohoa/pipeline/pdf/pdfa"
)

// tiffShape says how makeTIFF lays an image out.
type tiffShape struct {
	order       binary.ByteOrder
	big         bool
	compression int
	photometric int
	bits        int
	samples     int
	rowsPer     int // rows of a strip; 0: one strip
	tile        int // edge of a tile; 0: strips
	planar      bool
	predictor   bool
	reversed    bool
	orientation int
	dpi         uint32
	extra       bool // the last sample is alpha
	tables      bool // JPEG: the tables once, in the directory
}

// pixel returns the sample value, scaled to the depth, of one pixel.
type pixel func(x, y, s int) int

// makeTIFF writes pages of the same shape. It exists because no Go encoder makes
// the variety that scanners do.
func makeTIFF(t testing.TB, w, h int, sh tiffShape, pages ...pixel) []byte {
	t.Helper()
	var out bytes.Buffer
	o := sh.order
	if o == nil {
		o = binary.LittleEndian
	}
	put := func(v any) {
		if err := binary.Write(&out, o, v); err != nil {
			t.Fatal(err)
		}
	}
	if o == binary.LittleEndian {
		out.WriteString("II")
	} else {
		out.WriteString("MM")
	}
	var link int
	if sh.big {
		put(uint16(43))
		put(uint16(8))
		put(uint16(0))
		link = out.Len()
		put(uint64(0))
	} else {
		put(uint16(42))
		link = out.Len()
		put(uint32(0))
	}
	for _, px := range pages {
		pieces, tw, th := cutPieces(t, w, h, sh, px)
		var jpegTables []byte
		if sh.tables {
			for i := range pieces {
				pieces[i], jpegTables = moveTables(t, pieces[i])
			}
		}
		var offs, counts []uint32
		for _, p := range pieces {
			if out.Len()%2 == 1 {
				out.WriteByte(0)
			}
			offs = append(offs, uint32(out.Len()))
			counts = append(counts, uint32(len(p)))
			out.Write(p)
		}
		type tag struct {
			id, kind uint16
			vals     []uint32
		}
		tags := []tag{{256, 4, []uint32{uint32(w)}}, {257, 4, []uint32{uint32(h)}}}
		var bps []uint32
		for range sh.samples {
			bps = append(bps, uint32(sh.bits))
		}
		tags = append(tags, tag{258, 3, bps}, tag{259, 3, []uint32{uint32(sh.compression)}}, tag{262, 3, []uint32{uint32(sh.photometric)}})
		if sh.reversed {
			tags = append(tags, tag{266, 3, []uint32{2}})
		}
		if sh.tile == 0 {
			tags = append(tags, tag{273, 4, offs})
		}
		if sh.orientation > 0 {
			tags = append(tags, tag{274, 3, []uint32{uint32(sh.orientation)}})
		}
		tags = append(tags, tag{277, 3, []uint32{uint32(sh.samples)}})
		if sh.tile == 0 {
			tags = append(tags, tag{278, 4, []uint32{uint32(th)}}, tag{279, 4, counts})
		}
		if sh.dpi > 0 {
			tags = append(tags, tag{282, 5, []uint32{sh.dpi, 1}}, tag{283, 5, []uint32{sh.dpi, 1}})
		}
		if sh.planar {
			tags = append(tags, tag{284, 3, []uint32{2}})
		}
		if sh.predictor {
			tags = append(tags, tag{317, 3, []uint32{2}})
		}
		if sh.photometric == 3 {
			var pal []uint32
			for c := range 3 {
				for i := range 1 << sh.bits {
					pal = append(pal, uint32(palette(sh.bits)[i][c])*257)
				}
			}
			tags = append(tags, tag{320, 3, pal})
		}
		if sh.tile > 0 {
			tags = append(tags, tag{322, 4, []uint32{uint32(tw)}}, tag{323, 4, []uint32{uint32(th)}}, tag{324, 4, offs}, tag{325, 4, counts})
		}
		if jpegTables != nil {
			var v []uint32
			for _, c := range jpegTables {
				v = append(v, uint32(c))
			}
			tags = append(tags, tag{347, 7, v})
		}
		if sh.extra {
			tags = append(tags, tag{338, 3, []uint32{2}})
		}
		// values that do not fit in the entry come first
		where := make([]int, len(tags))
		inline := 4
		if sh.big {
			inline = 8
		}
		body := func(g tag) []byte {
			var b bytes.Buffer
			for _, v := range g.vals {
				if g.kind == 7 {
					b.WriteByte(byte(v))
				} else if g.kind == 3 {
					_ = binary.Write(&b, o, uint16(v))
				} else {
					_ = binary.Write(&b, o, v)
				}
			}
			return b.Bytes()
		}
		for i, g := range tags {
			if b := body(g); len(b) > inline {
				if out.Len()%2 == 1 {
					out.WriteByte(0)
				}
				where[i] = out.Len()
				out.Write(b)
			}
		}
		if out.Len()%2 == 1 {
			out.WriteByte(0)
		}
		at := out.Len()
		if sh.big {
			o.PutUint64(out.Bytes()[link:], uint64(at))
			put(uint64(len(tags)))
		} else {
			o.PutUint32(out.Bytes()[link:], uint32(at))
			put(uint16(len(tags)))
		}
		for i, g := range tags {
			put(g.id)
			put(g.kind)
			n := len(g.vals)
			if g.kind == 5 {
				n /= 2
			}
			b := body(g)
			if sh.big {
				put(uint64(n))
			} else {
				put(uint32(n))
			}
			switch {
			case len(b) <= inline:
				out.Write(append(b, make([]byte, inline-len(b))...))
			case sh.big:
				put(uint64(where[i]))
			default:
				put(uint32(where[i]))
			}
		}
		link = out.Len()
		if sh.big {
			put(uint64(0))
		} else {
			put(uint32(0))
		}
	}
	return out.Bytes()
}

// moveTables takes the tables out of a JPEG, as writers do that keep them once
// for all strips.
func moveTables(t testing.TB, b []byte) (rest, tables []byte) {
	t.Helper()
	rest, tables = []byte{0xff, 0xd8}, []byte{0xff, 0xd8}
	for i := 2; i < len(b); {
		n := 2 + int(binary.BigEndian.Uint16(b[i+2:]))
		switch b[i+1] {
		case 0xdb, 0xc4:
			tables = append(tables, b[i:i+n]...)
		case 0xda:
			return append(rest, b[i:]...), append(tables, 0xff, 0xd9)
		default:
			rest = append(rest, b[i:i+n]...)
		}
		i += n
	}
	t.Fatal("a JPEG without a scan")
	return nil, nil
}

func palette(bits int) [][3]uint8 {
	n := 1 << bits
	var p [][3]uint8
	for i := range n {
		p = append(p, [3]uint8{uint8(i * 255 / (n - 1)), uint8(255 - i*255/(n-1)), uint8(i * 7)})
	}
	return p
}

// cutPieces packs and compresses the strips or tiles of a page.
func cutPieces(t testing.TB, w, h int, sh tiffShape, px pixel) (pieces [][]byte, tw, th int) {
	t.Helper()
	tw, th = w, h
	if sh.rowsPer > 0 {
		th = sh.rowsPer
	}
	if sh.tile > 0 {
		tw, th = sh.tile, sh.tile
	}
	planes, per := 1, sh.samples
	if sh.planar {
		planes, per = sh.samples, 1
	}
	for plane := range planes {
		for y0 := 0; y0 < h; y0 += th {
			for x0 := 0; x0 < w; x0 += tw {
				rows := th
				if sh.tile == 0 {
					rows = min(th, h-y0)
				}
				var raw []byte
				stride := (tw*per*sh.bits + 7) / 8
				for y := range rows {
					row := make([]byte, stride)
					for x := range tw {
						for s := range per {
							v := px(min(x0+x, w-1), min(y0+y, h-1), plane+s)
							at := x*per + s
							switch sh.bits {
							case 16:
								row[2*at], row[2*at+1] = byte(v>>8), byte(v)
							default:
								row[at*sh.bits/8] |= byte(v << (8 - sh.bits - at*sh.bits%8))
							}
						}
					}
					if sh.predictor {
						diffRow(row, per, sh.bits)
					}
					if sh.bits == 16 && sh.order != binary.BigEndian {
						for i := 0; i < len(row); i += 2 {
							row[i], row[i+1] = row[i+1], row[i]
						}
					}
					raw = append(raw, row...)
				}
				p := compress(t, raw, tw, rows, sh)
				if sh.reversed {
					for i := range p {
						p[i] = bits.Reverse8(p[i])
					}
				}
				pieces = append(pieces, p)
			}
		}
	}
	return pieces, tw, th
}

func diffRow(row []byte, n, depth int) {
	if depth == 16 {
		for i := len(row) - 2; i >= 2*n; i -= 2 {
			v := binary.BigEndian.Uint16(row[i:]) - binary.BigEndian.Uint16(row[i-2*n:])
			binary.BigEndian.PutUint16(row[i:], v)
		}
		return
	}
	for i := len(row) - 1; i >= n; i-- {
		row[i] -= row[i-n]
	}
}

func compress(t testing.TB, raw []byte, w, h int, sh tiffShape) []byte {
	t.Helper()
	var b bytes.Buffer
	switch sh.compression {
	case 1:
		return bytes.Clone(raw)
	case 7:
		var im image.Image
		if sh.samples == 1 {
			im = &image.Gray{Pix: raw, Stride: w, Rect: image.Rect(0, 0, w, h)}
		} else {
			c := image.NewRGBA(image.Rect(0, 0, w, h))
			for i := range w * h {
				c.Pix[4*i], c.Pix[4*i+1], c.Pix[4*i+2], c.Pix[4*i+3] = raw[3*i], raw[3*i+1], raw[3*i+2], 255
			}
			im = c
		}
		if err := jpeg.Encode(&b, im, &jpeg.Options{Quality: 95}); err != nil {
			t.Fatal(err)
		}
	case 4:
		return pdfa.EncodeG4(raw, w, h)
	case 5:
		// TIFF's LZW grows its codes one earlier than compress/lzw does, so
		// keep the table short: a clear code every few bytes.
		return lzwTIFF(t, raw)
	case 8:
		z := zlib.NewWriter(&b)
		if _, err := z.Write(raw); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	case 32773:
		for len(raw) > 0 {
			n := 1
			for n < len(raw) && n < 128 && raw[n] == raw[0] {
				n++
			}
			if n > 1 {
				b.Write([]byte{byte(1 - n), raw[0]})
				raw = raw[n:]
				continue
			}
			b.Write([]byte{0, raw[0]})
			raw = raw[1:]
		}
	default:
		t.Fatalf("no compression %d here", sh.compression)
	}
	return b.Bytes()
}

// lzwTIFF writes literal codes only, with a clear code often enough that all of
// them have nine bits: valid LZW of either flavour.
func lzwTIFF(t testing.TB, raw []byte) []byte {
	t.Helper()
	var out []byte
	acc, n := uint32(0), 0
	put := func(code uint32) {
		acc = acc<<9 | code
		for n += 9; n >= 8; {
			n -= 8
			out = append(out, byte(acc>>n))
		}
	}
	put(256)
	for i, c := range raw {
		if i%200 == 199 {
			put(256)
		}
		put(uint32(c))
	}
	put(257)
	if n > 0 {
		out = append(out, byte(acc<<(8-n)))
	}
	got := make([]byte, len(raw))
	r := tifflzw.NewReader(bytes.NewReader(out), tifflzw.MSB, 8)
	for at := 0; at < len(got); {
		k, err := r.Read(got[at:])
		if at += k; err != nil && at < len(got) {
			t.Fatalf("own LZW: %v", err)
		}
	}
	return out
}

// encodeJPEG is a JPEG of a made-up colour picture.
func encodeJPEG(t testing.TB, w, h int, grey bool) []byte {
	t.Helper()
	var im image.Image
	if grey {
		g := image.NewGray(image.Rect(0, 0, w, h))
		for i := range g.Pix {
			g.Pix[i] = byte(i % w * 255 / w)
		}
		im = g
	} else {
		c := image.NewRGBA(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				c.Set(x, y, color.RGBA{byte(x * 255 / w), byte(y * 255 / h), byte((x + y) % 256), 255})
			}
		}
		im = c
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, im, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
