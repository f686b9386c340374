package pdf

import (
	"fmt"
	"math"

	"sohoa/dossier"
)

// flagAppearance flags what a page looks like: blank, faint, skewed, in fonts that
// are not there. They are
// flags and never reasons: whether a page can be read, a person decides.
func flagAppearance(v *dossier.Verdict, facts []*pageFacts) {
	bare := false
	for i, f := range facts {
		add := func(flag dossier.Flag, d dossier.Text) {
			v.Findings = append(v.Findings, dossier.Finding{Flag: flag, Page: i + 1, Detail: d})
		}
		if f.bare && !bare {
			bare = true // once a file: it is the whole document's trouble
			add(dossier.UnembeddedFonts, dossier.Text{})
		}
		if f.lost != nil || f.missing {
			add(dossier.ReadBySecondReader, dossier.Text{VI: "một phần nội dung trang không đọc được", EN: "a part of the page's content cannot be read"})
		}
		if f.lost != nil || f.missing || f.text {
			continue
		}
		if len(f.draws) == 0 {
			if f.paths == 0 && f.annots == 0 {
				add(dossier.BlankPage, dossier.Text{})
			}
			continue
		}
		if !f.scanned() {
			continue
		}
		seen, blank, contrast, skew := 0, true, 0, 0.0
		tallest := 0.0
		for _, d := range f.draws {
			l := d.img.seen
			if l == nil {
				// Not known: so the page is not called blank or faint.
				if d.share > 0.02 {
					blank, contrast = false, math.MaxInt
				}
				continue
			}
			seen++
			blank = blank && l.blank
			contrast = max(contrast, l.contrast)
			if d.share > tallest {
				tallest, skew = d.share, l.skew
			}
		}
		switch {
		case seen == 0:
		case blank:
			add(dossier.BlankPage, dossier.Text{})
		default:
			if contrast < faintBelow {
				add(dossier.LowContrast, dossier.Text{})
			}
			if tallest > 0.3 && math.Abs(skew) >= skewedAbove {
				s := fmt.Sprintf("%.1f°", math.Abs(skew))
				add(dossier.Skewed, dossier.Text{VI: s, EN: s})
			}
		}
	}
}
