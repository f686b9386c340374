package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sys/unix"
)

// A vigil holds a lock for as long as its process lives, and tells from the
// locks of others whether they still do. Jobs of a worker that died go back to
// the queue within seconds, instead of after the longest time a try may take: a
// clerk stands at the counter with the paper in hand.
type vigil interface {
	// id names the worker; it stands in the jobs the worker runs.
	id() string
	// dead reports whether the worker of that id is certainly gone.
	dead(ctx context.Context, id string) (bool, error)
	// close lets go of the lock.
	close()
}

// vigilEvery is how often the dead are looked for.
const vigilEvery = 5 * time.Second

func (l *Ledger) keepVigil(ctx context.Context) (vigil, error) {
	id := uuid.Must(uuid.NewV7()).String()
	if l.pool != nil {
		return newSessionVigil(ctx, l.pool, id)
	}
	file, err := l.file(ctx)
	if err != nil {
		return nil, err
	}
	return newFileVigil(file+workersDir, id)
}

// workersDir, behind the name of SQLite's file, is where living processes hold
// their locks.
const workersDir = "-workers"

// file is where SQLite keeps the ledger.
func (l *Ledger) file(ctx context.Context) (string, error) {
	var file string
	if err := l.read.QueryRowContext(ctx, `SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&file); err != nil {
		return "", fmt.Errorf("find the ledger's file: %w", err)
	}
	return file, nil
}

// reclaim puts the jobs of dead workers back into the queue. A job that ran
// twice all the same does no harm: handling is idempotent.
//
// That a process died says little of the documents that it had in hand, so the
// first time they are tried again at once: somebody waits. Where worker after
// worker dies over a document there are pauses: a process that is killed again and
// again does not use up the document's tries within seconds, and a document that
// kills it leaves the others room.
func (l *Ledger) reclaim(ctx context.Context, v vigil, backoff func(attempt int) time.Duration) error {
	worker := l.attemptedBy()
	attempts := map[string][]int{} // of the jobs that each worker has in hand
	err := query(ctx, l.read, `SELECT DISTINCT `+worker+`, attempt FROM river_job WHERE state = 'running' AND kind = '`+intakeJob{}.Kind()+`'`, nil,
		func(r *sql.Rows) error {
			var id sql.NullString
			var attempt int
			err := r.Scan(&id, &attempt)
			if id.Valid && id.String != v.id() {
				attempts[id.String] = append(attempts[id.String], attempt)
			}
			return err
		})
	if err != nil {
		return fmt.Errorf("look for dead workers: %w", err)
	}
	for id, attempts := range attempts {
		dead, err := v.dead(ctx, id)
		if err != nil {
			return fmt.Errorf("look for dead workers: %w", err)
		}
		if !dead {
			continue
		}
		var jobs int64
		err = l.update(ctx, func(ctx context.Context, t *tx) error {
			jobs = 0
			for _, attempt := range attempts {
				pause := time.Duration(0)
				if attempt > 1 {
					pause = min(backoff(attempt-1), longestPause)
				}
				n, err := t.Exec(ctx, `UPDATE river_job SET state = 'available', scheduled_at = `+l.after()+`
					WHERE state = 'running' AND `+worker+` = $2 AND attempt = $3`, pause.Seconds(), id, attempt)
				if err != nil {
					return err
				}
				jobs += n
			}
			t.queued = append(t.queued, counterQueue, bulkQueue)
			return nil
		})
		if err != nil {
			return fmt.Errorf("put the jobs of a dead worker back: %w", err)
		}
		l.log.Warn().Str("worker", id).Int64("jobs", jobs).Msg("a worker died; its jobs are back in the queue")
	}
	return nil
}

// attemptedBy is the worker that began the last try of a job.
func (l *Ledger) attemptedBy() string {
	if l.pool != nil {
		return `attempted_by[array_length(attempted_by, 1)]`
	}
	return `json_extract(attempted_by, '$[#-1]')`
}

// after is the time that lies $1 seconds ahead.
func (l *Ledger) after() string {
	if l.pool != nil {
		return `now() + CAST($1 AS DOUBLE PRECISION) * interval '1 second'`
	}
	return `datetime('now', 'subsec', $1 || ' seconds')`
}

// fileVigil serves the processes of one machine: a locked file for each beside
// the ledger. The kernel lets go of the lock whatever way the process ends.
type fileVigil struct {
	dir, name string
	f         *os.File
}

func newFileVigil(dir, id string) (*fileVigil, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, id), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &fileVigil{dir, id, f}, nil
}

func (v *fileVigil) id() string { return v.name }

func (v *fileVigil) dead(_ context.Context, id string) (bool, error) {
	if uuid.Validate(id) != nil {
		return true, nil // no worker of ours ever had this name
	}
	path := filepath.Join(v.dir, id)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, os.Remove(path)
}

func (v *fileVigil) close() {
	os.Remove(filepath.Join(v.dir, v.name))
	v.f.Close()
}

// sessionVigil serves many machines: an advisory lock that PostgreSQL holds for
// a connection of the worker's own and lets go of when that breaks.
type sessionVigil struct {
	name string
	pool *pgxpool.Pool
	conn *pgxpool.Conn
}

func newSessionVigil(ctx context.Context, pool *pgxpool.Pool, id string) (*sessionVigil, error) {
	v := &sessionVigil{name: id, pool: pool}
	return v, v.lock(ctx)
}

func (v *sessionVigil) lock(ctx context.Context) error {
	conn, err := v.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(hashtextextended($1, 0))`, v.name); err != nil {
		conn.Release()
		return err
	}
	v.conn = conn
	return nil
}

func (v *sessionVigil) id() string { return v.name }

func (v *sessionVigil) dead(ctx context.Context, id string) (dead bool, err error) {
	// A question that is cut off breaks its connection, and the lock with it, while
	// who is told to stop still finishes what it has in hand.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	// Our own connection may have broken, with a restart of the database; then
	// others took us for dead and we say again that we live.
	if v.conn == nil || v.conn.Ping(ctx) != nil {
		v.close()
		if err := v.lock(ctx); err != nil {
			return false, err
		}
	}
	// Of a transaction, so that asking leaves no lock behind.
	err = v.conn.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))`, id).Scan(&dead)
	return dead, err
}

func (v *sessionVigil) close() {
	if v.conn == nil {
		return
	}
	// Ended rather than released: the lock ends with it.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c := v.conn.Hijack()
	c.Close(ctx)
	v.conn = nil
}
