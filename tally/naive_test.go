package tally_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/tally"
	"sohoa/tally/tallytest"
)

// What follows is a second implementation of the figures, written from the page
// of definitions and not from this package: no predicates, no cells, no days as
// numbers; one loop over dossiers with everything spelled out. It may be slow.

// dayIn reports whether the instant's local day is one of from … before to.
func dayIn(t time.Time, from, to string) bool {
	if t.IsZero() {
		return false
	}
	day := t.UTC().Add(7 * time.Hour).Format("2006-01-02")
	return (from == "" || day >= from) && (to == "" || day < to)
}

func naive(dossiers []dossier.Dossier, id, version, from, to string) (num, den int64) {
	for _, d := range dossiers {
		switch d.Status {
		case "withdrawn", "rejected", "cancelled":
			continue
		}
		if d.ReceivedAt.IsZero() {
			continue
		}
		resolved := d.Status == "resolved" || d.Status == "returned"
		inPeriod := dayIn(d.ReceivedAt, from, to)
		var in, counted bool
		switch id {
		case "3":
			in, counted = inPeriod, d.Channel == 2
		case "4.1":
			in = inPeriod && d.ReturnsDocument
			if version == "766-2026" {
				in = dayIn(d.ResolvedAt, from, to) && d.ReturnsDocument && resolved
			}
			counted = d.LegalResults >= 1
		case "4.2":
			in = inPeriod
			counted = d.Components >= 1
			if d.ReturnsDocument && d.Results == 0 {
				counted = false
			}
			if version == "766-2026" && d.SyncedAt.IsZero() {
				counted = false
			}
		case "4.3":
			in, counted = inPeriod, d.Reused >= 1
		case "4.4":
			in = inPeriod
			counted = d.PersonalStore >= 1 || !d.PersonalStoreAt.IsZero()
		case "9":
			in = inPeriod && resolved
			counted = !d.SyncedAt.IsZero()
		case "received.direct":
			in, counted = inPeriod && d.Channel == 1, true
		case "received.online":
			in, counted = inPeriod && d.Channel == 2, true
		case "received.postal":
			in, counted = inPeriod && d.Channel == 3, true
		case "components":
			in, counted = inPeriod && d.Components > 0, true
		case "synced":
			in, counted = inPeriod && !d.SyncedAt.IsZero(), true
		case "4.1/no-result", "4.1/not-signed":
			in, counted = inPeriod && d.ReturnsDocument, true
			if version == "766-2026" {
				in = dayIn(d.ResolvedAt, from, to) && d.ReturnsDocument && resolved
			}
			if id == "4.1/no-result" {
				in = in && d.Results == 0
			} else {
				in = in && d.Results > 0 && d.LegalResults == 0
			}
		case "4.2/no-component":
			in, counted = inPeriod && d.Components == 0, true
		case "4.2/no-result":
			in, counted = inPeriod && d.Components > 0 && d.ReturnsDocument && d.Results == 0, true
		case "4.2/not-synced":
			in, counted = inPeriod && d.Components > 0 && (d.Results > 0 || !d.ReturnsDocument) && d.SyncedAt.IsZero(), true
		case "resolved":
			in, counted = dayIn(d.ResolvedAt, from, to) && resolved, true
		default:
			panic("no such indicator: " + id)
		}
		if in {
			den++
			if counted {
				num++
			}
		}
	}
	return num, den
}

// naivePlan counts the results in force on a day: begun, not ended, not revoked.
func naivePlan(w *tallytest.World, level string, day string) (num, den int64) {
	for k, r := range w.Results {
		if string(r.AuthorityLevel) != level || r.Revoked {
			continue
		}
		from := r.ValidFrom.String()
		if from == "" {
			from = r.IssuedOn.String()
		}
		if from > day || r.ValidTo != 0 && r.ValidTo.String() <= day {
			continue
		}
		den++
		if w.Digitised(k) {
			num++
		}
	}
	return num, den
}

// periods are those that the histories are asked for: whole days around their
// edges, months, years, open ones.
var periods = []dossier.Period{
	{}, {From: 20230101, To: 20240101}, {From: 20240101, To: 20240830}, {From: 20250601, To: 20250602}, {From: 20250701}, {To: 20240301}, {From: 20240201, To: 20240301},
}

