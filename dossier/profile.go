package dossier

import (
	"fmt"
	"slices"
)

// ActivePolicy says what becomes of active content (scripts, launch actions,
// attachments) in a file that is not signed. A signed file is always kept and
// flagged.
type ActivePolicy string

const (
	RejectActive ActivePolicy = "reject"
	StripActive  ActivePolicy = "strip" // accepted; it is left out of what is rewritten, and flagged
)

// Profile is a scan rule in force from a day on. It is data: the built-in ones
// say where each number comes from, and an installation may state its own. A
// zero limit asks for nothing.
type Profile struct {
	Name      string `json:"name" yaml:"name"`
	ValidFrom Date   `json:"valid_from,omitzero" yaml:"valid_from"`

	MinDPI         int `json:"min_dpi,omitempty" yaml:"min_dpi"`                 // a scanned page below it is rejected
	RecommendedDPI int `json:"recommended_dpi,omitempty" yaml:"recommended_dpi"` // a scanned page below it is flagged

	Colour        Colour       `json:"colour,omitempty" yaml:"colour"` // least colour wished; less is flagged
	ActiveContent ActivePolicy `json:"active_content" yaml:"active_content"`
	MaxSize       int64        `json:"max_size,omitempty" yaml:"max_size"`     // bytes
	MaxPages      int          `json:"max_pages,omitempty" yaml:"max_pages"`   // of one file
	PageSizes     []string     `json:"page_sizes,omitempty" yaml:"page_sizes"` // expected paper sizes (A5, A4, A3 …); others are flagged, never rejected
}

// Valid says what is wrong with a profile, or nil.
func (p Profile) Valid() error {
	switch {
	case p.Name == "":
		return fmt.Errorf("a profile needs a name")
	case p.MinDPI < 0 || p.RecommendedDPI < 0 || p.MaxSize < 0 || p.MaxPages < 0:
		return fmt.Errorf("profile %s: a limit is negative", p.Name)
	case p.RecommendedDPI != 0 && p.RecommendedDPI < p.MinDPI:
		return fmt.Errorf("profile %s: recommended_dpi is below min_dpi", p.Name)
	case p.Colour != "" && p.Colour != BlackWhite && p.Colour != Grey && p.Colour != FullColour:
		return fmt.Errorf("profile %s: colour must be bw, grey or colour", p.Name)
	case p.ActiveContent != RejectActive && p.ActiveContent != StripActive:
		return fmt.Errorf("profile %s: active_content must be reject or strip", p.Name)
	}
	return nil
}

// Names of the built-in profiles.
const (
	ProfileND30 = "nd30-2020"
	ProfileTT05 = "tt05-2025"
	// ProfileAny asks nothing of a scan: only what cannot be read is rejected. It
	// is never chosen by date; it serves foreign files and migrations.
	ProfileAny = "any"
)

// Profiles returns the built-in profiles, the oldest first. The numbers come
// from secondary sources, so an installation may override any of them by a
// profile of the same name.
//
//   - nd30-2020: Decree 30/2020/NĐ-CP, appendix I, with Circular 02/2019/TT-BNV:
//     PDF 1.4 or later, colour, at least 200 dpi, 1:1.
//   - tt05-2025: Circular 05/2025/TT-BNV, in force from 1 July 2025: two-layer
//     PDF/A, at least 24-bit colour, at least 200 dpi (300 for maps, which we
//     cannot tell from other papers, so that is left to an own profile). The text
//     layer is not asked of what comes in: to read the text is a later step of ours.
//
// That active content is refused, and the bounds on size and pages, are ours: no
// scanner writes scripts; 200 MB and 2,000 pages are ten times the largest
// dossier paper we expect.
func Profiles() []Profile {
	return []Profile{
		{
			Name: ProfileND30, ValidFrom: 20200305,
			MinDPI: 200, RecommendedDPI: 200, Colour: FullColour, ActiveContent: RejectActive,
			MaxSize: 200 << 20, MaxPages: 2000, PageSizes: []string{"A5", "A4", "A3"},
		},
		{
			Name: ProfileTT05, ValidFrom: 20250701,
			MinDPI: 200, RecommendedDPI: 200, Colour: FullColour, ActiveContent: RejectActive,
			MaxSize: 200 << 20, MaxPages: 2000, PageSizes: []string{"A5", "A4", "A3"},
		},
	}
}

// AnyProfile is the profile that only unreadable files fail.
func AnyProfile() Profile { return Profile{Name: ProfileAny, ActiveContent: StripActive} }

// ProfileFor returns the rule in force on the day a document was received: the
// one with the latest ValidFrom not after it. own profiles take the place of
// built-in ones of the same name and stand beside the others. A day before every
// rule is judged by the oldest.
func ProfileFor(day Date, own ...Profile) Profile {
	all := mergeProfiles(own)
	best := all[0]
	for _, p := range all[1:] {
		if p.ValidFrom <= day {
			best = p
		}
	}
	return best
}

// ProfileNamed returns the profile of that name, own ones first.
func ProfileNamed(name string, own ...Profile) (Profile, bool) {
	for _, p := range append(mergeProfiles(own), AnyProfile()) {
		if p.Name == name {
			return p, true
		}
	}
	return Profile{}, false
}

func mergeProfiles(own []Profile) []Profile {
	all := slices.Clone(own)
	for _, p := range Profiles() {
		if !slices.ContainsFunc(own, func(o Profile) bool { return o.Name == p.Name }) {
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, func(a, b Profile) int { return int(a.ValidFrom) - int(b.ValidFrom) })
	return all
}
