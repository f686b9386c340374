package tally

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"sohoa/dossier"
)

// Heading is what stands around a sheet that one authority sends to another.
type Heading struct {
	Over   string // the authority above the sender: "ỦY BAN NHÂN DÂN TỈNH SÓC TRĂNG"; may be empty
	Agency string // the sender: "VĂN PHÒNG"; may be empty
	Place  string // "Sóc Trăng"; with Day, the line "Sóc Trăng, ngày 30 tháng 8 năm 2024"; may be empty
	Day    dossier.Date
	Title  string // empty: the table's own
	Source string // for the footnote; empty: the register of dossiers and the archive
	// Signers are the offices that sign below the table, from left to right
	// ("NGƯỜI LẬP BIỂU", "CHÁNH VĂN PHÒNG"); none: no room is left for signatures.
	Signers []string
}

func (h Heading) source() string {
	if h.Source != "" {
		return h.Source
	}
	return "sổ đăng ký hồ sơ của Hệ thống thông tin giải quyết TTHC tỉnh và kho số hóa"
}

func (h Heading) placeDay() string {
	if h.Place == "" || h.Day == 0 {
		return ""
	}
	day, month := fmt.Sprint(h.Day.Day()), fmt.Sprint(int(h.Day.Month()))
	// As on letters: days below 10 and the months 1 and 2 with a leading zero.
	if h.Day.Day() < 10 {
		day = "0" + day
	}
	if h.Day.Month() < 3 {
		month = "0" + month
	}
	return fmt.Sprintf("%s, ngày %s tháng %s năm %d", h.Place, day, month, h.Day.Year())
}

// column is one of the manager's table.
type column struct {
	group, name string // group spans neighbours that share it
	width       float64
	kind        cellKind
	value       func(TableRow) any
}

type cellKind int

const (
	textCell cellKind = iota
	centreCell
	countCell
	rateCell
	targetCell
)

// managerColumns are the columns of the manager's table; a group whose indicator
// was not asked for is left out.
func (t Table) managerColumns() []column {
	plain := func(id string) func(TableRow) any { return func(r TableRow) any { return r.Counts[id] } }
	figure := func(id string, f func(Figure) any) func(TableRow) any {
		return func(r TableRow) any {
			x, _ := r.Figure(id)
			return f(x)
		}
	}
	num := func(f Figure) any { return f.Numerator }
	den := func(f Figure) any { return f.Denominator }
	rate := func(f Figure) any { return rateValue(f.Rate) }
	target := func(f Figure) any {
		if !f.HasTarget {
			return NoRate
		}
		return float64(f.Target) / 10000
	}
	met := func(f Figure) any {
		switch m, ok := f.Met(); {
		case !ok:
			return NoRate
		case m:
			return "Đạt"
		}
		return "Chưa"
	}
	has := func(id string) bool {
		for _, i := range t.Indicators {
			if i.ID == id {
				return true
			}
		}
		return false
	}
	cs := []column{
		{"Hồ sơ tiếp nhận", "Tổng số", 7.5, countCell, func(r TableRow) any { return r.Received() }},
		{"Hồ sơ tiếp nhận", "Trực tiếp", 7.5, countCell, plain("received.direct")},
		{"Hồ sơ tiếp nhận", "Trực tuyến", 7.5, countCell, plain("received.online")},
		{"Hồ sơ tiếp nhận", "Bưu chính", 7, countCell, plain("received.postal")},
	}
	if has("4.2") {
		g := "Số hóa hồ sơ, kết quả"
		cs = append(cs,
			column{g, "Có số hóa TPHS", 7.5, countCell, plain("components")},
			column{g, "Đủ hồ sơ, kết quả", 8, countCell, figure("4.2", num)},
			column{g, "Tỷ lệ số hóa", 8.5, rateCell, figure("4.2", rate)},
			column{g, "Chỉ tiêu", 6.5, targetCell, figure("4.2", target)},
			column{g, "Đạt?", 6, centreCell, figure("4.2", met)})
	}
	if has("4.1") {
		g := "Kết quả điện tử"
		cs = append(cs,
			column{g, "Đã giải quyết", 7.5, countCell, plain("resolved")},
			column{g, "Thuộc TTHC có trả kết quả", 9.5, countCell, figure("4.1", den)},
			column{g, "Có KQ điện tử", 7, countCell, figure("4.1", num)},
			column{g, "Tỷ lệ KQ điện tử", 8.5, rateCell, figure("4.1", rate)},
			column{g, "Chỉ tiêu", 6.5, targetCell, figure("4.1", target)})
	}
	if has("4.3") {
		g := "Dùng lại dữ liệu"
		cs = append(cs,
			column{g, "Có tái sử dụng", 7.5, countCell, figure("4.3", num)},
			column{g, "Tỷ lệ", 8.5, rateCell, figure("4.3", rate)})
	}
	g := "Kết quả còn hiệu lực"
	cs = append(cs,
		column{g, "Phải số hóa", 7.5, countCell, func(r TableRow) any { return r.Plan.Denominator }},
		column{g, "Đã số hóa", 7.5, countCell, func(r TableRow) any { return r.Plan.Numerator }},
		column{g, "Tỷ lệ", 8.5, rateCell, func(r TableRow) any { return rateValue(r.Plan.Rate) }},
		column{"", "Ghi chú", 20, textCell, func(r TableRow) any {
			f, ok := r.Figure("4.2")
			if gap := f.Gap(); ok && gap > 0 {
				return GapText(gap, "vi")
			}
			return ""
		}})
	return cs
}

