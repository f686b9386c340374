package tally

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"sohoa/dossier"
)

// AppendixRow is a row of the appendix to the letter.
type AppendixRow struct {
	Row      int
	Name     dossier.Text
	Target   dossier.Text // as printed: "Tối thiểu 80%"
	Result   string       // as printed: "48,76%"; "—" where there is none
	Computed bool         // by us; else imported
	Figure   Figure       // where Computed
}

// AppendixTable is the appendix as on the letter: eleven rows, of which 3, 4, 5,
// 7 and 9 are computed and the rest printed as they were imported.
type AppendixTable struct {
	Query Query
	Unit  Row
	Rows  []AppendixRow
	Notes []Note
}

type appendixLine struct {
	name      dossier.Text
	indicator string // empty: imported
	target    dossier.Text
}

var appendixLines = []appendixLine{
	{dossier.Text{VI: "Tỷ lệ cung cấp dịch vụ công trực tuyến toàn trình trên tổng số TTHC có đủ điều kiện trên Cổng Dịch vụ công quốc gia.",
		EN: "Fully online public services provided, of all procedures that are eligible on the national portal."}, "", atLeast("80")},
	{dossier.Text{VI: "Tỷ lệ thanh toán trực tuyến trên Cổng Dịch vụ công quốc gia trên tổng số giao dịch thanh toán của dịch vụ công.",
		EN: "Online payments on the national portal, of all payments for public services."}, "", atLeast("45")},
	{dossier.Text{VI: "Tỷ lệ hồ sơ trực tuyến trên tổng số hồ sơ tiếp nhận, giải quyết TTHC",
		EN: "Online dossiers, of all dossiers received"}, "3", atLeast("50")},
	{dossier.Text{VI: "Tỷ lệ số hóa hồ sơ, kết quả giải quyết TTHC",
		EN: "Digitised dossiers and results"}, "4.2", atLeast("80")},
	{dossier.Text{VI: "Tỷ lệ cấp kết quả giải quyết TTHC điện tử",
		EN: "Electronic results"}, "4.1", whole},
	{dossier.Text{VI: "Tỷ lệ thực hiện chứng thực bản sao điện tử từ bản chính tại UBND cấp xã và Phòng Tư pháp cấp huyện",
		EN: "Electronic certified copies made by communes and district justice divisions"}, "", whole},
	{dossier.Text{VI: "Tỷ lệ khai thác, sử dụng lại thông tin, dữ liệu số hóa",
		EN: "Reuse of digitised information and data"}, "4.3", atLeast("50")},
	{dossier.Text{VI: "Tỷ lệ công bố, công khai TTHC đúng hạn.",
		EN: "Procedures published in time."}, "", whole},
	{dossier.Text{VI: "Tỷ lệ kết quả xử lý hồ sơ TTHC của bộ, ngành, địa phương được đồng bộ đầy đủ trên Cổng Dịch vụ công quốc gia.",
		EN: "Results synchronised to the national portal."}, "9", whole},
	{dossier.Text{VI: "Tỷ lệ xử lý phản ánh, kiến nghị đúng hạn",
		EN: "Complaints and proposals answered in time"}, "", whole},
	{dossier.Text{VI: "Mức độ hài lòng trong tiếp nhận, giải quyết TTHC của người dân, doanh nghiệp",
		EN: "Satisfaction of citizens and enterprises"}, "", whole},
}

var whole = dossier.Text{VI: "100%", EN: "100%"}

func atLeast(n string) dossier.Text {
	return dossier.Text{VI: "Tối thiểu " + n + "%", EN: "At least " + n + "%"}
}

// ImportedRows lists the rows of the appendix that come from elsewhere.
func ImportedRows() []int { return []int{1, 2, 6, 8, 10, 11} }

