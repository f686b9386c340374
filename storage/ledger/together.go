package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// SQLite has one writer at a time, and what a small change costs is mostly its
// commit. So those who come while another commits wait for each other and commit
// together: each change has a savepoint of its own, so that it fails alone, and
// nobody is told that it is done before the one commit is.

// mostTogether bounds how long the first of them waits for the last.
const mostTogether = 32

type together struct {
	mu      sync.Mutex
	waiting []*change
	led     bool // somebody is committing, and will call the next one
}

// change is one caller's part in a common transaction.
type change struct {
	ctx    context.Context
	f      func(ctx context.Context, t *tx) error
	queued []string
	err    error
	panic  any
	lead   chan struct{} // closed: it is your turn to commit, for all who wait
	done   chan struct{} // closed: err stands
}

// updateTogether is update for small changes of which there are many at once. f
// runs to its end even where ctx ends meanwhile: an interrupted statement would
// undo the others' changes.
func (l *Ledger) updateTogether(ctx context.Context, f func(ctx context.Context, t *tx) error) error {
	if l.pool != nil {
		return l.update(ctx, f) // PostgreSQL's writers commit side by side
	}
	c := &change{ctx: ctx, f: f, lead: make(chan struct{}), done: make(chan struct{})}
	g := &l.together
	g.mu.Lock()
	g.waiting = append(g.waiting, c)
	first := !g.led
	g.led = true
	g.mu.Unlock()
	if first {
		close(c.lead)
	}
	select {
	case <-c.done:
	case <-c.lead:
		l.lead(c)
	}
	if c.panic != nil {
		panic(c.panic)
	}
	var unknown unknownSeriesError
	if passing(c.err) || errors.As(c.err, &unknown) {
		return l.update(ctx, f) // which knows what to do about it
	}
	return c.err
}

// lead commits for all who wait, the caller among them, and calls the next.
func (l *Ledger) lead(c *change) {
	g := &l.together
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.led = len(g.waiting) > 0; g.led {
			close(g.waiting[0].lead)
		}
	}()
	conn, err := l.write.Conn(c.ctx)
	// Who has come while we waited for the connection is in.
	g.mu.Lock()
	n := min(len(g.waiting), mostTogether)
	if err != nil {
		n = 1 // ourselves
	}
	changes := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	g.mu.Unlock()
	if err == nil {
		defer conn.Close()
		err = l.commitTogether(c.ctx, conn, changes)
	}
	for _, o := range changes {
		if o.err == nil {
			o.err = err
		}
		if o != c {
			close(o.done)
		}
	}
}

// commitTogether makes the changes in one transaction. An error is everybody's;
// one that is a change's own stands in it.
func (l *Ledger) commitTogether(ctx context.Context, conn *sql.Conn, changes []*change) error {
	stx, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return err
	}
	defer stx.Rollback() // nothing after a commit
	for _, c := range changes {
		if c.err = c.ctx.Err(); c.err != nil {
			continue
		}
		cctx := context.WithoutCancel(c.ctx)
		t := &tx{querier: stx, exec: stx, l: l, sql: stx}
		if len(changes) == 1 {
			// Nothing to be saved from: it fails with the transaction.
			if err := c.make(cctx, t); err != nil {
				return err
			}
			continue
		}
		if _, err := t.Exec(cctx, `SAVEPOINT part`); err != nil {
			return err
		}
		if c.err = c.make(cctx, t); c.err != nil {
			if _, err := t.Exec(cctx, `ROLLBACK TO part`); err != nil {
				// The database has undone the whole, as it does when the disk is full.
				return fmt.Errorf("%w, after: %w", err, c.err)
			}
		}
		if _, err := t.Exec(cctx, `RELEASE part`); err != nil {
			return err
		}
	}
	if err := stx.Commit(); err != nil {
		return err
	}
	var queued []string
	for _, c := range changes {
		queued = append(queued, c.queued...)
	}
	l.kick(queued)
	return nil
}

// make makes the change in the transaction, its tallies included.
func (c *change) make(ctx context.Context, t *tx) (err error) {
	defer func() {
		if c.panic = recover(); c.panic != nil {
			err = errors.New("panic in a transaction")
		}
	}()
	if err := c.f(ctx, t); err != nil {
		return err
	}
	if err := t.keepTallies(ctx); err != nil {
		return err
	}
	c.queued = t.queued
	return nil
}