// rateValue is a number that shows as the rate does: rounded by us, so that no
// spreadsheet rounds otherwise.
func rateValue(r Rate) any {
	p, ok := r.Percent()
	if !ok {
		return NoRate
	}
	return float64(p) / 10000
}

// XLSX writes the manager's table as a province would send it, in Vietnamese,
// and on a second sheet all figures in a flat list.
func (t Table) XLSX(w io.Writer, h Heading) error {
	x := newBook("Bảng tổng hợp")
	cs := t.managerColumns()
	last := len(cs) + 2
	x.width(1, 5.5)
	x.width(2, nameWidth)
	for n, c := range cs {
		x.width(n+3, c.width)
	}
	title := h.Title
	if title == "" {
		title = "TỔNG HỢP TÌNH HÌNH SỐ HÓA HỒ SƠ, KẾT QUẢ GIẢI QUYẾT THỦ TỤC HÀNH CHÍNH"
	}
	row := x.letterhead(h, last, 2+len(cs)/3, title, t.Query)

	// The head: groups over columns, and a line of column numbers, as in
	// statistical tables.
	top := row
	x.cell(1, top, "STT", x.st.head)
	x.merge(1, top, 1, top+1, x.st.head)
	x.cell(2, top, "Đơn vị", x.st.head)
	x.merge(2, top, 2, top+1, x.st.head)
	for n := 0; n < len(cs); {
		from := n
		for n++; n < len(cs) && cs[n].group == cs[from].group && cs[from].group != ""; n++ {
		}
		if cs[from].group == "" {
			x.cell(from+3, top, cs[from].name, x.st.head)
			x.merge(from+3, top, from+3, top+1, x.st.head)
			continue
		}
		x.cell(from+3, top, cs[from].group, x.st.head)
		x.merge(from+3, top, n+2, top, x.st.head)
		for k := from; k < n; k++ {
			x.cell(k+3, top+1, cs[k].name, x.st.head)
		}
	}
	x.height(top, 20)
	x.height(top+1, 60)
	for c := 1; c <= last; c++ {
		x.cell(c, top+2, fmt.Sprintf("(%d)", c), x.st.index)
	}
	head := top + 2
	row = head + 1
	numbers := numbering{}
	for n, r := range t.Rows {
		if n == 0 && len(t.Rows) > 1 {
			numbers.next(0)
			continue // the asked unit is the total, at the foot
		}
		parent := n+1 < len(t.Rows) && t.Rows[n+1].Depth > r.Depth
		x.line(row, numbers.next(r.Depth), r, cs, max(0, r.Depth-1), parent || len(t.Rows) == 1)
		row++
	}
	if len(t.Rows) > 1 {
		total := t.Rows[0]
		total.Name = "TỔNG: " + total.Name
		x.total(row, total, cs)
		row++
	}
	row++
	for _, note := range t.footnotes(h) {
		x.cell(1, row, note, x.st.note)
		x.merge(1, row, last, row, x.st.note)
		x.tall(row, note, 190)
		row++
	}
	row = x.signatures(h, row, last)
	x.landscape(head, last, row-1, top)
	x.flat(t)
	return x.write(w)
}

