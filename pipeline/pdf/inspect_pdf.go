package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/filter"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"

	"sohoa/dossier"
	"sohoa/pipeline/pdf/signature"
)

// inspectPDF judges a PDF.
func (d *document) inspectPDF(ctx context.Context, q wireQuestion) (dossier.Verdict, error) {
	end, err := d.ending()
	if err != nil {
		return dossier.Verdict{}, err
	}
	if !end.eof {
		cut, err := d.endsInside()
		if err != nil {
			return dossier.Verdict{}, err
		}
		if cut {
			return dossier.Verdict{}, reject(dossier.Truncated, "", "", errEndsInside)
		}
	}
	if d.guarded, err = signature.Detect(d.f, d.size); err != nil {
		return dossier.Verdict{}, fmt.Errorf("looking for signatures: %w", err)
	}
	limit := d.setup.Limits.Pages
	if q.Profile.MaxPages > 0 {
		limit = min(limit, q.Profile.MaxPages)
	}
	src, err := firstReader(io.NewSectionReader(d.bytes, 0, d.length), d.setup.Limits)
	var pages []page
	if err == nil {
		pages, err = pageTree(src, limit)
	}
	switch {
	case err == nil:
		d.src, d.raw, d.rawSize = src, d.bytes, d.length
		return d.judge(ctx, q, pages, end, nil)
	case final(err):
		return dossier.Verdict{}, refusal(err, limit)
	}

	// The first reader says no. That is a question for the second one.
	first := err
	repaired, size, err := d.repair(ctx)
	switch {
	case errors.Is(err, errPassword):
		return dossier.Verdict{}, refusal(err, limit)
	case errors.Is(err, errSecondReader):
		r := dossier.Damaged
		if !end.eof {
			r = dossier.Truncated
		}
		return dossier.Verdict{}, reject(r, "", "", errors.Join(first, err))
	case err != nil:
		return dossier.Verdict{}, err
	}
	found := []dossier.Finding{{Flag: dossier.ReadBySecondReader}}
	src, err = firstReader(io.NewSectionReader(repaired, 0, size), d.setup.Limits)
	if err == nil {
		pages, err = pageTree(src, limit)
	}
	switch {
	case err == nil:
		d.src, d.raw, d.rawSize, d.mended = src, repaired, size, true
		return d.judge(ctx, q, pages, end, found)
	case final(err):
		return dossier.Verdict{}, refusal(err, limit)
	case !end.eof || errors.Is(err, errPageTree):
		return dossier.Verdict{}, reject(lostReason(end), "", "", errors.Join(first, err))
	}
	// Only the second reader understands it: it is kept as it is.
	n, err := d.second.pages()
	if err != nil || n == 0 {
		return dossier.Verdict{}, reject(dossier.Damaged, "", "", errors.Join(first, err))
	}
	d.note(response{Pages: n})
	v := dossier.Verdict{Pages: n, Findings: found}
	return v, d.signatures(ctx, q, &v)
}

// final reports whether what a reader said is a verdict already.
func final(err error) bool {
	return errors.Is(err, errPassword) || errors.Is(err, errObjects) || errors.Is(err, errTooMany) || errors.Is(err, errTooDeep)
}

func refusal(err error, limit int) error {
	switch {
	case errors.Is(err, errPassword):
		return reject(dossier.Encrypted, "", "", err)
	case errors.Is(err, errObjects):
		return reject(dossier.TooComplex, "số đối tượng quá lớn", "too many objects", err)
	case errors.Is(err, errTooMany):
		return reject(dossier.TooLarge, fmt.Sprintf("hơn %d trang", limit), fmt.Sprintf("more than %d pages", limit), err)
	case errors.Is(err, errTooDeep):
		return reject(dossier.TooComplex, "cây trang lồng nhau", "the page tree is nested", err)
	}
	return err
}

func lostReason(end ending) dossier.Reason {
	if !end.eof {
		return dossier.Truncated
	}
	return dossier.Damaged
}

