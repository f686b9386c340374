package ledger

import (
	"context"
	"database/sql/driver"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// gate is a lock file beside a SQLite ledger by which the processes that share it
// take turns to write. SQLite lets a writer who finds another at it sleep for 1,
// 2, 5 … 100 ms, while others come and go: beside a backfill in a process of its
// own one in a hundred of the counters' papers waited four times as long as on an
// idle machine. Nothing relies on the gate: who does not get it in time goes
// without, and SQLite judges.
type gate struct {
	f        *os.File
	patience time.Duration
}

// gateLook is how often who waits looks again.
const gateLook = 500 * time.Microsecond

func openGate(database string, patience time.Duration) (*gate, error) {
	f, err := os.OpenFile(database+"-gate", os.O_CREATE|os.O_RDWR, 0o640)
	return &gate{f, patience}, err
}

func (g *gate) enter(ctx context.Context) {
	var wait *time.Ticker
	for start := time.Now(); errors.Is(unix.Flock(int(g.f.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK) && time.Since(start) < g.patience; {
		if wait == nil {
			wait = time.NewTicker(gateLook)
			defer wait.Stop()
		}
		select {
		case <-wait.C:
		case <-ctx.Done():
			return
		}
	}
}

func (g *gate) leave() { _ = unix.Flock(int(g.f.Fd()), unix.LOCK_UN) } // that of nobody is no error

// close may be called again, as Ledger.Close may.
func (g *gate) close() error {
	if err := g.f.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// gatedTx leaves the gate when it ends.
type gatedTx struct {
	driver.Tx
	g *gate
}

func (t gatedTx) Commit() error {
	defer t.g.leave()
	return t.Tx.Commit()
}

func (t gatedTx) Rollback() error {
	defer t.g.leave()
	return t.Tx.Rollback()
}