// signatures leaves room for those who sign; it returns the next free row.
func (x *book) signatures(h Heading, row, last int) int {
	if len(h.Signers) == 0 {
		return row
	}
	row++
	for n, who := range h.Signers {
		from, to := 1+n*last/len(h.Signers), (n+1)*last/len(h.Signers)
		x.cell(from, row, who, x.st.agency)
		x.merge(from, row, to, row, x.st.agency)
	}
	return row + 6
}

func (t Table) footnotes(h Heading) []string {
	out := []string{
		"Ghi chú:",
		fmt.Sprintf("- Nguồn: %s; số liệu tính đến ngày %s; cơ cấu đơn vị ngày %s.", h.source(), t.Query.CutOff.Local(), t.Query.AsOf.Local()),
		fmt.Sprintf("- Công thức %s. Số liệu của mỗi đơn vị gồm cả các đơn vị trực thuộc; tỷ lệ của dòng TỔNG tính từ tổng tử số và tổng mẫu số. Dấu “%s”: mẫu số bằng 0, không có tỷ lệ.", t.Query.Version, NoRate),
	}
	for _, i := range t.Indicators {
		if i.ID == "4.1" || i.ID == "4.2" || i.ID == "4.3" {
			out = append(out, fmt.Sprintf("- %s (%s): %s.", i.Name.VI, i.ID, lowerFirst(i.Rule.VI)))
		}
	}
	out = append(out,
		"- Cột “Đã giải quyết” tính theo ngày giải quyết; kết quả còn hiệu lực tính tại ngày cuối kỳ.",
		"- Cột “Ghi chú”: số hồ sơ cần số hóa thêm để đạt chỉ tiêu số hóa.")
	for _, n := range t.Notes {
		out = append(out, fmt.Sprintf("- %s: %s.", n.Unit, n.Text.VI))
	}
	return out
}

// book is a workbook being written; the first error sticks.
type book struct {
	f     *excelize.File
	sheet string
	st    styles
	err   error
}

type styles struct {
	over, agency, nation, motto, place, title, period int
	head, index, note                                 int
	text, centre, count, rate, target                 [2]int // plain, bold
	totalText, totalCount, totalRate, totalCentre     int
	totalTarget                                       int
	indent                                            map[[2]int]int // depth and boldness
	flatHead, flatText, flatCount, flatRate           int
	printed, printedText, printedRate                 int
}

