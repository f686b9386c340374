package tally

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"slices"

	"sohoa/dossier"
)

// listing is a plain table that can be written in each form: one definition of
// columns and rows for terminal, CSV and sheet.
type listing struct {
	title  dossier.Text
	under  []dossier.Text
	sheet  string
	heads  []listHead
	rows   [][]any // string, dossier.Text, int, int64, dossier.Date, Rate, or nil for nothing
	notes  []dossier.Text
	period dossier.Period
	// formula is the version that every line of a CSV repeats, so that no figure
	// goes without it; empty where the figures are of several.
	formula string
}

type listHead struct {
	name  dossier.Text
	key   string // in CSV
	width float64
	left  bool
}

// cellText is a cell for people, or (lang "") for programs.
func cellText(v any, lang string) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case dossier.Text:
		if lang == "" {
			return v.VI
		}
		return v.In(lang)
	case int:
		return count(int64(v))
	case int64:
		return count(v)
	case dossier.Date:
		if lang == "vi" {
			return v.Local()
		}
		return v.String()
	case Rate:
		p, ok := v.Percent()
		if !ok && lang == "" {
			return ""
		} else if !ok {
			return NoRate
		}
		return p.Format(lang)
	}
	panic(fmt.Sprintf("tally: no way to write a %T", v))
}

func (l listing) text(w io.Writer, lang string) error {
	if lang != "en" {
		lang = "vi"
	}
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, l.title.In(lang))
	for _, u := range l.under {
		fmt.Fprintln(b, u.In(lang))
	}
	fmt.Fprintln(b)
	g := grid{left: map[int]bool{}}
	g.row()
	for n, h := range l.heads {
		g.add(h.name.In(lang))
		g.left[n] = h.left
	}
	g.rule()
	for _, r := range l.rows {
		g.row()
		for _, v := range r {
			g.add(cellText(v, lang))
		}
	}
	g.write(b)
	if len(l.notes) > 0 {
		fmt.Fprintln(b)
	}
	for _, n := range l.notes {
		fmt.Fprintln(b, n.In(lang))
	}
	return b.Flush()
}

