package tally_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/tally"
	"sohoa/tally/tallytest"
)

func TestClosing(t *testing.T) {
	ctx := context.Background()
	src := small()
	q := tally.Query{Period: august}
	at := time.Date(2024, 9, 2, 8, 0, 0, 0, dossier.Zone)
	snap, err := tally.Close(ctx, src, q, tally.DefaultTargets(), at)
	if err != nil {
		t.Fatal(err)
	}
	kept, digest, err := snap.Encode()
	if err != nil {
		t.Fatal(err)
	}
	// The order in which a source answers changes nothing.
	for i, j := 0, len(src.Register)-1; i < j; i, j = i+1, j-1 {
		src.Register[i], src.Register[j] = src.Register[j], src.Register[i]
	}
	again, err := tally.Close(ctx, src, q, tally.DefaultTargets(), at.UTC())
	if err != nil {
		t.Fatal(err)
	}
	if b, d, err := again.Encode(); err != nil || d != digest || !bytes.Equal(b, kept) {
		t.Errorf("closed twice, the digests are %s and %s (%v)", digest, d, err)
	}

	// What changes afterwards changes no closed report, in any version.
	var was [2]bytes.Buffer
	for n, v := range tally.Versions() {
		table := report(t, src, tally.Query{Period: august, Version: v})
		if err := table.JSON(&was[n]); err != nil {
			t.Fatal(err)
		}
	}
	d := dossier.Dossier{Registered: dossier.Registered{Unit: "H51.10.1", Channel: dossier.Direct, Status: dossier.Received,
		ReceivedAt: time.Date(2024, 8, 1, 0, 0, 0, 0, dossier.Zone)}, Facts: dossier.Facts{Components: 1}, ReturnsDocument: true}
	after := d
	after.Facts.Results = 1
	src.Cells = append(src.Cells, tally.Diff(tally.Contribution(d), tally.Contribution(after))...)
	src.Register = append(src.Register, dossier.Unit{Code: "H51.99", Name: "Xã mới", Level: dossier.Commune, Parent: "H51"})
	read, err := tally.DecodeSnapshot(kept, digest)
	if err != nil {
		t.Fatal(err)
	}
	for n, v := range tally.Versions() {
		table, err := read.Report(ctx, v)
		if err != nil {
			t.Fatal(err)
		}
		var now bytes.Buffer
		if err := table.JSON(&now); err != nil {
			t.Fatal(err)
		}
		if now.String() != was[n].String() {
			t.Errorf("%s: the closed report is no longer\n%s\nbut\n%s", v, was[n].String(), now.String())
		}
	}
	changed, err := tally.Restate(ctx, read, src)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(changed.Figures), "[{H51.10.1 4.2@766-2022 {2 5} {3 5}}]"; got != want {
		t.Errorf("restated %s, want %s", got, want)
	}
	if _, err := read.Of("H99"); !errors.Is(err, dossier.ErrUnknownUnit) {
		t.Errorf("narrowed to an unknown unit: %v", err)
	}
	if part, err := read.Of("H51.20"); err != nil {
		t.Error(err)
	} else if re, err := tally.Restate(ctx, part, src); err != nil || !re.Stands() {
		t.Errorf("H51.20 is restated for what changed elsewhere: %v (%v)", re.Figures, err)
	}
	if _, err := tally.DecodeSnapshot(append(kept, ' '), digest); !errors.Is(err, tally.ErrSnapshot) {
		t.Errorf("other bytes: %v", err)
	}
	if _, err := tally.Close(ctx, src, tally.Query{Period: dossier.Period{To: 20240901}}, nil, at); !errors.Is(err, tally.ErrQuery) {
		t.Errorf("closing an open period: %v", err)
	}
	// A closed subtree has that subtree only.
	part, err := tally.Close(ctx, src, tally.Query{Unit: "H51.10", Period: august}, nil, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range append(part.Sums, part.Plan...) {
		if !strings.HasPrefix(string(c.Unit), "H51.10") {
			t.Errorf("closing H51.10 kept %v", c)
		}
	}
}

func TestReconcile(t *testing.T) {
	ctx := context.Background()
	src := small()
	// A dossier of the last day, and a merger after the period.
	src.Cells = append(src.Cells, tally.Contribution(dossier.Dossier{Registered: dossier.Registered{Unit: "H51.20", Channel: dossier.Direct, Status: dossier.Received,
		ReceivedAt: time.Date(2024, 8, 31, 23, 59, 59, 0, dossier.Zone)}})...)
	src.Register = append(src.Register, dossier.Unit{Code: "H51.21", Name: "Sở Nội vụ", Level: dossier.Department, Parent: "H51", ValidTo: 20250301, Successor: "H51.20"})
	src.Cells = append(src.Cells, tally.Contribution(dossier.Dossier{Registered: dossier.Registered{Unit: "H51.21", Channel: dossier.Direct, Status: dossier.Received,
		ReceivedAt: time.Date(2024, 8, 10, 9, 0, 0, 0, dossier.Zone)}})...)
	fig := func(unit, indicator string, num, den int64) dossier.PortalFigure {
		return dossier.PortalFigure{Period: "2024-08", Unit: dossier.UnitCode(unit), Indicator: indicator, Numerator: num, Denominator: den}
	}
	for _, tt := range []struct {
		name   string
		portal dossier.PortalFigure
		ours   tally.Rate
		want   string // candidates with their match
	}{
		{"agrees", fig("H51.20", "4.2", 3, 5), tally.Rate{Numerator: 3, Denominator: 5}, ""},
		{"other formula", fig("H51.10", "4.2", 0, 6), tally.Rate{Numerator: 2, Denominator: 6}, "formula both, own-only numerator, first-day numerator, synced-only numerator"},
		{"appendix row, by day of resolution", fig("H51.20", "5", 3, 3), tally.Rate{Numerator: 3, Denominator: 4}, "formula both"},
		{"the unit alone", fig("H51.10", "4.2", 0, 1), tally.Rate{Numerator: 2, Denominator: 6}, "own-only both, formula numerator, first-day numerator, synced-only numerator"},
		{"the last day", fig("H51.20", "3", 3, 4), tally.Rate{Numerator: 3, Denominator: 5}, "last-day both"},
		{"after the merger", fig("H51.20", "3", 3, 6), tally.Rate{Numerator: 3, Denominator: 5}, "structure both"},
		{"synchronised only", fig("H51", "4.2", 3, 3), tally.Rate{Numerator: 5, Denominator: 12}, "synced-only both, formula numerator"},
		{"components without results", fig("H51", "4.2", 8, 12), tally.Rate{Numerator: 5, Denominator: 12}, "components-only both"},
		{"no reason known", fig("H51", "4.2", 7, 13), tally.Rate{Numerator: 5, Denominator: 12}, ""},
		{"unknown unit", fig("H99", "4.2", 7, 13), tally.Rate{}, "unknown-unit possible"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tally.Reconcile(ctx, src, tally.Query{Period: august}, []dossier.PortalFigure{tt.portal})
			if err != nil {
				t.Fatal(err)
			}
			var list []string
			for _, c := range got.Rows[0].Candidates {
				if c.Text.VI == "" || c.Text.EN == "" {
					t.Errorf("%s says nothing", c.Code)
				}
				list = append(list, c.Code+" "+string(c.Match))
			}
			if s := strings.Join(list, ", "); s != tt.want || got.Rows[0].Ours != tt.ours {
				t.Errorf("ours %v, candidates %s; want %v, %s", got.Rows[0].Ours, s, tt.ours, tt.want)
			}
		})
	}
	// A dossier a day: each day more or less is told from the others.
	daily := &tallytest.Source{Register: small().Register}
	for day := dossier.Date(20240725); day <= 20240910; day = day.AddDays(1) {
		n := map[dossier.Date]int64{20240731: 3, 20240801: 5, 20240831: 7, 20240901: 11}[day]
		daily.Cells = append(daily.Cells, tally.Cell{Unit: "H51", Series: "3@766-2022", Day: day, Denominator: n + 100})
	}
	ours := tally.Rate{Denominator: 3112}
	for code, den := range map[string]int64{"first-day": 3112 - 105, "day-before": 3112 + 103, "last-day": 3112 - 107, "day-after": 3112 + 111} {
		got, err := tally.Reconcile(ctx, daily, tally.Query{Period: august}, []dossier.PortalFigure{fig("H51", "3", 0, den)})
		if err != nil {
			t.Fatal(err)
		}
		if c := got.Rows[0].Candidates; got.Rows[0].Ours != ours || len(c) != 1 || c[0].Code != code || c[0].Match != tally.MatchBoth {
			t.Errorf("%s: ours %v, candidates %v", code, got.Rows[0].Ours, c)
		}
	}
	if _, err := tally.Reconcile(ctx, src, tally.Query{Period: august}, []dossier.PortalFigure{fig("H51", "4.7", 1, 1)}); !errors.Is(err, tally.ErrQuery) {
		t.Errorf("an unknown indicator: %v", err)
	}
}