// structures are days of which two structures are compared: before and after
// everything, and in the midst.
var structures = [][2]dossier.Date{{20221231, 20270101}, {20230701, 20250701}, {20240830, 20270101}, {20221231, 20240830}}

// histories is how many random histories the tests below live through.
func histories(t testing.TB, n int) uint64 {
	t.Helper()
	if s := os.Getenv("SOHOA_HISTORIES"); s != "" {
		v, err := strconv.Atoi(s)
		if err != nil || v < 1 {
			t.Fatalf("SOHOA_HISTORIES is %q", s)
		}
		n = v
	}
	return uint64(n)
}

// TestHistories lives through random histories (imports, corrections, documents,
// better scans, deletions, reorganisations, replays) and holds, after each, that
//
//   - the counters kept by differences are those of a recount from nothing,
//   - they are what the second implementation counts, in every period,
//   - each list is as long as its number, and each that is missing says why,
//   - no unit's dossiers are lost or counted twice in the structure of any day.
func TestHistories(t *testing.T) {
	n := histories(t, 10_000)
	const lanes = 4
	for lane := range uint64(lanes) {
		t.Run(fmt.Sprint("lane", lane), func(t *testing.T) {
			t.Parallel()
			for number := lane; number < n; number += lanes {
				if err := live(number); err != nil {
					t.Fatalf("history %d: %v", number, err)
				}
			}
		})
	}
}

type cellKey struct {
	unit   dossier.UnitCode
	series tally.Series
	day    dossier.Date
}

func live(number uint64) error {
	r := rand.New(rand.NewPCG(number, 1))
	w := tallytest.NewWorld()
	counters := map[cellKey][2]int64{}
	steps := tallytest.History(number, 10+r.IntN(30))
	for n, s := range steps {
		diff := tally.Diff(w.Apply(s))
		if !slices.IsSortedFunc(diff, tally.CompareCells) {
			return fmt.Errorf("step %d: the difference is not sorted", n)
		}
		for _, c := range diff {
			k := cellKey{c.Unit, c.Series, c.Day}
			v := counters[k]
			if v[0]+c.Numerator == 0 && v[1]+c.Denominator == 0 {
				delete(counters, k)
			} else {
				counters[k] = [2]int64{v[0] + c.Numerator, v[1] + c.Denominator}
			}
		}
		again := tally.Diff(w.Apply(s))
		if len(again) != 0 {
			return fmt.Errorf("step %d: the same again changes %v", n, again)
		}
	}
	recount := w.Recount()
	if len(recount) != len(counters) {
		return fmt.Errorf("%d cells, the recount has %d", len(counters), len(recount))
	}
	for _, c := range recount {
		if counters[cellKey{c.Unit, c.Series, c.Day}] != [2]int64{c.Numerator, c.Denominator} {
			return fmt.Errorf("the cell is %v, the recount says %v", counters[cellKey{c.Unit, c.Series, c.Day}], c)
		}
	}
	return compare(r, w, counters)
}