func (l listing) csv(w io.Writer) error {
	c := csv.NewWriter(w)
	var line []string
	for _, h := range l.heads {
		line = append(line, h.key)
	}
	if l.formula != "" {
		line = append(line, "formula")
	}
	if err := c.Write(line); err != nil {
		return err
	}
	for _, r := range l.rows {
		line = line[:0]
		for _, v := range r {
			s := cellText(v, "")
			switch v.(type) {
			case string, dossier.Text:
				s = CSVText(s)
			}
			line = append(line, s)
		}
		if l.formula != "" {
			line = append(line, l.formula)
		}
		if err := c.Write(line); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

func (l listing) xlsx(w io.Writer, h Heading) error {
	x := newBook(l.sheet)
	for n, c := range l.heads {
		x.width(n+1, c.width)
	}
	title := h.Title
	if title == "" {
		title = l.title.VI
	}
	last := len(l.heads)
	top := x.letterhead(h, last, max(1, last*2/5), title, Query{Period: l.period})
	for n, c := range l.heads {
		x.cell(n+1, top, c.name.VI, x.st.head)
	}
	x.height(top, 36)
	row := top + 1
	for _, r := range l.rows {
		lines := 1
		for n, v := range r {
			style := x.st.text[0]
			var value any = cellText(v, "vi")
			switch v := v.(type) {
			case int:
				value, style = v, x.st.count[0]
			case int64:
				value, style = v, x.st.count[0]
			case Rate:
				value, style = rateValue(v), x.st.rate[0]
			case dossier.Date:
				style = x.st.centre[0]
			}
			x.cell(n+1, row, value, style)
			lines = max(lines, len(wrap(cellText(v, "vi"), int(l.heads[n].width)-2)))
		}
		x.height(row, 4+14.5*float64(lines))
		row++
	}
	row++
	notes := slices.DeleteFunc(slices.Concat(l.under, l.notes), func(n dossier.Text) bool {
		return n.VI == PeriodText(l.period, "vi") // stands under the title
	})
	notes = append(notes, dossier.Text{VI: "Nguồn: " + h.source() + "."})
	for _, n := range notes {
		x.cell(1, row, n.VI, x.st.note)
		x.merge(1, row, last, row, x.st.note)
		x.tall(row, n.VI, 120)
		row++
	}
	row = x.signatures(h, row, last)
	x.page("landscape", top, last, row-1, top, 0)
	return x.write(w)
}

var (
	unitHead = listHead{dossier.Text{VI: "Mã đơn vị", EN: "Unit"}, "unit", 14, true}
	nameHead = listHead{dossier.Text{VI: "Đơn vị", EN: "Name"}, "name", 30, true}
)

func numberHead(vi, en, key string) listHead {
	return listHead{dossier.Text{VI: vi, EN: en}, key, 11, false}
}

// listing of the reconciliation: a line a figure, ours beside the portal's.
func (r Reconciliation) listing() listing {
	l := listing{
		title: dossier.Text{VI: "ĐỐI CHIẾU SỐ LIỆU VỚI CỔNG DỊCH VỤ CÔNG QUỐC GIA", EN: "RECONCILIATION WITH THE NATIONAL PORTAL"},
		sheet: "Đối chiếu", period: r.Query.Period, formula: r.Query.Version,
		under: []dossier.Text{
			{VI: PeriodText(r.Query.Period, "vi"), EN: PeriodText(r.Query.Period, "en")},
			{VI: "Công thức " + r.Query.Version + " · cơ cấu đơn vị ngày " + r.Query.AsOf.Local(), EN: "Formula " + r.Query.Version + " · units as of " + r.Query.AsOf.String()}},
		heads: []listHead{unitHead, nameHead, {dossier.Text{VI: "Chỉ tiêu", EN: "Indicator"}, "indicator", 9, true},
			numberHead("Tử số (Cổng)", "Portal numerator", "portal_numerator"), numberHead("Mẫu số (Cổng)", "Portal denominator", "portal_denominator"), numberHead("Tỷ lệ % (Cổng)", "Portal rate %", "portal_rate"),
			numberHead("Tử số", "Our numerator", "numerator"), numberHead("Mẫu số", "Our denominator", "denominator"), numberHead("Tỷ lệ %", "Our rate %", "rate"),
			numberHead("Lệch tử số", "Difference, numerator", "numerator_difference"), numberHead("Lệch mẫu số", "Difference, denominator", "denominator_difference"),
			{dossier.Text{VI: "Có thể do", EN: "May be because"}, "candidates", 44, true}},
	}
	same := 0
	for _, d := range r.Rows {
		if d.Same() {
			same++
		}
		l.rows = append(l.rows, []any{string(d.Unit), d.Name, d.Indicator, d.Portal.Numerator, d.Portal.Denominator, d.Portal, d.Ours.Numerator, d.Ours.Denominator, d.Ours,
			d.Ours.Numerator - d.Portal.Numerator, d.Ours.Denominator - d.Portal.Denominator, d.reason()})
	}
	l.notes = []dossier.Text{{
		VI: fmt.Sprintf("%d số liệu, %d trùng khớp. Độ lệch là số của tỉnh trừ số của Cổng.", len(r.Rows), same),
		EN: fmt.Sprintf("Figures: %d; agreeing: %d. A difference is ours less the portal's.", len(r.Rows), same)}}
	return l
}

// reason joins the candidates; one that explains a side only says which.
func (d Discrepancy) reason() dossier.Text {
	if d.Same() {
		return dossier.Text{}
	}
	var t dossier.Text
	for _, c := range d.Candidates {
		vi, en := c.Text.VI, c.Text.EN
		switch c.Match {
		case MatchNumerator:
			vi, en = vi+" (khớp tử số)", en+" (numerator agrees)"
		case MatchDenominator:
			vi, en = vi+" (khớp mẫu số)", en+" (denominator agrees)"
		}
		if t.VI != "" {
			t.VI, t.EN = t.VI+"; ", t.EN+"; "
		}
		t.VI, t.EN = t.VI+vi, t.EN+en
	}
	if t.VI == "" {
		return dossier.Text{VI: "chưa rõ nguyên nhân", EN: "cause not known"}
	}
	return t
}

// Text writes the reconciliation for a terminal.
func (r Reconciliation) Text(w io.Writer, lang string) error { return r.listing().text(w, lang) }

// CSV writes a line a figure, with a decimal point.
func (r Reconciliation) CSV(w io.Writer) error { return r.listing().csv(w) }

// XLSX writes the reconciliation on A4 across, in Vietnamese.
func (r Reconciliation) XLSX(w io.Writer, h Heading) error { return r.listing().xlsx(w, h) }

// JSON writes the reconciliation.
func (r Reconciliation) JSON(w io.Writer) error {
	type share struct {
		Numerator   int64   `json:"numerator"`
		Denominator int64   `json:"denominator"`
		Rate        *string `json:"rate"`
	}
	type candidate struct {
		Code  string `json:"code"`
		VI    string `json:"text_vi"`
		EN    string `json:"text_en"`
		Match Match  `json:"match"`
		share
	}
	type row struct {
		Unit       dossier.UnitCode `json:"unit"`
		Name       string           `json:"name"`
		Indicator  string           `json:"indicator"`
		Same       bool             `json:"same"`
		Portal     share            `json:"portal"`
		Ours       share            `json:"ours"`
		Candidates []candidate      `json:"candidates"`
	}
	of := func(r Rate) share { return share{r.Numerator, r.Denominator, rateJSON(r)} }
	out := struct {
		Formula string       `json:"formula"`
		From    dossier.Date `json:"from"`
		To      dossier.Date `json:"to"`
		AsOf    dossier.Date `json:"structure_as_of"`
		Rows    []row        `json:"rows"`
	}{r.Query.Version, r.Query.Period.From, r.Query.Period.To, r.Query.AsOf, []row{}}
	for _, d := range r.Rows {
		x := row{d.Unit, d.Name, d.Indicator, d.Same(), of(d.Portal), of(d.Ours), []candidate{}}
		for _, c := range d.Candidates {
			x.Candidates = append(x.Candidates, candidate{c.Code, c.Text.VI, c.Text.EN, c.Match, of(c.Rate)})
		}
		out.Rows = append(out.Rows, x)
	}
	return writeJSON(w, out)
}

func rateJSON(r Rate) *string {
	p, ok := r.Percent()
	if !ok {
		return nil
	}
	s := p.Format("en")
	return &s
}

// listing of the restatement: totals first, then a line a unit and series.
func (r Restatement) listing() listing {
	c := r.Closed
	l := listing{
		title: dossier.Text{VI: "SỐ LIỆU THAY ĐỔI SAU KHI CHỐT KỲ", EN: "FIGURES RESTATED SINCE THE PERIOD WAS CLOSED"},
		sheet: "Thay đổi sau chốt", period: dossier.Period{From: c.From, To: c.To},
		under: []dossier.Text{
			{VI: PeriodText(dossier.Period{From: c.From, To: c.To}, "vi"), EN: PeriodText(dossier.Period{From: c.From, To: c.To}, "en")},
			{VI: "Chốt lúc " + c.ClosedAt.In(dossier.Zone).Format("15:04 02/01/2006"), EN: "Closed at " + c.ClosedAt.In(dossier.Zone).Format("2006-01-02 15:04")}},
		heads: []listHead{unitHead, nameHead, {dossier.Text{VI: "Số liệu", EN: "Figure"}, "series", 36, true},
			numberHead("Tử số đã chốt", "Numerator closed", "was_numerator"), numberHead("Mẫu số đã chốt", "Denominator closed", "was_denominator"), numberHead("Tỷ lệ % đã chốt", "Rate % closed", "was_rate"),
			numberHead("Tử số nay", "Numerator now", "now_numerator"), numberHead("Mẫu số nay", "Denominator now", "now_denominator"), numberHead("Tỷ lệ % nay", "Rate % now", "now_rate")},
	}
	add := func(unit, name string, f Restated) {
		row := []any{unit, name, f.Series.Name(), f.Was.Numerator, f.Was.Denominator, f.Was, f.Now.Numerator, f.Now.Denominator, f.Now}
		if f.Series.Plain() {
			row[5], row[8] = nil, nil
		}
		l.rows = append(l.rows, row)
	}
	for _, f := range r.Totals() {
		add("", "TỔNG", f)
	}
	for _, f := range r.Figures {
		add(string(f.Unit), r.Names[f.Unit], f)
	}
	switch {
	case r.Stands():
		l.notes = append(l.notes, dossier.Text{VI: "Không có thay đổi: số liệu vẫn như đã chốt.", EN: "Nothing changed: the figures are as closed."})
	case r.Listed:
		l.notes = append(l.notes, dossier.Text{VI: fmt.Sprintf("%d hồ sơ thay đổi:", len(r.Dossiers)), EN: fmt.Sprintf("%d {dossier|dossiers} changed:", len(r.Dossiers))}.For(len(r.Dossiers) == 1))
	}
	for _, d := range r.Dossiers {
		what := d.Change()
		l.notes = append(l.notes, dossier.Text{VI: string(d.Code) + ": " + what.VI, EN: string(d.Code) + ": " + what.EN})
	}
	return l
}

// Change says how the dossier counts otherwise: "nay được tính ở 4.2 Số hóa hồ sơ, kết quả".
func (d RestatedDossier) Change() dossier.Text {
	was, now := parseFootprint(d.Was), parseFootprint(d.Now)
	var t dossier.Text
	sep := ""
	say := func(vi, en string) {
		t.VI, t.EN = t.VI+sep+vi, t.EN+sep+en
		sep = "; "
	}
	if d.WasUnit != "" && d.NowUnit != "" && d.WasUnit != d.NowUnit {
		say("chuyển từ "+string(d.WasUnit)+" sang "+string(d.NowUnit), "moved from "+string(d.WasUnit)+" to "+string(d.NowUnit))
	}
	for _, s := range AllSeries() {
		w, inWas := was[s]
		n, inNow := now[s]
		if inWas == inNow && w == n {
			continue
		}
		name := s.Name()
		switch {
		case inWas && !inNow:
			say("không còn thuộc "+name.VI, "no longer of "+name.EN)
		case !inWas && inNow:
			say("nay thuộc "+name.VI, "now of "+name.EN)
		case w && !n:
			say("không còn được tính ở "+name.VI, "no longer counted in "+name.EN)
		case !w && n:
			say("nay được tính ở "+name.VI, "now counted in "+name.EN)
		}
	}
	return t
}

// Text writes the restatement for a terminal.
func (r Restatement) Text(w io.Writer, lang string) error { return r.listing().text(w, lang) }

// CSV writes a line a figure, with a decimal point; the totals have no unit.
func (r Restatement) CSV(w io.Writer) error { return r.listing().csv(w) }

// XLSX writes the restatement on A4 across, in Vietnamese.
func (r Restatement) XLSX(w io.Writer, h Heading) error { return r.listing().xlsx(w, h) }

// JSON writes the restatement with its dossiers.
func (r Restatement) JSON(w io.Writer) error {
	type figure struct {
		Unit   dossier.UnitCode `json:"unit,omitempty"`
		Series Series           `json:"series"`
		Was    [2]int64         `json:"was"`
		Now    [2]int64         `json:"now"`
	}
	type doc struct {
		Code    dossier.Code     `json:"dossier"`
		WasUnit dossier.UnitCode `json:"was_unit,omitempty"`
		NowUnit dossier.UnitCode `json:"now_unit,omitempty"`
		Was     string           `json:"was"`
		Now     string           `json:"now"`
	}
	out := struct {
		From     dossier.Date `json:"from"`
		To       dossier.Date `json:"to"`
		ClosedAt string       `json:"closed_at"`
		Totals   []figure     `json:"totals"`
		Figures  []figure     `json:"figures"`
		Listed   bool         `json:"dossiers_kept"`
		Dossiers []doc        `json:"dossiers"`
	}{r.Closed.From, r.Closed.To, r.Closed.ClosedAt.Format("2006-01-02T15:04:05-07:00"), []figure{}, []figure{}, r.Listed, []doc{}}
	of := func(f Restated) figure {
		return figure{f.Unit, f.Series, [2]int64{f.Was.Numerator, f.Was.Denominator}, [2]int64{f.Now.Numerator, f.Now.Denominator}}
	}
	for _, f := range r.Totals() {
		out.Totals = append(out.Totals, of(f))
	}
	for _, f := range r.Figures {
		out.Figures = append(out.Figures, of(f))
	}
	for _, d := range r.Dossiers {
		out.Dossiers = append(out.Dossiers, doc(d))
	}
	return writeJSON(w, out)
}

// listing of the trend: a line a month and indicator.
func (t Trend) listing() listing {
	l := listing{
		title: dossier.Text{VI: "DIỄN BIẾN THEO THÁNG", EN: "MONTH BY MONTH"},
		sheet: "Theo tháng", period: t.Query.Period, formula: t.Query.Version,
		under: []dossier.Text{{VI: t.Unit.Name, EN: t.Unit.Name},
			{VI: PeriodText(t.Query.Period, "vi"), EN: PeriodText(t.Query.Period, "en")}, {VI: "Công thức " + t.Query.Version, EN: "Formula " + t.Query.Version}},
		heads: []listHead{{dossier.Text{VI: "Tháng", EN: "Month"}, "month", 10, true}, {dossier.Text{VI: "Chỉ tiêu", EN: "Indicator"}, "indicator", 9, true}, {dossier.Text{VI: "Tên", EN: "Name"}, "name", 28, true},
			numberHead("Tử số", "Numerator", "numerator"), numberHead("Mẫu số", "Denominator", "denominator"), numberHead("Tỷ lệ %", "Rate %", "rate"),
			numberHead("Lũy kế tử số", "Numerator so far", "numerator_so_far"), numberHead("Lũy kế mẫu số", "Denominator so far", "denominator_so_far"), numberHead("Lũy kế tỷ lệ %", "Rate % so far", "rate_so_far"),
			numberHead("Mục tiêu %", "Target %", "target")},
	}
	for n, i := range t.Indicators {
		for _, m := range t.Months {
			a, s := m.Alone[n], m.Toward[n]
			var target any
			if a.HasTarget {
				target = Rate{int64(a.Target), 10000}
			}
			if i.Plain {
				l.rows = append(l.rows, []any{monthText(m.Month), i.ID, i.Name, a.Numerator, a.Denominator, nil, s.Numerator, s.Denominator, nil, nil})
				continue
			}
			l.rows = append(l.rows, []any{monthText(m.Month), i.ID, i.Name, a.Numerator, a.Denominator, a.Rate, s.Numerator, s.Denominator, s.Rate, target})
		}
	}
	return l
}

func monthText(d dossier.Date) string { return d.String()[:7] }

// Text writes the trend for a terminal.
func (t Trend) Text(w io.Writer, lang string) error { return t.listing().text(w, lang) }

// CSV writes a line a month and indicator, with a decimal point.
func (t Trend) CSV(w io.Writer) error { return t.listing().csv(w) }

// XLSX writes the trend on A4 across, in Vietnamese.
func (t Trend) XLSX(w io.Writer, h Heading) error { return t.listing().xlsx(w, h) }

// JSON writes the trend.
func (t Trend) JSON(w io.Writer) error {
	type month struct {
		Month  string     `json:"month"`
		Alone  figureJSON `json:"alone"`
		Toward figureJSON `json:"so_far"`
	}
	type line struct {
		ID     string  `json:"id"`
		Months []month `json:"months"`
	}
	out := struct {
		Formula    string           `json:"formula"`
		From       dossier.Date     `json:"from"`
		To         dossier.Date     `json:"to"`
		AsOf       dossier.Date     `json:"structure_as_of"`
		Unit       dossier.UnitCode `json:"unit"`
		Name       string           `json:"name"`
		Indicators []line           `json:"indicators"`
	}{t.Query.Version, t.Query.Period.From, t.Query.Period.To, t.Query.AsOf, t.Unit.Unit, t.Unit.Name, []line{}}
	table := Table{Indicators: t.Indicators}
	for n, i := range t.Indicators {
		l := line{ID: i.ID}
		for _, m := range t.Months {
			l.Months = append(l.Months, month{monthText(m.Month), table.figureJSON(n, m.Alone[n]), table.figureJSON(n, m.Toward[n])})
		}
		out.Indicators = append(out.Indicators, l)
	}
	return writeJSON(w, out)
}

// listing of the forecast: a line a unit and indicator.
func (f Forecast) listing() listing {
	l := listing{
		title: dossier.Text{VI: "DỰ BÁO THỰC HIỆN CHỈ TIÊU ĐẾN NGÀY " + f.By.Local(), EN: "OUTLOOK TO " + f.By.String()},
		sheet: "Dự báo", period: f.Query.Period, formula: f.Query.Version,
		under: []dossier.Text{{VI: PeriodText(f.Query.Period, "vi"), EN: PeriodText(f.Query.Period, "en")},
			{VI: "Công thức " + f.Query.Version + " · cơ cấu đơn vị ngày " + f.Query.AsOf.Local(), EN: "Formula " + f.Query.Version + " · units as of " + f.Query.AsOf.String()}},
		heads: []listHead{unitHead, nameHead, {dossier.Text{VI: "Chỉ tiêu", EN: "Indicator"}, "indicator", 9, true},
			numberHead("Tử số", "Numerator", "numerator"), numberHead("Mẫu số", "Denominator", "denominator"), numberHead("Tỷ lệ %", "Rate %", "rate"), numberHead("Mục tiêu %", "Target %", "target"),
			numberHead("Còn thiếu hiện nay", "Lacking now", "gap"), numberHead("Dự kiến tiếp nhận thêm", "Still to come", "expected"),
			numberHead("Cần thêm đến ngày đó", "Needed by then", "needed"), numberHead("Mỗi ngày", "A day", "per_day"), numberHead("Nếu giữ tiến độ %", "As things go %", "on_course")},
		notes: []dossier.Text{{
			VI: "Dự kiến tiếp nhận theo nhịp từ đầu kỳ; “nếu giữ tiến độ” là tỷ lệ đạt được khi hồ sơ mới được tính theo tỷ lệ hiện nay.",
			EN: "What is still to come follows the pace since the period began; “as things go” is the rate if new dossiers are counted at the rate so far."}},
	}
	for _, r := range f.Rows {
		l.rows = append(l.rows, []any{string(r.Unit), r.Name, r.ID, r.Numerator, r.Denominator, r.Rate, Rate{int64(r.Target), 10000}, r.Gap(), r.Expected, r.Needed, r.PerDay(), r.OnCourse})
	}
	return l
}

// Text writes the forecast for a terminal.
func (f Forecast) Text(w io.Writer, lang string) error { return f.listing().text(w, lang) }

// CSV writes a line a unit and indicator, with a decimal point.
func (f Forecast) CSV(w io.Writer) error { return f.listing().csv(w) }

// XLSX writes the forecast on A4 across, in Vietnamese.
func (f Forecast) XLSX(w io.Writer, h Heading) error { return f.listing().xlsx(w, h) }

// JSON writes the forecast.
func (f Forecast) JSON(w io.Writer) error {
	type row struct {
		Unit     dossier.UnitCode `json:"unit"`
		Name     string           `json:"name"`
		Figure   figureJSON       `json:"figure"`
		Gap      int64            `json:"gap"`
		Expected int64            `json:"expected"`
		Needed   int64            `json:"needed"`
		PerDay   int64            `json:"per_day"`
		OfComing *string          `json:"rate_needed"`
		OnCourse *string          `json:"on_course"`
	}
	out := struct {
		Formula string       `json:"formula"`
		From    dossier.Date `json:"from"`
		To      dossier.Date `json:"to"`
		By      dossier.Date `json:"by"`
		Rows    []row        `json:"rows"`
	}{f.Query.Version, f.Query.Period.From, f.Query.Period.To, f.By, []row{}}
	plain := Table{Indicators: []Indicator{{}}}
	for _, r := range f.Rows {
		out.Rows = append(out.Rows, row{r.Unit, r.Name, plain.figureJSON(0, r.Figure), r.Gap(), r.Expected, r.Needed, r.PerDay(), rateJSON(r.OfComing), rateJSON(r.OnCourse)})
	}
	return writeJSON(w, out)
}