func newBook(sheet string) *book {
	x := &book{f: excelize.NewFile(), sheet: sheet}
	x.do(x.f.SetSheetName("Sheet1", sheet))
	x.do(x.f.SetDefaultFont("Times New Roman"))
	thin := []excelize.Border{{Type: "left", Color: "000000", Style: 1}, {Type: "right", Color: "000000", Style: 1}, {Type: "top", Color: "000000", Style: 1}, {Type: "bottom", Color: "000000", Style: 1}}
	font := func(size float64, bold, italic bool) *excelize.Font {
		return &excelize.Font{Family: "Times New Roman", Size: size, Bold: bold, Italic: italic, Color: "000000"}
	}
	at := func(h string, indent int) *excelize.Alignment {
		return &excelize.Alignment{Horizontal: h, Vertical: "center", WrapText: true, Indent: indent}
	}
	// The locale in the format (42A: Vietnamese) asks for a decimal comma and a
	// point between thousands also where the program's own language is another.
	counts, rates, targets := "[$-42A]#,##0", "[$-42A]0.00%", "[$-42A]0%"
	style := func(s excelize.Style) int {
		id, err := x.f.NewStyle(&s)
		x.do(err)
		return id
	}
	grey := excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"E7ECF1"}}
	x.st = styles{
		over:      style(excelize.Style{Font: font(12, false, false), Alignment: at("center", 0)}),
		agency:    style(excelize.Style{Font: font(12, true, false), Alignment: at("center", 0)}),
		nation:    style(excelize.Style{Font: font(12, true, false), Alignment: at("center", 0)}),
		motto:     style(excelize.Style{Font: &excelize.Font{Family: "Times New Roman", Size: 13, Bold: true, Underline: "single"}, Alignment: at("center", 0)}),
		place:     style(excelize.Style{Font: font(12, false, true), Alignment: at("center", 0)}),
		title:     style(excelize.Style{Font: font(14, true, false), Alignment: at("center", 0)}),
		period:    style(excelize.Style{Font: font(12, false, true), Alignment: at("center", 0)}),
		head:      style(excelize.Style{Font: font(11, true, false), Alignment: at("center", 0), Border: thin, Fill: grey}),
		index:     style(excelize.Style{Font: font(9, false, true), Alignment: at("center", 0), Border: thin}),
		note:      style(excelize.Style{Font: font(11, false, true), Alignment: at("left", 0)}),
		indent:    map[[2]int]int{},
		flatHead:  style(excelize.Style{Font: font(11, true, false), Alignment: at("center", 0), Fill: grey}),
		flatText:  style(excelize.Style{Font: font(11, false, false)}),
		flatCount: style(excelize.Style{Font: font(11, false, false), CustomNumFmt: &counts}),
		flatRate:  style(excelize.Style{Font: font(11, false, false), CustomNumFmt: &rates, Alignment: &excelize.Alignment{Horizontal: "right"}}),
	}
	for n, bold := range []bool{false, true} {
		x.st.text[n] = style(excelize.Style{Font: font(11, bold, false), Alignment: at("left", 1), Border: thin})
		x.st.centre[n] = style(excelize.Style{Font: font(11, bold, false), Alignment: at("center", 0), Border: thin})
		x.st.count[n] = style(excelize.Style{Font: font(11, bold, false), Alignment: at("right", 0), Border: thin, CustomNumFmt: &counts})
		x.st.target[n] = style(excelize.Style{Font: font(11, bold, false), Alignment: at("right", 0), Border: thin, CustomNumFmt: &targets})
		x.st.rate[n] = style(excelize.Style{Font: font(11, bold, false), Alignment: at("right", 0), Border: thin, CustomNumFmt: &rates})
		for depth := range 8 {
			x.st.indent[[2]int{depth, n}] = style(excelize.Style{Font: font(11, bold, false), Alignment: at("left", depth), Border: thin})
		}
	}
	x.st.printed = style(excelize.Style{Font: font(12, false, false), Alignment: at("center", 0), Border: thin})
	x.st.printedText = style(excelize.Style{Font: font(12, false, false), Alignment: at("left", 0), Border: thin})
	x.st.printedRate = style(excelize.Style{Font: font(12, false, false), Alignment: at("center", 0), Border: thin, CustomNumFmt: &rates})
	x.st.totalTarget = style(excelize.Style{Font: font(11, true, false), Alignment: at("right", 0), Border: thin, Fill: grey, CustomNumFmt: &targets})
	x.st.totalText = style(excelize.Style{Font: font(11, true, false), Alignment: at("left", 0), Border: thin, Fill: grey})
	x.st.totalCentre = style(excelize.Style{Font: font(11, true, false), Alignment: at("center", 0), Border: thin, Fill: grey})
	x.st.totalCount = style(excelize.Style{Font: font(11, true, false), Alignment: at("right", 0), Border: thin, Fill: grey, CustomNumFmt: &counts})
	x.st.totalRate = style(excelize.Style{Font: font(11, true, false), Alignment: at("right", 0), Border: thin, Fill: grey, CustomNumFmt: &rates})
	return x
}

