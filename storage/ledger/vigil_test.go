package ledger

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/riverqueue/river/rivertype"

	"sohoa/dossier"
)

// TestWorkersDie: what a dead worker had in hand is tried again at once the first
// time, then after growing pauses, so that its tries are not used up by a process
// that is killed again and again; what a living one has in hand stays with it.
func TestWorkersDie(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		v := got[vigil](t)(l.keepVigil(t.Context()))
		defer v.close()
		living := got[vigil](t)(l.keepVigil(t.Context()))
		defer living.close()
		dying := got[vigil](t)(l.keepVigil(t.Context()))
		dying.close()

		list := func(worker string) string { return fmt.Sprintf(`["%s"]`, worker) }
		at := `CAST(unixepoch(scheduled_at, 'subsec') * 1000 AS INTEGER)`
		if l.pool != nil {
			list = func(worker string) string { return "{" + worker + "}" }
			at = `CAST(EXTRACT(EPOCH FROM scheduled_at) * 1000 AS BIGINT)`
		}
		backoff := func(attempt int) time.Duration { return time.Duration(attempt*4) * time.Second }
		for i, c := range []struct {
			worker  string
			attempt int
			state   string
			pause   time.Duration
		}{
			{dying.id(), 1, "available", 0},
			{dying.id(), 2, "available", 4 * time.Second},
			{dying.id(), 9, "available", longestPause},
			{living.id(), 3, "running", 0},
			{v.id(), 3, "running", 0},
		} {
			door := dossier.DoorAPI
			if c.attempt == 9 {
				door = dossier.DoorBackfill
			}
			in := intake(dossier.Slip{Kind: dossier.Component, Dossier: dossier.Code(fmt.Sprintf("H51.04-240830-%04d", i)), Unit: "H51.04", Door: door})
			got[dossier.Standing](t)(l.Receive(t.Context(), in))
			must(t, l.update(t.Context(), func(ctx context.Context, q *tx) error {
				_, err := q.Exec(ctx, `UPDATE river_job SET state = 'running', attempt = $1, attempted_by = $2 WHERE id = (SELECT job FROM document WHERE id = $3)`,
					c.attempt, list(c.worker), in.ID)
				return err
			}))
			before := time.Now()
			must(t, l.reclaim(t.Context(), v, backoff))
			after := time.Now()
			must(t, l.sweep(t.Context())) // which gives retries a place in the bulk queue: not before their time
			var state string
			var ms int64
			must(t, l.read.QueryRowContext(t.Context(), `SELECT state, `+at+` FROM river_job WHERE id = (SELECT job FROM document WHERE id = $1)`, in.ID).Scan(&state, &ms))
			if due := time.UnixMilli(ms); state != c.state || state == "available" && (due.Before(before.Add(c.pause-time.Second)) || due.After(after.Add(c.pause+time.Second))) {
				t.Errorf("a job at attempt %d is %s until %v, want %s %v after %v", c.attempt, state, due, c.state, c.pause, before)
			}
		}
	})
}

// TestDeathsAreNotFaults: tries that ended with their process are not counted as
// failed; only an intake under which one dies after the other is given up.
func TestDeathsAreNotFaults(t *testing.T) {
	o := WorkOptions{MaxAttempts: 3}
	for _, c := range []struct {
		attempt, failed int
		last            bool
	}{{1, 0, false}, {3, 2, true}, {3, 1, false}, {12, 0, false}, {12, 2, true}, {13, 0, true}, {14, 1, true}} {
		job := &rivertype.JobRow{Attempt: c.attempt, Errors: make([]rivertype.AttemptError, c.failed)}
		if got := o.last(job); got != c.last {
			t.Errorf("attempt %d, of which %d failed: last is %v", c.attempt, c.failed, got)
		}
	}
}
