package tally_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/tally"
	"sohoa/tally/tallytest"
)

// small is a province of a department, a district with two communes, and ten
// dossiers in August 2024 whose figures can be counted on the fingers.
func small() *tallytest.Source {
	src := &tallytest.Source{Register: []dossier.Unit{
		{Code: "H51", Name: "Tỉnh Sóc Trăng", Level: dossier.Province},
		{Code: "H51.10", Name: "Huyện Trần Đề", Level: dossier.District, Parent: "H51"},
		{Code: "H51.10.2", Name: "Xã Trung Bình", Level: dossier.Commune, Parent: "H51.10"},
		{Code: "H51.10.1", Name: "Xã Đại Ân 2", Level: dossier.Commune, Parent: "H51.10"},
		{Code: "H51.20", Name: "Sở Tư pháp", Level: dossier.Department, Parent: "H51"},
	}}
	add := func(unit dossier.UnitCode, n int, change func(*dossier.Dossier)) {
		for range n {
			d := dossier.Dossier{Registered: dossier.Registered{Unit: unit, Channel: dossier.Direct, Status: dossier.Received,
				ReceivedAt: time.Date(2024, 8, 1, 0, 0, 0, 0, dossier.Zone)}, ReturnsDocument: true}
			change(&d)
			src.Cells = append(src.Cells, tally.Contribution(d)...)
		}
	}
	add("H51.20", 3, func(d *dossier.Dossier) {
		d.Channel, d.Status, d.ResolvedAt, d.SyncedAt = dossier.Online, dossier.Returned, d.ReceivedAt, d.ReceivedAt
		d.Components, d.Reused, d.Results, d.LegalResults = 1, 1, 1, 1
	})
	add("H51.20", 1, func(*dossier.Dossier) {})
	add("H51.10.1", 2, func(d *dossier.Dossier) { d.Components, d.ReturnsDocument = 1, false })
	add("H51.10.1", 3, func(d *dossier.Dossier) { d.Components = 1 })
	add("H51.10", 1, func(d *dossier.Dossier) { d.Status, d.Channel = dossier.Resolved, dossier.Postal })
	add("H51.10.1", 5, func(d *dossier.Dossier) { d.Status = dossier.Withdrawn })
	add("H51.10.1", 7, func(d *dossier.Dossier) { d.ReceivedAt = time.Date(2024, 9, 1, 0, 0, 0, 0, dossier.Zone) })
	src.Cells = append(src.Cells, tally.Plan(dossier.Result{Unit: "H51.10", AuthorityLevel: dossier.District, IssuedOn: 20200101}, true)...)
	src.Cells = append(src.Cells, tally.Plan(dossier.Result{Unit: "H51.10", AuthorityLevel: dossier.District, IssuedOn: 20200101, ValidTo: 20240831}, true)...)
	src.Cells = append(src.Cells, tally.Plan(dossier.Result{Unit: "H51.10.1", AuthorityLevel: dossier.Commune, IssuedOn: 20200101}, false)...)
	src.Cells = append(src.Cells, tally.Plan(dossier.Result{Unit: "H51.10.1", AuthorityLevel: dossier.Commune, IssuedOn: 20240901}, false)...)
	return src
}

var august = dossier.Period{From: 20240801, To: 20240901}