func compare(r *rand.Rand, w *tallytest.World, counters map[cellKey][2]int64) error {
	dossiers := w.Dossiers()
	byUnit := map[dossier.UnitCode][]dossier.Dossier{}
	for _, d := range dossiers {
		byUnit[d.Unit] = append(byUnit[d.Unit], d)
	}
	src := &tallytest.Source{Register: w.Register()}
	for k, v := range counters {
		src.Cells = append(src.Cells, tally.Cell{Unit: k.unit, Series: k.series, Day: k.day, Numerator: v[0], Denominator: v[1]})
	}
	p := periods[r.IntN(len(periods))]
	version := tally.Versions()[r.IntN(2)]
	var ids []string
	for _, i := range append(tally.InVersion(version), tally.Counts()...) {
		ids = append(ids, i.ID)
		for _, r := range i.Reasons() {
			ids = append(ids, r.ID)
		}
	}
	var totals [][2]int64
	for _, day := range structures[r.IntN(len(structures))] {
		t, err := tally.Report(context.Background(), src, tally.Query{Period: p, Version: version, AsOf: day, Indicators: ids}, tally.DefaultTargets())
		if err != nil {
			return err
		}
		s, err := tally.StructureAsOf(src.Register, day)
		if err != nil {
			return err
		}
		var total [][2]int64
		for _, f := range t.Rows[0].Figures {
			total = append(total, [2]int64{f.Numerator, f.Denominator})
		}
		if totals == nil {
			totals = total
		}
		if !slices.Equal(total, totals) {
			return fmt.Errorf("in the structure of %v the total of %v is %v, in another %v", day, p, total, totals)
		}
		for _, row := range t.Rows {
			var below []dossier.Dossier
			for _, u := range s.Subtree(row.Unit) {
				below = append(below, byUnit[u]...)
			}
			if err := reasons(row, version); err != nil {
				return err
			}
			for n, i := range t.Indicators {
				num, den := naive(below, i.ID, version, p.From.String(), p.To.String())
				if f := row.Figures[n]; f.Numerator != num || f.Denominator != den {
					return fmt.Errorf("%s of %s in %v (%s, structure of %v): %d/%d, the second implementation says %d/%d", i.ID, row.Unit, p, version, day, f.Numerator, f.Denominator, num, den)
				}
				if row.Unit == t.Rows[0].Unit {
					if err := list(below, i, p, row.Figures[n]); err != nil {
						return err
					}
				}
			}
		}
	}
	if p.To != 0 {
		t, err := tally.Report(context.Background(), src, tally.Query{Period: p, Version: version}, nil)
		if err != nil {
			return err
		}
		var num, den int64
		for _, level := range []string{"province", "district", "commune"} {
			n, d := naivePlan(w, level, p.To.AddDays(-1).String())
			num, den = num+n, den+d
		}
		if f := t.Rows[0].Plan; f.Numerator != num || f.Denominator != den {
			return fmt.Errorf("plan at the end of %v: %d/%d, the second implementation says %d/%d", p, f.Numerator, f.Denominator, num, den)
		}
	}
	return nil
}

// reasons: what the missing lack adds up to how many are missing.
func reasons(row tally.TableRow, version string) error {
	for _, i := range tally.InVersion(version) {
		f, _ := row.Figure(i.ID)
		var sum int64
		for _, r := range i.Reasons() {
			x, ok := row.Figure(r.ID)
			if !ok {
				return fmt.Errorf("no figure for %s", r.ID)
			}
			sum += x.Denominator
		}
		if len(i.Reasons()) > 0 && sum != f.Denominator-f.Numerator {
			return fmt.Errorf("%s of %s: %d/%d, but %d for a reason", i.ID, row.Unit, f.Numerator, f.Denominator, sum)
		}
	}
	return nil
}

// list: the dossiers behind a number are as many as the number says.
func list(dossiers []dossier.Dossier, i tally.Indicator, p dossier.Period, f tally.Figure) error {
	n := map[tally.Side]int64{}
	for _, d := range dossiers {
		if !p.Contains(i.Day(&d)) {
			continue
		}
		for _, side := range []tally.Side{tally.Counted, tally.Missing, tally.All} {
			if i.On(side, &d) {
				n[side]++
				if strings.Contains(i.ID, "/") {
					if why := i.Missing(&d); len(why) == 0 || !strings.HasSuffix(i.ID, "/"+string(why[0])) {
						return fmt.Errorf("%s lists %s, which lacks %v", i.ID, d.Code, why)
					}
					continue
				}
				if why := i.Missing(&d); (side == tally.Missing) != (len(why) > 0) && side != tally.All {
					return fmt.Errorf("%s: %s is %s and lacks %v", i.ID, d.Code, side, why)
				}
			}
		}
	}
	if n[tally.Counted] != f.Numerator || n[tally.All] != f.Denominator || n[tally.Missing] != f.Denominator-f.Numerator {
		return fmt.Errorf("%s %s in %v: the lists have %v, the figure is %d/%d", i.ID, i.Version, p, n, f.Numerator, f.Denominator)
	}
	return nil
}
