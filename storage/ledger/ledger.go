package ledger

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/rs/zerolog"
	"modernc.org/sqlite"

	"sohoa/storage/wire"
	"sohoa/tally"
)

//go:embed migrations
var migrations embed.FS

// Options of a ledger. The zero value works.
type Options struct {
	Log zerolog.Logger
	Now func() time.Time // the clock; nil: time.Now

	// MaxConns bounds the connections to PostgreSQL; 0: 16.
	MaxConns int
}

// Ledger is safe for concurrent use.
type Ledger struct {
	log zerolog.Logger
	now func() time.Time

	write *sql.DB       // SQLite: one connection; PostgreSQL: the pool
	read  *sql.DB       // SQLite: read-only connections; PostgreSQL: the pool
	pool  *pgxpool.Pool // nil on SQLite
	queue queue

	series seriesCache
	facts  sync.Map // of indicators: []string, the columns they need

	gate      *gate        // SQLite: whose turn it is among processes
	together  together     // SQLite: who commits with whom
	deadlocks atomic.Int64 // met and undone; there should be none

	mu    sync.Mutex
	kicks map[chan string]struct{} // woken when this process has queued a job

	own   own          // intakes that this process works without the queue
	noted atomic.Int64 // when this process last said that counters are open, in microseconds
}

// Open opens the ledger named by dsn: "sqlite:/path/ledger.db" or
// "postgres://…". It makes no schema; [Ledger.Migrate] does.
//
// SQLite parameters after "?" are handed on; synchronous is FULL unless the
// name says otherwise, which only a test should.
func Open(ctx context.Context, dsn string, o Options) (*Ledger, error) {
	l := &Ledger{log: o.Log, now: o.Now, kicks: map[chan string]struct{}{}}
	if l.now == nil {
		l.now = time.Now
	}
	var err error
	switch {
	case strings.HasPrefix(dsn, "sqlite:"):
		err = l.openSQLite(ctx, strings.TrimPrefix(dsn, "sqlite:"))
	case strings.HasPrefix(dsn, "postgres://"), strings.HasPrefix(dsn, "postgresql://"):
		err = l.openPostgres(ctx, dsn, o)
	default:
		return nil, errors.New("ledger: the database is sqlite:PATH or postgres://…")
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Ledger) openSQLite(ctx context.Context, name string) error {
	path, query, _ := strings.Cut(name, "?")
	extra, err := url.ParseQuery(query)
	if err != nil || path == "" {
		return fmt.Errorf("ledger: bad SQLite name: %w", errors.Join(err, errors.New("want sqlite:PATH[?synchronous=…]")))
	}
	sync := "FULL"
	for k, v := range extra {
		if k != "synchronous" {
			return fmt.Errorf("ledger: unknown SQLite parameter %q", k)
		}
		sync = v[0]
	}
	open := func(g *gate, p ...string) (*sql.DB, error) {
		v := url.Values{}
		for i := 0; i < len(p); i += 2 {
			v.Add(p[i], p[i+1])
		}
		v.Add("_busy_timeout", "30000")
		v.Add("_pragma", "cache_size(-65536)")
		v.Add("_pragma", "mmap_size(1073741824)")
		v.Add("_pragma", "temp_store(memory)")
		// Copying the log into the file after every few batches instead of after
		// each writes a page that changed many times once.
		v.Add("_pragma", "wal_autocheckpoint(8192)")
		c, err := sqlite.NewConnector((&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: v.Encode()}).String())
		if err != nil {
			return nil, err
		}
		return sql.OpenDB(cachingConnector{c, g}), nil
	}
	// One writer: SQLite has one anyway, and waiting in database/sql is fair and
	// does not poll. The file is made and put into WAL here, before any reader.
	if l.gate, err = openGate(path, 5*time.Second); err != nil {
		return fmt.Errorf("open ledger: %w", err)
	}
	if l.write, err = open(l.gate, "_txlock", "immediate", "_journal_mode", "WAL", "_synchronous", sync); err != nil {
		return fmt.Errorf("open ledger: %w", err)
	}
	l.write.SetMaxOpenConns(1)
	if err := l.write.PingContext(ctx); err != nil {
		l.write.Close()
		l.gate.close()
		return fmt.Errorf("open ledger: %w", err)
	}
	// Readers of their own, so that a report holds up no counter.
	if l.read, err = open(nil, "_query_only", "1"); err != nil {
		l.write.Close()
		l.gate.close()
		return fmt.Errorf("open ledger: %w", err)
	}
	l.read.SetMaxOpenConns(8)
	l.read.SetMaxIdleConns(8)
	return l.openQueue()
}

