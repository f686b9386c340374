package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Lead is the lead in something that one process at a time may do on a ledger.
type Lead struct {
	held func(context.Context) bool
	end  func()
}

// Held reports whether the lead is still ours: a connection to PostgreSQL may
// have broken, and another may have taken it.
func (d *Lead) Held(ctx context.Context) bool { return d.held(ctx) }

// End gives the lead back.
func (d *Lead) End() { d.end() }

// Lead takes the lead in what name says, or answers nil where another process,
// or another part of this one, has it. It ends with End, or with the process,
// whatever way that ends.
func (l *Ledger) Lead(ctx context.Context, name string) (d *Lead, err error) {
	if l.pool != nil {
		d, err = l.leadSession(ctx, name)
	} else {
		d, err = l.leadFile(ctx, name)
	}
	if err != nil {
		return nil, fmt.Errorf("take the lead: %w", err)
	}
	return d, nil
}

// awaitLead takes the lead as soon as nobody else has it.
func (l *Ledger) awaitLead(ctx context.Context, name string) (*Lead, error) {
	for {
		if d, err := l.Lead(ctx, name); d != nil || err != nil {
			return d, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (l *Ledger) leadFile(ctx context.Context, name string) (*Lead, error) {
	file, err := l.file(ctx)
	if err != nil {
		return nil, err
	}
	dir := file + workersDir
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	// The file stays: who removed it could take it from under another's lock.
	f, err := os.OpenFile(filepath.Join(dir, "lead-"+name), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = nil
		}
		return nil, errors.Join(err, f.Close())
	}
	return &Lead{
		held: func(context.Context) bool { return true },
		end: func() {
			// A child that was just being started may have the file open a moment longer.
			_ = unix.Flock(int(f.Fd()), unix.LOCK_UN)
			_ = f.Close() // nothing was written to it
		},
	}, nil
}

func (l *Ledger) leadSession(ctx context.Context, name string) (*Lead, error) {
	conn, err := l.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	var ok bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended('lead ' || $1, 0))`, name).Scan(&ok); err != nil || !ok {
		conn.Release()
		return nil, err
	}
	return &Lead{
		held: func(ctx context.Context) bool { return conn.Ping(ctx) == nil },
		end: func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if _, err := conn.Exec(ctx, `SELECT pg_advisory_unlock(hashtextextended('lead ' || $1, 0))`, name); err != nil {
				_ = conn.Hijack().Close(ctx) // the lock ends with it
				return
			}
			conn.Release()
		},
	}, nil
}
