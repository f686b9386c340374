package register

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"sohoa/dossier"
	"sohoa/pipeline/sheet"
)

// book is a ledger in memory that knows parents and procedures, as the real one
// does.
type book struct {
	units      map[dossier.UnitCode]dossier.Unit
	procedures map[dossier.ProcedureCode]dossier.Procedure
	dossiers   map[dossier.Code]dossier.Registered
	results    map[string]dossier.Result
	portal     map[string]dossier.PortalFigure
	indicators map[string]map[int]string
	batches    []int
	fail       error
}

func newBook() *book {
	return &book{map[dossier.UnitCode]dossier.Unit{}, map[dossier.ProcedureCode]dossier.Procedure{}, map[dossier.Code]dossier.Registered{},
		map[string]dossier.Result{}, map[string]dossier.PortalFigure{}, map[string]map[int]string{}, nil, nil}
}

func put[K comparable, V comparable](b *book, m map[K]V, rows []V, key func(V) K, check func(V) string) (out dossier.ImportOutcome, err error) {
	if b.fail != nil {
		return out, b.fail
	}
	b.batches = append(b.batches, len(rows))
	seen := map[K]bool{}
	for i, v := range rows {
		k := key(v)
		if seen[k] {
			return out, fmt.Errorf("a key is twice in one batch")
		}
		seen[k] = true
		if column := check(v); column != "" {
			out.Bad = append(out.Bad, dossier.BadRow{Index: i, Column: column, Reason: dossier.Text{VI: "không có", EN: "unknown"}})
			continue
		}
		switch old, ok := m[k]; {
		case !ok:
			out.New++
		case old != v:
			out.Changed++
		default:
			out.Same++
		}
		m[k] = v
	}
	return out, nil
}

func (b *book) ImportUnits(_ context.Context, rows []dossier.Unit) (dossier.ImportOutcome, error) {
	known := map[dossier.UnitCode]bool{}
	for c := range b.units {
		known[c] = true
	}
	for n := -1; n != len(known); {
		n = len(known)
		for _, u := range rows {
			if u.Parent == "" || known[u.Parent] {
				known[u.Code] = true
			}
		}
	}
	return put(b, b.units, rows, func(u dossier.Unit) dossier.UnitCode { return u.Code + dossier.UnitCode(u.ValidFrom.String()) }, func(u dossier.Unit) string {
		for _, r := range []struct {
			column string
			code   dossier.UnitCode
		}{{"parent", u.Parent}, {"successor", u.Successor}} {
			if r.code != "" && !known[r.code] {
				return r.column
			}
		}
		return ""
	})
}

func (b *book) ImportProcedures(_ context.Context, rows []dossier.Procedure) (dossier.ImportOutcome, error) {
	return put(b, b.procedures, rows, func(p dossier.Procedure) dossier.ProcedureCode { return p.Code }, func(dossier.Procedure) string { return "" })
}

func (b *book) ImportDossiers(_ context.Context, rows []dossier.Registered) (dossier.ImportOutcome, error) {
	return put(b, b.dossiers, rows, func(d dossier.Registered) dossier.Code { return d.Code }, func(d dossier.Registered) string {
		if d.Unit == "H99" {
			return "unit"
		}
		return ""
	})
}

func (b *book) ImportResults(_ context.Context, rows []dossier.Result) (dossier.ImportOutcome, error) {
	return put(b, b.results, rows, func(r dossier.Result) string { return string(r.Unit) + " " + r.Number }, func(dossier.Result) string { return "" })
}

func (b *book) ImportPortal(_ context.Context, rows []dossier.PortalFigure) (dossier.ImportOutcome, error) {
	return put(b, b.portal, rows, func(f dossier.PortalFigure) string { return f.Period + string(f.Unit) + f.Indicator }, func(dossier.PortalFigure) string { return "" })
}

func (b *book) ImportIndicators(_ context.Context, period string, values map[int]string) error {
	if b.indicators[period] == nil {
		b.indicators[period] = map[int]string{}
	}
	maps.Copy(b.indicators[period], values)
	return b.fail
}

func (b *book) Indicators(_ context.Context, period string) (map[int]string, error) {
	return b.indicators[period], nil
}

