package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"sohoa/dossier"
)

// riverQueue is River over one database.
type riverQueue[TTx any] struct {
	l      *Ledger
	driver riverdriver.Driver[TTx]
	client *river.Client[TTx] // inserts only
	of     func(*tx) TTx
}

func (l *Ledger) openQueue() error {
	if l.pool == nil {
		return openRiver(l, &sqliteDriver{riversqlite.New(l.write), l}, func(t *tx) *sql.Tx { return t.sql })
	}
	return openRiver(l, riverpgxv5.New(l.pool), func(t *tx) pgx.Tx { return t.pgx })
}

func openRiver[TTx any](l *Ledger, d riverdriver.Driver[TTx], of func(*tx) TTx) error {
	q := &riverQueue[TTx]{l: l, driver: d, of: of}
	var err error
	// The cooldown also limits how often an insert is announced to the workers of
	// other processes; they poll besides.
	if q.client, err = river.NewClient(d, &river.Config{Logger: quiet(), FetchCooldown: time.Millisecond}); err != nil {
		return fmt.Errorf("open the queue: %w", err)
	}
	l.queue = q
	return nil
}

func (q *riverQueue[TTx]) migrate(ctx context.Context) error {
	m, err := rivermigrate.New(q.driver, &rivermigrate.Config{Logger: quiet()})
	if err != nil {
		return err
	}
	_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

func (q *riverQueue[TTx]) insert(ctx context.Context, t *tx, j intakeJob, s dossier.Slip) (int64, error) {
	name, priority := place(s.Door)
	// How many tries there are, the workers say: River's own limit is out of reach.
	r, err := q.client.InsertTx(ctx, q.of(t), j, &river.InsertOpts{Queue: name, Priority: priority, MaxAttempts: mostAttempts})
	if err != nil {
		return 0, err
	}
	t.queued = append(t.queued, name)
	if name == bulkQueue {
		if err := t.turn(ctx, r.Job.ID, priority, s.Unit); err != nil {
			return 0, err
		}
	}
	return r.Job.ID, nil
}

func (q *riverQueue[TTx]) insertRunning(ctx context.Context, t *tx, j intakeJob, s dossier.Slip, worker string) (int64, error) {
	args, err := json.Marshal(j)
	if err != nil {
		return 0, err
	}
	name, priority := place(s.Door)
	now := time.Now() // River's clock, not the ledger's
	job, err := q.driver.UnwrapExecutor(q.of(t)).JobInsertFull(ctx, &riverdriver.JobInsertFullParams{
		Kind: j.Kind(), EncodedArgs: args, Queue: name, Priority: priority, MaxAttempts: mostAttempts, Tags: []string{},
		State: rivertype.JobStateRunning, Attempt: 1, AttemptedAt: &now, AttemptedBy: []string{worker}})
	if err != nil {
		return 0, err
	}
	return job.ID, nil
}

const mostAttempts = 100

func (q *riverQueue[TTx]) start(ctx context.Context, id string, o WorkOptions, work func(context.Context, *rivertype.JobRow, intakeJob) error) (func(context.Context) error, error) {
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &worker{work: func(ctx context.Context, job *rivertype.JobRow, j intakeJob) error {
		err := work(ctx, job, j)
		if errors.Is(err, errOutage) {
			return river.JobSnooze(outagePause)
		}
		if err != nil && o.last(job) {
			return river.JobCancel(err)
		}
		return err
	}}); err != nil {
		return nil, err
	}
	queues := map[string]river.QueueConfig{bulkQueue: {MaxWorkers: o.Workers}}
	if !o.BulkOnly {
		queues[counterQueue] = river.QueueConfig{MaxWorkers: o.Workers}
	}
	client, err := river.NewClient(q.driver, &river.Config{
		ID:          id,
		Logger:      quiet(),
		Workers:     workers,
		RetryPolicy: retries(o.Backoff),
		JobTimeout:  o.Timeout,
		// The last net: a process that hangs is waited for only a little longer than
		// a try may take. Of one that died the vigil knows within seconds.
		RescueStuckJobsAfter:        o.Timeout + time.Minute,
		CompletedJobRetentionPeriod: time.Hour,
		// The first job is fetched at once; under load several are fetched together.
		FetchCooldown:     10 * time.Millisecond,
		FetchPollInterval: 250 * time.Millisecond,
		Queues:            queues,
	})
	if err != nil {
		return nil, err
	}
	if err := client.Start(ctx); err != nil {
		return nil, err
	}
	return func(dctx context.Context) error {
		err := client.Stop(dctx)
		if dctx.Err() == nil {
			return err
		}
		hctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		return client.StopAndCancel(hctx)
	}, nil
}

// sqliteDriver is River's driver with a listener that hears of this process's
// own commits at once. River's own polls a table every 50 ms through the one
// writing connection; workers of other processes on the same file poll the jobs.
type sqliteDriver struct {
	*riversqlite.Driver
	l *Ledger
}

// SupportsListenNotify: no rows are written to announce a job.
func (d *sqliteDriver) SupportsListenNotify() bool { return false }

func (d *sqliteDriver) GetListener(*riverdriver.GetListenenerParams) riverdriver.Listener {
	return &localListener{l: d.l}
}

type localListener struct {
	l      *Ledger
	kicks  chan string
	cancel func()
}

func (n *localListener) Connect(context.Context) error {
	if n.cancel == nil {
		n.kicks, n.cancel = n.l.subscribe()
	}
	return nil
}

func (n *localListener) Close(context.Context) error {
	if n.cancel != nil {
		n.cancel()
		n.kicks, n.cancel = nil, nil
	}
	return nil
}

func (n *localListener) Listen(context.Context, string) error   { return nil }
func (n *localListener) Unlisten(context.Context, string) error { return nil }
func (n *localListener) Ping(context.Context) error             { return nil }
func (n *localListener) Schema() string                         { return "" }
func (n *localListener) SetAfterConnectExec(string)             {}

func (n *localListener) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case name := <-n.kicks:
		payload, err := json.Marshal(map[string]string{"queue": name})
		return &riverdriver.Notification{Topic: "river_insert", Payload: string(payload)}, err
	}
}
