package tally_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/tally"
	"sohoa/tally/tallytest"
)

func planSource() *tallytest.Source {
	src := &tallytest.Source{Register: reorganised()}
	add := func(n, digitised int, r dossier.Result) {
		for k := range n {
			src.Cells = append(src.Cells, tally.Plan(r, k < digitised)...)
		}
	}
	add(10, 4, dossier.Result{Unit: "H51", AuthorityLevel: dossier.Province, IssuedOn: 20200101})
	add(10, 3, dossier.Result{Unit: "H51.04", AuthorityLevel: dossier.District, IssuedOn: 20220601})
	add(8, 1, dossier.Result{Unit: "H51.04.1", AuthorityLevel: dossier.Commune, IssuedOn: 20200101, ValidTo: 20230101})
	add(2, 2, dossier.Result{Unit: "H51.05.1", AuthorityLevel: dossier.Commune, IssuedOn: 20200101})
	add(5, 5, dossier.Result{Unit: "H51", AuthorityLevel: dossier.Province, IssuedOn: 20200101, Revoked: true})
	return src
}

func TestPlanReport(t *testing.T) {
	src := planSource()
	q := tally.Query{Unit: "H51", Period: dossier.Period{From: 20230101, To: 20230701}}
	table, err := tally.PlanReport(context.Background(), src, q, tally.DefaultTargets())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := table.Text(&out, "vi"); err != nil {
		t.Fatal(err)
	}
	want := `SỐ HÓA KẾT QUẢ GIẢI QUYẾT TTHC CÒN HIỆU LỰC
Tỉnh Sóc Trăng

Thẩm quyền   Năm    Tại ngày  Phải số hóa  Đã số hóa  Tỷ lệ %  Chỉ tiêu %  Đạt?  Cần thêm
─────────────────────────────────────────────────────────────────────────────────────────
Cấp tỉnh    2021  31/12/2021           10          4    40,00       30,00   Đạt         0
Cấp tỉnh    2022  31/12/2022           10          4    40,00       50,00  Chưa         1
Cấp tỉnh    2023  30/06/2023           10          4    40,00       70,00  Chưa         3
Cấp huyện   2021  31/12/2021            0          0        —       20,00     —         0
Cấp huyện   2022  31/12/2022           10          3    30,00       40,00  Chưa         1
Cấp huyện   2023  30/06/2023           10          3    30,00       60,00  Chưa         3
Cấp xã      2021  31/12/2021           10          3    30,00       15,00   Đạt         0
Cấp xã      2022  31/12/2022           10          3    30,00       35,00  Chưa         1
Cấp xã      2023  30/06/2023            2          2   100,00       55,00   Đạt         0

Kết quả còn hiệu lực tại ngày ghi ở mỗi dòng; đã số hóa tính đến hiện tại. Chỉ tiêu theo Quyết định số 468/QĐ-TTg và thiết lập của tỉnh.
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	for _, f := range []func() error{
		func() error { return table.CSV(&out) }, func() error { return table.JSON(&out) },
	} {
		out.Reset()
		if err := f(); err != nil || !bytes.Contains(out.Bytes(), []byte("40.00")) || bytes.Contains(out.Bytes(), []byte("40,00")) {
			t.Errorf("%v: %s", err, out.String())
		}
	}
	out.Reset()
	if err := table.XLSX(&out, heading); err != nil {
		t.Fatal(err)
	}
	rows := opened(t, kept(t, "ket-qua-con-hieu-luc.xlsx", out.Bytes()))
	for _, want := range []string{"Cấp huyện|2021|31/12/2021|0|0|—|20%|—|0", "Cấp xã|2023|30/06/2023|2|2|100,00%|55%|Đạt|0"} {
		if !has(rows, want) {
			t.Errorf("no row %s in %v", want, rows)
		}
	}

	// After the reorganisation the abolished district's results are the
	// province's to answer for; nothing is lost.
	old, err := tally.PlanReport(context.Background(), src, tally.Query{Unit: "H51.71", Period: dossier.Period{To: 20220101}, AsOf: 20250701}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if f := old.Rows[2].Figure; old.Unit.Unit != "H51.71" || f.Denominator != 8 || f.Numerator != 1 {
		t.Errorf("the merged commune: %+v", old.Rows)
	}
}

func TestPoints(t *testing.T) {
	for _, tt := range []struct {
		num, den, max, want int64
	}{
		{80, 100, 600, 600}, {81, 100, 600, 600}, {40, 100, 600, 300}, {0, 100, 600, 0}, {79, 100, 600, 593}, // 592.5 up
		{79999, 100000, 600, 600}, {1, 3, 100, 42}, // 41.67
	} {
		if got, ok := tally.Points(tally.Rate{Numerator: tt.num, Denominator: tt.den}, tally.FullAt, tt.max); !ok || got != tt.want {
			t.Errorf("%d/%d of %d: %d %v, want %d", tt.num, tt.den, tt.max, got, ok, tt.want)
		}
	}
	if _, ok := tally.Points(tally.Rate{}, tally.FullAt, 600); ok {
		t.Error("points without a rate")
	}
}

func TestUnitHistory(t *testing.T) {
	units := append(reorganised(),
		dossier.Unit{Code: "H51.80", Name: "Thị trấn Long Phú", Level: dossier.Commune, Parent: "H51.04", ValidFrom: 20100101, ValidTo: 20250701},
		dossier.Unit{Code: "H51.80", Name: "Xã Long Phú", Level: dossier.Commune, Parent: "H51", ValidFrom: 20250701})
	for code, want := range map[dossier.UnitCode]string{
		"H51":      "",
		"H51.21":   "2025-03-01 tiếp nhận Sở Nông nghiệp (H51.20); ",
		"H51.71":   "2025-07-01 thành lập trên cơ sở Xã Trung Bình (H51.04.2), Xã Đại Ân 2 (H51.04.1); ",
		"H51.04.1": "2025-07-01 kết thúc; kế thừa: Xã Trần Đề (H51.71); ",
		"H51.04":   "2025-07-01 kết thúc, không có đơn vị kế thừa; số liệu tính vào đơn vị cấp trên; ",
		"H51.80":   "2010-01-01 thành lập; 2025-07-01 chuyển về trực thuộc Tỉnh Sóc Trăng (H51); 2025-07-01 đổi tên từ Thị trấn Long Phú thành Xã Long Phú; ",
	} {
		got := ""
		for _, e := range tally.UnitHistory(units, code) {
			if e.Text.EN == "" {
				t.Errorf("%s: %v in Vietnamese only", code, e)
			}
			got += fmt.Sprintf("%v %s; ", e.Day, e.Text.VI)
		}
		if got != want {
			t.Errorf("%s: %s\nwant %s", code, got, want)
		}
	}
}

func TestWorklistScore(t *testing.T) {
	i, _ := tally.Find("4.2", "")
	base := dossier.Dossier{Registered: dossier.Registered{Unit: "H51", Channel: dossier.Direct, Status: dossier.Resolved,
		ReceivedAt: time.Date(2024, 8, 1, 0, 0, 0, 0, dossier.Zone)}, ReturnsDocument: true}
	with := func(f func(*dossier.Dossier)) *dossier.Dossier { d := base; f(&d); return &d }
	// The best first: a result also makes an electronic one; a component alone
	// lifts one figure for more work; both at once come last.
	order := []*dossier.Dossier{
		with(func(d *dossier.Dossier) { d.Components = 1 }),
		with(func(d *dossier.Dossier) {}),
		with(func(d *dossier.Dossier) { d.Results = 1 }),
	}
	for n := 1; n < len(order); n++ {
		if a, b := i.WorklistScore(order[n-1]), i.WorklistScore(order[n]); a <= b || b <= 0 {
			t.Errorf("%d scores %d, %d scores %d", n-1, a, n, b)
		}
	}
	for name, d := range map[string]*dossier.Dossier{
		"counted":          with(func(d *dossier.Dossier) { d.Components, d.Results = 1, 1 }),
		"not resolved yet": with(func(d *dossier.Dossier) { d.Status = dossier.Received }),
		"withdrawn":        with(func(d *dossier.Dossier) { d.Status = dossier.Withdrawn }),
	} {
		if s := i.WorklistScore(d); s != 0 {
			t.Errorf("%s scores %d", name, s)
		}
	}
	onlineIndicator, _ := tally.Find("3", "")
	if !onlineIndicator.Waiting(&base) || onlineIndicator.WorklistScore(&base) != 0 {
		t.Error("a dossier from the counter can be made an online one")
	}
}
