package pdfa

import (
	"bytes"
	"encoding/binary"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
)

var writeProfiles = flag.Bool("write-profiles", false, "compute the profiles of profiles/ and write them")

// TestOwnProfiles: what is embedded is what is computed here, and what
// ownProfile says of it is what readProfile reads in it. Computed and not taken
// from anywhere, the profiles are free of anybody's rights.
func TestOwnProfiles(t *testing.T) {
	for _, p := range []struct {
		file    string
		n       int64
		coded   []byte
		compute func() []byte
	}{
		{"srgb.icc.zz", 3, sRGBDeflated, sRGBProfile},
		{"cmyk.icc.zz", 4, cmykDeflated, cmykProfile},
	} {
		want := p.compute()
		if *writeProfiles {
			if err := os.WriteFile(filepath.Join("profiles", p.file), deflated(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		z, err := newInflater(bytes.NewReader(p.coded))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s holds another profile than what is computed: %v", p.file, err)
		}
		read, err := readProfile(want)
		if err != nil {
			t.Fatal(err)
		}
		known, ok := ownProfile(p.coded, p.n)
		if !ok || known != read {
			t.Errorf("%s: known as %+v, read as %+v", p.file, known, read)
		}
		if _, ok := ownProfile(p.coded, 7-p.n); ok {
			t.Errorf("%s passes for one of %d components", p.file, 7-p.n)
		}
		if _, ok := ownProfile(p.coded[:len(p.coded)-1], p.n); ok {
			t.Errorf("%s passes although it is cut", p.file)
		}
	}
}

type tag struct {
	sig  string
	data []byte
}

// assemble builds a version 2.1 profile; tags with the same data share it.
func assemble(class, space, pcs string, tags []tag) []byte {
	b := make([]byte, 128+4+12*len(tags))
	copy(b[8:], []byte{2, 0x10, 0, 0})
	copy(b[12:], class)
	copy(b[16:], space)
	copy(b[20:], pcs)
	// A fixed date: the same program makes the same file on any day.
	for i, v := range []uint16{2026, 1, 1, 0, 0, 0} {
		binary.BigEndian.PutUint16(b[24+2*i:], v)
	}
	copy(b[36:], "acsp")
	copy(b[68:], []byte{0, 0, 0xf6, 0xd6, 0, 1, 0, 0, 0, 0, 0xd3, 0x2d}) // D50
	binary.BigEndian.PutUint32(b[128:], uint32(len(tags)))
	var at []int
	for i, t := range tags {
		off := -1
		for j := range i {
			if &tags[j].data[0] == &t.data[0] {
				off = at[j]
			}
		}
		if off < 0 {
			off = len(b)
			b = append(b, t.data...)
			for len(b)%4 != 0 {
				b = append(b, 0)
			}
		}
		at = append(at, off)
		e := b[132+12*i:]
		copy(e, t.sig)
		binary.BigEndian.PutUint32(e[4:], uint32(off))
		binary.BigEndian.PutUint32(e[8:], uint32(len(t.data)))
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}

func textTag(s string) []byte {
	return append([]byte("text\x00\x00\x00\x00"+s), 0)
}

func descTag(s string) []byte {
	b := []byte("desc\x00\x00\x00\x00")
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)+1))
	b = append(b, s...)
	b = append(b, 0)
	return append(b, make([]byte, 4+4+2+1+67)...)
}

func xyzTag(x, y, z float64) []byte {
	b := []byte("XYZ \x00\x00\x00\x00")
	for _, v := range []float64{x, y, z} {
		b = binary.BigEndian.AppendUint32(b, uint32(int32(math.Round(v*65536))))
	}
	return b
}

const profileRights = "No rights reserved: made by computing, free for any use."

// sRGBProfile is the output intent of a copy whose colours are RGB or grey: the
// matrix and curve of IEC 61966-2-1, computed.
func sRGBProfile() []byte {
	// PDFium, in Chromium and much else, knows sRGB by its size of 3144 bytes
	// and the name at byte 400 and then shows such colours exactly as device
	// RGB. Order, rights and curve are chosen so that both hold.
	const steps = 1318
	curve := []byte("curv\x00\x00\x00\x00")
	curve = binary.BigEndian.AppendUint32(curve, steps)
	for i := range steps {
		curve = binary.BigEndian.AppendUint16(curve, uint16(math.Round(65535*linear(float64(i)/(steps-1)))))
	}
	return assemble("mntr", "RGB ", "XYZ ", []tag{
		{"cprt", textTag(profileRights)},
		{"wtpt", xyzTag(0.9505, 1, 1.0891)},
		{"rXYZ", xyzTag(0.4360747, 0.2225045, 0.0139322)},
		{"gXYZ", xyzTag(0.3850649, 0.7168786, 0.0971045)},
		{"bXYZ", xyzTag(0.1430804, 0.0606169, 0.7141733)},
		{"desc", descTag("sRGB IEC61966-2.1")},
		{"rTRC", curve}, {"gTRC", curve}, {"bTRC", curve},
	})
}