// judge looks at every page of what a reader has made of the file.
func (d *document) judge(ctx context.Context, q wireQuestion, pages []page, end ending, found []dossier.Finding) (dossier.Verdict, error) {
	v := dossier.Verdict{Findings: found, Pages: len(pages)}
	src := d.src
	if src.SignatureExist || src.AppendOnly || len(src.Signatures) > 0 || src.URSignature != nil {
		d.guarded = true
	}
	if len(pages) == 0 {
		return v, reject(dossier.Empty, "", "", nil)
	}
	d.note(response{Pages: len(pages)})
	if src.E != nil {
		v.Findings = append(v.Findings, dossier.Finding{Flag: dossier.EmptyPassword})
	}

	w := newWalker(src, d.setup.Limits)
	facts := make([]*pageFacts, len(pages))
	for i, p := range pages {
		var err error
		if facts[i], err = w.page(p); err != nil {
			return v, reject(dossier.TooComplex, fmt.Sprintf("trang %d", i+1), fmt.Sprintf("page %d", i+1), err)
		}
	}
	if err := d.complete(ctx, src, q, facts, end); err != nil {
		return v, err
	}
	if !end.eof {
		if dangling(src) {
			return v, reject(dossier.Truncated, "", "", errors.New("objects are missing and the file has no end"))
		}
		v.Findings = append(v.Findings, dossier.Finding{Flag: dossier.Repaired,
			Detail: dossier.Text{VI: "thiếu dấu kết thúc tệp", EN: "the end-of-file mark is missing"}})
	}
	if err := d.signatures(ctx, q, &v); err != nil {
		return v, err
	}
	v.PageSize = pageSize(pages[0])
	for i, p := range pages {
		if flagPaper(&v, i+1, pageSize(p), q.Profile) {
			break
		}
	}
	resolution(&v, facts, q.Profile)
	colour(&v, facts, q.Profile)
	flagAppearance(&v, facts)

	if kinds := activeContent(src); len(kinds) > 0 {
		d.active = true
		what := joinKinds(kinds)
		if !v.Signed && q.Profile.ActiveContent == dossier.RejectActive {
			return v, reject(dossier.ActiveContent, what, what, nil)
		}
		v.Findings = append(v.Findings, dossier.Finding{Flag: dossier.ActiveContentFound, Detail: dossier.Text{VI: what, EN: what}})
	}
	return v, resolute(v, q.Profile)
}

// resolute rejects a scan below the profile's resolution. What has legal value is
// the document itself and not a scan of it: no better one can be asked for.
func resolute(v dossier.Verdict, p dossier.Profile) error {
	if !v.LegalValue && v.Scan && p.MinDPI > 0 && v.MinDPI > 0 && tooCoarse(v.MinDPI, p.MinDPI) {
		return reject(dossier.LowResolution, fmt.Sprintf("%d dpi, cần %d dpi", v.MinDPI, p.MinDPI),
			fmt.Sprintf("%d dpi, %d dpi are needed", v.MinDPI, p.MinDPI), nil)
	}
	return nil
}

func joinKinds(kinds []activeKind) string {
	var s []string
	for _, k := range kinds {
		s = append(s, string(k))
	}
	return strings.Join(s, ", ")
}

// ending is what the last bytes of a PDF say.
type ending struct {
	eof bool // "%%EOF" stands near the end, and no object after it
}

// tailWithin is how far before the end the markers may stand: scanners and mail
// programs append line ends and padding.
const tailWithin = 2048

func (d *document) ending() (ending, error) {
	n := min(d.size, tailWithin)
	b := make([]byte, n)
	if _, err := d.f.ReadAt(b, d.size-n); err != nil && err != io.EOF {
		return ending{}, openError(err)
	}
	end := ending{}
	if i := bytes.LastIndex(b, []byte("%%EOF")); i >= 0 {
		// An increment that was cut off lies after the end of the revision before
		// it; padding and what mail programs append hold no objects.
		end.eof = !objectBegins.Match(b[i:])
	}
	return end, nil
}

var errEndsInside = errors.New("the file ends in the midst of an object")

// endsInside reports whether the file ends within an object: after its last
// "endobj" another one begins, and has no end.
func (d *document) endsInside() (bool, error) {
	const step, overlap = 1 << 18, 16
	buf := make([]byte, step+overlap)
	for at := d.size; at > 0; {
		from := max(0, at-step)
		b := buf[:min(d.size, at+overlap)-from]
		if _, err := d.f.ReadAt(b, from); err != nil && err != io.EOF {
			return false, openError(err)
		}
		begun := objectBegins.FindAllIndex(b, -1)
		ended := bytes.LastIndex(b, []byte("endobj"))
		if len(begun) > 0 {
			return begun[len(begun)-1][0] > ended, nil
		}
		if ended >= 0 {
			return false, nil
		}
		at = from
	}
	return false, nil
}

