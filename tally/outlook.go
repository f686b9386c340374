package tally

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"sohoa/dossier"
)

// MonthPoint is a month of a trend: the figures of the month alone, and from the
// first month of the trend up to its end.
type MonthPoint struct {
	Month  dossier.Date // its first day
	Alone  []Figure     // in the order of the trend's indicators
	Toward []Figure
}

// Trend is how a unit with all below it went, month by month. Months without a
// dossier are there too, without a rate.
type Trend struct {
	Query      Query
	Unit       Row
	Indicators []Indicator
	Months     []MonthPoint
}

// MonthlyTrend makes the trend of the query's unit over its period, which needs
// both bounds. A month of which only some days lie in the period has only those.
func MonthlyTrend(ctx context.Context, src Source, q Query, targets Targets) (Trend, error) {
	q, indicators, err := q.check()
	if err != nil {
		return Trend{}, err
	}
	if q.Period.From == 0 || q.Period.To == 0 {
		return Trend{}, fmt.Errorf("%w: a trend needs a period with both bounds", ErrQuery)
	}
	units, err := src.Units(ctx)
	if err != nil {
		return Trend{}, fmt.Errorf("reading the units: %w", err)
	}
	s, err := StructureAsOf(units, q.AsOf)
	if err != nil {
		return Trend{}, fmt.Errorf("%w: %w", ErrQuery, err)
	}
	if q.Unit != "" && s.Holder(q.Unit) == "" {
		return Trend{}, dossier.ErrUnknownUnit
	}
	g := newGather(s, q.Unit)
	t := Trend{Query: q, Unit: g.rows[0], Indicators: indicators}
	at := map[dossier.Date]int{}
	for m := q.Period.From/100*100 + 1; m < q.Period.To; m = nextMonth(m) {
		at[m] = len(t.Months)
		t.Months = append(t.Months, MonthPoint{Month: m, Alone: make([]Figure, len(indicators)), Toward: make([]Figure, len(indicators))})
	}
	column := map[Series]int{}
	var names []Series
	for n, i := range indicators {
		column[i.Series()] = n
		names = append(names, i.Series())
	}
	cells, err := src.Months(ctx, g.ask, names, q.Period)
	if err != nil {
		return Trend{}, fmt.Errorf("reading the months: %w", err)
	}
	for _, c := range cells {
		m, inPeriod := at[c.Day/100*100+1]
		n, asked := column[c.Series]
		if !inPeriod || !asked {
			return Trend{}, fmt.Errorf("the source answers with %s of %v, which was not asked for", c.Series, c.Day)
		}
		f := &t.Months[m].Alone[n]
		f.Numerator += c.Numerator
		f.Denominator += c.Denominator
	}
	chain := s.Ancestors(t.Unit.Unit)
	for m := range t.Months {
		for n, i := range indicators {
			alone, toward := &t.Months[m].Alone[n], &t.Months[m].Toward[n]
			alone.ID, toward.ID = i.ID, i.ID
			if !i.Plain {
				alone.Target, alone.HasTarget = targets.For(i.ID, t.Months[m].Month.Year(), chain...)
				toward.Target, toward.HasTarget = alone.Target, alone.HasTarget
			}
			toward.Rate = alone.Rate
			if m > 0 {
				toward.Numerator += t.Months[m-1].Toward[n].Numerator
				toward.Denominator += t.Months[m-1].Toward[n].Denominator
			}
		}
	}
	return t, nil
}

func nextMonth(m dossier.Date) dossier.Date {
	return dossier.DateOf(m.Time().AddDate(0, 1, 0))
}

// Outlook says what it takes to reach a target by a day, if dossiers go on coming
// in as they have so far.
type Outlook struct {
	By       dossier.Date // the last day that counts
	Days     int          // days left, that one included
	Expected int64        // dossiers still to come
	Needed   int64        // of those that are missing and those to come, how many have to be counted by then
	OfComing Rate         // Needed of Expected: above 100 % means that the backlog must be worked off too
	OnCourse Rate         // where the figure ends if what comes is counted at the rate so far
}

