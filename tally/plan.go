package tally

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"sohoa/dossier"
)

// PlanStart is the first year of the plan of Decision 468.
const PlanStart = 2021

// PlanRow is a level of authority in a year: the results in force at the end of
// that year (in the last year: on the last day asked for), and how many of them
// are digitised by now.
type PlanRow struct {
	Level dossier.Level
	Year  int
	At    dossier.Date
	Figure
}

// PlanTable is the plan for results in force of a unit with all below it.
type PlanTable struct {
	Query Query
	Unit  Row
	Rows  []PlanRow // by level, then year
	Notes []Note
}

// PlanReport makes the plan's table for the query's unit, from the first year of
// the plan to the last day of its period; indicators and version do not matter.
func PlanReport(ctx context.Context, src Source, q Query, targets Targets) (PlanTable, error) {
	q, _, err := q.check()
	if err != nil {
		return PlanTable{}, err
	}
	units, err := src.Units(ctx)
	if err != nil {
		return PlanTable{}, fmt.Errorf("reading the units: %w", err)
	}
	s, err := StructureAsOf(units, q.AsOf)
	if err != nil {
		return PlanTable{}, fmt.Errorf("%w: %w", ErrQuery, err)
	}
	if q.Unit != "" && s.Holder(q.Unit) == "" {
		return PlanTable{}, dossier.ErrUnknownUnit
	}
	g := newGather(s, q.Unit)
	t := PlanTable{Query: q, Unit: g.rows[0], Notes: s.Notes()}
	last := lastDay(q.Period)
	if last == 0 {
		last = q.AsOf
	}
	chain := s.Ancestors(t.Unit.Unit)
	done := map[Series][]PlanRow{}
	var names []Series
	for _, l := range PlanLevels() {
		names = append(names, PlanSeries(l))
	}
	for year := min(PlanStart, last.Year()); year <= last.Year(); year++ {
		at := min(dossier.Date(year*10000+1231), last)
		cells, err := src.Sums(ctx, g.ask, names, dossier.Period{To: at.AddDays(1)})
		if err != nil {
			return PlanTable{}, fmt.Errorf("reading the plan: %w", err)
		}
		sum := map[Series]Rate{}
		for _, c := range cells {
			r := sum[c.Series]
			sum[c.Series] = Rate{r.Numerator + c.Numerator, r.Denominator + c.Denominator}
		}
		for _, l := range PlanLevels() {
			x := PlanSeries(l)
			f := Figure{ID: string(x), Rate: sum[x]}
			f.Target, f.HasTarget = targets.For(string(x), year, chain...)
			done[x] = append(done[x], PlanRow{l, year, at, f})
		}
	}
	for _, x := range names {
		t.Rows = append(t.Rows, done[x]...)
	}
	return t, nil
}

// authority names a level of authority.
func authority(l dossier.Level, lang string) string {
	switch l {
	case dossier.Province, dossier.Department:
		return dossier.Text{VI: "Cấp tỉnh", EN: "Province"}.In(lang)
	case dossier.District:
		return dossier.Text{VI: "Cấp huyện", EN: "District"}.In(lang)
	}
	return dossier.Text{VI: "Cấp xã", EN: "Commune"}.In(lang)
}

func (t PlanTable) note(lang string) string {
	return dossier.Text{
		VI: "Kết quả còn hiệu lực tại ngày ghi ở mỗi dòng; đã số hóa tính đến hiện tại. Chỉ tiêu theo Quyết định số 468/QĐ-TTg và thiết lập của tỉnh.",
		EN: "Results in force on the day of each row; digitised by now. Targets after Decision 468/QĐ-TTg and the province's settings."}.In(lang)
}

func metText(f Figure, lang string) string {
	switch m, ok := f.Met(); {
	case !ok:
		return NoRate
	case m:
		return dossier.Text{VI: "Đạt", EN: "Yes"}.In(lang)
	}
	return dossier.Text{VI: "Chưa", EN: "No"}.In(lang)
}

// Text writes the plan for a terminal.
func (t PlanTable) Text(w io.Writer, lang string) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, dossier.Text{VI: "SỐ HÓA KẾT QUẢ GIẢI QUYẾT TTHC CÒN HIỆU LỰC", EN: "DIGITISED RESULTS IN FORCE"}.In(lang))
	fmt.Fprintln(b, t.Unit.Name)
	fmt.Fprintln(b)
	g := grid{left: map[int]bool{0: true}}
	if lang == "en" {
		g.row("Authority", "Year", "On", "In force", "Digitised", "Rate %", "Target %", "Reached?", "Lacking")
	} else {
		g.row("Thẩm quyền", "Năm", "Tại ngày", "Phải số hóa", "Đã số hóa", "Tỷ lệ %", "Chỉ tiêu %", "Đạt?", "Cần thêm")
	}
	g.rule()
	for _, r := range t.Rows {
		target, gap := NoRate, ""
		if r.HasTarget {
			target = r.Target.Format(lang)
			gap = count(r.Gap())
		}
		day := r.At.Local()
		if lang == "en" {
			day = r.At.String()
		}
		g.row(authority(r.Level, lang), strconv.Itoa(r.Year), day, count(r.Denominator), count(r.Numerator),
			FormatRate(r.Numerator, r.Denominator, lang), target, metText(r.Figure, lang), gap)
	}
	g.write(b)
	fmt.Fprintln(b)
	fmt.Fprintln(b, t.note(lang))
	for _, n := range t.Notes {
		fmt.Fprintf(b, "* %s: %s.\n", n.Unit, n.Text.In(lang))
	}
	return b.Flush()
}

