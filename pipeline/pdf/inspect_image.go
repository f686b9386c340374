package pdf

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"sohoa/dossier"
	"sohoa/pipeline/pdf/pdfa"
)

// inspectImage judges an image file: what a scanner saves without wrapping it
// into a PDF. Its frames are its pages.
func (d *document) inspectImage(ctx context.Context, q wireQuestion) (dossier.Verdict, error) {
	v := dossier.Verdict{Scan: true}
	im, err := pdfa.InspectImage(d.f, d.size)
	if err != nil {
		return v, err
	}
	v.Pages = len(im.Frames)
	limit := d.setup.Limits.Pages
	if q.Profile.MaxPages > 0 {
		limit = min(limit, q.Profile.MaxPages)
	}
	switch {
	case v.Pages == 0:
		return v, reject(dossier.Empty, "", "", nil)
	case v.Pages > limit:
		return v, refusal(errTooMany, limit)
	}
	d.note(response{Pages: v.Pages})

	other := false // paper has been flagged
	for i, f := range im.Frames {
		x, y := f.DPIX, f.DPIY
		if x <= 0 || y <= 0 {
			v.Findings = append(v.Findings, dossier.Finding{Flag: dossier.ResolutionUnknown, Page: i + 1})
			x, y = float64(q.DefaultDPI), float64(q.DefaultDPI)
		}
		dpi := int(math.Round(min(x, y)))
		if v.MinDPI == 0 || dpi < v.MinDPI {
			v.MinDPI = dpi
		}
		if f.DPIX > 0 {
			flagResolution(&v, i+1, dpi, q.Profile)
		}
		if colourRank[f.Colour] > colourRank[v.Colour] {
			v.Colour = f.Colour
		}
		size := pageSize(page{media: box{0, 0, float64(f.Width) * 72 / x, float64(f.Height) * 72 / y}, unit: 1})
		if i == 0 {
			v.PageSize = size
		}
		// An assumed resolution says nothing about paper.
		if !other && f.DPIX > 0 && f.DPIY > 0 {
			other = flagPaper(&v, i+1, size, q.Profile)
		}
	}
	flagColour(&v, q.Profile)
	if err := resolute(v, q.Profile); err != nil {
		return v, err
	}
	return v, d.lookAtImage(ctx, q, &v)
}

// asPDF wraps an image into a PDF as normalise does, in a file that goes with the
// document.
func (d *document) asPDF(ctx context.Context, dpi int) (*os.File, int64, error) {
	f, err := nameless()
	if err != nil {
		return nil, 0, err
	}
	d.spare = append(d.spare, f)
	w := bufio.NewWriterSize(f, 1<<16)
	res, err := pdfa.FromImage(ctx, d.f, d.size, w, pdfa.Label{}, dpi)
	if err != nil {
		return nil, 0, err
	}
	if err := w.Flush(); err != nil {
		return nil, 0, openError(err)
	}
	return f, res.Size, nil
}

// lookAtImage looks at an image's pages as at any other's: then there is one way
// to read images and not two.
func (d *document) lookAtImage(ctx context.Context, q wireQuestion, v *dossier.Verdict) error {
	f, size, err := d.asPDF(ctx, q.DefaultDPI)
	if errors.Is(err, pdfa.ErrNotConvertible) {
		return nil // the file is whole; how it looks is not known
	}
	if err != nil {
		return err
	}
	src, err := firstReader(io.NewSectionReader(f, 0, size), d.setup.Limits)
	if err != nil {
		return fmt.Errorf("reading our own copy: %w", err)
	}
	pages, err := pageTree(src, v.Pages)
	if err != nil {
		return fmt.Errorf("reading our own copy: %w", err)
	}
	w := newWalker(src, d.setup.Limits)
	facts := make([]*pageFacts, len(pages))
	for i, p := range pages {
		if facts[i], err = w.page(p); err != nil {
			return fmt.Errorf("reading our own copy: %w", err)
		}
	}
	if err := d.complete(ctx, src, q, facts, ending{eof: true}); err != nil {
		return err
	}
	flagAppearance(v, facts)
	return nil
}

// flagResolution flags a page whose resolution is accepted and not what the
// profile recommends.
func flagResolution(v *dossier.Verdict, page, dpi int, p dossier.Profile) {
	if p.RecommendedDPI > 0 && tooCoarse(dpi, p.RecommendedDPI) && !tooCoarse(dpi, p.MinDPI) {
		s := fmt.Sprintf("%d dpi", dpi)
		v.Findings = append(v.Findings, dossier.Finding{Flag: dossier.BelowRecommended, Page: page, Detail: dossier.Text{VI: s, EN: s}})
	}
}

var colourRank = map[dossier.Colour]int{dossier.BlackWhite: 1, dossier.Grey: 2, dossier.FullColour: 3}

func flagColour(v *dossier.Verdict, p dossier.Profile) {
	if v.Scan && v.Colour != "" && colourRank[v.Colour] < colourRank[p.Colour] {
		v.Findings = append(v.Findings, dossier.Finding{Flag: dossier.ColourBelowProfile})
	}
}
