package main

import (
	"context"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"sohoa/dossier"
)

// present tells the ledger of a run.
func (h *house) present(ctx context.Context, kind dossier.RunKind, look func(*dossier.Run)) (stop func()) {
	return present(ctx, h.log, h.pipeline.Now, h.ledger.SaveRun, kind, look)
}

// present tells every few seconds that something runs and how far it is, for the
// operations page, until stop is called. look completes what is told. That it
// cannot be told is no reason for the run to end: it is logged.
func present(ctx context.Context, log zerolog.Logger, now func() time.Time, save func(context.Context, dossier.Run) error, kind dossier.RunKind, look func(*dossier.Run)) (stop func()) {
	host, err := os.Hostname()
	if err != nil {
		log.Warn().Err(err).Msg("this host has no name")
	}
	id, err := uuid.NewV7()
	if err != nil {
		log.Warn().Err(err).Msg("a run cannot be told of")
		return func() {}
	}
	run := dossier.Run{ID: id.String(), Kind: kind, Host: host, StartedAt: now()}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	told := make(chan struct{})
	silent := false
	tell := func() {
		look(&run)
		tctx, cancel := context.WithTimeout(ctx, dossier.RunSilence/3)
		defer cancel()
		err := save(tctx, run)
		if err != nil && !silent && ctx.Err() == nil { // once, not every ten seconds
			log.Warn().Err(err).Msg("a run cannot be told of")
		}
		silent = err != nil
	}
	tell()
	go func() {
		defer close(told)
		tick := time.NewTicker(dossier.RunSilence / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				tell()
			}
		}
	}()
	return func() {
		cancel()
		<-told
		ctx = context.WithoutCancel(ctx)
		run.EndedAt = now()
		tell()
	}
}