func report(t *testing.T, src tally.Source, q tally.Query) tally.Table {
	t.Helper()
	table, err := tally.Report(context.Background(), src, q, tally.DefaultTargets())
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestReportText(t *testing.T) {
	var out bytes.Buffer
	table := report(t, small(), tally.Query{Unit: "H51", Period: august, Indicators: []string{"4.2", "5"}})
	if err := table.Text(&out, "vi"); err != nil {
		t.Fatal(err)
	}
	want := `TÌNH HÌNH SỐ HÓA HỒ SƠ, KẾT QUẢ GIẢI QUYẾT THỦ TỤC HÀNH CHÍNH
(Từ ngày 01/08/2024 đến ngày 31/08/2024)
Công thức 766-2022 · cơ cấu đơn vị ngày 31/08/2024 · số liệu đến ngày 31/08/2024

STT  Đơn vị             Tiếp nhận   4.2  Tỷ lệ %  4.1  Tỷ lệ %  KQ còn hiệu lực  Tỷ lệ %
────────────────────────────────────────────────────────────────────────────────────────
     Tỉnh Sóc Trăng            10  5/10    50,00  3/8    37,50              1/2    50,00
1      Sở Tư pháp               4   3/4    75,00  3/4    75,00              0/0        —
2      Huyện Trần Đề            6   2/6    33,33  0/4     0,00              1/2    50,00
2.1      Xã Đại Ân 2            5   2/5    40,00  0/3     0,00              0/1     0,00
2.2      Xã Trung Bình          0   0/0        —  0/0        —              0/0        —
────────────────────────────────────────────────────────────────────────────────────────
     TỔNG                      10  5/10    50,00  3/8    37,50              1/2    50,00

4.2  Số hóa hồ sơ, kết quả: Hồ sơ có ít nhất một tệp thành phần và, nếu thủ tục có trả kết quả, có tệp kết quả, trên tổng số hồ sơ tiếp nhận trong kỳ. Chỉ tiêu 80 %: cần thêm 3 hồ sơ.
4.1  Kết quả điện tử: Hồ sơ có tệp kết quả có giá trị pháp lý (ký số) trên số hồ sơ tiếp nhận trong kỳ thuộc thủ tục có trả kết quả. Chỉ tiêu 100 %: cần thêm 5 hồ sơ.
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	if err := table.Text(&out, "en"); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); !strings.Contains(s, "37.50") || strings.Contains(s, "37,50") || !strings.Contains(s, "Target 80 %: 3 dossiers more are needed.") {
		t.Errorf("in English:\n%s", s)
	}
}

// TestReportJSON holds the pinned form to the letter.
func TestReportJSON(t *testing.T) {
	var out bytes.Buffer
	table := report(t, small(), tally.Query{Unit: "H51.10", Period: august, Indicators: []string{"4.2", "4.4"}})
	if err := table.JSON(&out); err != nil {
		t.Fatal(err)
	}
	var squeezed bytes.Buffer
	if err := json.Compact(&squeezed, out.Bytes()); err != nil {
		t.Fatal(err)
	}
	want := `{"formula":"766-2022","from":"2024-08-01","to":"2024-09-01","structure_as_of":"2024-08-31","rows":[` +
		`{"unit":"H51.10","name":"Huyện Trần Đề","level":"district","indicators":[{"id":"4.2","numerator":2,"denominator":6,"rate":"33.33","target":"80.00"},{"id":"4.4","numerator":0,"denominator":6,"rate":"0.00","target":null}]},` +
		`{"unit":"H51.10.1","name":"Xã Đại Ân 2","level":"commune","indicators":[{"id":"4.2","numerator":2,"denominator":5,"rate":"40.00","target":"80.00"},{"id":"4.4","numerator":0,"denominator":5,"rate":"0.00","target":null}]},` +
		`{"unit":"H51.10.2","name":"Xã Trung Bình","level":"commune","indicators":[{"id":"4.2","numerator":0,"denominator":0,"rate":null,"target":"80.00"},{"id":"4.4","numerator":0,"denominator":0,"rate":null,"target":null}]}]}`
	if squeezed.String() != want {
		t.Errorf("got  %s\nwant %s", squeezed.String(), want)
	}
}

func TestReportCSV(t *testing.T) {
	src := small()
	src.Register[1].Name = "=HYPERLINK(\"x\")"
	var out bytes.Buffer
	if err := report(t, src, tally.Query{Period: august, Indicators: []string{"4.2"}}).CSV(&out); err != nil {
		t.Fatal(err)
	}
	want := `unit,name,level,depth,received.direct,received.online,received.postal,components,synced,resolved,4.2 numerator,4.2 denominator,4.2 rate,4.2 target,4.2 gap,plan digitised,plan in force,plan rate,formula,from,to,structure_as_of
H51,Tỉnh Sóc Trăng,province,0,6,3,1,8,3,3,5,10,50.00,80.00,3,1,2,50.00,766-2022,2024-08-01,2024-09-01,2024-08-31
H51.20,Sở Tư pháp,department,1,1,3,0,3,3,3,3,4,75.00,80.00,1,0,0,,766-2022,2024-08-01,2024-09-01,2024-08-31
H51.10,"'=HYPERLINK(""x"")",district,1,5,0,1,5,0,0,2,6,33.33,80.00,3,1,2,50.00,766-2022,2024-08-01,2024-09-01,2024-08-31
H51.10.1,Xã Đại Ân 2,commune,2,5,0,0,5,0,0,2,5,40.00,80.00,2,0,1,0.00,766-2022,2024-08-01,2024-09-01,2024-08-31
H51.10.2,Xã Trung Bình,commune,2,0,0,0,0,0,0,0,0,,80.00,0,0,0,,766-2022,2024-08-01,2024-09-01,2024-08-31
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestReportRefuses(t *testing.T) {
	src := small()
	for name, tt := range map[string]struct {
		q    tally.Query
		want error
	}{
		"version":       {tally.Query{Period: august, Version: "766"}, tally.ErrQuery},
		"indicator":     {tally.Query{Period: august, Indicators: []string{"4.9"}}, tally.ErrQuery},
		"backwards":     {tally.Query{Period: dossier.Period{From: 20240901, To: 20240801}}, tally.ErrQuery},
		"empty":         {tally.Query{Period: dossier.Period{From: 20240801, To: 20240801}}, tally.ErrQuery},
		"no structure":  {tally.Query{Period: dossier.Period{From: 20240801}}, tally.ErrQuery},
		"unknown unit":  {tally.Query{Unit: "H99", Period: august}, dossier.ErrUnknownUnit},
		"source failed": {tally.Query{Period: august}, os.ErrDeadlineExceeded},
	} {
		var s tally.Source = src
		if name == "source failed" {
			s = broken{src}
		}
		if _, err := tally.Report(context.Background(), s, tt.q, nil); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	// A figure of a unit that the register does not have is not left out in silence.
	src.Cells = append(src.Cells, tally.Cell{Unit: "H77", Series: "4.2@766-2022", Day: 20240801, Denominator: 1})
	if _, err := tally.Report(context.Background(), src, tally.Query{Period: august}, nil); err == nil || errors.Is(err, tally.ErrQuery) {
		t.Errorf("a cell without a unit: %v", err)
	}
}

type broken struct{ tally.Source }

func (broken) Sums(context.Context, []dossier.UnitCode, []tally.Series, dossier.Period) ([]tally.Cell, error) {
	return nil, os.ErrDeadlineExceeded
}

func TestTargets(t *testing.T) {
	set := append(tally.DefaultTargets(),
		tally.Target{Indicator: "4.2", Unit: "H51.10", Percent: 6000},
		tally.Target{Indicator: "5", Unit: "H51.10", Year: 2024, Percent: 7000},
		tally.Target{Indicator: "4.2", Year: 2025, Percent: 9000},
		tally.Target{Indicator: "plan.commune", Year: 2023, Percent: 4000})
	for _, tt := range []struct {
		id    string
		year  int
		units []dossier.UnitCode
		want  tally.Percent
	}{
		{"4.2", 2024, nil, 8000}, {"4", 2024, nil, 8000}, {"4.2", 2025, nil, 9000}, {"4.2", 2026, nil, 8000},
		{"4.2", 2025, []dossier.UnitCode{"H51.10", "H51"}, 6000}, {"4.2", 2025, []dossier.UnitCode{"H51.10.1", "H51.10", "H51"}, 6000},
		{"4.1", 2024, []dossier.UnitCode{"H51.10"}, 7000}, {"4.1", 2025, []dossier.UnitCode{"H51.10"}, 10000},
		{"plan.province", 2021, nil, 3000}, {"plan.district", 2021, nil, 2000}, {"plan.commune", 2021, nil, 1500},
		{"plan.province", 2022, nil, 5000}, {"plan.province", 2024, nil, 9000}, {"plan.province", 2025, nil, 10000}, {"plan.province", 2040, nil, 10000},
		{"plan.commune", 2023, nil, 4000}, {"plan.commune", 2024, nil, 7500}, {"plan.commune", 2026, nil, 10000},
	} {
		if got, ok := set.For(tt.id, tt.year, tt.units...); !ok || got != tt.want {
			t.Errorf("%s %d %v: %v %v, want %v", tt.id, tt.year, tt.units, got, ok, tt.want)
		}
	}
	for id, want := range map[string]bool{"4.2": true, "5": true, "plan.commune": true, "resolved": false, "4.2/no-result": false, "plan.": false, "": false, "8": false} {
		if tally.Targetable(id) != want {
			t.Errorf("a target for %q: %v", id, !want)
		}
	}
	for _, id := range []string{"4.4", "plan.province", ""} {
		if got, ok := set.For(id, 2020); ok {
			t.Errorf("%s in 2020: %v", id, got)
		}
	}
}

// letterRows are the rows of the letter's appendix that come from elsewhere.
var letterRows = map[int]string{1: "68,82%", 2: "28,83%", 6: "99,17%",
	8: "Tỷ lệ công bố đạt 22,45%; Tỷ lệ cập nhật, công khai đạt 57,83%", 10: "100%", 11: "94,15%"}

// letter is a province with the letter's figures.
func letter() *tallytest.Source {
	src := &tallytest.Source{Register: []dossier.Unit{{Code: "H51", Name: "Tỉnh Sóc Trăng", Level: dossier.Province}}}
	for s, c := range map[tally.Series][2]int64{
		"3@766-2022": {4339, 10000}, "4.2@766-2022": {4876, 10000}, "4.1@766-2022": {4941, 10000}, "4.3@766-2022": {4311, 10000}, "9@766-2022": {8198, 10000},
	} {
		src.Cells = append(src.Cells, tally.Cell{Unit: "H51", Series: s, Day: 20240102, Numerator: c[0], Denominator: c[1]})
	}
	return src
}

func TestAppendix(t *testing.T) {
	a, err := tally.Appendix(context.Background(), letter(), tally.Query{Unit: "H51", Period: dossier.Period{From: 20240101, To: 20240830}}, letterRows, tally.DefaultTargets())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := a.Text(&out, "vi"); err != nil {
		t.Fatal(err)
	}
	want := `KẾT QUẢ THỰC HIỆN CÁC CHỈ TIÊU VỀ CẢI CÁCH TTHC
Tỉnh Sóc Trăng
(Từ ngày 01/01/2024 đến ngày 29/08/2024)

STT  Chỉ tiêu                                                          Chỉ tiêu năm 2024    Kết quả thực hiện đến
                                                                                                 tháng 8 năm 2024
─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
  1  Tỷ lệ cung cấp dịch vụ công trực tuyến toàn trình trên tổng số    Tối thiểu 80%                       68,82%
     TTHC có đủ điều kiện trên Cổng Dịch vụ công quốc gia.
  2  Tỷ lệ thanh toán trực tuyến trên Cổng Dịch vụ công quốc gia trên  Tối thiểu 45%                       28,83%
     tổng số giao dịch thanh toán của dịch vụ công.
  3  Tỷ lệ hồ sơ trực tuyến trên tổng số hồ sơ tiếp nhận, giải quyết   Tối thiểu 50%                       43,39%
     TTHC
  4  Tỷ lệ số hóa hồ sơ, kết quả giải quyết TTHC                       Tối thiểu 80%                       48,76%
  5  Tỷ lệ cấp kết quả giải quyết TTHC điện tử                         100%                                49,41%
  6  Tỷ lệ thực hiện chứng thực bản sao điện tử từ bản chính tại UBND  100%                                99,17%
     cấp xã và Phòng Tư pháp cấp huyện
  7  Tỷ lệ khai thác, sử dụng lại thông tin, dữ liệu số hóa            Tối thiểu 50%                       43,11%
  8  Tỷ lệ công bố, công khai TTHC đúng hạn.                           100%                     Tỷ lệ công bố đạt
                                                                                          22,45%; Tỷ lệ cập nhật,
                                                                                             công khai đạt 57,83%
  9  Tỷ lệ kết quả xử lý hồ sơ TTHC của bộ, ngành, địa phương được     100%                                81,98%
     đồng bộ đầy đủ trên Cổng Dịch vụ công quốc gia.
 10  Tỷ lệ xử lý phản ánh, kiến nghị đúng hạn                          100%                                  100%
 11  Mức độ hài lòng trong tiếp nhận, giải quyết TTHC của người dân,   100%                                94,15%
     doanh nghiệp

Các hàng 3, 4, 5, 7, 9: tính từ sổ đăng ký hồ sơ và kho số hóa, số liệu tính đến ngày 29/08/2024, kỳ từ ngày 01/01/2024 đến ngày 29/08/2024, công thức 766-2022.
Các hàng 1, 2, 6, 8, 10, 11: theo số liệu nhập từ nguồn khác.
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	if err := a.CSV(&out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rows[4], "|"); got != "4|4.2|Tỷ lệ số hóa hồ sơ, kết quả giải quyết TTHC|Tối thiểu 80%|48,76%|4876|10000|48.76|766-2022" {
		t.Errorf("row 4: %s", got)
	}
	// What was not imported and what has no denominator is neither 0 nor 100.
	a, err = tally.Appendix(context.Background(), &tallytest.Source{Register: letter().Register}, tally.Query{Period: august}, nil, tally.DefaultTargets())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range a.Rows {
		if r.Result != tally.NoRate {
			t.Errorf("row %d without data is %q", r.Row, r.Result)
		}
	}
}

// TestAppendixWording: every name, target and head of the appendix stands in the
// letter as it stands here.
func TestAppendixWording(t *testing.T) {
	b := shared(t, "seed/cong-van-2796.txt")
	a, err := tally.Appendix(context.Background(), letter(), tally.Query{Period: dossier.Period{From: 20240101, To: 20240830}}, letterRows, tally.DefaultTargets())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range a.Rows {
		line := strings.Join([]string{string(rune('0' + r.Row%10)), r.Name.VI, r.Target.VI, r.Result}, "\t")
		if !strings.Contains(b, line) {
			t.Errorf("row %d is not the letter's: %s", r.Row, line)
		}
	}
}

func TestReasons(t *testing.T) {
	for _, tt := range []struct{ id, unit, vi, en string }{
		{"4.2", "H51", "5 hồ sơ chưa được tính: 3 chưa có tệp kết quả, 2 chưa có thành phần", "5 dossiers not counted yet: 3 no result file, 2 no component file"},
		{"5", "H51.10", "4 hồ sơ chưa được tính: 4 chưa có tệp kết quả", "4 dossiers not counted yet: 4 no result file"},
		{"3", "H51.10", "6 hồ sơ chưa được tính: 6 không nộp trực tuyến", "6 dossiers not counted yet: 6 not handed in online"},
		{"3", "H51.10.2", "0 hồ sơ chưa được tính", "0 dossiers not counted yet"},
	} {
		b, err := tally.Reasons(context.Background(), small(), tally.Query{Unit: dossier.UnitCode(tt.unit), Period: august}, tt.id)
		if err != nil {
			t.Fatal(err)
		}
		if b.Text("vi") != tt.vi || b.Text("en") != tt.en {
			t.Errorf("%s of %s: %s / %s", tt.id, tt.unit, b.Text("vi"), b.Text("en"))
		}
		for _, w := range b.Whys {
			if _, ok := tally.Find(w.List, ""); !ok {
				t.Errorf("no list %s", w.List)
			}
		}
	}
	if _, err := tally.Reasons(context.Background(), small(), tally.Query{Period: august}, "resolved"); !errors.Is(err, tally.ErrQuery) {
		t.Errorf("the reasons of a count: %v", err)
	}
}