func (l *Ledger) openPostgres(ctx context.Context, dsn string, o Options) error {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		// The text of the error may hold the password.
		return errors.New("ledger: the postgres:// address cannot be read")
	}
	if o.MaxConns == 0 {
		o.MaxConns = 16
	}
	cfg.MaxConns = int32(o.MaxConns)
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = "sohoa"
	}
	// A host that is cut off says no good-bye. Without these, what its sessions
	// hold (rows, the lock by which its jobs are its own) would be held for hours,
	// and this host would wait as long for a database that went the same way.
	for name, value := range map[string]string{"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3",
		"tcp_user_timeout": strconv.FormatInt(wire.Gone.Milliseconds(), 10), "idle_in_transaction_session_timeout": "30000"} {
		if _, ok := cfg.ConnConfig.RuntimeParams[name]; !ok {
			cfg.ConnConfig.RuntimeParams[name] = value
		}
	}
	cfg.ConnConfig.DialFunc = wire.Dialer().DialContext
	if l.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return fmt.Errorf("open ledger: %w", err)
	}
	if err := l.pool.Ping(ctx); err != nil {
		l.pool.Close()
		return fmt.Errorf("open ledger: %w", err)
	}
	l.write = stdlib.OpenDBFromPool(l.pool)
	l.read = l.write
	return l.openQueue()
}

// Close lets go of the database. Nobody may use the ledger any more.
func (l *Ledger) Close() error {
	err := l.write.Close()
	if l.pool != nil {
		l.pool.Close()
		return err
	}
	return errors.Join(err, l.read.Close(), l.gate.close())
}

