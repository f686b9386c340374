package tally_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sohoa/dossier"
	"sohoa/tally"
)

// TestFormulas: each line is a dossier and the sides it must stand on; what is
// not named must not count at all.
func TestFormulas(t *testing.T) {
	day := time.Date(2024, 8, 1, 9, 0, 0, 0, dossier.Zone)
	base := func(change func(*dossier.Dossier)) dossier.Dossier {
		d := dossier.Dossier{Registered: dossier.Registered{Code: "H51.04-240801-0001", Unit: "H51.04", Channel: dossier.Direct, ReceivedAt: day, Status: dossier.Received}}
		change(&d)
		return d
	}
	const num, den = "counted", "missing"
	tests := []struct {
		name string
		d    dossier.Dossier
		want map[string]string // series → side
	}{
		{"just received, returns nothing", base(func(d *dossier.Dossier) {}),
			map[string]string{"3@766-2022": den, "4.2@766-2022": den, "4.2@766-2026": den, "4.3@766-2022": den, "4.4@766-2022": den, "received.direct": num}},
		{"a component file is enough where nothing is returned", base(func(d *dossier.Dossier) { d.Components = 1 }),
			map[string]string{"3@766-2022": den, "4.2@766-2022": num, "4.2@766-2026": den, "4.3@766-2022": den, "4.4@766-2022": den, "received.direct": num, "components": num}},
		{"a component alone is not where a document is returned", base(func(d *dossier.Dossier) { d.Components, d.ReturnsDocument = 1, true }),
			map[string]string{"3@766-2022": den, "4.1@766-2022": den, "4.2@766-2022": den, "4.2@766-2026": den, "4.3@766-2022": den, "4.4@766-2022": den, "received.direct": num, "components": num}},
		{"a result without legal value digitises but is not electronic", base(func(d *dossier.Dossier) {
			d.Components, d.Results, d.ReturnsDocument = 1, 1, true
			d.Status, d.ResolvedAt = dossier.Resolved, day.AddDate(0, 1, 0)
		}),
			map[string]string{"3@766-2022": den, "4.1@766-2022": den, "4.1@766-2026": den, "4.2@766-2022": num, "4.2@766-2026": den, "4.3@766-2022": den, "4.4@766-2022": den, "9@766-2022": den, "received.direct": num, "components": num, "resolved": num}},
		{"everything", base(func(d *dossier.Dossier) {
			d.Channel, d.ReturnsDocument = dossier.Online, true
			d.Status, d.ResolvedAt, d.SyncedAt = dossier.Returned, day.AddDate(0, 1, 0), day.AddDate(0, 2, 0)
			d.Facts = dossier.Facts{Components: 2, Reused: 1, PersonalStore: 1, Results: 1, LegalResults: 1}
		}),
			map[string]string{"3@766-2022": num, "4.1@766-2022": num, "4.1@766-2026": num, "4.2@766-2022": num, "4.2@766-2026": num, "4.3@766-2022": num, "4.4@766-2022": num, "9@766-2022": num, "received.online": num, "components": num, "synced": num, "resolved": num}},
		{"a result with legal value but no component is electronic, not digitised", base(func(d *dossier.Dossier) {
			d.Results, d.LegalResults, d.ReturnsDocument, d.Channel = 1, 1, true, dossier.Postal
			d.PersonalStoreAt = day
		}),
			map[string]string{"3@766-2022": den, "4.1@766-2022": num, "4.2@766-2022": den, "4.2@766-2026": den, "4.3@766-2022": den, "4.4@766-2022": num, "received.postal": num}},
		{"resolved without a day of resolution is not in 4.1 of 2026", base(func(d *dossier.Dossier) { d.Status, d.ReturnsDocument = dossier.Resolved, true }),
			map[string]string{"3@766-2022": den, "4.1@766-2022": den, "4.2@766-2022": den, "4.2@766-2026": den, "4.3@766-2022": den, "4.4@766-2022": den, "9@766-2022": den, "received.direct": num}},
		{"a day of resolution without the status does not count", base(func(d *dossier.Dossier) { d.ResolvedAt, d.ReturnsDocument = day, true }),
			map[string]string{"3@766-2022": den, "4.1@766-2022": den, "4.2@766-2022": den, "4.2@766-2026": den, "4.3@766-2022": den, "4.4@766-2022": den, "received.direct": num}},
		{"withdrawn", base(func(d *dossier.Dossier) { d.Components, d.Status = 1, dossier.Withdrawn }), nil},
		{"rejected", base(func(d *dossier.Dossier) { d.Components, d.Status = 1, dossier.Rejected }), nil},
		{"cancelled", base(func(d *dossier.Dossier) { d.Components, d.Status = 1, dossier.Cancelled }), nil},
		{"no day of reception", base(func(d *dossier.Dossier) {
			d.ReceivedAt, d.Status, d.ResolvedAt, d.ReturnsDocument = time.Time{}, dossier.Resolved, day, true
		}), nil},
		{"not in the register yet", dossier.Dossier{Registered: dossier.Registered{Code: "H51.04-240801-0001", Unit: "H51.04"}, Facts: dossier.Facts{Components: 1}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, reasons := map[string]string{}, map[string]bool{}
			cells := tally.Contribution(tt.d)
			if !slices.IsSortedFunc(cells, tally.CompareCells) {
				t.Error("the cells are not sorted")
			}
			for _, c := range cells {
				want := dossier.Date(20240801)
				if strings.HasPrefix(string(c.Series), "4.1@766-2026") || c.Series == "resolved" {
					want = 20240901
				}
				if c.Unit != tt.d.Unit || c.Day != want || c.Denominator != 1 || c.Numerator < 0 || c.Numerator > 1 {
					t.Errorf("cell %+v", c)
				}
				if strings.Contains(string(c.Series), "/") {
					reasons[string(c.Series)] = true
					continue
				}
				got[string(c.Series)] = den
				if c.Numerator == 1 {
					got[string(c.Series)] = num
				}
			}
			for s, side := range tt.want {
				if got[s] != side {
					t.Errorf("%s: %q, want %q", s, got[s], side)
				}
			}
			for s, side := range got {
				if tt.want[s] == "" {
					t.Errorf("%s: %q, want nothing", s, side)
				}
			}
			for _, i := range tally.Indicators() {
				why := i.Missing(&tt.d)
				if (len(why) > 0) != i.On(tally.Missing, &tt.d) {
					t.Errorf("%s %s: missing is %v, reasons %v", i.ID, i.Version, i.On(tally.Missing, &tt.d), why)
				}
				for n, r := range i.Reasons() {
					first := len(why) > 0 && why[0] == i.Requires[n].Lack
					if reasons[string(r.Series())] != first {
						t.Errorf("%s: %v, but the dossier lacks %v", r.Series(), !first, why)
					}
				}
			}
		})
	}
}

