package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/tally"
)

// must fails the test at an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func got[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

var day = dossier.Date(20240830)

// province enters a small tree and two procedures.
func province(t testing.TB, l *Ledger) {
	t.Helper()
	o, err := l.ImportUnits(t.Context(), []dossier.Unit{
		{Code: "H51.04.01", Name: "Phường 1", Level: dossier.Commune, Parent: "H51.04"}, // before its parent
		{Code: "H51", Name: "Tỉnh Sóc Trăng", Level: dossier.Province},
		{Code: "H51.04", Name: "Thành phố Sóc Trăng", Level: dossier.District, Parent: "H51"},
		{Code: "H51.05", Name: "Thị xã Vĩnh Châu", Level: dossier.District, Parent: "H51"},
	})
	must(t, err)
	if o.New != 4 || len(o.Bad) != 0 {
		t.Fatalf("units: %+v", o)
	}
	o, err = l.ImportProcedures(t.Context(), []dossier.Procedure{
		{Code: "1.004946", Name: "Cấp giấy phép", ReturnsDocument: true},
		{Code: "1.000001", Name: "Tiếp nhận phản ánh", ReturnsDocument: false},
	})
	must(t, err)
	if o.New != 2 {
		t.Fatalf("procedures: %+v", o)
	}
}

func registered(n int, unit dossier.UnitCode) dossier.Registered {
	return dossier.Registered{
		Code: dossier.Code(fmt.Sprintf("%s-240830-%04d", unit, n)), Unit: unit, Procedure: "1.004946",
		Channel: dossier.Online, ReceivedAt: day.Time().Add(8 * time.Hour), Status: dossier.Received,
	}
}

var nth byte

// intake makes an intake of other bytes each time.
func intake(s dossier.Slip) dossier.Intake {
	nth++
	if s.Door == "" {
		s.Door = dossier.DoorAPI
	}
	return dossier.Intake{ID: uuid.Must(uuid.NewV7()).String(), Slip: s, ReceivedAt: day.Time(),
		Original: dossier.File{Key: "k", Size: 1, SHA256: dossier.Digest(fmt.Sprintf("%064x", nth))}}
}

func record(in dossier.Intake, legal bool) dossier.Record {
	return dossier.Record{Schema: 1, ID: in.ID, Slip: in.Slip, Original: in.Original, ReceivedAt: in.ReceivedAt,
		Verdict: dossier.Verdict{Pages: 1, LegalValue: legal, Signed: legal}}
}

// store receives and settles a document.
func store(t testing.TB, l *Ledger, s dossier.Slip, legal bool) string {
	t.Helper()
	in := intake(s)
	st, err := l.Receive(t.Context(), in)
	must(t, err)
	if st.State != dossier.Pending || st.Again {
		t.Fatalf("received: %+v", st)
	}
	must(t, l.Settle(t.Context(), record(in, legal)))
	return in.ID
}

// rate is the province's rate of an indicator in August 2024.
func rate(t testing.TB, l *Ledger, id string) [2]int64 {
	t.Helper()
	ind, ok := tally.Find(id, "")
	if !ok {
		t.Fatalf("no indicator %s", id)
	}
	cells, err := l.Sums(t.Context(), nil, []tally.Series{ind.Series()}, dossier.Period{From: 20240801, To: 20240901})
	must(t, err)
	var sum [2]int64
	for _, c := range cells {
		sum[0] += c.Numerator
		sum[1] += c.Denominator
	}
	return sum
}

func wantRate(t testing.TB, l *Ledger, id string, num, den int64) {
	t.Helper()
	if r := rate(t, l, id); r != [2]int64{num, den} {
		t.Errorf("indicator %s is %d/%d, want %d/%d", id, r[0], r[1], num, den)
	}
}

func sound(t testing.TB, l *Ledger) {
	t.Helper()
	must(t, l.Recount(t.Context(), func(m Miscount) { t.Errorf("%s: %v", m.Unit, m) }))
}