// CSV writes a line a level and year, with a decimal point.
func (t PlanTable) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	if err := c.Write([]string{"unit", "authority_level", "year", "on", "in_force", "digitised", "rate", "target", "gap"}); err != nil {
		return err
	}
	for _, r := range t.Rows {
		rate, target, gap := "", "", ""
		if p, ok := r.Percent(); ok {
			rate = p.Format("en")
		}
		if r.HasTarget {
			target, gap = r.Target.Format("en"), count(r.Gap())
		}
		if err := c.Write([]string{string(t.Unit.Unit), string(r.Level), strconv.Itoa(r.Year), r.At.String(), count(r.Denominator), count(r.Numerator), rate, target, gap}); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// JSON writes the plan; rates and targets are strings with a point, null where
// there is none.
func (t PlanTable) JSON(w io.Writer) error {
	type row struct {
		Level       dossier.Level `json:"authority_level"`
		Year        int           `json:"year"`
		On          dossier.Date  `json:"on"`
		Numerator   int64         `json:"numerator"`
		Denominator int64         `json:"denominator"`
		Rate        *string       `json:"rate"`
		Target      *string       `json:"target"`
	}
	out := struct {
		Unit dossier.UnitCode `json:"unit"`
		Name string           `json:"name"`
		AsOf dossier.Date     `json:"structure_as_of"`
		Rows []row            `json:"rows"`
	}{t.Unit.Unit, t.Unit.Name, t.Query.AsOf, []row{}}
	for _, r := range t.Rows {
		f := Table{Indicators: []Indicator{{}}}.figureJSON(0, r.Figure)
		out.Rows = append(out.Rows, row{r.Level, r.Year, r.At, r.Numerator, r.Denominator, f.Rate, f.Target})
	}
	return writeJSON(w, out)
}

// XLSX writes the plan on A4 upright, in Vietnamese.
func (t PlanTable) XLSX(w io.Writer, h Heading) error {
	x := newBook("Kết quả còn hiệu lực")
	heads := []string{"Thẩm quyền", "Năm", "Tại ngày", "Phải số hóa", "Đã số hóa", "Tỷ lệ", "Chỉ tiêu", "Đạt?", "Cần thêm"}
	for n, width := range []float64{14, 8, 13, 12, 12, 11, 10, 9, 11} {
		x.width(n+1, width)
	}
	title := h.Title
	if title == "" {
		title = "TÌNH HÌNH SỐ HÓA KẾT QUẢ GIẢI QUYẾT TTHC CÒN HIỆU LỰC"
	}
	q := t.Query
	q.Period.From = 0
	top := x.letterhead(h, len(heads), 4, title, q)
	for n, c := range heads {
		x.cell(n+1, top, c, x.st.head)
	}
	x.height(top, 24)
	row := top + 1
	for _, r := range t.Rows {
		x.cell(1, row, authority(r.Level, "vi"), x.st.text[0])
		x.cell(2, row, r.Year, x.st.centre[0])
		x.cell(3, row, r.At.Local(), x.st.centre[0])
		x.cell(4, row, r.Denominator, x.st.count[0])
		x.cell(5, row, r.Numerator, x.st.count[0])
		x.cell(6, row, rateValue(r.Rate), x.st.rate[0])
		var target, gap any = NoRate, ""
		if r.HasTarget {
			target, gap = float64(r.Target)/10000, r.Gap()
		}
		x.cell(7, row, target, x.st.styleOf(targetCell, target, 0, false))
		x.cell(8, row, metText(r.Figure, "vi"), x.st.centre[0])
		x.cell(9, row, gap, x.st.count[0])
		row++
	}
	row++
	for _, f := range []string{t.note("vi"), fmt.Sprintf("Nguồn: %s; số liệu tính đến ngày %s; đơn vị: %s.", h.source(), q.CutOff.Local(), t.Unit.Name)} {
		x.cell(1, row, f, x.st.note)
		x.merge(1, row, len(heads), row, x.st.note)
		x.tall(row, f, 100)
		row++
	}
	row = x.signatures(h, row, len(heads))
	x.page("portrait", top, len(heads), row-1, top, 0)
	return x.write(w)
}