// TestClosingHistories closes a period in the midst of a random history. However
// it goes on, the closed report stays what it was, the restated figures are the
// whole difference, and the dossiers named are those, and only those, that count
// otherwise.
func TestClosingHistories(t *testing.T) {
	ctx := context.Background()
	for number := range histories(t, 500) {
		r := rand.New(rand.NewPCG(number, 2))
		p := []dossier.Period{{From: 20230101, To: 20240101}, {From: 20240101, To: 20240830}, {From: 20240101, To: 20260101}}[r.IntN(3)]
		steps := tallytest.History(number, 40)
		w := tallytest.NewWorld()
		half := len(steps) / 2
		for _, s := range steps[:half] {
			w.Apply(s)
		}
		version := tally.Versions()[r.IntN(2)]
		q := tally.Query{Period: p, Version: version}
		if units := w.Register(); r.IntN(2) == 0 {
			q.Unit = units[r.IntN(len(units))].Code
		}
		var was bytes.Buffer
		if err := report(t, w.Source(), q).CSV(&was); err != nil { // it has the plan too
			t.Fatal(err)
		}
		snap, err := tally.Close(ctx, w.Source(), q, tally.DefaultTargets(), time.Unix(1, 0))
		if err != nil {
			t.Fatal(err)
		}
		if err := snap.AddDossiers(ctx, w); err != nil {
			t.Fatalf("history %d: %v", number, err)
		}
		old := map[dossier.Code]string{}
		for _, d := range w.Dossiers() {
			old[d.Code] = stands(d, p)
		}
		for _, s := range steps[half:] {
			w.Apply(s)
		}
		b, digest, err := snap.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if snap, err = tally.DecodeSnapshot(b, digest); err != nil {
			t.Fatal(err)
		}
		table, err := snap.Report(ctx, version)
		if err != nil {
			t.Fatal(err)
		}
		var closed bytes.Buffer
		if err := table.CSV(&closed); err != nil {
			t.Fatal(err)
		}
		if closed.String() != was.String() {
			t.Fatalf("history %d: the closed report changed from\n%s\nto\n%s", number, was.String(), closed.String())
		}
		re, err := tally.Restate(ctx, snap, w.Source())
		if err != nil {
			t.Fatal(err)
		}
		if err := re.AddDossiers(ctx, w); err != nil {
			t.Fatal(err)
		}
		if !re.Listed {
			t.Fatalf("history %d: the dossiers are not listed", number)
		}
		for _, write := range []func(io.Writer) error{func(w io.Writer) error { return re.Text(w, "vi") }, re.CSV, re.JSON} {
			if err := write(io.Discard); err != nil {
				t.Fatal(err)
			}
		}
		if q.Unit != "" {
			continue // units that went out of the subtree since are not asked for
		}
		if err := narrowed(ctx, r, snap, w); err != nil {
			t.Fatalf("history %d: %v", number, err)
		}
		var want []string
		for _, d := range w.Dossiers() {
			if now := stands(d, p); now != old[d.Code] {
				want = append(want, string(d.Code))
			}
		}
		var got []string
		for _, d := range re.Dossiers {
			got = append(got, string(d.Code))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("history %d: restated %v, want %v", number, got, want)
		}
		now := report(t, w.Source(), q).Rows[0]
		total := map[tally.Series]tally.Restated{}
		for _, x := range re.Totals() {
			total[x.Series] = x
		}
		for n, i := range tally.InVersion(version) {
			before, after := table.Rows[0].Figures[n].Rate, now.Figures[n].Rate
			if x, changed := total[i.Series()]; changed && (x.Was != before || x.Now != after) || !changed && before != after {
				t.Fatalf("history %d: %s went from %v to %v, restated as %v", number, i.ID, before, after, x)
			}
		}
	}
}