func (x *book) do(err error) {
	if x.err == nil {
		x.err = err
	}
}

func name(col, row int) string {
	s, err := excelize.CoordinatesToCellName(col, row)
	if err != nil { // columns and rows are counted from 1 by us
		panic(err)
	}
	return s
}

func (x *book) cell(col, row int, v any, style int) {
	at := name(col, row)
	if s, ok := v.(string); ok {
		x.do(x.f.SetCellStr(x.sheet, at, s))
	} else {
		x.do(x.f.SetCellValue(x.sheet, at, v))
	}
	x.do(x.f.SetCellStyle(x.sheet, at, at, style))
}

func (x *book) merge(c1, r1, c2, r2, style int) {
	x.do(x.f.SetCellStyle(x.sheet, name(c1, r1), name(c2, r2), style))
	if c1 != c2 || r1 != r2 {
		x.do(x.f.MergeCell(x.sheet, name(c1, r1), name(c2, r2)))
	}
}

func (x *book) width(col int, w float64) {
	c, err := excelize.ColumnNumberToName(col)
	x.do(err)
	x.do(x.f.SetColWidth(x.sheet, c, c, w))
}

func (x *book) height(row int, h float64) { x.do(x.f.SetRowHeight(x.sheet, row, h)) }

// letterhead writes agency and state, title and period; mid is the last column
// of the left half. It returns the row of the table's head.
func (x *book) letterhead(h Heading, last, mid int, title string, q Query) int {
	type line struct {
		text  string
		style int
	}
	var left []line
	for _, part := range []struct {
		text  string
		style int
	}{{h.Over, x.st.over}, {h.Agency, x.st.agency}} {
		if part.text == "" {
			continue
		}
		style := part.style
		if h.Agency == "" {
			style = x.st.agency
		}
		for l := range strings.SplitSeq(part.text, "\n") {
			left = append(left, line{l, style})
		}
	}
	right := []line{{"CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", x.st.nation}, {"Độc lập - Tự do - Hạnh phúc", x.st.motto}, {h.placeDay(), x.st.place}}
	row := 1
	for ; row <= max(len(left), len(right)); row++ {
		l, r := line{"", x.st.over}, line{"", x.st.over}
		if row <= len(left) {
			l = left[row-1]
		}
		if row <= len(right) {
			r = right[row-1]
		}
		x.cell(1, row, l.text, l.style)
		x.merge(1, row, mid, row, l.style)
		x.cell(mid+1, row, r.text, r.style)
		x.merge(mid+1, row, last, row, r.style)
		x.height(row, 18)
	}
	row++
	x.cell(1, row, title, x.st.title)
	x.merge(1, row, last, row, x.st.title)
	x.height(row, 4+18*float64(1+strings.Count(title, "\n")))
	row++
	x.cell(1, row, PeriodText(q.Period, "vi"), x.st.period)
	x.merge(1, row, last, row, x.st.period)
	x.height(row, 18)
	return row + 2
}

const nameWidth = 32

// styleOf chooses a cell's style by kind; a target that is no whole percent is
// shown with its decimals.
func (s *styles) styleOf(k cellKind, v any, b int, total bool) int {
	if p, ok := v.(float64); k == targetCell && ok && math.Round(p*10000) != 100*math.Round(p*100) {
		k = rateCell
	}
	if total {
		return [...]int{textCell: s.totalText, centreCell: s.totalCentre, countCell: s.totalCount, rateCell: s.totalRate, targetCell: s.totalTarget}[k]
	}
	return [...]int{textCell: s.text[b], centreCell: s.centre[b], countCell: s.count[b], rateCell: s.rate[b], targetCell: s.target[b]}[k]
}

