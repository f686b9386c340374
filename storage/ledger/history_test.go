package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/tally"
	"sohoa/tally/tallytest"
)

// histories is how many random histories a test lives through on an engine;
// SOHOA_LEDGER_HISTORIES sets it.
func histories(t testing.TB, normally int) int {
	v := os.Getenv("SOHOA_LEDGER_HISTORIES")
	if v == "" {
		return normally
	}
	n, err := strconv.Atoi(v)
	must(t, err)
	return n
}

// badRows are rows that came back.
type badRows []BadRow

func (b badRows) Error() string { return fmt.Sprintf("bad rows: %+v", []BadRow(b)) }

// happen makes the step happen to the ledger.
func happen(ctx context.Context, l *Ledger, s tallytest.Step) error {
	check := func(o Outcome, err error) error {
		if err == nil && len(o.Bad) > 0 {
			err = badRows(o.Bad)
		}
		return err
	}
	switch {
	case s.Units != nil:
		return check(l.ImportUnits(ctx, s.Units))
	case s.Procedures != nil:
		return check(l.ImportProcedures(ctx, s.Procedures))
	case s.Dossiers != nil:
		return check(l.ImportDossiers(ctx, s.Dossiers))
	case s.Results != nil:
		return check(l.ImportResults(ctx, s.Results))
	case s.Document != nil:
		_, err := l.Standing(ctx, s.Document.ID)
		if errors.Is(err, dossier.ErrUnknownDocument) {
			_, err = l.Receive(ctx, s.Document.Intake())
		}
		if err != nil {
			return err
		}
		return l.Settle(ctx, s.Document.Record())
	case s.Delete != "":
		st, err := l.Standing(ctx, s.Delete)
		if err != nil || st.Tombstone != nil {
			return err
		}
		stone, err := dossier.TombstoneOf(st, dossier.Order{By: "account:officer", Number: "1", Reason: "theo quyết định"}, st.Intake.ReceivedAt, "")
		if err != nil {
			return err
		}
		return l.Delete(ctx, stone)
	default:
		return l.Happen(ctx, s.Distrust, dossier.Event{Type: dossier.EventSignature, Outcome: dossier.OutcomeDoubted, At: day.Time(), Agent: "account:officer"})
	}
}

// agree compares what the ledger answers with what the plain world knows.
func agree(t testing.TB, l *Ledger, w *tallytest.World, r *rand.Rand) {
	t.Helper()
	ctx := t.Context()
	units := slices.Sorted(maps.Keys(w.Units))
	cells := w.Recount()
	for _, p := range []dossier.Period{{}, {From: 20240101, To: 20250101}, period(r), period(r)} {
		want := map[[2]string]tally.Cell{}
		for _, c := range cells {
			if p.Contains(c.Day) {
				k := [2]string{string(c.Unit), string(c.Series)}
				s := want[k]
				s.Numerator += c.Numerator
				s.Denominator += c.Denominator
				want[k] = s
			}
		}
		have := got[[]tally.Cell](t)(l.Sums(ctx, units, tally.AllSeries(), p))
		for _, c := range have {
			k := [2]string{string(c.Unit), string(c.Series)}
			if s := want[k]; s.Numerator != c.Numerator || s.Denominator != c.Denominator {
				t.Errorf("%v: %v is %d/%d, want %d/%d", p, k, c.Numerator, c.Denominator, s.Numerator, s.Denominator)
			}
			delete(want, k)
		}
		for k, s := range want {
			if s.Numerator != 0 || s.Denominator != 0 {
				t.Errorf("%v: %v is missing: %d/%d", p, k, s.Numerator, s.Denominator)
			}
		}
		// In all, and by month, it is the same.
		for i := range have {
			have[i].Unit = ""
		}
		months := got[[]tally.Cell](t)(l.Months(ctx, units, tally.AllSeries(), p))
		for i := range months {
			months[i].Day = 0
		}
		for name, cells := range map[string][]tally.Cell{"in all": got[[]tally.Cell](t)(l.Totals(ctx, units, tally.AllSeries(), p)), "by month": months} {
			if diff := tally.Diff(have, cells); len(diff) != 0 {
				t.Errorf("%v: %s there is more, or less: %v", p, name, diff)
			}
		}

		all := append(tally.Indicators(), tally.Counts()...)
		ind := all[r.IntN(len(all))]
		side := []tally.Side{tally.Counted, tally.Missing, tally.All}[r.IntN(3)]
		var codes []dossier.Code
		for _, d := range w.Dossiers() {
			if ind.On(side, &d) && p.Contains(ind.Day(&d)) {
				codes = append(codes, d.Code)
			}
		}
		q := ListQuery{Indicator: ind.ID, Version: ind.Version, Side: side, Units: units, Period: p, Limit: 1 + r.IntN(4)}
		list := whole(t, l, q)
		slices.Sort(list)
		slices.Sort(codes)
		if !slices.Equal(list, codes) {
			t.Errorf("%+v: the list is %v, want %v", q, list, codes)
		}
	}
}

