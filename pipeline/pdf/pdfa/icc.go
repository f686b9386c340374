package pdfa

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
)

// profileInfo is what the rules ask of an ICC profile.
type profileInfo struct {
	n       int // components
	major   int
	lab     bool
	class   string
	space   string
	version uint32
}

// readProfile reads the header of an ICC profile.
func readProfile(b []byte) (profileInfo, error) {
	var p profileInfo
	if len(b) < 132 || string(b[36:40]) != "acsp" {
		return p, fmt.Errorf("not an ICC profile")
	}
	if n := binary.BigEndian.Uint32(b); int64(n) > int64(len(b)) || n < 132 {
		return p, fmt.Errorf("the ICC profile is cut off")
	}
	p.major = int(b[8])
	p.version = binary.BigEndian.Uint32(b[8:])
	p.class, p.space = string(b[12:16]), string(b[16:20])
	switch p.space {
	case "GRAY":
		p.n = 1
	case "RGB ":
		p.n = 3
	case "Lab ":
		p.n, p.lab = 3, true
	case "CMYK":
		p.n = 4
	default:
		return p, fmt.Errorf("ICC profile for %q", p.space)
	}
	switch p.class {
	case "prtr", "mntr", "scnr", "spac":
	default:
		return p, fmt.Errorf("ICC profile of class %q", p.class)
	}
	if p.major > 4 {
		return p, fmt.Errorf("ICC profile version %d", p.major)
	}
	tags := int(binary.BigEndian.Uint32(b[128:]))
	if tags > 100 || 132+12*tags > len(b) {
		return p, fmt.Errorf("the ICC profile's tag table is damaged")
	}
	for i := range tags {
		e := b[132+12*i:]
		off, n := int64(binary.BigEndian.Uint32(e[4:])), int64(binary.BigEndian.Uint32(e[8:]))
		if off+n > int64(len(b)) {
			return p, fmt.Errorf("a tag of the ICC profile is cut off")
		}
	}
	return p, nil
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

// The profiles are always the same: computed and deflated once.
var (
	sRGBDeflated = sync.OnceValue(func() []byte { return deflated(sRGBProfile()) })
	cmykDeflated = sync.OnceValue(func() []byte { return deflated(cmykProfile()) })
)

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
