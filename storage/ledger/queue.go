package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"sohoa/dossier"
)

// Names of the two queues. Counters have workers of their own, so that a paper
// somebody is still holding never waits for a backfill.
const (
	counterQueue = "counter"
	bulkQueue    = "bulk"
)

// place is where a door's jobs queue: the queue and the priority in it.
func place(d dossier.Door) (queue string, priority int) {
	switch {
	case d == dossier.DoorBackfill:
		return bulkQueue, 2
	case d.Bulk():
		return bulkQueue, 1
	}
	return counterQueue, 1
}

// queue is what the ledger asks of the jobs engine, which differs by database
// only in the type of its transactions.
type queue interface {
	migrate(ctx context.Context) error
	// insert queues a document's job in the transaction.
	insert(ctx context.Context, t *tx, j intakeJob, s dossier.Slip) (job int64, err error)
	// insertRunning makes a job that the worker is running already.
	insertRunning(ctx context.Context, t *tx, j intakeJob, s dossier.Slip, worker string) (job int64, err error)
	// start begins to work; stop drains: it waits for what runs, or ends it when
	// its context does.
	start(ctx context.Context, id string, o WorkOptions, work func(ctx context.Context, job *rivertype.JobRow, j intakeJob) error) (stop func(context.Context) error, err error)
}

// inserter makes the job of an intake.
type inserter func(ctx context.Context, t *tx, j intakeJob, s dossier.Slip) (job int64, err error)

// WorkOptions say how intakes are worked. The zero value works.
type WorkOptions struct {
	Workers     int           // for each of the two queues; 0: 2
	Hands       int           // intakes that come in through this process and are worked at once, without the queue; 0: none
	BulkOnly    bool          // leave the counters' papers to others: a process that stands back would keep them waiting
	Timeout     time.Duration // of one try; 0: 10 minutes
	MaxAttempts int           // that may fail; 0: 8
	// Backoff is the pause before the next try, after the attempt-th failed; nil:
	// 1 s, 5 s, 25 s … at most 15 minutes.
	Backoff func(attempt int) time.Duration
	// Drain bounds how long Work waits, once its context has ended, for what
	// runs; then it is cancelled and comes back later. 0: Timeout.
	Drain time.Duration
	// Describe makes what an operator may read of a fault, which must hold no
	// personal data; nil: the text of the error, which by the rule of the house
	// holds none.
	Describe func(error) string
	// Outage is asked about every fault: true says that the intake has no part in
	// it, since the archive or the database was away. Such a try is not counted nor
	// logged. It may wait until the outage is over, but no longer than ctx. Nil:
	// every fault counts.
	Outage func(ctx context.Context, err error) bool
	// Ready is told when the workers are up; nil: nobody is.
	Ready func()
}

func (o WorkOptions) withDefaults() WorkOptions {
	o.Workers = cmp.Or(o.Workers, 2)
	o.Timeout = cmp.Or(o.Timeout, 10*time.Minute)
	o.MaxAttempts = cmp.Or(o.MaxAttempts, 8)
	o.Drain = cmp.Or(o.Drain, o.Timeout)
	if o.Backoff == nil {
		o.Backoff = func(attempt int) time.Duration {
			pause := time.Second
			for range min(attempt-1, 10) {
				pause *= 5
			}
			return min(pause, 15*time.Minute)
		}
	}
	if o.Describe == nil {
		o.Describe = func(err error) string { return err.Error() }
	}
	if o.Ready == nil {
		o.Ready = func() {}
	}
	return o
}

// deaths is how many tries of a job ended together with their process. It is no
// failure of the intake's, as far as anybody knows.
func deaths(job *rivertype.JobRow) int { return job.Attempt - 1 - len(job.Errors) }

// mostDeaths is after how many deaths an intake is taken for their cause.
func (o WorkOptions) mostDeaths() int { return 4 * o.MaxAttempts }

// last reports whether a try that fails is the last.
func (o WorkOptions) last(job *rivertype.JobRow) bool {
	return len(job.Errors)+1 >= o.MaxAttempts || deaths(job) >= o.mostDeaths()
}

// longestPause is how long at most an intake waits whose worker died.
const longestPause = 15 * time.Second