// tall gives a row the height that its longest text needs; spreadsheets do it
// by themselves only when somebody edits the row.
func (x *book) tall(row int, text string, width float64) {
	x.height(row, 4+14.5*float64(len(wrap(text, int(width)))))
}

func (x *book) line(row int, number string, r TableRow, cs []column, indent int, bold bool) {
	b := 0
	if bold {
		b = 1
	}
	x.cell(1, row, number, x.st.centre[b])
	if n, err := strconv.Atoi(number); err == nil { // a number, so that no program marks it as one kept as text
		x.cell(1, row, n, x.st.centre[b])
	}
	x.cell(2, row, r.Name, x.st.indent[[2]int{min(indent, 7), b}])
	for n, c := range cs {
		v := c.value(r)
		x.cell(n+3, row, v, x.st.styleOf(c.kind, v, b, false))
	}
	x.tall(row, r.Name, nameWidth-2*float64(1+indent))
}

func (x *book) total(row int, r TableRow, cs []column) {
	x.cell(1, row, "", x.st.totalCentre)
	x.cell(2, row, r.Name, x.st.totalText)
	for n, c := range cs {
		v := c.value(r)
		x.cell(n+3, row, v, x.st.styleOf(c.kind, v, 0, true))
	}
	x.tall(row, r.Name, nameWidth-2)
}

// landscape sets the page: A4 across, one page wide, the head on every page and
// frozen on the screen, page numbers at the foot.
func (x *book) landscape(head, lastCol, lastRow, firstHead int) {
	x.page("landscape", head, lastCol, lastRow, firstHead, 2)
}