// narrowed: a closing of everything, narrowed to a unit, is restated as its own
// closing would be: by what the whole says of the units below it.
func narrowed(ctx context.Context, r *rand.Rand, snap tally.Snapshot, w *tallytest.World) error {
	unit := snap.Units[r.IntN(len(snap.Units))].Code
	part, err := snap.Of(unit)
	if err != nil {
		return err
	}
	whole, err := snap.Report(ctx, tally.V2022)
	if err != nil {
		return err
	}
	table, err := part.Report(ctx, tally.V2022)
	if err != nil {
		return err
	}
	for _, row := range whole.Rows {
		if row.Unit == table.Rows[0].Unit && fmt.Sprint(row.Figures, row.Counts, row.Plan) != fmt.Sprint(table.Rows[0].Figures, table.Rows[0].Counts, table.Rows[0].Plan) {
			return fmt.Errorf("%s has %v in the whole, %v alone", unit, row, table.Rows[0])
		}
	}
	re, err := tally.Restate(ctx, part, w.Source())
	if err != nil {
		return err
	}
	if err := re.AddDossiers(ctx, w); err != nil {
		return err
	}
	if !re.Listed {
		return fmt.Errorf("the dossiers of %s are not listed", unit)
	}
	if _, err := part.Of(""); (err == nil) != (table.Rows[0].Unit == whole.Rows[0].Unit) {
		return fmt.Errorf("%s widened to everything: %v", unit, err)
	}
	return nil
}