var objectBegins = regexp.MustCompile(`[\r\n ][0-9]{1,10} [0-9]{1,5} obj[\r\n <\[(/]`)

// complete reads every image that is drawn, once.
func (d *document) complete(ctx context.Context, src *model.Context, q wireQuestion, facts []*pageFacts, end ending) error {
	var buf []byte
	r := reading{src: src, limit: d.setup.Limits.Decoded, thorough: q.Thorough, buf: &buf, known: d.room.tables()}
	for i, f := range facts {
		at := func(vi, en string) (string, string) {
			return fmt.Sprintf("%strang %d", vi, i+1), fmt.Sprintf("%spage %d", en, i+1)
		}
		if errors.Is(f.lost, filter.ErrDecodeLimitExceeded) {
			vi, en := at("", "")
			return reject(dossier.TooComplex, vi, en, f.lost)
		}
		if (f.lost != nil || f.missing) && !end.eof {
			vi, en := at("", "")
			return reject(dossier.Truncated, vi, en, f.lost)
		}
		if f.lost != nil && f.ops == 0 {
			vi, en := at("nội dung ", "content of ")
			return reject(dossier.Damaged, vi, en, f.lost)
		}
		for _, dr := range f.draws {
			err := dr.img.read(r)
			vi, en := at("ảnh ở ", "image on ")
			switch {
			case err == nil:
			case errors.Is(err, errBomb):
				return reject(dossier.TooComplex, vi, en, err)
			case errors.Is(err, errCut):
				return reject(dossier.Truncated, vi, en, err)
			default:
				return reject(dossier.Damaged, vi, en, err)
			}
		}
	}
	if q.Thorough {
		return d.decodeAll(ctx, r, facts)
	}
	return nil
}

// read is done once for an image however often it is drawn.
func (p *picture) read(r reading) error {
	if !p.looked {
		p.looked = true
		var t *thumb
		if t, p.fault = r.read(p); t != nil {
			l := t.look()
			p.seen = &l
		}
		if p.fault == nil && p.softMask != nil {
			_, p.fault = r.read(p.softMask)
		}
	}
	return p.fault
}

// enoughShare is how much of a page its images must cover before they are taken
// for the page itself and not for a logo, a stamp or a signature on it.
const enoughShare = 0.5

// scanned reports whether the page is a picture of paper.
func (f *pageFacts) scanned() bool {
	if len(f.draws) == 0 || f.text {
		return false
	}
	return f.paths <= 32 || f.covered() >= enoughShare
}

func (f *pageFacts) covered() float64 {
	var sum float64
	for _, d := range f.draws {
		sum += d.share
	}
	return min(1, sum)
}

// dpi is the resolution of a scanned page: of its images, the finest first, that
// at which four fifths of what they cover are covered. So a fine logo on a coarse
// page does not raise it and a coarse stamp does not lower it. Where stencils lie
// over a background (MRC: text in one layer, paper in another) theirs counts.
// 0: no image that says anything.
func (f *pageFacts) dpi() int {
	draws := slices.DeleteFunc(slices.Clone(f.draws), func(d draw) bool {
		return d.share < 0.001 || d.dpi <= 0 || d.img.width*d.img.height <= 64
	})
	slices.SortStableFunc(draws, func(a, b draw) int { return int(b.dpi) - int(a.dpi) })
	var sum, stencil, stencilDPI float64
	for _, d := range draws {
		sum += d.share
		if d.img.bits == 1 && d.img.mask {
			stencil += d.share
			if stencilDPI == 0 || d.dpi < stencilDPI {
				stencilDPI = d.dpi
			}
		}
	}
	goal := 0.8 * min(1, sum)
	var at, dpi float64
	for _, d := range draws {
		at += d.share
		dpi = d.dpi
		if at >= goal {
			break
		}
	}
	if stencil >= 0.05 {
		dpi = max(dpi, stencilDPI)
	}
	return int(math.Round(dpi))
}