func open(t testing.TB, text string) *sheet.Sheet {
	t.Helper()
	s, err := sheet.Open("file.csv", strings.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func imported(t testing.TB, b *book, kind Kind, text string) (Summary, []dossier.RowError) {
	t.Helper()
	sum, bad, err := Import(t.Context(), b, kind, open(t, text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Rows != sum.New+sum.Changed+sum.Same+sum.Repeated+sum.Bad {
		t.Errorf("the sum does not add up: %+v", sum)
	}
	for _, e := range bad {
		if e.File != "file.csv" || e.Row == 0 || e.Reason.VI == "" || e.Reason.EN == "" {
			t.Errorf("incomplete: %+v", e)
		}
	}
	return sum, bad
}

const (
	unitHeader    = "code,name,level,parent,valid_from,valid_to,successor\n"
	dossierHeader = "code,unit,procedure,channel,received_at,status,resolved_at,synced_at\n"
	resultHeader  = "number,unit,authority_level,issued_on,valid_from,valid_to,revoked,name\n"
)

func TestBadCells(t *testing.T) {
	for _, c := range []struct {
		kind     Kind
		in, want string // places of the errors
	}{
		{Units, unitHeader + "H51,Tỉnh,province,,,,\n", ""},
		{Units, unitHeader + "h51,Tỉnh,Cấp tỉnh,,01/07/2025,,\n", ""},
		{Units, unitHeader + ",Tỉnh,province,,,,\n", "2 code"},
		{Units, unitHeader + "H_51,,city,?,2024-02-30,x,!\n", "2 code 2 name 2 level 2 parent 2 valid_from 2 valid_to 2 successor"},
		{Units, unitHeader + "H51,T,province,H51,2025-07-01,2025-07-01,H51\n", "2 parent 2 successor 2 valid_to"},
		{Units, "name,level\nT,province\n", "1 code 1 parent 1 valid_from 1 valid_to 1 successor"},
		{Units, "code,name,level,parent,valid_from,valid_to,successor,code\n", "1 code"},
		{Procedures, "code,name,returns_document\n1.004946,Cấp giấy,1\n1.004946.000.00.00.H51,Cấp,không\n", ""},
		{Procedures, "code,name,returns_document\n1004946,Cấp,1\n1.004947,,2\n1.004948,Cấp,\n", "2 code 3 name 3 returns_document 4 returns_document"},
		{Dossiers, dossierHeader + "H51.04-240830-0001,H51.04,1.004946,2,2024-08-30T08:00:00+07:00,resolved,2024-08-30,\n", ""},
		{Dossiers, dossierHeader + "000.00.04.H51-200221-00012,H51.04,1.004946,,,received,,\n", ""},
		{Dossiers, dossierHeader + "H51.04-241330-0001,,1.4,4,yesterday,done,2024-13-01,1\n",
			"2 code 2 unit 2 procedure 2 channel 2 received_at 2 status 2 resolved_at 2 synced_at"},
		{Dossiers, dossierHeader + "H51.04-240830-0001,H51.04,1.004946,1,2024-08-30,resolved,2024-08-29,\n", "2 resolved_at"},
		{Dossiers, dossierHeader + "H51.04-240830-0001,H51.04,1.004946,1,0224-08-30,received,,\n", "2 received_at"},
		{Dossiers, dossierHeader + "H51.04-240830-0001,H51.04\n", "2 procedure"},
		{Dossiers, strings.TrimSuffix(dossierHeader, ",synced_at\n") + "\nH51.04-240830-0001,H51.04,1.004946,1,2024-08-30,received,\n", ""},
		{Results, resultHeader + "12/QĐ-UBND,H51,province,2020-01-02,,,0,\n", ""},
		{Results, resultHeader + ",H51,department,2020,2021-01-01,2020-01-01,maybe,x\n", "2 number 2 authority_level 2 issued_on 2 revoked 2 valid_to"},
		{Indicators, "row,period,value\n1,2024-08,\"68,82%\"\n8,08/2024,đạt\n", ""},
		{Indicators, "row,period,value\n4,2024-08,1\n1,8-2024,\n", "2 row 3 period 3 value"},
		{Portal, "period,unit,indicator,numerator,denominator\n2024-08,H51,4.2,5,10\n", ""},
		{Portal, "period,unit,indicator,numerator,denominator\n2024-08,H51,4.9,11,10\n2024-08,H51,4.1,-1,1.5\n", "2 indicator 2 numerator 3 numerator 3 denominator"},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			_, bad := imported(t, newBook(), c.kind, c.in)
			var got []string
			for _, e := range bad {
				got = append(got, fmt.Sprintf("%d %s", e.Row, e.Column))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%s\ngot  %q\nwant %q", c.in, strings.Join(got, " "), c.want)
			}
		})
	}
}

// What spreadsheet programs do to a file on its way.
func TestThroughASpreadsheet(t *testing.T) {
	b := newBook()
	// Trailing zeros lost, comma for point.
	sum, bad := imported(t, b, Procedures, "code;name;returns_document\n1.0049;A;1\n1,004946;B;0\n1.00492;C;1\n1.4;D;1\n")
	for _, code := range []dossier.ProcedureCode{"1.004900", "1.004946", "1.004920"} {
		if _, ok := b.procedures[code]; !ok {
			t.Errorf("%s is not there: %+v", code, bad)
		}
	}
	if sum.New != 3 || len(bad) != 1 || bad[0].Row != 5 {
		t.Errorf("%+v %+v", sum, bad)
	}
	// Months before days: one value gives the column away, and then none of it is
	// taken for something else, also not those before.
	text := dossierHeader + "H51.04-240830-0001,H51.04,1.004946,1,8/5/2024,resolved,05/09/2024,\n" +
		"H51.04-240830-0002,H51.04,1.004946,1,8/30/2024 9:15,resolved,13/09/2024,\n"
	sum, bad = imported(t, b, Dossiers, text)
	if sum.Bad != 2 || len(bad) != 2 || bad[0].Column != "received_at" || bad[1].Column != "received_at" || bad[0].Reason != bad[1].Reason {
		t.Errorf("%+v %+v", sum, bad)
	}

	f := excelize.NewFile()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(f.SetCellValue("Sheet1", "A1", "DANH SÁCH KẾT QUẢ CÒN HIỆU LỰC"))
	must(f.SetSheetRow("Sheet1", "A3", &[]any{"STT", "Số ký hiệu", "Mã đơn vị", "Cấp thẩm quyền", "Ngày ban hành", "Hiệu lực từ", "Hiệu lực đến", "Thu hồi", "Tên kết quả", "Ghi chú"}))
	day, err := f.NewStyle(&excelize.Style{NumFmt: 14})
	must(err)
	must(f.SetSheetRow("Sheet1", "A4", &[]any{1, "12/QĐ-UBND", "h51", "Cấp tỉnh", 43831, "01/02/2020", nil, nil, "GiÊy phÐp x©y dùng nhµ ë", "x"}))
	must(f.SetSheetRow("Sheet1", "A5", &[]any{2, 13, "H51", "Huyện", 43832, 43833, 45534, "x", "GiÊy chøng nhËn quyÒn sö dông ®Êt"}))
	must(f.SetCellStyle("Sheet1", "E4", "E5", day))
	must(f.SetCellStyle("Sheet1", "F5", "F5", day))
	var buf bytes.Buffer
	must(f.Write(&buf))
	sum, bad = imported(t, b, Results, buf.String())
	if sum.New != 2 || len(bad) != 0 {
		t.Fatalf("%+v %+v", sum, bad)
	}
	for key, want := range map[string]dossier.Result{
		"H51 12/QĐ-UBND": {Number: "12/QĐ-UBND", Unit: "H51", AuthorityLevel: dossier.Province, IssuedOn: 20200101, ValidFrom: 20200201, Name: "Giấy phép xây dựng nhà ở"},
		"H51 13":         {Number: "13", Unit: "H51", AuthorityLevel: dossier.District, IssuedOn: 20200102, ValidFrom: 20200103, ValidTo: 20240830, Revoked: true, Name: "Giấy chứng nhận quyền sử dụng đất"},
	} {
		if b.results[key] != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", key, b.results[key], want)
		}
	}
	// The same with figures as workbooks keep them.
	f = excelize.NewFile()
	must(f.SetSheetRow("Sheet1", "A1", &[]any{"period", "unit", "indicator", "numerator", "denominator"}))
	must(f.SetSheetRow("Sheet1", "A2", &[]any{"2024-08", "H51", 4.1, 12345678, 23456789}))
	buf.Reset()
	must(f.Write(&buf))
	if sum, bad = imported(t, b, Portal, buf.String()); sum.New != 1 {
		t.Errorf("%+v %+v", sum, bad)
	}
}

func TestImportTwice(t *testing.T) {
	b := newBook()
	var text strings.Builder
	text.WriteString(dossierHeader)
	const n = 1234
	for i := range n {
		fmt.Fprintf(&text, "H51.04-240830-%04d,H51.04,1.004946,%d,2024-08-30T08:00:00+07:00,received,,\n", i, i%3+1)
	}
	// The same dossiers again, later in the file, one of them otherwise, one bad.
	fmt.Fprintf(&text, "H51.04-240830-0000,H51.04,1.004946,3,2024-08-30T08:00:00+07:00,resolved,2024-09-01,\n")
	fmt.Fprintf(&text, "H51.04-240830-0001,H51.04,1.004946,2,2024-08-30T08:00:00+07:00,received,,\n")
	fmt.Fprintf(&text, "H51.04-240830-0002,H99,1.004946,2,2024-08-30T08:00:00+07:00,received,,\n")
	fmt.Fprintf(&text, "H51.04-240830-0003,H51.04,nonsense,2,2024-08-30T08:00:00+07:00,received,,\n")

	sum, bad := imported(t, b, Dossiers, text.String())
	// 0002's later row is good to read, so it supersedes; the ledger refuses it.
	if want := (Summary{Dossiers, n + 4, n - 1, 0, 0, 3, 2}); sum != want {
		t.Errorf("got %+v, want %+v", sum, want)
	}
	if len(bad) != 2 || bad[0].Row+bad[1].Row != (n+4)+(n+5) {
		t.Errorf("bad: %+v", bad)
	}
	if b.dossiers["H51.04-240830-0000"].Status != dossier.Resolved {
		t.Error("the later row did not count")
	}
	if max := slices.Max(b.batches); max > BatchSize {
		t.Errorf("a batch of %d", max)
	}
	sum, _ = imported(t, b, Dossiers, text.String())
	if want := (Summary{Dossiers, n + 4, 0, 0, n - 1, 3, 2}); sum != want {
		t.Errorf("again: got %+v, want %+v", sum, want)
	}
}

// Parents, children and successors in any order, over several batches.
func TestUnitsInAnyOrder(t *testing.T) {
	var lines []string
	for i := range 1200 {
		lines = append(lines, fmt.Sprintf("H51.%d.9,Xã,commune,H51.%d,,2025-07-01,H51.%d.8\n", i, i, (i+1)%1200))
		lines = append(lines, fmt.Sprintf("H51.%d.8,Xã mới,commune,H51,2025-07-01,,\n", i))
		lines = append(lines, fmt.Sprintf("H51.%d,Huyện,district,H51,,,\n", i))
	}
	lines = append(lines, "H51,Tỉnh,province,,,,\n", "H51.X,Xã,commune,H77,,,\n", "H51.X.1,Xã,commune,H51.X,,,\n")
	// A second state of a unit, and one that overlaps the first.
	lines = append([]string{"H51.7,Huyện khác,district,H51,,,\n", "H51.3.8,Phường,commune,H51,,2025-07-01,\n"}, lines...)
	b := newBook()
	sum, bad := imported(t, b, Units, unitHeader+strings.Join(lines, ""))
	if sum.New != 3602 || sum.Bad != 2 || sum.Repeated != 1 {
		t.Errorf("%+v", sum)
	}
	for _, e := range bad {
		if e.Column != "parent" || e.Row < 3605 {
			t.Errorf("%+v", e)
		}
	}
}

func TestNothingPersonalIsRepeated(t *testing.T) {
	const secret = "Nguyễn Văn Bí Mật 079123456789"
	for kind, text := range map[Kind]string{
		Units:      unitHeader + strings.Repeat(secret+",", 6) + secret + "\n",
		Procedures: "code,name,returns_document\n" + secret + "," + secret + "," + secret + "\n",
		Dossiers:   dossierHeader + strings.Repeat(secret+",", 7) + secret + "\n",
		Results:    resultHeader + strings.Repeat(secret+",", 7) + secret + "\n" + secret + strings.Repeat("x", 200) + ",H51,province,,,,,\n",
		Indicators: "row,period,value\n" + secret + "," + secret + "," + secret + "\n",
		Portal:     "period,unit,indicator,numerator,denominator\n" + strings.Repeat(secret+",", 4) + secret + "\n",
	} {
		_, bad := imported(t, newBook(), kind, text)
		if len(bad) == 0 {
			t.Errorf("%s: nothing refused", kind)
		}
		for _, e := range bad {
			if s := fmt.Sprintf("%+v %v", e, &e); strings.Contains(s, "Bí Mật") || strings.Contains(s, "0791") {
				t.Errorf("%s: %s", kind, s)
			}
		}
	}
	// A file without a header: what stands in its first row is not repeated.
	_, bad := imported(t, newBook(), Results, secret+",H51,province,,,,,x\n")
	for _, e := range bad {
		if strings.Contains(fmt.Sprintf("%+v", e), "Bí Mật") {
			t.Error(e)
		}
	}
}

func TestFaultsAreOurs(t *testing.T) {
	b := newBook()
	b.fail = errors.New("database is away")
	text := dossierHeader + "H51.04-240830-0001,H51.04,1.004946,2,2024-08-30,received,,\n"
	if _, _, err := Import(t.Context(), b, Dossiers, open(t, text), Options{}); !errors.Is(err, b.fail) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Import(ctx, newBook(), Dossiers, open(t, text), Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// What is written is read the same, in every format a spreadsheet may give it.
func TestWriteRead(t *testing.T) {
	files := Files{
		Units: []dossier.Unit{{Code: "H51", Name: "Tỉnh, \"cũ\"", Level: dossier.Province},
			{Code: "H51.1", Name: "Xã", Level: dossier.Commune, Parent: "H51", ValidFrom: 20200101, ValidTo: 20250701, Successor: "H51"}},
		Procedures: []dossier.Procedure{{Code: "1.004946", Name: "Cấp; giấy", ReturnsDocument: true}, {Code: "1.004947.H51", Name: "Khác"}},
		Dossiers: []dossier.Registered{{Code: "H51.1-240830-0001", Unit: "H51.1", Procedure: "1.004946", Channel: dossier.Postal,
			ReceivedAt: dossier.Date(20240830).Time(), Status: dossier.Returned, ResolvedAt: dossier.Date(20240901).Time().Add(12345678),
			SyncedAt: dossier.Date(20240902).Time(), PersonalStoreAt: dossier.Date(20240903).Time()},
			{Code: "H51.1-240830-0002", Unit: "H51.1", Procedure: "1.004946", Channel: dossier.Direct, Status: dossier.Cancelled}},
		Results:    []dossier.Result{{Number: "12/QĐ", Unit: "H51", AuthorityLevel: dossier.District, IssuedOn: 20200102, ValidTo: 20300102, Revoked: true, Name: "Giấy"}},
		Indicators: []dossier.IndicatorValue{{Row: 8, Period: "2024-08", Value: "đạt 22,45%; 57,83%"}},
		Portal:     []dossier.PortalFigure{{Period: "2024-Q3", Unit: "H51", Indicator: "4.2", Numerator: 1, Denominator: 2}},
	}
	paths, err := WriteFiles(t.TempDir(), files)
	if err != nil {
		t.Fatal(err)
	}
	file := func(k Kind) *sheet.Sheet {
		b, err := os.ReadFile(paths[k])
		if err != nil {
			t.Fatal(err)
		}
		return open(t, string(b))
	}
	same := func(what string, got, want any) {
		// The zone's name is not written, its offset is.
		if fmt.Sprintf("%+v", got) != strings.ReplaceAll(fmt.Sprintf("%+v", want), "Asia/Ho_Chi_Minh", "+0700") {
			t.Errorf("%s\ngot  %+v\nwant %+v", what, got, want)
		}
	}
	same("units", all(t, file(Units), ReadUnits), files.Units)
	same("procedures", all(t, file(Procedures), ReadProcedures), files.Procedures)
	same("dossiers", all(t, file(Dossiers), ReadDossiers), files.Dossiers)
	same("results", all(t, file(Results), ReadResults), files.Results)
	same("indicators", all(t, file(Indicators), ReadIndicators), files.Indicators)
	same("portal", all(t, file(Portal), ReadPortal), files.Portal)
}

func all[T any](t *testing.T, s *sheet.Sheet, read func(*sheet.Sheet, sheet.Mapping) (Lines[T], []*dossier.RowError, error)) (out []T) {
	t.Helper()
	lines, unknown, err := read(s, nil)
	if err != nil || len(unknown) > 0 {
		t.Fatal(err, unknown)
	}
	for line, err := range lines {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, line.Value)
	}
	return out
}

// shelf is a book that remembers the order in which dossiers came.
type shelf struct {
	*book
	came []dossier.Registered
	at   []int // where each batch begins in came
}

func (s *shelf) ImportDossiers(ctx context.Context, rows []dossier.Registered) (dossier.ImportOutcome, error) {
	s.at = append(s.at, len(s.came))
	s.came = append(s.came, rows...)
	return s.book.ImportDossiers(ctx, rows)
}

// A file in no order goes in window by window in the ledger's order; refusals,
// also the ledger's, name their rows in the order of the file.
func TestImportOrders(t *testing.T) {
	const n = 2*window + 777
	var text strings.Builder
	text.WriteString(dossierHeader)
	var refused []int
	for i := range n {
		unit, procedure := fmt.Sprintf("H51.%02d", i*7919%90), "1.004946"
		switch {
		case i%5003 == 0:
			unit = "H99"
			refused = append(refused, i+2)
		case i%7001 == 1:
			procedure = "nonsense"
			refused = append(refused, i+2)
		}
		day := dossier.Date(20240101).AddDays(i * 31 % 366)
		fmt.Fprintf(&text, "H51.04-240830-%06d,%s,%s,2,%sT08:00:00+07:00,received,,\n", i, unit, procedure, day)
	}
	// In the first window and again in the last: the later row counts.
	fmt.Fprintf(&text, "H51.04-240830-000002,H51.04,1.004946,3,2024-08-30T08:00:00+07:00,received,,\n")

	s := &shelf{book: newBook()}
	progress := []int{0}
	sum, bad, err := Import(t.Context(), s, Dossiers, open(t, text.String()), Options{Progress: func(rows int) { progress = append(progress, rows) }})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Summary{Dossiers, n + 1, n - len(refused), 0, 0, 1, len(refused)}); sum != want {
		t.Errorf("got %+v, want %+v", sum, want)
	}
	var rows []int
	for _, e := range bad {
		rows = append(rows, e.Row)
	}
	if !slices.Equal(rows, refused) {
		t.Errorf("refused rows %v, want %v", rows, refused)
	}
	if d := s.dossiers["H51.04-240830-000002"]; d.Channel != 3 {
		t.Errorf("the later row did not count: %+v", d)
	}
	if !slices.IsSorted(progress) || progress[len(progress)-1] != n+1 {
		t.Errorf("progress ends at %d", progress[len(progress)-1])
	}
	if !slices.IsSortedFunc(s.came[:window], byUnitAndDay) || slices.IsSortedFunc(s.came, byUnitAndDay) {
		t.Error("the first window, and only a window, is in order")
	}
	if slices.Max(s.batches) > BatchSize || len(s.batches) > n/BatchSize+3 {
		t.Errorf("%d batches of at most %d", len(s.batches), slices.Max(s.batches))
	}

	// Whoever stops it keeps the batches that went in.
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	s = &shelf{book: newBook()}
	sum, _, err = Import(ctx, s, Dossiers, open(t, text.String()), Options{Progress: func(int) {
		if len(s.at) == 3 {
			stop()
		}
	}})
	if !errors.Is(err, context.Canceled) || len(s.at) != 3 || sum.New == 0 || sum.New != len(s.dossiers) {
		t.Errorf("%v after %d batches: %+v", err, len(s.at), sum)
	}
}
