package tally

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"sohoa/dossier"
)

type tableJSON struct {
	Formula string    `json:"formula"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	AsOf    string    `json:"structure_as_of"`
	Rows    []rowJSON `json:"rows"`
}

type rowJSON struct {
	Unit       dossier.UnitCode `json:"unit"`
	Name       string           `json:"name"`
	Level      dossier.Level    `json:"level"`
	Indicators []figureJSON     `json:"indicators"`
}

type figureJSON struct {
	ID          string  `json:"id"`
	Numerator   int64   `json:"numerator"`
	Denominator int64   `json:"denominator"`
	Rate        *string `json:"rate"`
	Target      *string `json:"target"`
}

// JSON writes the table in its pinned form: rates and targets as strings with a
// point, null where there is none. "to" does not belong to the period.
func (t Table) JSON(w io.Writer) error {
	out := tableJSON{
		Formula: t.Query.Version,
		From:    t.Query.Period.From.String(),
		To:      t.Query.Period.To.String(),
		AsOf:    t.Query.AsOf.String(),
		Rows:    make([]rowJSON, 0, len(t.Rows)),
	}
	for _, r := range t.Rows {
		row := rowJSON{Unit: r.Unit, Name: r.Name, Level: r.Level, Indicators: make([]figureJSON, 0, len(r.Figures))}
		for n, f := range r.Figures {
			row.Indicators = append(row.Indicators, t.figureJSON(n, f))
		}
		out.Rows = append(out.Rows, row)
	}
	return writeJSON(w, out)
}

func (t Table) figureJSON(n int, f Figure) figureJSON {
	j := figureJSON{ID: f.ID, Numerator: f.Numerator, Denominator: f.Denominator}
	if p, ok := f.Percent(); ok && !t.Indicators[n].Plain {
		s := p.Format("en")
		j.Rate = &s
	}
	if f.HasTarget {
		s := f.Target.Format("en")
		j.Target = &s
	}
	return j
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// CSV writes a line a unit: its code, name, level and depth, the plain counts,
// and for each indicator numerator, denominator, rate (empty where there is
// none), target and gap; then the plan. Decimal point, UTF-8 without mark.
func (t Table) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	head := []string{"unit", "name", "level", "depth"}
	plains := Counts()
	for _, i := range plains {
		head = append(head, i.ID)
	}
	for _, i := range t.Indicators {
		if !i.Plain {
			head = append(head, i.ID+" numerator", i.ID+" denominator", i.ID+" rate", i.ID+" target", i.ID+" gap")
		}
	}
	head = append(head, "plan digitised", "plan in force", "plan rate", "formula", "from", "to", "structure_as_of")
	if err := c.Write(head); err != nil {
		return err
	}
	for _, r := range t.Rows {
		line := []string{string(r.Unit), CSVText(r.Name), string(r.Level), strconv.Itoa(r.Depth)}
		for _, i := range plains {
			line = append(line, count(r.Counts[i.ID]))
		}
		for n, f := range r.Figures {
			if t.Indicators[n].Plain {
				continue
			}
			rate, target, gap := "", "", ""
			if p, ok := f.Percent(); ok {
				rate = p.Format("en")
			}
			if f.HasTarget {
				target = f.Target.Format("en")
				gap = count(f.Gap())
			}
			line = append(line, count(f.Numerator), count(f.Denominator), rate, target, gap)
		}
		rate := ""
		if p, ok := r.Plan.Percent(); ok {
			rate = p.Format("en")
		}
		line = append(line, count(r.Plan.Numerator), count(r.Plan.Denominator), rate,
			t.Query.Version, t.Query.Period.From.String(), t.Query.Period.To.String(), t.Query.AsOf.String())
		if err := c.Write(line); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// CSVText keeps a spreadsheet from taking a text for a formula.
func CSVText(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

// Text writes the table for a terminal, in Vietnamese or English ("en").
func (t Table) Text(w io.Writer, lang string) error {
	b := bufio.NewWriter(w)
	title := dossier.Text{VI: "TÌNH HÌNH SỐ HÓA HỒ SƠ, KẾT QUẢ GIẢI QUYẾT THỦ TỤC HÀNH CHÍNH", EN: "DIGITISED DOSSIERS AND RESULTS OF ADMINISTRATIVE PROCEDURES"}
	fmt.Fprintln(b, title.In(lang))
	fmt.Fprintln(b, PeriodText(t.Query.Period, lang))
	fmt.Fprintln(b, dossier.Text{
		VI: fmt.Sprintf("Công thức %s · cơ cấu đơn vị ngày %s · số liệu đến ngày %s", t.Query.Version, t.Query.AsOf.Local(), t.Query.CutOff.Local()),
		EN: fmt.Sprintf("Formula %s · units as of %v · data up to %v", t.Query.Version, t.Query.AsOf, t.Query.CutOff)}.In(lang))
	fmt.Fprintln(b)

	g := grid{}
	g.row("STT", dossier.Text{VI: "Đơn vị", EN: "Unit"}.In(lang), dossier.Text{VI: "Tiếp nhận", EN: "Received"}.In(lang))
	rate := dossier.Text{VI: "Tỷ lệ %", EN: "Rate %"}.In(lang)
	for _, i := range t.Indicators {
		g.add(i.ID)
		if !i.Plain {
			g.add(rate)
		}
	}
	g.add(dossier.Text{VI: "KQ còn hiệu lực", EN: "In force"}.In(lang), rate)
	g.left = map[int]bool{0: true, 1: true}
	g.rule()
	numbers := numbering{}
	for _, r := range t.Rows {
		g.row(numbers.next(r.Depth), strings.Repeat("  ", r.Depth)+r.Name)
		t.textCells(&g, r, lang)
	}
	if len(t.Rows) > 1 {
		g.rule()
		g.row("", dossier.Text{VI: "TỔNG", EN: "TOTAL"}.In(lang))
		t.textCells(&g, t.Rows[0], lang)
	}
	g.write(b)

	fmt.Fprintln(b)
	for n, i := range t.Indicators {
		line := i.ID + "  " + i.Name.In(lang) + ": " + i.Rule.In(lang) + "."
		if len(t.Rows) > 0 {
			if f := t.Rows[0].Figures[n]; f.HasTarget {
				line += " " + TargetText(f, lang)
			}
		}
		fmt.Fprintln(b, line)
	}
	for _, n := range t.Notes {
		fmt.Fprintf(b, "* %s: %s.\n", n.Unit, n.Text.In(lang))
	}
	return b.Flush()
}

func (t Table) textCells(g *grid, r TableRow, lang string) {
	g.add(count(r.Received()))
	for n, f := range r.Figures {
		if t.Indicators[n].Plain {
			g.add(count(f.Denominator))
			continue
		}
		g.add(count(f.Numerator)+"/"+count(f.Denominator), FormatRate(f.Numerator, f.Denominator, lang))
	}
	g.add(count(r.Plan.Numerator)+"/"+count(r.Plan.Denominator), FormatRate(r.Plan.Numerator, r.Plan.Denominator, lang))
}

// TargetText says the target and what is lacking: "Chỉ tiêu 80 %: cần thêm 812
// hồ sơ."
func TargetText(f Figure, lang string) string {
	if !f.HasTarget {
		return ""
	}
	t := dossier.Text{VI: "Chỉ tiêu ", EN: "Target "}.In(lang) + f.Target.Short(lang) + " %"
	switch met, ok := f.Met(); {
	case !ok:
		return t + "."
	case met:
		return t + dossier.Text{VI: ": đạt.", EN: ": reached."}.In(lang)
	}
	return t + ": " + GapText(f.Gap(), lang) + "."
}

// GapText says how many dossiers are lacking.
func GapText(n int64, lang string) string {
	if lang == "en" {
		if n == 1 {
			return "1 dossier more is needed"
		}
		return count(n) + " dossiers more are needed"
	}
	return "cần thêm " + count(n) + " hồ sơ"
}

// PeriodText is the line under a title: "(Từ ngày … đến ngày …)", both days
// belonging to the period.
func PeriodText(p dossier.Period, lang string) string {
	to := lastDay(p)
	switch {
	case p.From == 0 && to == 0:
		return dossier.Text{VI: "(Toàn bộ thời gian)", EN: "(All time)"}.In(lang)
	case p.From == 0:
		return dossier.Text{VI: "(Đến ngày " + to.Local() + ")", EN: "(Up to " + to.String() + ")"}.In(lang)
	case to == 0:
		return dossier.Text{VI: "(Từ ngày " + p.From.Local() + ")", EN: "(From " + p.From.String() + ")"}.In(lang)
	}
	return dossier.Text{
		VI: "(Từ ngày " + p.From.Local() + " đến ngày " + to.Local() + ")",
		EN: "(From " + p.From.String() + " to " + to.String() + ")"}.In(lang)
}

// numbering writes the running number of a row of a tree: 1, 1.1, 1.2, 2; the
// first row, the asked unit, has none.
type numbering struct{ at []int }

func (n *numbering) next(depth int) string {
	if depth == 0 {
		n.at = nil
		return ""
	}
	for len(n.at) < depth {
		n.at = append(n.at, 0)
	}
	n.at = n.at[:depth]
	n.at[depth-1]++
	parts := make([]string, depth)
	for i, v := range n.at {
		parts[i] = strconv.Itoa(v)
	}
	return strings.Join(parts, ".")
}

// grid lines up columns of text; numbers to the right.
type grid struct {
	rows [][]string // nil is a rule
	left map[int]bool
}

func (g *grid) row(cells ...string) { g.rows = append(g.rows, cells) }
func (g *grid) rule()               { g.rows = append(g.rows, nil) }
func (g *grid) add(cells ...string) {
	last := len(g.rows) - 1
	g.rows[last] = append(g.rows[last], cells...)
}

func (g *grid) write(b *bufio.Writer) {
	var width []int
	for _, r := range g.rows {
		for n, c := range r {
			if n == len(width) {
				width = append(width, 0)
			}
			width[n] = max(width[n], columns(c))
		}
	}
	total := 0
	for _, v := range width {
		total += v + 2
	}
	for _, r := range g.rows {
		if r == nil {
			fmt.Fprintln(b, strings.Repeat("─", max(0, total-2)))
			continue
		}
		var line strings.Builder
		for n, c := range r {
			if n > 0 {
				line.WriteString("  ")
			}
			pad := strings.Repeat(" ", width[n]-columns(c))
			if g.left[n] {
				line.WriteString(c + pad)
			} else {
				line.WriteString(pad + c)
			}
		}
		fmt.Fprintln(b, strings.TrimRight(line.String(), " "))
	}
}

// columns counts the terminal columns of Vietnamese text: a letter and its marks
// take one.
func columns(s string) int { return utf8.RuneCountInString(norm.NFC.String(s)) }
