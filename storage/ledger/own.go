package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/riverqueue/river/rivertype"

	"sohoa/dossier"
)

// A process with workers may work what comes in through itself at once: what the
// queue costs, to place a job, to fetch it, to wake and be woken, is as much again
// as entering the document. The job is there all the same, as one that this
// process is running: should the process die, the others put it back into the
// queue, and a try that fails is followed by the queue's.
type own struct {
	mu     sync.Mutex
	worker string // in whose name; empty: this process does not work
	trier  trier
	taken  int            // hands that are taken, or were by an earlier Work
	held   map[int64]bool // jobs in hand
	missed map[int64]bool // jobs that were in nobody's hands when last looked for
	idle   chan struct{}  // closed when the last job is out of hand; nil: nobody waits for that
}

// begin lets this process work intakes of its own.
func (o *own) begin(worker string, t trier) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.worker, o.trier, o.held, o.missed, o.idle = worker, t, map[int64]bool{}, nil, nil
}

// end lets it take no more, and waits until nothing is in hand, or ctx ends.
func (o *own) end(ctx context.Context) {
	o.mu.Lock()
	o.worker = ""
	idle := make(chan struct{})
	if o.idle = idle; len(o.held) == 0 {
		close(idle)
		o.idle = nil
	}
	o.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// take takes a hand for a job of the queue, which this process may work at once in
// the name of the worker, and which is to be freed again; ok is false where it has
// none.
func (o *own) take(queue string) (worker string, t trier, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	// Where the counters' papers are worked, too, what comes in bulk waits for its
	// unit's turn.
	fits := (queue == bulkQueue) == o.trier.o.BulkOnly
	if o.worker == "" || !fits || o.taken >= o.trier.o.Hands {
		return "", trier{}, false
	}
	o.taken++
	return o.worker, o.trier, true
}

// free frees a hand.
func (o *own) free() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.taken--
}

func (o *own) hold(job int64) (drop func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held[job] = true
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.held, job)
		if len(o.held) == 0 && o.idle != nil {
			close(o.idle)
			o.idle = nil
		}
	}
}

// lost tells which of the jobs nobody had in hand now and the last time.
func (o *own) lost(running []int64) (lost []int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	missed := map[int64]bool{}
	for _, job := range running {
		if !o.held[job] {
			if missed[job] = true; o.missed[job] {
				lost = append(lost, job)
			}
		}
	}
	o.missed = missed
	return lost
}

// Take is Receive for a caller who works the intake himself, by calling work at
// once: no other worker gets it while this process lives. An error of work is a
// fault; the intake is then in the queue, or in the failure inbox, like any
// other. Work is nil where there is nothing to do, and where this process has no
// hand free for it (see WorkOptions.Hands) and so leaves it to the queue; else the
// hand is taken until it has ended.
func (l *Ledger) Take(ctx context.Context, in dossier.Intake) (st dossier.Standing, work func(context.Context, func(context.Context, dossier.Intake) error) error, err error) {
	name, _ := place(in.Slip.Door)
	worker, t, ok := l.own.take(name)
	if !ok {
		st, err = l.Receive(ctx, in)
		return st, nil, err
	}
	defer func() {
		if work == nil {
			l.own.free()
		}
	}()
	var job int64
	st, err = l.receive(ctx, in, func(ctx context.Context, tx *tx, j intakeJob, s dossier.Slip) (_ int64, err error) {
		j.Own = true
		job, err = l.queue.insertRunning(ctx, tx, j, s, worker)
		return job, err
	})
	if err != nil || st.Again {
		return st, nil, err
	}
	return st, func(ctx context.Context, handle func(context.Context, dossier.Intake) error) error {
		defer l.own.free()
		defer l.own.hold(job)()
		return l.workOwn(ctx, t, job, st.Intake, handle)
	}, nil
}

// ownJob is the key of the job, in the context of who works it himself.
type ownJob struct{}

func (l *Ledger) workOwn(ctx context.Context, t trier, job int64, in dossier.Intake, handle func(context.Context, dossier.Intake) error) error {
	in.Untried = true
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.own, cancel)()
	for {
		hctx, cancel := context.WithTimeout(context.WithValue(ctx, ownJob{}, job), t.o.Timeout)
		err := t.try(hctx, in.ID, &rivertype.JobRow{ID: job, Attempt: 1}, func() error { return handle(hctx, in) })
		cancel()
		if err == nil {
			return nil
		}
		if errors.Is(err, errOutage) {
			in.Untried = false
			select { // as long as the queue would pause
			case <-time.After(outagePause):
				continue
			case <-t.stop.Done():
			case <-ctx.Done():
			}
		}
		rctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		if gerr := l.giveBack(rctx, job, t.o.Backoff(1)); gerr != nil {
			l.log.Warn().Err(gerr).Str("document", in.ID).Msg("an intake could not be given back; it will be looked for")
		}
		return err
	}
}

// endOwn ends the job of who works it himself, with the document's own
// transaction.
func (t *tx) endOwn(ctx context.Context) error {
	job, ok := ctx.Value(ownJob{}).(int64)
	if !ok {
		return nil
	}
	if err := t.later(ctx, `DELETE FROM river_job WHERE id = $1 AND state = 'running' AND attempt = 1`, job); err != nil {
		return fmt.Errorf("end the job: %w", err)
	}
	return nil
}

// giveBack leaves a job of our own to the queue, after a pause. The queue, which
// makes all the tries it would have made, takes ours for one that died.
func (l *Ledger) giveBack(ctx context.Context, job int64, pause time.Duration) error {
	err := l.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.Exec(ctx, `UPDATE river_job SET state = 'available', scheduled_at = `+l.after()+` WHERE id = $2 AND state = 'running' AND attempt = 1`,
			pause.Seconds(), job)
		return err
	})
	if err != nil {
		return fmt.Errorf("give an intake back to the queue: %w", err)
	}
	return nil
}

// disown gives back what stands in the name of this process and is in nobody's
// hands: the answer to entering it, or to giving it back, was lost.
func (l *Ledger) disown(ctx context.Context, worker string, pause time.Duration) error {
	text := `json(args)`
	if l.pool != nil {
		text = `args::text`
	}
	var jobs []int64
	err := query(ctx, l.read, `SELECT id, `+text+` FROM river_job WHERE state = 'running' AND attempt = 1 AND `+l.attemptedBy()+` = $1`, []any{worker},
		func(r *sql.Rows) error {
			var id int64
			var args []byte
			var j intakeJob
			if err := r.Scan(&id, &args); err != nil {
				return err
			}
			if err := json.Unmarshal(args, &j); err != nil {
				return err
			}
			if j.Own {
				jobs = append(jobs, id)
			}
			return nil
		})
	if err != nil {
		return err
	}
	for _, id := range l.own.lost(jobs) {
		err = errors.Join(err, l.giveBack(ctx, id, pause))
	}
	return err
}