// Appendix makes the appendix for the unit of the query. imported holds the rows
// that come from elsewhere, as they are to be printed; one that is lacking is "—".
func Appendix(ctx context.Context, src Source, q Query, imported map[int]string, targets Targets) (AppendixTable, error) {
	q.Indicators = nil
	for _, l := range appendixLines {
		if l.indicator != "" {
			q.Indicators = append(q.Indicators, l.indicator)
		}
	}
	t, err := Report(ctx, src, q, targets)
	if err != nil {
		return AppendixTable{}, err
	}
	total := t.Rows[0]
	a := AppendixTable{Query: t.Query, Unit: total.Row, Notes: t.Notes}
	for n, l := range appendixLines {
		row := AppendixRow{Row: n + 1, Name: l.name, Target: l.target}
		if l.indicator == "" {
			row.Result = strings.TrimSpace(imported[row.Row])
			if row.Result == "" {
				row.Result = NoRate
			}
			a.Rows = append(a.Rows, row)
			continue
		}
		row.Computed = true
		row.Figure, _ = total.Figure(l.indicator)
		row.Result = percentText(row.Figure.Rate, "vi")
		if f := row.Figure; f.HasTarget {
			row.Target = dossier.Text{VI: f.Target.Short("vi") + "%", EN: f.Target.Short("en") + "%"}
			if f.Target < 10000 {
				row.Target = dossier.Text{VI: "Tối thiểu " + row.Target.VI, EN: "At least " + row.Target.EN}
			}
		}
		a.Rows = append(a.Rows, row)
	}
	return a, nil
}

func percentText(r Rate, lang string) string {
	p, ok := r.Percent()
	if !ok {
		return NoRate
	}
	return p.Format(lang) + "%"
}

// heads are the four column heads, after the letter's.
func (a AppendixTable) heads(lang string) []string {
	d := lastDay(a.Query.Period)
	if d == 0 {
		d = a.Query.CutOff
	}
	if lang == "en" {
		return []string{"No.", "Indicator", fmt.Sprintf("Target %d", d.Year()), fmt.Sprintf("Result up to %s %d", d.Month(), d.Year())}
	}
	return []string{"STT", "Chỉ tiêu", fmt.Sprintf("Chỉ tiêu năm %d", d.Year()),
		fmt.Sprintf("Kết quả thực hiện đến tháng %d năm %d", int(d.Month()), d.Year())}
}

// footnotes say where the figures come from.
func (a AppendixTable) footnotes(lang string) []string {
	if lang == "en" {
		return []string{
			fmt.Sprintf("Rows 3, 4, 5, 7, 9: computed from the register of dossiers and the archive, data up to %v, dossiers of %s, formula %s.", a.Query.CutOff, strings.Trim(PeriodText(a.Query.Period, lang), "()"), a.Query.Version),
			"Rows 1, 2, 6, 8, 10, 11: as imported.",
		}
	}
	return []string{
		fmt.Sprintf("Các hàng 3, 4, 5, 7, 9: tính từ sổ đăng ký hồ sơ và kho số hóa, số liệu tính đến ngày %s, kỳ %s, công thức %s.", a.Query.CutOff.Local(), lowerFirst(strings.Trim(PeriodText(a.Query.Period, lang), "()")), a.Query.Version),
		"Các hàng 1, 2, 6, 8, 10, 11: theo số liệu nhập từ nguồn khác.",
	}
}

func lowerFirst(s string) string {
	r := []rune(s)
	if len(r) > 0 {
		r[0] = []rune(strings.ToLower(string(r[0])))[0]
	}
	return string(r)
}

// result is the row's result in the language; imported ones are as imported.
func (r AppendixRow) result(lang string) string {
	if r.Computed {
		return percentText(r.Figure.Rate, lang)
	}
	return r.Result
}