// Work hands every queued intake to handle, until ctx ends and what runs is
// finished. Several processes may work at once.
//
// An error, or a panic, is a fault: the intake is tried again after a growing
// pause, and after the last try it is Faulted and waits for [Ledger.Replay]. A
// process that dies leaves its intakes to the others, so handle may see one twice
// and must be idempotent; one that has its verdict is not handed out again, even
// if the process died before the queue knew.
func (l *Ledger) Work(ctx context.Context, o WorkOptions, handle func(ctx context.Context, in dossier.Intake) error) error {
	o = o.withDefaults()
	owning, cancelOwn := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelOwn()
	tr := trier{l, ctx, owning, o}
	work := func(jctx context.Context, job *rivertype.JobRow, j intakeJob) error {
		return tr.try(jctx, j.ID, job, func() error {
			return l.handle(jctx, j.ID, !j.Again && job.Attempt == 1, handle)
		})
	}
	// The database was there when the ledger was opened; if it is away now, it comes
	// back, and a process with doors need not end for it.
	var v vigil
	var stop func(context.Context) error
	for try := 1; ; try++ {
		var err error
		if v, stop, err = l.startWork(ctx, o, work); err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil // told to stop before it had begun
		}
		l.log.Warn().Err(err).Int("try", try).Msg("the workers could not start; they try again")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(min(time.Duration(try)*time.Second, 15*time.Second)):
		}
	}
	defer v.close()
	l.own.begin(v.id(), tr)
	o.Ready()
	look := time.NewTicker(vigilEvery)
	defer look.Stop()
	sweep := time.NewTicker(time.Minute)
	defer sweep.Stop()
	failed := map[string]bool{} // what failed the last time: it is said once
	say := func(what string, err error) {
		if err != nil && ctx.Err() == nil && !failed[what] {
			l.log.Warn().Err(err).Msg(what + " failed")
		}
		failed[what] = err != nil
	}
	for {
		select {
		case <-ctx.Done():
			dctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.Drain)
			defer cancel()
			l.own.end(dctx)
			cancelOwn() // what is still in hand
			if err := stop(dctx); err != nil {
				return fmt.Errorf("work: stop: %w", err)
			}
			return nil
		case <-look.C:
			say("looking for dead workers", l.reclaim(ctx, v, o.Backoff))
			say("looking for intakes that nobody works", l.disown(ctx, v.id(), o.Backoff(1)))
		case <-sweep.C:
			say("looking for abandoned intakes", l.sweep(ctx))
		}
	}
}

// startWork does what comes before the first job: what a change of procedures
// left to do, and the jobs of workers that died.
func (l *Ledger) startWork(ctx context.Context, o WorkOptions, work func(context.Context, *rivertype.JobRow, intakeJob) error) (v vigil, stop func(context.Context) error, err error) {
	if err := l.SettleProcedures(ctx); err != nil {
		return nil, nil, err
	}
	if v, err = l.keepVigil(ctx); err != nil {
		return nil, nil, err
	}
	if err = l.reclaim(ctx, v, o.Backoff); err == nil {
		stop, err = l.queue.start(context.WithoutCancel(ctx), v.id(), o, work)
	}
	if err != nil {
		v.close()
	}
	return v, stop, err
}

// trier makes the tries of a Work.
type trier struct {
	l    *Ledger
	stop context.Context // ends when Work is to end
	own  context.Context // ends when what is in hand has no time left
	o    WorkOptions
}

// try makes a try of an intake, and enters it in the failure inbox after the last.
// What comes back is nil, errOutage or a fault that may be kept.
func (t trier) try(ctx context.Context, id string, job *rivertype.JobRow, f func() error) error {
	var err error
	if deaths(job) >= t.o.mostDeaths() {
		err = errDied
	} else {
		err = t.l.guard(id, f)
	}
	if err == nil {
		return nil
	}
	if t.o.Outage != nil && !errors.Is(err, errDied) {
		wctx, cancel := context.WithCancel(ctx)
		stop := context.AfterFunc(t.stop, cancel) // told to stop: it need not be over
		out := t.o.Outage(wctx, err)
		stop()
		cancel()
		if out {
			return errOutage
		}
	}
	text := shorten(t.o.Describe(err))
	last := t.o.last(job)
	t.l.log.Warn().Str("document", id).Int("attempt", job.Attempt).Bool("last", last).Str("fault", text).Msg("an intake failed")
	if last {
		// If this is lost, sweep finds the discarded job and does the same.
		fctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		if ferr := t.l.fault(fctx, id, text); ferr != nil {
			t.l.log.Error().Err(ferr).Str("document", id).Msg("a fault could not be entered")
		}
	}
	return errors.New(text)
}