// stands says where a dossier counts in the period, from the indicators alone.
func stands(d dossier.Dossier, p dossier.Period) string {
	s := ""
	for _, i := range append(tally.Indicators(), tally.Counts()...) {
		if p.Contains(i.Day(&d)) && i.Denominator(&d) {
			s += fmt.Sprint(d.Unit, i.ID, i.Version, i.Numerator(&d), " ")
		}
	}
	return s
}

func TestRestatementText(t *testing.T) {
	ctx := context.Background()
	w := tallytest.NewWorld()
	w.Apply(tallytest.Step{Units: small().Register})
	w.Apply(tallytest.Step{Procedures: []dossier.Procedure{{Code: "1.000001", ReturnsDocument: false}}})
	d := dossier.Registered{Code: "H51.20-240801-0001", Unit: "H51.20", Procedure: "1.000001", Channel: dossier.Online, Status: dossier.Received,
		ReceivedAt: time.Date(2024, 8, 1, 9, 0, 0, 0, dossier.Zone)}
	e := d
	e.Code = "H51.20-240801-0002"
	w.Apply(tallytest.Step{Dossiers: []dossier.Registered{d, e}})
	snap, err := tally.Close(ctx, w.Source(), tally.Query{Period: august}, nil, time.Date(2024, 9, 2, 8, 30, 0, 0, dossier.Zone))
	if err != nil {
		t.Fatal(err)
	}
	if err := snap.AddDossiers(ctx, w); err != nil {
		t.Fatal(err)
	}
	e.Unit = "H51.10"
	w.Apply(tallytest.Step{Dossiers: []dossier.Registered{e}})
	w.Apply(tallytest.Step{Document: &tallytest.Document{ID: "a", Kind: dossier.Component, Dossier: d.Code}})
	// The sums of one moment and the list of another do not make a closing.
	moved := snap
	if err := moved.AddDossiers(ctx, w); !errors.Is(err, tally.ErrMoved) {
		t.Errorf("dossiers that changed meanwhile: %v", err)
	}
	re, err := tally.Restate(ctx, snap, w.Source())
	if err != nil {
		t.Fatal(err)
	}
	if err := re.AddDossiers(ctx, w); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := re.Text(&out, "vi"); err != nil {
		t.Fatal(err)
	}
	want := `SỐ LIỆU THAY ĐỔI SAU KHI CHỐT KỲ
(Từ ngày 01/08/2024 đến ngày 31/08/2024)
Chốt lúc 08:30 02/09/2024

Mã đơn vị  Đơn vị         Số liệu                               Tử số đã chốt  Mẫu số đã chốt  Tỷ lệ % đã chốt  Tử số nay  Mẫu số nay  Tỷ lệ % nay
──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
           TỔNG           4.2 Số hóa hồ sơ, kết quả                         0               2             0,00          1           2        50,00
           TỔNG           Có số hóa thành phần                              0               0                           1           1
H51.10     Huyện Trần Đề  3 Hồ sơ trực tuyến                                0               0                —          1           1       100,00
`
	if !strings.HasPrefix(out.String(), want) {
		t.Errorf("got\n%s\nwant\n%s…", out.String(), want)
	}
	for _, line := range []string{
		"2 hồ sơ thay đổi:",
		"H51.20-240801-0001: nay được tính ở 4.2 Số hóa hồ sơ, kết quả; nay thuộc Có số hóa thành phần",
		"H51.20-240801-0002: chuyển từ H51.20 sang H51.10",
	} {
		if !strings.Contains(out.String(), line+"\n") {
			t.Errorf("no line %q in\n%s", line, out.String())
		}
	}
}