func (x *book) page(orientation string, head, lastCol, lastRow, firstHead, frozenCols int) {
	size, wide, tall, yes := 9, 1, 0, true
	x.do(x.f.SetPageLayout(x.sheet, &excelize.PageLayoutOptions{Size: &size, Orientation: &orientation, FitToWidth: &wide, FitToHeight: &tall}))
	x.do(x.f.SetSheetProps(x.sheet, &excelize.SheetPropsOptions{FitToPage: &yes}))
	left, right, top, bottom, edge := 0.5, 0.4, 0.5, 0.6, 0.3
	x.do(x.f.SetPageMargins(x.sheet, &excelize.PageLayoutMarginsOptions{Left: &left, Right: &right, Top: &top, Bottom: &bottom, Footer: &edge, Header: &edge, Horizontally: &yes}))
	x.do(x.f.SetHeaderFooter(x.sheet, &excelize.HeaderFooterOptions{OddFooter: "&C&\"Times New Roman,Regular\"&10&P/&N"}))
	x.do(x.f.SetPanes(x.sheet, &excelize.Panes{Freeze: true, XSplit: frozenCols, YSplit: head, TopLeftCell: name(frozenCols+1, head+1), ActivePane: map[bool]string{true: "bottomRight", false: "bottomLeft"}[frozenCols > 0]}))
	quoted := "'" + strings.ReplaceAll(x.sheet, "'", "''") + "'"
	x.do(x.f.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", Scope: x.sheet, RefersTo: fmt.Sprintf("%s!$%d:$%d", quoted, firstHead, head)}))
	end, err := excelize.CoordinatesToCellName(lastCol, lastRow, true)
	x.do(err)
	x.do(x.f.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Area", Scope: x.sheet, RefersTo: fmt.Sprintf("%s!$A$1:%s", quoted, end)}))
}

// flat adds a sheet with a line a unit and indicator, for those who calculate on.
func (x *book) flat(t Table) {
	x.sheet = "Số liệu"
	_, err := x.f.NewSheet(x.sheet)
	x.do(err)
	for n, c := range []struct {
		head  string
		width float64
	}{{"Mã đơn vị", 14}, {"Đơn vị", 36}, {"Cấp", 12}, {"Mã chỉ tiêu", 12}, {"Chỉ tiêu", 28}, {"Công thức", 12}, {"Tử số", 11}, {"Mẫu số", 11}, {"Tỷ lệ", 10}, {"Mục tiêu", 10}, {"Cần thêm (hồ sơ)", 12}} {
		x.width(n+1, c.width)
		x.cell(n+1, 1, c.head, x.st.flatHead)
	}
	x.height(1, 32)
	row := 2
	for _, r := range t.Rows {
		for n, f := range r.Figures {
			i := t.Indicators[n]
			if i.Plain {
				continue
			}
			for c, v := range []string{string(r.Unit), r.Name, levelText(r.Level), f.ID, i.Name.VI, i.Version} {
				x.cell(c+1, row, v, x.st.flatText)
			}
			x.cell(7, row, f.Numerator, x.st.flatCount)
			x.cell(8, row, f.Denominator, x.st.flatCount)
			x.cell(9, row, rateValue(f.Rate), x.st.flatRate)
			if f.HasTarget {
				x.cell(10, row, float64(f.Target)/10000, x.st.flatRate)
				x.cell(11, row, f.Gap(), x.st.flatCount)
			}
			row++
		}
	}
	// The filter first: it writes the sheet's properties anew, the page's too.
	x.do(x.f.AutoFilter(x.sheet, "A1:"+name(11, max(2, row-1)), nil))
	x.page("landscape", 1, 11, max(2, row-1), 1, 0)
}

func levelText(l dossier.Level) string {
	switch l {
	case dossier.Province:
		return "Tỉnh"
	case dossier.Department:
		return "Sở, ngành"
	case dossier.District:
		return "Huyện"
	case dossier.Commune:
		return "Xã"
	}
	return ""
}

func (x *book) write(w io.Writer) error {
	defer x.f.Close()
	if x.err != nil {
		return fmt.Errorf("making the sheet: %w", x.err)
	}
	if err := x.f.Write(w); err != nil {
		return fmt.Errorf("writing the sheet: %w", err)
	}
	return nil
}

// XLSX writes the appendix as on the letter, on A4 upright.
func (a AppendixTable) XLSX(w io.Writer, h Heading) error {
	x := newBook("Phụ lục")
	for n, width := range []float64{5.5, 46, 17, 32} {
		x.width(n+1, width)
	}
	title := h.Title
	if title == "" {
		title = "Phụ lục\nKẾT QUẢ THỰC HIỆN CÁC CHỈ TIÊU VỀ CẢI CÁCH TTHC"
	}
	top := x.letterhead(h, 4, 2, title, a.Query)
	for n, c := range a.heads("vi") {
		x.cell(n+1, top, c, x.st.head)
	}
	x.height(top, 36)
	row := top + 1
	for _, r := range a.Rows {
		x.cell(1, row, r.Row, x.st.printed)
		x.cell(2, row, r.Name.VI, x.st.printedText)
		x.cell(3, row, r.Target.VI, x.st.printed)
		if r.Computed {
			x.cell(4, row, rateValue(r.Figure.Rate), x.st.printedRate)
		} else {
			x.cell(4, row, r.Result, x.st.printed)
		}
		lines := max(len(wrap(r.Name.VI, 42)), len(wrap(r.Result, 28)))
		x.height(row, 8+16*float64(lines))
		row++
	}
	row++
	for _, f := range a.footnotes("vi") {
		x.cell(1, row, f, x.st.note)
		x.merge(1, row, 4, row, x.st.note)
		x.height(row, 2+15*float64(len(wrap(f, 100))))
		row++
	}
	x.page("portrait", top, 4, row-1, top, 0)
	return x.write(w)
}