// TestMigrateAtOnce: several programs start on an empty database.
func TestMigrateAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		if strings.HasPrefix(dsn, "postgres") {
			l := open(t, dsn, Options{})
			_, err := l.write.ExecContext(t.Context(), `DROP SCHEMA public CASCADE; CREATE SCHEMA public`)
			must(t, err)
		}
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				l, err := Open(t.Context(), dsn, Options{Log: zerolog.Nop()})
				if err == nil {
					err = errors.Join(l.Migrate(t.Context()), l.Ready(t.Context()), l.Close())
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func TestMainWay(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		one, two := registered(1, "H51.04"), registered(2, "H51.05")
		o := got[Outcome](t)(l.ImportDossiers(t.Context(), []dossier.Registered{one, two}))
		if o.New != 2 {
			t.Fatalf("dossiers: %+v", o)
		}
		wantRate(t, l, "4.2", 0, 2)
		store(t, l, dossier.Slip{Kind: dossier.Component, Dossier: one.Code, Unit: one.Unit}, false)
		wantRate(t, l, "4.2", 0, 2)
		store(t, l, dossier.Slip{Kind: dossier.ResultKind, Dossier: one.Code, Unit: one.Unit}, true)
		wantRate(t, l, "4.2", 1, 2)
		wantRate(t, l, "4.1", 1, 2)
		wantRate(t, l, "3", 2, 2)
		sound(t, l)

		// The same again changes nothing.
		if o := got[Outcome](t)(l.ImportDossiers(t.Context(), []dossier.Registered{one, two})); o.Same != 2 {
			t.Errorf("again: %+v", o)
		}
		// Withdrawn: it is in no number any more, and back again.
		w := one
		w.Status = dossier.Withdrawn
		if o := got[Outcome](t)(l.ImportDossiers(t.Context(), []dossier.Registered{w})); o.Changed != 1 {
			t.Errorf("withdrawn: %+v", o)
		}
		wantRate(t, l, "4.2", 0, 1)
		one.Unit = "H51.04.01"
		got[Outcome](t)(l.ImportDossiers(t.Context(), []dossier.Registered{one}))
		wantRate(t, l, "4.2", 1, 2)
		sound(t, l)
		if u := got[dossier.UnitCode](t)(l.ResolveUnit(t.Context(), one.Code)); u != "H51.04.01" {
			t.Errorf("the register's unit: %s", u)
		}
		if u := got[dossier.UnitCode](t)(l.ResolveUnit(t.Context(), "000.00.05.H51-200221-0001")); u != "H51.05" {
			t.Errorf("the old form's unit: %s", u)
		}
		if _, err := l.ResolveUnit(t.Context(), "H99-200221-0001"); !errors.Is(err, dossier.ErrUnknownUnit) {
			t.Errorf("an unknown unit: %v", err)
		}
	})
}

func TestUnmatched(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		r := registered(1, "H51.04")
		store(t, l, dossier.Slip{Kind: dossier.Component, Dossier: r.Code, Unit: r.Unit}, false)
		store(t, l, dossier.Slip{Kind: dossier.ResultKind, Dossier: r.Code, Unit: r.Unit}, false)
		if _, known, err := l.Dossier(t.Context(), r.Code); err != nil || known {
			t.Fatalf("known %v, %v", known, err)
		}
		wantRate(t, l, "4.2", 0, 0)
		if o := got[Outcome](t)(l.ImportDossiers(t.Context(), []dossier.Registered{r})); o.New != 1 {
			t.Errorf("%+v", o)
		}
		wantRate(t, l, "4.2", 1, 1)
		wantRate(t, l, "4.1", 0, 1)
		sound(t, l)
	})
}