func TestReconciliationText(t *testing.T) {
	r, err := tally.Reconcile(context.Background(), small(), tally.Query{Period: august}, []dossier.PortalFigure{
		{Unit: "H51.10", Indicator: "4.2", Numerator: 0, Denominator: 1}, {Unit: "H51", Indicator: "3", Numerator: 3, Denominator: 10}, {Unit: "H51", Indicator: "9", Numerator: 0, Denominator: 0}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := r.CSV(&out); err != nil {
		t.Fatal(err)
	}
	want := `unit,name,indicator,portal_numerator,portal_denominator,portal_rate,numerator,denominator,rate,numerator_difference,denominator_difference,candidates,formula
H51.10,Huyện Trần Đề,4.2,0,1,0.00,2,6,33.33,2,5,"chỉ tính riêng đơn vị, không gồm đơn vị trực thuộc; đúng theo công thức 766-2026 (khớp tử số); bỏ ngày đầu kỳ (khớp tử số); chỉ tính hồ sơ đã đồng bộ lên Cổng (khớp tử số)",766-2022
H51,Tỉnh Sóc Trăng,3,3,10,30.00,3,10,30.00,0,0,,766-2022
H51,Tỉnh Sóc Trăng,9,0,0,,3,4,75.00,3,4,Cổng chưa có số liệu của đơn vị này,766-2022
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	if err := r.JSON(&out); err != nil || !json.Valid(out.Bytes()) || !strings.Contains(out.String(), `"match": "both"`) {
		t.Errorf("%v: %s", err, out.String())
	}
	out.Reset()
	if err := r.Text(&out, "en"); err != nil || !strings.Contains(out.String(), "Figures: 3; agreeing: 1.") {
		t.Errorf("%v: %s", err, out.String())
	}
	out.Reset()
	if err := r.XLSX(&out, heading); err != nil {
		t.Fatal(err)
	}
	rows := opened(t, kept(t, "doi-chieu.xlsx", out.Bytes()))
	if want := "H51|Tỉnh Sóc Trăng|9|0|0|—|3|4|75,00%|3|4|Cổng chưa có số liệu của đơn vị này"; !has(rows, want) {
		t.Errorf("no row %s in %v", want, rows)
	}
}