func period(r *rand.Rand) dossier.Period {
	p := dossier.Period{From: dossier.Date(20221201).AddDays(r.IntN(1300)), To: dossier.Date(20221201).AddDays(r.IntN(1300))}
	if r.IntN(6) == 0 {
		p.From = 0
	}
	if r.IntN(6) == 0 {
		p.To = 0
	}
	return p
}

// whole reads all pages of a list.
func whole(t testing.TB, l *Ledger, q ListQuery) []dossier.Code {
	t.Helper()
	var out []dossier.Code
	var last listPlace
	for {
		page := got[Page](t)(l.List(t.Context(), q))
		for _, d := range page.Items {
			out = append(out, d.Code)
			ind, _ := tally.Find(q.Indicator, q.Version)
			here := listPlace{d.Unit, ind.Day(&d), d.Code}
			if cmp.Or(cmp.Compare(last.unit, here.unit), cmp.Compare(last.day, here.day), cmp.Compare(last.code, here.code)) >= 0 {
				t.Errorf("out of order: %v after %v", here, last)
			}
			last = here
		}
		if page.Next == q.After && page.Next != "" {
			t.Fatal("the list stands still")
		}
		if q.After = page.Next; page.Next == "" {
			return out
		}
	}
}

// TestHistories lives through random histories and compares the ledger with the
// plainest possible bookkeeping, and its counters with its own recount. On
// PostgreSQL several happen at once.
func TestHistories(t *testing.T) {
	const steps = 25
	run := func(t *testing.T, dsn string, first, n, writers int) {
		l := open(t, dsn, Options{Log: zerolog.Nop()})
		numbers := make(chan int)
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for i := range numbers {
					number := uint64(first + i)
					w := tallytest.NewWorld()
					r := rand.New(rand.NewPCG(number, 1))
					for at, s := range tallytest.History(number, steps) {
						w.Apply(s)
						if err := happen(t.Context(), l, s); err != nil {
							t.Errorf("history %d, step %d: %v", number, at, err)
							break
						}
					}
					agree(t, l, w, r)
					if t.Failed() {
						t.Logf("in history %d", number)
						for range numbers {
						}
						return
					}
				}
			})
		}
		for i := range n {
			numbers <- i
		}
		close(numbers)
		wg.Wait()
		sound(t, l)
	}
	t.Run("sqlite", func(t *testing.T) {
		// A database for every hundred: a changed procedure walks over all dossiers.
		n := histories(t, 200)
		for first := 0; first < n; first += 100 {
			run(t, sqliteDSN(t)+"?synchronous=OFF", first, min(100, n-first), 1)
		}
	})
	t.Run("postgres", func(t *testing.T) {
		n := histories(t, 100)
		for first := 0; first < n; first += 200 {
			run(t, postgresDSN(t), first, min(200, n-first), 4)
		}
	})
}

// TestWritersAtOnce lets writers do the steps of one history in any order and at
// once, on the same dossiers: whatever comes of it, the counters are right. They
// were all wrong before, and are mended meanwhile, by two at once.
func TestWritersAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{Log: zerolog.Nop()})
		for number := range uint64(3) {
			history := tallytest.History(1_000_000+number, 120)
			for _, s := range history[:40] {
				must(t, happen(t.Context(), l, s))
			}
			for _, harm := range []string{`UPDATE dossier SET components = 1 - components, results = results + 1, returns_document = 1 - returns_document`,
				`UPDATE result SET digitised = 1 - digitised`, `UPDATE counter SET n0 = COALESCE(n0, 0) + 1, d1 = 7`} {
				if _, err := l.write.ExecContext(t.Context(), harm); err != nil {
					t.Fatal(err)
				}
			}
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() {
					if err := l.Refill(context.Background(), func(Miscount) {}); err != nil {
						t.Error(err)
					}
				})
			}
			for writer := range 6 {
				r := rand.New(rand.NewPCG(number, uint64(writer)))
				order := r.Perm(len(history) - 2)
				wg.Go(func() {
					for _, i := range order {
						err := happen(context.Background(), l, history[2+i])
						switch {
						case err == nil:
						case errors.Is(err, dossier.ErrUnknownDocument), errors.Is(err, dossier.ErrNotReplaceable), errors.Is(err, dossier.ErrUndecided): // out of order
						case errors.As(err, new(badRows)): // of a unit that is yet to come
						default:
							t.Errorf("step %d: %v", 2+i, err)
						}
					}
				})
			}
			wg.Wait()
			sound(t, l)
		}
		if n := l.deadlocks.Load(); n != 0 {
			t.Errorf("%d deadlocks", n)
		}
	})
}