// TestFirstSecond: the first second of a day belongs to it, in the zone of the
// country wherever the instant was written.
func TestFirstSecond(t *testing.T) {
	for at, want := range map[string]dossier.Date{
		"2024-08-01T00:00:00+07:00":           20240801,
		"2024-07-31T23:59:59+07:00":           20240731,
		"2024-07-31T23:59:59.999999999+07:00": 20240731,
		"2024-07-31T17:00:00Z":                20240801,
		"2024-07-31T16:59:59Z":                20240731,
		"2024-02-29":                          20240229,
		"2023-12-31T18:00:00Z":                20240101,
	} {
		r, err := dossier.ParseTime(at)
		if err != nil {
			t.Fatal(err)
		}
		cells := tally.Contribution(dossier.Dossier{Registered: dossier.Registered{Unit: "H51", Channel: dossier.Direct, ReceivedAt: r, Status: dossier.Received}})
		if len(cells) == 0 {
			t.Fatalf("%s: no cells", at)
		}
		for _, c := range cells {
			if c.Day != want {
				t.Errorf("%s: %s on %v, want %v", at, c.Series, c.Day, want)
			}
		}
	}
	august, err := dossier.ParsePeriod("2024-08")
	if err != nil {
		t.Fatal(err)
	}
	for d, want := range map[dossier.Date]bool{20240731: false, 20240801: true, 20240831: true, 20240901: false, 0: false} {
		if august.Contains(d) != want {
			t.Errorf("August contains %v: %v", d, !want)
		}
	}
}

func TestFind(t *testing.T) {
	for _, tt := range []struct{ id, version, want, series string }{
		{"4.1", "", "4.1", "4.1@766-2022"},
		{"5", "766-2026", "4.1", "4.1@766-2026"},
		{"7", "766-2022", "4.3", "4.3@766-2022"},
		{"4", "766-2026", "4.2", "4.2@766-2026"},
		{"9", "766-2026", "9", "9@766-2022"},
		{"received.online", "766-2026", "received.online", "received.online"},
		{"4.2/no-result", "", "4.2/no-result", "4.2@766-2022/no-result"},
		{"4/not-synced", "766-2026", "4.2/not-synced", "4.2@766-2026/not-synced"},
	} {
		i, ok := tally.Find(tt.id, tt.version)
		if !ok || i.ID != tt.want || string(i.Series()) != tt.series {
			t.Errorf("Find(%q, %q) = %s %s %v", tt.id, tt.version, i.ID, i.Series(), ok)
		}
	}
	for _, id := range []string{"", "1", "4.5", "4.2/", "4.2/not-synced", "3/not-online", "resolved/no-result", "4.2/no-result/x"} {
		if _, ok := tally.Find(id, ""); ok {
			t.Errorf("Find(%q) found something", id)
		}
	}
	if _, ok := tally.Find("4.1", "766-1999"); ok {
		t.Error("found in an unknown version")
	}
	for _, v := range tally.Versions() {
		var ids []string
		for _, i := range tally.InVersion(v) {
			ids = append(ids, i.ID)
			if i.Version != v || i.Name.VI == "" || i.Name.EN == "" || i.Rule.VI == "" || i.Rule.EN == "" {
				t.Errorf("%s %s is not fully worded", i.ID, i.Version)
			}
		}
		if !slices.Equal(ids, []string{"3", "4.1", "4.2", "4.3", "4.4", "9"}) {
			t.Errorf("%s has %v", v, ids)
		}
	}
	for _, w := range tally.Whys() {
		if w.Text().VI == "" || w.Text().EN == "" || w.Advice().VI == "" || w.Advice().EN == "" {
			t.Errorf("%s is not worded", w)
		}
	}
}