// guard makes a fault of a panic.
func (l *Ledger) guard(id string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			l.log.Error().Str("document", id).Bytes("stack", debug.Stack()).Msg("an intake panicked")
			err = fmt.Errorf("panic: %T", p)
		}
	}()
	return f()
}

func (l *Ledger) handle(ctx context.Context, id string, untried bool, handle func(ctx context.Context, in dossier.Intake) error) error {
	d, err := document(ctx, l.read, "", `id = $1`, id)
	if err != nil {
		return err
	}
	if d.state != dossier.Pending { // done by somebody who lived just long enough
		return nil
	}
	d.intake.Untried = untried
	return handle(ctx, d.intake)
}

// fault marks the intake as one that needs an operator.
func (l *Ledger) fault(ctx context.Context, id, text string) error {
	return l.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.Exec(ctx, `UPDATE document SET state = 'faulted', fault = $1 WHERE id = $2 AND state = 'pending'`, text, id)
		return err
	})
}

// sweep marks as faulted what lost its last try together with the process that
// made it, and gives bulk retries their place.
func (l *Ledger) sweep(ctx context.Context) error {
	return l.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.Exec(ctx, `UPDATE document SET state = 'faulted', fault = $1 WHERE state = 'pending' AND state IN ('pending', 'faulted')
			AND job IN (SELECT id FROM river_job WHERE state IN ('discarded', 'cancelled'))`,
			"the process ended during the last try")
		if err != nil {
			return err
		}
		return t.promote(ctx)
	})
}

// errOutage: the try does not count; the intake goes back into the queue.
var errOutage = errors.New("the archive or the database is away")

// outagePause is between tries that do not count.
const outagePause = time.Second

var errDied = errors.New("process after process ended during a try")

// shorten keeps a message to what a person reads.
func shorten(s string) string {
	const most = 500
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}

// Fault is an intake in the failure inbox.
type Fault struct {
	ID         string
	Unit       dossier.UnitCode
	Dossier    dossier.Code
	Kind       dossier.Kind
	ReceivedAt time.Time
	Message    string
}