// TestNoDeadlock: writers of the same dossiers, of the register and of documents,
// wait for each other and never in a circle.
func TestNoDeadlock(t *testing.T) {
	l := open(t, postgresDSN(t), Options{Log: zerolog.Nop()})
	province(t, l)
	const dossiers, writers, rounds = 300, 6, 6
	units := []dossier.UnitCode{"H51", "H51.04", "H51.05", "H51.04.01"}
	var wg sync.WaitGroup
	for w := range writers {
		r := rand.New(rand.NewPCG(7, uint64(w)))
		wg.Go(func() {
			for range rounds {
				var rows []dossier.Registered
				for _, n := range r.Perm(dossiers)[:200] { // in any order
					d := registered(n, "H51.04")
					d.Unit = units[r.IntN(len(units))]
					d.ReceivedAt = dossier.Date(20240101).AddDays(r.IntN(100)).Time()
					rows = append(rows, d)
				}
				if _, err := l.ImportDossiers(t.Context(), rows); err != nil {
					t.Error(err)
				}
				for range 5 {
					d := registered(r.IntN(dossiers), "H51.04")
					doc := tallytest.Document{ID: fmt.Sprintf("%08x-0000-7000-8000-%012x", w, r.Int64N(1<<40)), Kind: dossier.Component, Dossier: d.Code, Unit: d.Unit, At: d.ReceivedAt}
					if err := happen(t.Context(), l, tallytest.Step{Document: &doc}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if n := l.deadlocks.Load(); n != 0 {
		t.Errorf("%d deadlocks", n)
	}
	sound(t, l)
}

// TestProceduresChangeAtOnce: procedures change while the dossiers of others
// follow theirs. A walk follows whatever it finds changed, also by others, so the
// walks meet everywhere; what is said to be followed is, at any moment.
func TestProceduresChangeAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{Log: zerolog.Nop()})
		province(t, l)
		const writers, each, rounds = 6, 10, 20
		code := func(w, n int) dossier.ProcedureCode { return dossier.ProcedureCode(fmt.Sprintf("%d.%06d", 2+w, n)) }
		var procedures []dossier.Procedure
		var rows []dossier.Registered
		for w := range writers {
			for n := range each {
				procedures = append(procedures, dossier.Procedure{Code: code(w, n), Name: "Thủ tục"})
				for range 3 {
					d := registered(len(rows), "H51.04")
					d.Procedure, d.Status = code(w, n), dossier.Resolved
					d.ResolvedAt = d.ReceivedAt
					rows = append(rows, d)
				}
			}
		}
		got[Outcome](t)(l.ImportProcedures(t.Context(), procedures))
		got[Outcome](t)(l.ImportDossiers(t.Context(), rows))
		var wg sync.WaitGroup
		for w := range writers {
			r := rand.New(rand.NewPCG(11, uint64(w)))
			wg.Go(func() {
				for range rounds {
					var some []dossier.Procedure
					for _, n := range r.Perm(each)[:1+r.IntN(each)] {
						some = append(some, dossier.Procedure{Code: code(w, n), Name: "Thủ tục", ReturnsDocument: r.IntN(2) == 0})
					}
					if _, err := l.ImportProcedures(t.Context(), some); err != nil {
						t.Error(err)
					}
				}
			})
		}
		over := make(chan struct{})
		go func() { wg.Wait(); close(over) }()
		for looking := true; looking; {
			select {
			case <-over:
				looking = false
			case <-time.After(20 * time.Millisecond):
			}
			sound(t, l)
			if t.Failed() {
				break
			}
		}
		<-over
		if n := l.deadlocks.Load(); n != 0 {
			t.Errorf("%d deadlocks", n)
		}
	})
}