func TestPlan(t *testing.T) {
	r := dossier.Result{Number: "1/GP", Unit: "H51.04", AuthorityLevel: dossier.District, IssuedOn: 20200105}
	one := func(day dossier.Date, num, den int64) tally.Cell {
		return tally.Cell{Unit: "H51.04", Series: "plan.district", Day: day, Numerator: num, Denominator: den}
	}
	change := func(f func(*dossier.Result)) dossier.Result { x := r; f(&x); return x }
	for _, tt := range []struct {
		name string
		r    dossier.Result
		dig  bool
		want []tally.Cell
	}{
		{"permanent", r, false, []tally.Cell{one(20200105, 0, 1)}},
		{"digitised", r, true, []tally.Cell{one(20200105, 1, 1)}},
		{"for a time", change(func(r *dossier.Result) { r.ValidFrom, r.ValidTo = 20200201, 20250201 }), true, []tally.Cell{one(20200201, 1, 1), one(20250201, -1, -1)}},
		{"revoked", change(func(r *dossier.Result) { r.Revoked = true }), true, nil},
		{"never in force", change(func(r *dossier.Result) { r.ValidTo = 20200105 }), true, nil},
		{"no day known", change(func(r *dossier.Result) { r.IssuedOn = 0 }), false, []tally.Cell{one(tally.AlwaysInForce, 0, 1)}},
	} {
		if got := tally.Plan(tt.r, tt.dig); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestDiff(t *testing.T) {
	c := func(u, s string, d dossier.Date, n, m int64) tally.Cell {
		return tally.Cell{Unit: dossier.UnitCode(u), Series: tally.Series(s), Day: d, Numerator: n, Denominator: m}
	}
	before := []tally.Cell{c("A", "x", 1, 0, 1), c("A", "y", 1, 1, 1), c("B", "x", 2, 1, 1)}
	after := []tally.Cell{c("C", "x", 1, 1, 1), c("A", "y", 1, 1, 1), c("A", "x", 1, 1, 1), c("A", "x", 1, 1, 1)}
	want := []tally.Cell{c("A", "x", 1, 2, 1), c("B", "x", 2, -1, -1), c("C", "x", 1, 1, 1)}
	if got := tally.Diff(before, after); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if before[1].Numerator != 1 {
		t.Error("Diff changed its argument")
	}
	if got := tally.Diff(after, after); len(got) != 0 {
		t.Errorf("no change is %v", got)
	}
}

// TestDiffAnyOrder: whatever the order and however often a cell comes, the
// difference is the one of the sums.
func TestDiffAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.Custom(func(t *rapid.T) tally.Cell {
			return tally.Cell{
				Unit: dossier.UnitCode(rapid.SampledFrom([]string{"A", "B"}).Draw(t, "unit")), Series: tally.Series(rapid.SampledFrom([]string{"x", "y"}).Draw(t, "series")),
				Day: dossier.Date(rapid.IntRange(1, 2).Draw(t, "day")), Numerator: rapid.Int64Range(-2, 2).Draw(t, "n"), Denominator: rapid.Int64Range(-2, 2).Draw(t, "d")}
		})
		before, after := rapid.SliceOf(cell).Draw(t, "before"), rapid.SliceOf(cell).Draw(t, "after")
		if rapid.Bool().Draw(t, "sorted") {
			slices.SortFunc(before, tally.CompareCells)
			slices.SortFunc(after, tally.CompareCells)
		}
		want := map[tally.Cell][2]int64{}
		for n, list := range [][]tally.Cell{before, after} {
			for _, c := range list {
				k := tally.Cell{Unit: c.Unit, Series: c.Series, Day: c.Day}
				sign := int64(2*n - 1)
				want[k] = [2]int64{want[k][0] + sign*c.Numerator, want[k][1] + sign*c.Denominator}
			}
		}
		got := tally.Diff(before, after)
		for n, c := range got {
			k := tally.Cell{Unit: c.Unit, Series: c.Series, Day: c.Day}
			if want[k] != [2]int64{c.Numerator, c.Denominator} || n > 0 && tally.CompareCells(got[n-1], c) >= 0 {
				t.Fatalf("cell %v in %v, want %v", c, got, want[k])
			}
			delete(want, k)
		}
		for k, v := range want {
			if v != [2]int64{} {
				t.Fatalf("%v is lost", k)
			}
		}
	})
}