func TestWork(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		r := registered(1, "H51.04")
		got[Outcome](t)(l.ImportDossiers(t.Context(), []dossier.Registered{r}))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		tries := map[string]int{}
		go func() {
			ended <- l.Work(ctx, WorkOptions{Workers: 1, MaxAttempts: 2, Backoff: func(int) time.Duration { return time.Millisecond }},
				func(ctx context.Context, in dossier.Intake) error {
					tries[in.ID]++
					switch in.Slip.Paper {
					case "bad":
						return l.Refuse(ctx, dossier.Refusal{Schema: 1, ID: in.ID, Slip: in.Slip, Reason: dossier.Damaged})
					case "faulty":
						return errors.New("the disk is full")
					case "panics":
						panic("oh")
					}
					return l.Settle(ctx, record(in, false))
				})
		}()
		want := map[dossier.PaperCode]dossier.State{"good": dossier.Stored, "bad": dossier.Refused, "faulty": dossier.Faulted, "panics": dossier.Faulted}
		ids := map[dossier.PaperCode]string{}
		for p := range want {
			in := intake(dossier.Slip{Kind: dossier.Component, Dossier: r.Code, Unit: r.Unit, Paper: p})
			got[dossier.Standing](t)(l.Receive(t.Context(), in))
			ids[p] = in.ID
		}
		deadline := time.Now().Add(time.Minute)
		for p, state := range want {
			for {
				st := got[dossier.Standing](t)(l.Standing(t.Context(), ids[p]))
				if st.State == state {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("%s is %s (%s), want %s", p, st.State, st.Fault, state)
				}
				time.Sleep(2 * time.Millisecond)
			}
		}
		inbox := got[[]Fault](t)(l.Faulted(t.Context(), []dossier.UnitCode{"H51.04"}, 0))
		if len(inbox) != 2 {
			t.Errorf("inbox: %+v", inbox)
		}
		if s := got[QueueStats](t)(l.QueueStats(t.Context())); s.Faulted != 2 || s.Pending != 0 {
			t.Errorf("queue: %+v", s)
		}
		must(t, l.Replay(t.Context(), ids["faulty"]))
		for {
			if st := got[dossier.Standing](t)(l.Standing(t.Context(), ids["faulty"])); st.State == dossier.Faulted {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the replay never ended")
			}
			time.Sleep(2 * time.Millisecond)
		}
		stop()
		must(t, <-ended)
		if tries[ids["faulty"]] != 4 || tries[ids["good"]] != 1 {
			t.Errorf("tries: %v", tries)
		}
		sound(t, l)
	})
}

func TestList(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		var rows []dossier.Registered
		for i := range 100 {
			r := registered(i, []dossier.UnitCode{"H51.04", "H51.05"}[i%2])
			r.ReceivedAt = dossier.Date(20240801).AddDays(i % 40).Time()
			rows = append(rows, r)
		}
		got[Outcome](t)(l.ImportDossiers(t.Context(), rows))
		for i := range 100 {
			if i%7 == 0 {
				store(t, l, dossier.Slip{Kind: dossier.Component, Dossier: rows[i].Code, Unit: rows[i].Unit}, false)
				store(t, l, dossier.Slip{Kind: dossier.ResultKind, Dossier: rows[i].Code, Unit: rows[i].Unit}, false)
			}
		}
		r := rate(t, l, "4.2")
		for side, n := range map[tally.Side]int64{tally.Counted: r[0], tally.Missing: r[1] - r[0], tally.All: r[1]} {
			q := ListQuery{Indicator: "4.2", Side: side, Period: dossier.Period{From: 20240801, To: 20240901}, Limit: 7}
			seen := map[dossier.Code]bool{}
			for {
				p := got[Page](t)(l.List(t.Context(), q))
				if len(p.Items) > 7 {
					t.Errorf("a page of %d", len(p.Items))
				}
				for _, d := range p.Items {
					if seen[d.Code] {
						t.Errorf("%s twice", d.Code)
					}
					seen[d.Code] = true
				}
				if p.Next == q.After && p.Next != "" {
					t.Fatal("the list stands still")
				}
				if q.After = p.Next; p.Next == "" {
					break
				}
			}
			if int64(len(seen)) != n {
				t.Errorf("%s: a list of %d for the number %d", side, len(seen), n)
			}
		}
	})
}
