package ledger

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"sohoa/dossier"
)

// TestGate: processes that share a file take turns to write, and one that never
// leaves the gate keeps nobody from writing.
func TestGate(t *testing.T) {
	dsn := sqliteDSN(t)
	l := open(t, dsn, Options{})
	other := open(t, dsn, Options{})
	province(t, l)
	write := func(l *Ledger, n string, i int) error {
		_, err := l.ImportProcedures(t.Context(), []dossier.Procedure{{Code: dossier.ProcedureCode(fmt.Sprintf("%s.%06d", n, i)), Name: "Cấp bản sao"}})
		return err
	}
	var g errgroup.Group
	for n, l := range map[string]*Ledger{"1": l, "2": other} {
		g.Go(func() error {
			for i := range 100 {
				if err := write(l, n, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	must(t, g.Wait())

	foreign, err := openGate(strings.TrimPrefix(dsn, "sqlite:"), time.Minute)
	must(t, err)
	defer foreign.f.Close()
	foreign.enter(context.Background())
	done := make(chan error, 1)
	go func() { done <- write(l, "3", 1) }()
	select {
	case err := <-done:
		t.Errorf("written past the gate: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	foreign.leave()
	must(t, <-done)

	foreign.enter(context.Background())
	l.gate.patience = 10 * time.Millisecond
	must(t, write(l, "3", 2))
	if err := unix.Flock(int(l.gate.f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != unix.EWOULDBLOCK {
		t.Errorf("who left took the gate from who was in it: %v", err)
	}
}
