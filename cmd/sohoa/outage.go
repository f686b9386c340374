package main

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"sohoa/storage"
	"sohoa/storage/ledger"
)

// outages knows whether the archive and the ledger can be worked with. The first
// who meets an outage begins it; it is looked for its end every second. The log
// says both, and nothing in between, however many are turned away meanwhile.
type outages struct {
	log   zerolog.Logger
	probe func(context.Context) error // nil when both answer
	now   func() time.Time

	mu      sync.Mutex
	over    chan struct{} // closed at the end of the one that lasts; nil: none does
	begun   time.Time
	said    time.Time // when the log was told of one last
	met     int64     // errors since the log was told
	waiting sync.WaitGroup
	end     context.CancelFunc
	ctx     context.Context
}

// sayEvery is how often the log is told at most: a disk that is full answers, and
// so begins an outage again and again.
const sayEvery = time.Minute

func newOutages(log zerolog.Logger, s storage.Store, l *ledger.Ledger, now func() time.Time) *outages {
	o := &outages{log: log, now: now}
	o.probe = func(ctx context.Context) error {
		if err := l.Ready(ctx); err != nil {
			return err
		}
		if _, err := s.Stat(ctx, "register/probe"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	o.ctx, o.end = context.WithCancel(context.Background())
	return o
}

// Close ends the looking.
func (o *outages) Close() error {
	o.end()
	o.waiting.Wait()
	return nil
}

// unavailable reports whether an error is an outage, and notes that it was met.
func (o *outages) unavailable(err error) bool {
	if !errors.Is(err, storage.ErrUnavailable) && !errors.Is(err, syscall.ENOSPC) && !ledger.Unavailable(err) {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.met++
	if o.over != nil {
		return true
	}
	o.over, o.begun = make(chan struct{}), o.now()
	if o.begun.Sub(o.said) >= sayEvery {
		o.said = o.begun
		o.log.Error().Err(err).Msg("archive or ledger is not available: nothing is taken in until it is")
	}
	o.waiting.Go(o.watch)
	return true
}

// watch waits for the end of the outage.
func (o *outages) watch() {
	for {
		select {
		case <-o.ctx.Done():
		case <-time.After(time.Second):
		}
		ctx, cancel := context.WithTimeout(o.ctx, 10*time.Second)
		err := o.probe(ctx)
		cancel()
		if err != nil && o.ctx.Err() == nil {
			continue
		}
		o.mu.Lock()
		close(o.over)
		o.over = nil
		if err == nil && o.said.Equal(o.begun) {
			o.log.Info().Dur("after_ms", o.now().Sub(o.begun)).Int64("errors", o.met).Msg("archive and ledger are available again")
			o.met = 0
		}
		o.mu.Unlock()
		return
	}
}

// wait is for workers: it reports whether a fault is an outage, and returns when
// that is over, or ctx is.
func (o *outages) wait(ctx context.Context, err error) bool {
	if !o.unavailable(err) {
		return false
	}
	o.mu.Lock()
	over := o.over
	o.mu.Unlock()
	if over != nil {
		select {
		case <-over:
		case <-ctx.Done():
		}
	}
	return true
}
