package pdfa

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"fmt"
)

// profileInfo is what the rules ask of an ICC profile.
type profileInfo struct {
	n     int // components
	major int
	lab   bool
	class string
	space string
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

// The profiles of our own, deflated, so that every copy has the same bytes
// whatever deflates the next. The tests compute them (profiles_test.go).
var (
	//go:embed profiles/srgb.icc.zz
	sRGBDeflated []byte
	//go:embed profiles/cmyk.icc.zz
	cmykDeflated []byte
)

// ownProfile is what the rules ask of a profile whose coded bytes are those of
// one of ours, of n components; false for any other.
func ownProfile(coded []byte, n int64) (profileInfo, bool) {
	switch {
	case n == 3 && bytes.Equal(coded, sRGBDeflated):
		return profileInfo{n: 3, major: 2, class: "mntr", space: "RGB "}, true
	case n == 4 && bytes.Equal(coded, cmykDeflated):
		return profileInfo{n: 4, major: 2, class: "prtr", space: "CMYK"}, true
	}
	return profileInfo{}, false
}
