package tally_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"sohoa/dossier"
	"sohoa/tally"
)

func TestTrend(t *testing.T) {
	src := small()
	tr, err := tally.MonthlyTrend(context.Background(), src, tally.Query{Unit: "H51.10", Period: dossier.Period{From: 20240715, To: 20241001}, Indicators: []string{"4.2"}}, tally.DefaultTargets())
	if err != nil {
		t.Fatal(err)
	}
	var got string
	for _, m := range tr.Months {
		a, w := m.Alone[0], m.Toward[0]
		got += fmt.Sprintf("%v %d/%d %d/%d %v; ", m.Month, a.Numerator, a.Denominator, w.Numerator, w.Denominator, w.Target)
	}
	if want := "2024-07-01 0/0 0/0 8000; 2024-08-01 2/6 2/6 8000; 2024-09-01 0/7 2/13 8000; "; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if _, err := tally.MonthlyTrend(context.Background(), src, tally.Query{Period: dossier.Period{To: 20240901}}, nil); err == nil {
		t.Error("a trend without a beginning")
	}
}

func TestOutlook(t *testing.T) {
	fig := func(num, den int64, target tally.Percent) tally.Figure {
		return tally.Figure{ID: "4.2", Rate: tally.Rate{Numerator: num, Denominator: den}, Target: target, HasTarget: true}
	}
	for _, tt := range []struct {
		name            string
		f               tally.Figure
		from, known, by dossier.Date
		want            string
	}{
		// 100 days known, 50 left: 1000 come; 80 % of 3000 are 2400.
		{"behind", fig(1000, 2000, 8000), 20240101, 20240409, 20240529, "50 days, 1000 to come, needed 1400, 140.00 % of them, on course 50.00 %, 28 a day"},
		{"on the last day", fig(0, 2000, 10000), 20240101, 20240409, 20240410, "1 days, 20 to come, needed 2020, 10100.00 % of them, on course 0.00 %, 2020 a day"},
		{"reached for good", fig(1000, 1000, 5000), 20240101, 20240110, 20240120, "10 days, 1000 to come, needed 0, 0.00 % of them, on course 100.00 %, 0 a day"},
	} {
		o, ok := tt.f.Outlook(tt.from, tt.known, tt.by)
		if !ok {
			t.Errorf("%s: none", tt.name)
			continue
		}
		got := fmt.Sprintf("%d days, %d to come, needed %d, %s %% of them, on course %s %%, %d a day", o.Days, o.Expected, o.Needed,
			tally.FormatRate(o.OfComing.Numerator, o.OfComing.Denominator, "en"), tally.FormatRate(o.OnCourse.Numerator, o.OnCourse.Denominator, "en"), o.PerDay())
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	for name, f := range map[string]tally.Figure{"no rate": fig(0, 0, 8000), "no target": {Rate: tally.Rate{Numerator: 1, Denominator: 2}}} {
		if _, ok := f.Outlook(20240101, 20240409, 20240529); ok {
			t.Errorf("%s: there is an outlook", name)
		}
	}
	if _, ok := fig(1, 2, 8000).Outlook(20240101, 20240409, 20240409); ok {
		t.Error("an outlook to the same day")
	}
	o, _ := fig(1000, 2000, 8000).Outlook(20240101, 20240409, 20240529)
	if got, want := o.Text("vi"), "Để đạt chỉ tiêu đến ngày 29/05/2024: cần thêm 1400 hồ sơ (28 hồ sơ mỗi ngày), dự kiến còn tiếp nhận khoảng 1000 hồ sơ; nếu giữ tiến độ hiện nay sẽ là 50,00 %."; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestForecast(t *testing.T) {
	// 31 days are known, 31 are left: as many come again.
	f, err := report(t, small(), tally.Query{Unit: "H51.10", Period: august, Indicators: []string{"4.2", "4.4", "9"}}).Forecast(20241001)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := f.CSV(&out); err != nil {
		t.Fatal(err)
	}
	want := `unit,name,indicator,numerator,denominator,rate,target,gap,expected,needed,per_day,on_course,formula
H51.10,Huyện Trần Đề,4.2,2,6,33.33,80.00,3,6,8,1,33.33,766-2022
H51.10,Huyện Trần Đề,9,0,1,0.00,100.00,1,1,2,1,0.00,766-2022
H51.10.1,Xã Đại Ân 2,4.2,2,5,40.00,80.00,2,5,6,1,40.00,766-2022
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	for _, write := range []func(io.Writer) error{func(w io.Writer) error { return f.Text(w, "vi") }, f.JSON, func(w io.Writer) error { return f.XLSX(w, heading) }} {
		out.Reset()
		if err := write(&out); err != nil || out.Len() == 0 {
			t.Error(err)
		}
	}
	if _, err := report(t, small(), tally.Query{Period: august}).Forecast(20240831); !errors.Is(err, tally.ErrQuery) {
		t.Errorf("an outlook to the past: %v", err)
	}
}

// TestTrendForms: the trend reads the same in every form.
func TestTrendForms(t *testing.T) {
	tr, err := tally.MonthlyTrend(context.Background(), small(), tally.Query{Unit: "H51.10", Period: dossier.Period{From: 20240801, To: 20241001}, Indicators: []string{"4.2", "resolved"}}, tally.DefaultTargets())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := tr.CSV(&out); err != nil {
		t.Fatal(err)
	}
	want := `month,indicator,name,numerator,denominator,rate,numerator_so_far,denominator_so_far,rate_so_far,target,formula
2024-08,4.2,"Số hóa hồ sơ, kết quả",2,6,33.33,2,6,33.33,80.00,766-2022
2024-09,4.2,"Số hóa hồ sơ, kết quả",0,7,0.00,2,13,15.38,80.00,766-2022
2024-08,resolved,Đã giải quyết,0,0,,0,0,,,766-2022
2024-09,resolved,Đã giải quyết,0,0,,0,0,,,766-2022
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	if err := tr.JSON(&out); err != nil || !json.Valid(out.Bytes()) || !strings.Contains(out.String(), `"rate": "15.38"`) {
		t.Errorf("%v: %s", err, out.String())
	}
	out.Reset()
	if err := tr.Text(&out, "vi"); err != nil || !strings.Contains(out.String(), "15,38") {
		t.Errorf("%v: %s", err, out.String())
	}
}