// Faulted lists the failure inbox, the oldest first: of the units given, or of
// all where units is nil. limit bounds it; 0 is 1,000.
func (l *Ledger) Faulted(ctx context.Context, units []dossier.UnitCode, limit int) ([]Fault, error) {
	if units != nil && len(units) == 0 {
		return nil, nil
	}
	where, args := "", []any{cmp.Or(limit, 1000)}
	if units != nil {
		text, more := in("unit", 2, units)
		where, args = " AND "+text, append(args, more...)
	}
	var out []Fault
	err := query(ctx, l.read, `SELECT id, unit, dossier, kind, received_at, fault FROM document WHERE state = 'faulted' AND state IN ('pending', 'faulted')`+where+` ORDER BY received_at, id LIMIT $1`, args,
		func(r *sql.Rows) error {
			var f Fault
			var at int64
			err := r.Scan(&f.ID, &f.Unit, &f.Dossier, &f.Kind, &at, &f.Message)
			f.ReceivedAt = instant(at)
			out = append(out, f)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("failure inbox: %w", err)
	}
	return out, nil
}

// Replay puts a faulted intake back into the queue. One that is not faulted is
// left alone; dossier.ErrUnknownDocument where there is none.
func (l *Ledger) Replay(ctx context.Context, id string) error {
	err := l.update(ctx, func(ctx context.Context, t *tx) error {
		d, err := document(ctx, t, t.forUpdate(), `id = $1`, id)
		if err != nil || d.state != dossier.Faulted {
			return err
		}
		job, err := l.queue.insert(ctx, t, intakeJob{ID: id, Again: true}, d.intake.Slip)
		if err != nil {
			return err
		}
		_, err = t.Exec(ctx, `UPDATE document SET state = 'pending', fault = '', job = $1 WHERE id = $2`, job, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	return nil
}

// QueueStats is the queue at a glance.
type QueueStats struct {
	Pending int           // queued, waiting for a retry, or running
	Running int           // of these, being worked
	Faulted int           // in the failure inbox
	Oldest  time.Duration // age of the oldest pending intake; 0: none
}

// QueueStats reads the queue.
func (l *Ledger) QueueStats(ctx context.Context) (QueueStats, error) {
	var s QueueStats
	var oldest int64
	err := l.read.QueryRowContext(ctx, `SELECT
		COALESCE(SUM(CASE WHEN state = 'pending' THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN state = 'faulted' THEN 1 ELSE 0 END), 0),
		COALESCE(MIN(CASE WHEN state = 'pending' THEN received_at END), 0)
		FROM document WHERE state IN ('pending', 'faulted')`).Scan(&s.Pending, &s.Faulted, &oldest)
	if err != nil {
		return s, fmt.Errorf("queue: %w", err)
	}
	if err := l.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM river_job WHERE state = 'running'`).Scan(&s.Running); err != nil {
		return s, fmt.Errorf("queue: %w", err)
	}
	if oldest != 0 {
		s.Oldest = max(0, l.now().Sub(instant(oldest)))
	}
	return s, nil
}

// Waiting is what one queue holds: counter, where somebody waits, or bulk.
type Waiting struct {
	Queue  string
	Jobs   int           // without those that will never be tried again
	Oldest time.Duration // since the oldest was queued
}

// Waiting reads the queues, each of them, empty ones too.
func (l *Ledger) Waiting(ctx context.Context) ([]Waiting, error) {
	age := `(julianday('now') - julianday(MIN(created_at))) * 86400`
	if l.pool != nil {
		age = `EXTRACT(EPOCH FROM now() - MIN(created_at))`
	}
	out := []Waiting{{Queue: counterQueue}, {Queue: bulkQueue}}
	err := query(ctx, l.read, `SELECT queue, COUNT(*), CAST(`+age+` AS DOUBLE PRECISION) FROM river_job
		WHERE state IN ('available', 'pending', 'retryable', 'running', 'scheduled') AND kind = '`+intakeJob{}.Kind()+`' GROUP BY queue`, nil,
		func(r *sql.Rows) error {
			var w Waiting
			var seconds float64
			err := r.Scan(&w.Queue, &w.Jobs, &seconds)
			w.Oldest = max(0, time.Duration(seconds*float64(time.Second)))
			for i := range out {
				if out[i].Queue == w.Queue {
					out[i] = w
				}
			}
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("queues: %w", err)
	}
	return out, nil
}

// kick wakes the workers of this process for the queues, after the commit that
// filled them.
func (l *Ledger) kick(queues []string) {
	if len(queues) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.kicks {
		for _, q := range queues {
			select {
			case c <- q:
			default: // many kicks wait already; and the workers also poll
			}
		}
	}
}

func (l *Ledger) subscribe() (c chan string, cancel func()) {
	c = make(chan string, 64)
	l.mu.Lock()
	l.kicks[c] = struct{}{}
	l.mu.Unlock()
	return c, func() {
		l.mu.Lock()
		delete(l.kicks, c)
		l.mu.Unlock()
	}
}

// intakeJob is what the queue keeps of an intake: no more than its id, so that
// the queue's tables hold nothing personal.
type intakeJob struct {
	ID    string `json:"id"`
	Again bool   `json:"again,omitempty"` // a job for it was there before
	Own   bool   `json:"own,omitempty"`   // its first try is made by who received it
}

func (intakeJob) Kind() string { return "intake" }

// retries is the pause between tries.
type retries func(attempt int) time.Duration

func (r retries) NextRetry(job *rivertype.JobRow) time.Time {
	return time.Now().Add(max(r(job.Attempt), time.Millisecond))
}

// worker runs a job of River.
type worker struct {
	river.WorkerDefaults[intakeJob]
	work func(ctx context.Context, job *rivertype.JobRow, j intakeJob) error
}

func (w *worker) Work(ctx context.Context, job *river.Job[intakeJob]) error {
	return w.work(ctx, job.JobRow, job.Args)
}

// quiet is River's own log: only what it calls an error, without its texts of
// job errors, which Work logs itself.
func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(io.Discard, nil))
}