// Text writes the appendix for a terminal, long names broken into lines.
func (a AppendixTable) Text(w io.Writer, lang string) error {
	b := bufio.NewWriter(w)
	title := []string{"KẾT QUẢ THỰC HIỆN CÁC CHỈ TIÊU VỀ CẢI CÁCH TTHC"}
	if lang == "en" {
		title = []string{"RESULTS OF THE INDICATORS OF ADMINISTRATIVE REFORM"}
	}
	for _, l := range title {
		fmt.Fprintln(b, l)
	}
	fmt.Fprintln(b, a.Unit.Name)
	fmt.Fprintln(b, PeriodText(a.Query.Period, lang))
	fmt.Fprintln(b)
	const wide, narrow = 64, 24
	g := grid{left: map[int]bool{1: true, 2: true}}
	lines := func(cells []string) {
		parts := [][]string{{cells[0]}, wrap(cells[1], wide), wrap(cells[2], narrow), wrap(cells[3], narrow)}
		n := 0
		for _, p := range parts {
			n = max(n, len(p))
		}
		for i := range n {
			g.row()
			for _, p := range parts {
				if i < len(p) {
					g.add(p[i])
				} else {
					g.add("")
				}
			}
		}
	}
	lines(a.heads(lang))
	g.rule()
	for _, r := range a.Rows {
		lines([]string{strconv.Itoa(r.Row), r.Name.In(lang), r.Target.In(lang), r.result(lang)})
	}
	g.write(b)
	fmt.Fprintln(b)
	for _, f := range a.footnotes(lang) {
		fmt.Fprintln(b, f)
	}
	for _, n := range a.Notes {
		fmt.Fprintf(b, "* %s: %s.\n", n.Unit, n.Text.In(lang))
	}
	return b.Flush()
}

// wrap breaks a text between words into lines of at most n columns; a longer
// word stands alone.
func wrap(s string, n int) []string {
	var out []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		switch {
		case line == "":
			line = word
		case columns(line)+1+columns(word) <= n:
			line += " " + word
		default:
			out = append(out, line)
			line = word
		}
	}
	return append(out, line)
}

// CSV writes row, indicator, target and result as printed, and for computed rows
// numerator, denominator and rate with a decimal point.
func (a AppendixTable) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	if err := c.Write([]string{"row", "indicator", "name", "target", "result", "numerator", "denominator", "rate", "formula"}); err != nil {
		return err
	}
	for _, r := range a.Rows {
		line := []string{strconv.Itoa(r.Row), "", r.Name.VI, r.Target.VI, CSVText(r.Result), "", "", "", ""}
		if r.Computed {
			line[1], line[5], line[6], line[8] = r.Figure.ID, count(r.Figure.Numerator), count(r.Figure.Denominator), a.Query.Version
			if p, ok := r.Figure.Percent(); ok {
				line[7] = p.Format("en")
			}
		}
		if err := c.Write(line); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// JSON writes the appendix; computed rows carry numerator, denominator and rate
// (null where there is none).
func (a AppendixTable) JSON(w io.Writer) error {
	type row struct {
		Row       int         `json:"row"`
		Name      string      `json:"name"`
		Target    string      `json:"target"`
		Result    string      `json:"result"`
		Indicator *figureJSON `json:"indicator,omitempty"`
	}
	out := struct {
		Formula string           `json:"formula"`
		From    string           `json:"from"`
		To      string           `json:"to"`
		AsOf    string           `json:"structure_as_of"`
		Unit    dossier.UnitCode `json:"unit"`
		Name    string           `json:"name"`
		Rows    []row            `json:"rows"`
	}{a.Query.Version, a.Query.Period.From.String(), a.Query.Period.To.String(), a.Query.AsOf.String(), a.Unit.Unit, a.Unit.Name, nil}
	for _, r := range a.Rows {
		x := row{r.Row, r.Name.VI, r.Target.VI, r.Result, nil}
		if r.Computed {
			f := Table{Indicators: []Indicator{{}}}.figureJSON(0, r.Figure)
			x.Indicator = &f
		}
		out.Rows = append(out.Rows, x)
	}
	return writeJSON(w, out)
}