// Outlook looks from the period's figure, known up to the day known, to the day
// by. It needs a target, a rate and at least one day on either side.
func (f Figure) Outlook(from, known, by dossier.Date) (Outlook, bool) {
	elapsed, left := days(from, known)+1, days(known, by)
	if !f.HasTarget || f.Denominator <= 0 || from == 0 || elapsed <= 0 || left <= 0 {
		return Outlook{}, false
	}
	o := Outlook{By: by, Days: left, Expected: scale(f.Denominator, int64(left), int64(elapsed))}
	whole := Rate{f.Numerator, f.Denominator + o.Expected}
	o.Needed = whole.Gap(f.Target)
	o.OfComing = Rate{o.Needed, o.Expected}
	o.OnCourse = Rate{f.Numerator + scale(f.Numerator, int64(left), int64(elapsed)), whole.Denominator}
	return o, true
}

// PerDay is how many dossiers have to be counted each day, rounded up.
func (o Outlook) PerDay() int64 { return (o.Needed + int64(o.Days) - 1) / int64(o.Days) }

// Text says it in a sentence.
func (o Outlook) Text(lang string) string {
	rate := func(r Rate) string { return FormatRate(r.Numerator, r.Denominator, lang) }
	switch {
	case o.Needed == 0 && lang == "en":
		return fmt.Sprintf("The target will still be reached on %v even if nothing more is counted.", o.By)
	case o.Needed == 0:
		return fmt.Sprintf("Đến ngày %s vẫn đạt chỉ tiêu dù không có thêm hồ sơ được tính.", o.By.Local())
	case lang == "en":
		return fmt.Sprintf("To reach the target by %v: %s (%d a day), with about %d still to come; as things go it will be %s %%.",
			o.By, GapText(o.Needed, lang), o.PerDay(), o.Expected, rate(o.OnCourse))
	}
	return fmt.Sprintf("Để đạt chỉ tiêu đến ngày %s: %s (%d hồ sơ mỗi ngày), dự kiến còn tiếp nhận khoảng %d hồ sơ; nếu giữ tiến độ hiện nay sẽ là %s %%.",
		o.By.Local(), GapText(o.Needed, lang), o.PerDay(), o.Expected, rate(o.OnCourse))
}

// days from a to b.
func days(a, b dossier.Date) int {
	// The zone has no daylight saving: every day has 24 hours.
	return int(b.Time().Sub(a.Time()) / (24 * time.Hour))
}

// scale is n·num/den rounded half up, exactly.
func scale(n, num, den int64) int64 {
	x := new(big.Int).Mul(big.NewInt(n), big.NewInt(num))
	x.Mul(x, big.NewInt(2)).Add(x, big.NewInt(den))
	return x.Quo(x, big.NewInt(2*den)).Int64()
}

// Forecast is the outlook of every row of a table to a day.
type Forecast struct {
	Query      Query
	By         dossier.Date
	Indicators []Indicator
	Rows       []ForecastRow // a row a unit and indicator that has a target and a rate
}

// ForecastRow is one unit's outlook for one indicator.
type ForecastRow struct {
	Row
	Figure
	Outlook
}

// Forecast looks from the table's figures to the day by. Its period needs a
// beginning; what is known reaches to the cut-off or to the period's last day,
// whichever is earlier.
func (t Table) Forecast(by dossier.Date) (Forecast, error) {
	known := t.Query.CutOff
	if d := lastDay(t.Query.Period); d != 0 {
		known = min(known, d)
	}
	if t.Query.Period.From == 0 || by <= known {
		return Forecast{}, fmt.Errorf("%w: an outlook needs the period's beginning and a later day than %v", ErrQuery, known)
	}
	f := Forecast{Query: t.Query, By: by, Indicators: t.Indicators}
	for _, r := range t.Rows {
		for _, x := range r.Figures {
			if o, ok := x.Outlook(t.Query.Period.From, known, by); ok {
				f.Rows = append(f.Rows, ForecastRow{r.Row, x, o})
			}
		}
	}
	return f, nil
}