func linear(v float64) float64 {
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

// cmykProfile is the output intent of a copy whose device colours are CMYK. What
// press the colours were meant for is unknown; the profile computes a generic
// offset print on coated paper from the solid tones of ISO 12647-2 (Neugebauer,
// Yule-Nielsen n = 2).
func cmykProfile() []byte {
	forward := lut(4, 3, 9, func(in, out []float64) {
		labToTable(cmykToLab(in[0], in[1], in[2], in[3]), out)
	})
	back := lut(3, 4, 17, func(in, out []float64) {
		labToCMYK([3]float64{in[0] * 100, in[1]*255 - 128, in[2]*255 - 128}, out)
	})
	gamut := lut(3, 1, 2, func(in, out []float64) { out[0] = 0 })
	return assemble("prtr", "CMYK", "Lab ", []tag{
		{"desc", descTag(cmykName)},
		{"cprt", textTag(profileRights)},
		{"wtpt", xyzTag(0.9642*0.87, 0.87, 0.8249*0.87)},
		{"A2B0", forward}, {"A2B1", forward}, {"A2B2", forward},
		{"B2A0", back}, {"B2A1", back}, {"B2A2", back},
		{"gamt", gamut},
	})
}

// lut builds an 8-bit look-up table tag (mft1); f maps from and to 0…1.
func lut(in, out, grid int, f func(in, out []float64)) []byte {
	b := []byte{'m', 'f', 't', '1', 0, 0, 0, 0, byte(in), byte(out), byte(grid), 0}
	for _, v := range []float64{1, 0, 0, 0, 1, 0, 0, 0, 1} {
		b = binary.BigEndian.AppendUint32(b, uint32(int32(v*65536)))
	}
	straight := func(n int) {
		for range n {
			for i := range 256 {
				b = append(b, byte(i))
			}
		}
	}
	straight(in)
	at, from, to := make([]int, in), make([]float64, in), make([]float64, out)
	for {
		for i, v := range at {
			from[i] = float64(v) / float64(grid-1)
		}
		f(from, to)
		for _, v := range to {
			b = append(b, byte(math.Round(255*min(1, max(0, v)))))
		}
		i := in - 1
		for ; i >= 0; i-- {
			if at[i]++; at[i] < grid {
				break
			}
			at[i] = 0
		}
		if i < 0 {
			break
		}
	}
	straight(out)
	return b
}

func labToTable(lab [3]float64, out []float64) {
	out[0], out[1], out[2] = lab[0]/100, (lab[1]+128)/255, (lab[2]+128)/255
}

// solids are the tones of full ink, L*a*b*, index bits C M Y K.
var solids = [16][3]float64{
	{95, 0, -2}, {55, -37, -50}, {48, 74, -3}, {24, 22, -46}, // paper, C, M, CM
	{89, -5, 93}, {50, -68, 25}, {47, 68, 48}, {23, 0, 0}, // Y, CY, MY, CMY
	{16, 0, 0}, {12, -3, -5}, {11, 5, -1}, {10, 1, -5},
	{14, 0, 6}, {11, -5, 2}, {11, 5, 3}, {8, 0, 0},
}

func cmykToLab(c, m, y, k float64) [3]float64 {
	var xyz [3]float64
	for i, lab := range solids {
		w := 1.0
		for bit, v := range []float64{c, m, y, k} {
			if i>>bit&1 == 1 {
				w *= v
			} else {
				w *= 1 - v
			}
		}
		for j, v := range labToXYZ(lab) {
			xyz[j] += w * math.Sqrt(v)
		}
	}
	for j := range xyz {
		xyz[j] *= xyz[j]
	}
	return xyzToLab(xyz)
}

// labToCMYK separates through sRGB-like primaries with full grey component
// replacement: good enough for the direction that archival copies never take.
func labToCMYK(lab [3]float64, out []float64) {
	xyz := labToXYZ(lab)
	r := 3.1338561*xyz[0] - 1.6168667*xyz[1] - 0.4906146*xyz[2]
	g := -0.9787684*xyz[0] + 1.9161415*xyz[1] + 0.0334540*xyz[2]
	b := 0.0719453*xyz[0] - 0.2289914*xyz[1] + 1.4052427*xyz[2]
	var v [3]float64
	for i, c := range []float64{r, g, b} {
		v[i] = 1 - math.Pow(min(1, max(0, c)), 1/2.2)
	}
	k := min(v[0], v[1], v[2])
	for i := range v {
		if k < 1 {
			out[i] = (v[i] - k) / (1 - k)
		} else {
			out[i] = 0
		}
	}
	out[3] = k
}

var white = [3]float64{0.9642, 1, 0.8249}

func labToXYZ(lab [3]float64) [3]float64 {
	fy := (lab[0] + 16) / 116
	f := [3]float64{fy + lab[1]/500, fy, fy - lab[2]/200}
	var out [3]float64
	for i, v := range f {
		if t := v * v * v; t > 216.0/24389 {
			out[i] = white[i] * t
		} else {
			out[i] = white[i] * max(0, (116*v-16)/(24389.0/27))
		}
	}
	return out
}

func xyzToLab(xyz [3]float64) [3]float64 {
	var f [3]float64
	for i, v := range xyz {
		t := v / white[i]
		if t > 216.0/24389 {
			f[i] = math.Cbrt(t)
		} else {
			f[i] = (24389.0/27*t + 16) / 116
		}
	}
	return [3]float64{116*f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])}
}