// tooCoarse allows two in a hundred: scanners round page sizes to whole points
// and fax modes call 196 lines an inch 200.
func tooCoarse(dpi, least int) bool { return dpi*100 < least*98 }

func resolution(v *dossier.Verdict, facts []*pageFacts, p dossier.Profile) {
	v.Scan = true
	images := 0
	for i, f := range facts {
		if !f.scanned() {
			if f.text || f.paths > 0 || len(f.draws) > 0 {
				v.Scan = false
			}
			continue
		}
		images++
		dpi := f.dpi()
		if dpi == 0 {
			continue
		}
		if v.MinDPI == 0 || dpi < v.MinDPI {
			v.MinDPI = dpi
		}
		flagResolution(v, i+1, dpi, p)
	}
	if images == 0 {
		v.Scan = false
	}
}

func colour(v *dossier.Verdict, facts []*pageFacts, p dossier.Profile) {
	for _, f := range facts {
		for _, d := range f.draws {
			if c := d.img.colour(); colourRank[c] > colourRank[v.Colour] {
				v.Colour = c
			}
		}
	}
	flagColour(v, p)
}

func (p *picture) colour() dossier.Colour {
	switch {
	case p.colours >= 3:
		return dossier.FullColour
	case p.bits == 1:
		return dossier.BlackWhite
	}
	return dossier.Grey
}

// paper names sizes in points, upright.
var paper = []struct {
	name string
	w, h float64
}{
	{"A5", 419.5, 595.3}, {"A4", 595.3, 841.9}, {"A3", 841.9, 1190.6}, {"A2", 1190.6, 1683.8},
	{"A1", 1683.8, 2383.9}, {"A0", 2383.9, 3370.4}, {"B5", 498.9, 708.7}, {"Letter", 612, 792}, {"Legal", 612, 1008},
}

// flagPaper flags a page whose paper the profile does not expect, and reports
// whether it did: the first one speaks for the file.
func flagPaper(v *dossier.Verdict, page int, size string, p dossier.Profile) bool {
	if len(p.PageSizes) == 0 || slices.Contains(p.PageSizes, size) {
		return false
	}
	v.Findings = append(v.Findings, dossier.Finding{Flag: dossier.OtherPaper, Page: page, Detail: dossier.Text{VI: size, EN: size}})
	return true
}

// pageSize names a page's paper, within three in a hundred, else its millimetres.
func pageSize(p page) string {
	w, h := p.media.width()*p.unit, p.media.height()*p.unit
	if w > h {
		w, h = h, w
	}
	for _, s := range paper {
		if math.Abs(w/s.w-1) < 0.03 && math.Abs(h/s.h-1) < 0.03 {
			return s.name
		}
	}
	return fmt.Sprintf("%.0f×%.0f mm", w*25.4/72, h*25.4/72)
}

// signatures judges the signatures of a file that may bear some. A result whose
// signature is broken, or that was changed after it, is worth nothing as a
// result; on a component it is for a person to ask about.
func (d *document) signatures(ctx context.Context, q wireQuestion, v *dossier.Verdict) error {
	if !d.guarded {
		return nil
	}
	trust, err := signature.LoadTrust(d.setup.TrustDir)
	if err != nil {
		return err
	}
	rep, err := signature.Verify(ctx, d.f, d.size, d.src, trust, q.At)
	if err != nil {
		return fmt.Errorf("verifying signatures: %w", err)
	}
	d.signed = rep.Signed
	v.Signed, v.Signatures, v.LegalValue = rep.Signed, rep.Signatures, rep.Legal
	if !rep.Signed {
		return nil
	}
	if q.Kind != dossier.Component && (rep.Broken || rep.Changed && !rep.Resigned) {
		vi, en := "", ""
		if rep.Changed {
			vi, en = "tệp bị thay đổi sau khi ký", "changed after it was signed"
		}
		return reject(dossier.SignatureBroken, vi, en, nil)
	}
	if rep.Changed {
		v.Findings = append(v.Findings, dossier.Finding{Flag: dossier.ChangedAfterSigning})
	}
	if rep.Broken || !rep.Legal && !rep.Changed {
		v.Findings = append(v.Findings, dossier.Finding{Flag: dossier.SignatureDoubtful})
	}
	return nil
}
