package ledger

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"sohoa/dossier"
)

// TestTurns: units are served in turn, hot folders before backfills, and doors
// with a person at them in a queue of their own.
func TestTurns(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		hand := func(n int, unit dossier.UnitCode, door dossier.Door) {
			in := intake(dossier.Slip{Kind: dossier.Component, Dossier: dossier.Code(fmt.Sprintf("%s-240830-%04d", unit, n)), Unit: unit, Door: door})
			got[dossier.Standing](t)(l.Receive(t.Context(), in))
		}
		for n := range 40 {
			hand(n, "H51.04", dossier.DoorBackfill)
		}
		for n := range 3 {
			hand(n, "H51.05", dossier.DoorBackfill)
		}
		hand(100, "H51", dossier.DoorHot)

		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var mu sync.Mutex
		var order []dossier.UnitCode
		late := false
		must(t, l.Work(ctx, WorkOptions{Workers: 1}, func(ctx context.Context, in dossier.Intake) error {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, in.Slip.Unit)
			if len(order) == 20 && !late { // much later somebody has one file
				late = true
				next := intake(dossier.Slip{Kind: dossier.Component, Dossier: "H51.04.01-240830-0001", Unit: "H51.04.01", Door: dossier.DoorBackfill})
				if _, err := l.Receive(ctx, next); err != nil {
					t.Error(err)
				}
			}
			if len(order) == 45 {
				stop()
			}
			return l.Settle(ctx, record(in, false))
		}))
		if order[0] != "H51" {
			t.Errorf("the hot folder is not first: %v", order)
		}
		place := map[dossier.UnitCode]int{} // of a unit's last file
		for i, u := range order {
			place[u] = i
		}
		if place["H51.05"] > 8 {
			t.Errorf("three files beside forty were done at place %d: %v", place["H51.05"], order)
		}
		if place["H51.04.01"] > 24 {
			t.Errorf("a file handed in at place 20 was done at place %d: %v", place["H51.04.01"], order)
		}
	})
}

// TestSweep: an intake whose last try left nothing but a cancelled job is found,
// and a bulk retry does not wait behind everything.
func TestSweep(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		var ids []string
		for n := range 4 {
			in := intake(dossier.Slip{Kind: dossier.Component, Dossier: dossier.Code(fmt.Sprintf("H51.04-240830-%04d", n)), Unit: "H51.04", Door: dossier.DoorBackfill})
			got[dossier.Standing](t)(l.Receive(t.Context(), in))
			ids = append(ids, in.ID)
		}
		now := `datetime('now', 'subsec')`
		if l.pool != nil {
			now = `now()`
		}
		job := func(id string) (n int64) {
			must(t, l.read.QueryRowContext(t.Context(), `SELECT job FROM document WHERE id = $1`, id).Scan(&n))
			return n
		}
		for id, set := range map[string]string{ids[1]: `state = 'cancelled', finalized_at = ` + now, ids[3]: `attempt = 1, scheduled_at = ` + now} {
			if _, err := l.write.ExecContext(t.Context(), `UPDATE river_job SET `+set+` WHERE id = $1`, job(id)); err != nil {
				t.Fatal(err)
			}
		}
		must(t, l.sweep(t.Context()))
		if st := got[dossier.Standing](t)(l.Standing(t.Context(), ids[1])); st.State != dossier.Faulted {
			t.Errorf("the lost intake is %s", st.State)
		}
		var before int
		must(t, l.read.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM river_job WHERE state = 'available'
			AND scheduled_at < (SELECT scheduled_at FROM river_job WHERE id = $1)`, job(ids[3])).Scan(&before))
		if before != 0 {
			t.Errorf("%d jobs are before the retry", before)
		}
	})
}
