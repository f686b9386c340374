package web

import (
	"context"
	"fmt"
	"html"
	"html/template"
	"strings"

	"sohoa/dossier"
	"sohoa/tally"
)

// monthsChart draws the digitising rate month by month of the year in which the
// period ends: a direction, with the target as a thin line and, dotted, where
// the year ends if it goes on as in the last three months.
func (s *server) monthsChart(ctx context.Context, t tally.Table, units []dossier.UnitCode, l string) (template.HTML, string, error) {
	i, ok := tally.Find(shown[0], t.Query.Version)
	if !ok {
		return "", "", nil
	}
	year := t.Query.Period.To.AddDays(-1).Year()
	cells, err := s.Source.Months(ctx, units, []tally.Series{i.Series()}, yearOf(year))
	if err != nil {
		return "", "", err
	}
	var months [12]tally.Rate
	for _, c := range cells {
		m := &months[c.Day.Month()-1]
		m.Numerator += c.Numerator
		m.Denominator += c.Denominator
	}
	f, _ := t.Rows[0].Figure(shown[0])
	svg := drawMonths(months, f, l)
	if svg == "" {
		return "", "", nil
	}
	return svg, fmt.Sprintf(say(l, "chart-title"), i.Name.In(l), year), nil
}

// drawMonths returns "" where fewer than two months have a rate: a point shows
// no direction.
func drawMonths(months [12]tally.Rate, f tally.Figure, l string) template.HTML {
	const width, height, left, right, top, bottom = 1088.0, 200.0, 40.0, 120.0, 16.0, 28.0
	x := func(m int) float64 { return left + (width-left-right)*float64(m)/11 }
	y := func(p tally.Percent) float64 { return height - bottom - (height-top-bottom)*float64(p)/10000 }
	type point struct {
		m int
		p tally.Percent
	}
	var points []point
	for m, r := range months {
		if p, ok := r.Percent(); ok {
			points = append(points, point{m, p})
		}
	}
	if len(points) < 2 {
		return ""
	}
	var b strings.Builder
	last := points[len(points)-1]
	fmt.Fprintf(&b, `<svg viewBox="0 0 %.0f %.0f" role="img" aria-label="%s">`, width, height,
		html.EscapeString(fmt.Sprintf(say(l, "chart-label"), last.m+1, last.p.Format(l))))
	for _, p := range []tally.Percent{0, 5000, 10000} {
		fmt.Fprintf(&b, `<text class="ch-text" x="%.0f" y="%.1f" text-anchor="end">%s</text>`, left-8, y(p)+4, p.Short(l))
	}
	fmt.Fprintf(&b, `<line class="ch-axis" x1="%.0f" x2="%.0f" y1="%.1f" y2="%.1f"/>`, left, width-right, y(0), y(0))
	for m := range 12 {
		fmt.Fprintf(&b, `<text class="ch-text" x="%.1f" y="%.0f" text-anchor="middle">%d</text>`, x(m), height-8, m+1)
	}
	labelY := y(last.p) + 4
	if f.HasTarget {
		ty := y(f.Target)
		fmt.Fprintf(&b, `<line class="ch-target" x1="%.0f" x2="%.0f" y1="%.1f" y2="%.1f"/>`, left, width-right, ty, ty)
		fmt.Fprintf(&b, `<text class="ch-text" x="%.0f" y="%.1f">%s %s %%</text>`, width-right+10, ty+4, html.EscapeString(say(l, "target")), f.Target.Short(l))
		if d := labelY - (ty + 4); d > -16 && d < 16 { // two labels must not lie on each other
			labelY = ty + 4 + 16
			if d < 0 {
				labelY = ty + 4 - 16
			}
		}
	}
	var path strings.Builder
	for n, p := range points {
		c := 'L'
		if n == 0 {
			c = 'M'
		}
		fmt.Fprintf(&path, "%c%.1f %.1f", c, x(p.m), y(p.p))
	}
	fmt.Fprintf(&b, `<path class="ch-line" d="%s"/>`, path.String())
	if last.m < 11 {
		var pace tally.Rate
		for _, r := range months[max(0, last.m-2) : last.m+1] {
			pace.Numerator += r.Numerator
			pace.Denominator += r.Denominator
		}
		if p, ok := pace.Percent(); ok {
			fmt.Fprintf(&b, `<path class="ch-dots" d="M%.1f %.1fL%.1f %.1f"/>`, x(last.m), y(last.p), x(11), y(p))
		}
	}
	for _, p := range points {
		fmt.Fprintf(&b, `<circle class="ch-dot" cx="%.1f" cy="%.1f" r="3"><title>%d: %s %%</title></circle>`, x(p.m), y(p.p), p.m+1, p.p.Format(l))
	}
	if last.m == 11 {
		fmt.Fprintf(&b, `<text class="ch-mark" x="%.1f" y="%.1f">%s %%</text>`, x(11)+10, labelY, last.p.Format(l))
	} else {
		// Above its point, unless the target's line would run through it.
		at := y(last.p) - 10
		if ty := y(f.Target); f.HasTarget && ty < y(last.p) && ty > at-16 {
			at = y(last.p) + 20
		}
		fmt.Fprintf(&b, `<text class="ch-mark" x="%.1f" y="%.1f" text-anchor="middle">%s %%</text>`, x(last.m), at, last.p.Format(l))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) // every text in it is escaped or a number
}
