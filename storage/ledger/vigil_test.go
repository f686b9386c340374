package ledger

import (
	"context"
	"fmt"
	"testing"
	"time"

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
		at := `CAST(ROUND(unixepoch(scheduled_at, 'subsec') - unixepoch('now', 'subsec')) AS INTEGER)`
		if l.pool != nil {
			list = func(worker string) string { return "{" + worker + "}" }
			at = `CAST(ROUND(EXTRACT(EPOCH FROM scheduled_at - now())) AS INTEGER)`
		}
		backoff := func(attempt int) time.Duration { return time.Duration(attempt) * time.Hour }
		for i, c := range []struct {
			worker  string
			attempt int
			state   string
			pause   int // hours
		}{
			{dying.id(), 1, "available", 0},
			{dying.id(), 2, "available", 1},
			{dying.id(), 5, "available", 4},
			{living.id(), 3, "running", 0},
			{v.id(), 3, "running", 0},
		} {
			door := dossier.DoorAPI
			if c.attempt == 5 {
				door = dossier.DoorBackfill
			}
			in := intake(dossier.Slip{Kind: dossier.Component, Dossier: dossier.Code(fmt.Sprintf("H51.04-240830-%04d", i)), Unit: "H51.04", Door: door})
			got[dossier.Standing](t)(l.Receive(t.Context(), in))
			must(t, l.update(t.Context(), func(ctx context.Context, q *tx) error {
				_, err := q.Exec(ctx, `UPDATE river_job SET state = 'running', attempt = $1, attempted_by = $2 WHERE id = (SELECT job FROM document WHERE id = $3)`,
					c.attempt, list(c.worker), in.ID)
				return err
			}))
			must(t, l.reclaim(t.Context(), v, backoff))
			must(t, l.sweep(t.Context())) // which gives retries a place in the bulk queue: not before their time
			var state string
			var pause int
			must(t, l.read.QueryRowContext(t.Context(), `SELECT state, `+at+` FROM river_job WHERE id = (SELECT job FROM document WHERE id = $1)`, in.ID).Scan(&state, &pause))
			if state != c.state || max(0, (pause+1800)/3600) != c.pause {
				t.Errorf("a job at attempt %d is %s for %d s, want %s for %d h", c.attempt, state, pause, c.state, c.pause)
			}
		}
	})
}