// Ready reports whether the database answers and has the schema.
func (l *Ledger) Ready(ctx context.Context) error {
	var n int
	if err := l.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM series`).Scan(&n); err != nil {
		return fmt.Errorf("ledger: not ready: %w", err)
	}
	return nil
}

// Migrate brings the schema to what this program needs; of several programs that
// start at once, one after the other. Migrations only add, so that the program
// before this one goes on working.
func (l *Ledger) Migrate(ctx context.Context) error {
	lead, err := l.awaitLead(ctx, "migrate")
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer lead.End()
	p, err := l.schema()
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if err := l.queue.migrate(ctx); err != nil {
		return fmt.Errorf("migrate the queue: %w", err)
	}
	return l.migrateSeries(ctx)
}

// schema knows the migrations, and which of them the database has.
func (l *Ledger) schema() (*goose.Provider, error) {
	dialect, dir := goose.DialectSQLite3, "migrations/sqlite"
	opts := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()),
		goose.WithAllowOutofOrder(true)} // the pages number their migrations from 01001, the ledger from 02001
	if l.pool != nil {
		dialect, dir = goose.DialectPostgres, "migrations/postgres"
		// The program before this one, which may start beside it, waits for this lock.
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return nil, err
		}
		opts = append(opts, goose.WithSessionLocker(locker))
	}
	sub, err := fs.Sub(migrations, dir)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(dialect, l.write, sub, opts...)
}

// querier is what reading needs; *sql.DB, *sql.Conn and *sql.Tx have it.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// tx is a write transaction. On PostgreSQL, pgx is the same transaction as the
// queue wants it.
type tx struct {
	querier
	exec interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	}
	l      *Ledger
	sql    *sql.Tx // SQLite
	pgx    pgx.Tx  // PostgreSQL
	queued []string
	last   pgx.Batch    // PostgreSQL: what goes with the commit
	cells  []tally.Cell // for the counters, at the end
	rows   []tally.Cell // for single rows of them
}

func (t *tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := t.exec.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// now runs a statement whose effect is read, or counted on, in the transaction.
func (t *tx) now(ctx context.Context, query string, args ...any) error {
	_, err := t.Exec(ctx, query, args...)
	return err
}

// later runs a statement of which nothing in the transaction reads the effect: on
// PostgreSQL it goes with the commit and costs no round trip.
func (t *tx) later(ctx context.Context, query string, args ...any) error {
	if t.pgx != nil {
		t.last.Queue(query, args...)
		return nil
	}
	return t.now(ctx, query, args...)
}

// forUpdate locks the rows a SELECT returns until the transaction ends. SQLite
// has one writer at a time and needs no such words.
func (t *tx) forUpdate() string {
	if t.pgx != nil {
		return " FOR UPDATE"
	}
	return ""
}

// forShare keeps the rows a SELECT returns from being changed.
func (t *tx) forShare() string {
	if t.pgx != nil {
		return " FOR SHARE"
	}
	return ""
}

// mostTries bounds how often a transaction is tried again at once; what still
// fails is a fault, and its job is tried again later.
const mostTries = 20

// update runs f in a write transaction and commits it. Where the database says
// that nothing happened and trying again is right, or f found a series that has
// no columns yet, it does so.
func (l *Ledger) update(ctx context.Context, f func(ctx context.Context, t *tx) error) error {
	for try := 0; ; try++ {
		err := l.updateOnce(ctx, f)
		if deadlocked(err) {
			l.deadlocks.Add(1)
			l.log.Warn().Msg("a deadlock in the database; the transaction is tried again")
		}
		var unknown unknownSeriesError
		switch {
		case errors.As(err, &unknown):
			err = l.addSeries(ctx, unknown)
		case err == nil || !passing(err):
			return err
		}
		if err != nil && !passing(err) || try == mostTries {
			return err
		}
		// Several writers that race for the same rows come apart by chance.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rand.N(time.Duration(try+1) * 2 * time.Millisecond)):
		}
	}
}

// errRaced: somebody else entered a row in between; the transaction is undone
// and finds the row when it is tried again.
var errRaced = errors.New("ledger: another writer was faster")

// passing reports whether the transaction is undone for reasons that pass: a
// deadlock, a conflict of serialisation, a lost race, a transaction whose machine
// stood still (a virtual one that was moved) for longer than the server waits for
// one that is idle, which is never one whose COMMIT it has got.
func passing(err error) bool {
	if errors.Is(err, errRaced) {
		return true
	}
	var pe *pgconn.PgError
	return errors.As(err, &pe) && (pe.Code == "40001" || pe.Code == "40P01" || pe.Code == "25P03")
}

func deadlocked(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && pe.Code == "40P01"
}

func (l *Ledger) updateOnce(ctx context.Context, f func(ctx context.Context, t *tx) error) error {
	if l.pool != nil {
		return l.updatePostgres(ctx, f)
	}
	stx, err := l.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer stx.Rollback() // nothing after a commit
	t := &tx{querier: stx, exec: stx, l: l, sql: stx}
	if err := f(ctx, t); err != nil {
		return err
	}
	if err := t.keepTallies(ctx); err != nil {
		return err
	}
	if err := stx.Commit(); err != nil {
		return err
	}
	l.kick(t.queued)
	return nil
}

// keepTallies adds to SQLite's counters what the transaction has changed.
func (t *tx) keepTallies(ctx context.Context) error {
	head, tail, rows := t.counterRows()
	if _, err := t.bulk(ctx, head, tail, rows); err != nil {
		return fmt.Errorf("keep the tallies: %w", err)
	}
	return nil
}

func (l *Ledger) updatePostgres(ctx context.Context, f func(ctx context.Context, t *tx) error) error {
	conn, err := l.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var ptx pgx.Tx
	if err := conn.Raw(func(dc any) (err error) {
		ptx, err = dc.(*stdlib.Conn).Conn().Begin(ctx)
		return err
	}); err != nil {
		return err
	}
	committed := false
	defer func() {
		if committed {
			return
		}
		// A context that has ended must not keep the connection from being rolled
		// back: it goes back to the pool.
		rctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_ = ptx.Rollback(rctx) // a broken connection is not reused
	}()
	t := &tx{querier: conn, exec: conn, l: l, pgx: ptx}
	if err := f(ctx, t); err != nil {
		return err
	}
	if err := t.commitPostgres(ctx); err != nil {
		return err
	}
	committed = true
	l.kick(t.queued)
	return nil
}

// commitPostgres runs what was left for later, adds to the counters and commits,
// in one round trip.
func (t *tx) commitPostgres(ctx context.Context) error {
	if head, tail, rows := t.counterRows(); len(rows) > 0 {
		text, args, err := columnwise(head, tail, rows)
		if err != nil {
			return err
		}
		t.last.Queue(text, args...)
	}
	if t.last.Len() == 0 {
		return t.pgx.Commit(ctx)
	}
	t.last.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		if tag.String() != "COMMIT" { // something failed before, and went unnoticed
			return pgx.ErrTxCommitRollback
		}
		return nil
	})
	if err := t.pgx.SendBatch(ctx, &t.last).Close(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// snapshot runs f on one state of the database, which writers do not disturb.
func (l *Ledger) snapshot(ctx context.Context, f func(ctx context.Context, q querier) error) error {
	o := &sql.TxOptions{ReadOnly: true}
	if l.pool != nil {
		o.Isolation = sql.LevelRepeatableRead
	}
	stx, err := l.read.BeginTx(ctx, o)
	if err != nil {
		return err
	}
	defer stx.Rollback() // it only read
	return f(ctx, stx)
}
