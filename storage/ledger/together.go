package ledger

import (
	"context"
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
	changes, err := l.commitTogether(c)
	for _, o := range changes {
		if o.err == nil {
			o.err = err
		}
		if o != c {
			close(o.done)
		}
	}
}

// next are those who wait, n of them at most.
func (g *together) next(n int) []*change {
	g.mu.Lock()
	defer g.mu.Unlock()
	n = min(len(g.waiting), n)
	changes := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	return changes
}

// commitTogether makes the changes of those who wait in one transaction, and of
// those who come before it is committed, and returns them; first is the first of
// them. An error is everybody's; one that is a change's own stands in it.
func (l *Ledger) commitTogether(first *change) (changes []*change, err error) {
	conn, err := l.write.Conn(first.ctx)
	if err != nil {
		return l.together.next(1), err
	}
	defer conn.Close()
	stx, err := conn.BeginTx(context.WithoutCancel(first.ctx), nil)
	if err != nil {
		return l.together.next(1), err
	}
	defer stx.Rollback() // nothing after a commit
	for {
		more := l.together.next(mostTogether - len(changes))
		if len(more) == 0 {
			break
		}
		alone := len(more) == 1 && len(changes) == 0
		changes = append(changes, more...)
		for _, c := range more {
			if c.err = c.ctx.Err(); c.err != nil {
				continue
			}
			ctx := context.WithoutCancel(c.ctx)
			t := &tx{querier: stx, exec: stx, l: l, sql: stx}
			if alone {
				// Nothing to be saved from: it fails with the transaction.
				if err := c.make(ctx, t); err != nil {
					return changes, err
				}
				continue
			}
			if err := c.makePart(ctx, t); err != nil {
				return changes, err
			}
		}
	}
	if err := stx.Commit(); err != nil {
		return changes, err
	}
	var queued []string
	for _, c := range changes {
		queued = append(queued, c.queued...)
	}
	l.kick(queued)
	return changes, nil
}

// makePart makes the change so that it can fail alone. An error is the
// transaction's.
func (c *change) makePart(ctx context.Context, t *tx) error {
	if _, err := t.Exec(ctx, `SAVEPOINT part`); err != nil {
		return err
	}
	if c.err = c.make(ctx, t); c.err != nil {
		if _, err := t.Exec(ctx, `ROLLBACK TO part`); err != nil {
			// The database has undone the whole, as it does when the disk is full.
			return fmt.Errorf("%w, after: %w", err, c.err)
		}
	}
	_, err := t.Exec(ctx, `RELEASE part`)
	return err
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
