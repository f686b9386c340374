package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/pflag"

	"sohoa/dossier"
	"sohoa/pipeline"
	"sohoa/storage/ledger"
)

// verifyPlan is how serve and work check the archive in the background.
type verifyPlan struct {
	days  int
	rate  float64                                    // MB/s
	sleep func(context.Context, time.Duration) error // nil: really
}

func (p *verifyPlan) flags(f *pflag.FlagSet) {
	f.IntVar(&p.days, "verify-days", 30, "read and check the whole archive within so many days (0: not)")
	f.Float64Var(&p.rate, "verify-rate", 20, "MB a second that check may read, at most")
}

var errLead = errors.New("another process took the lead")

// look is how often a process looks whether there is something to check.
const lookEvery = time.Minute

// verifyByPlan checks the archive in the background until ctx ends, one pass in
// every so many days, spread over them. A pass goes round the archive in the order
// of its keys, so that what is looked at next is always what was looked at longest
// ago. Of many processes one does it; when it ends another goes on where it was.
func (a *app) verifyByPlan(ctx context.Context, h *house, plan verifyPlan) {
	if plan.days <= 0 {
		return
	}
	for {
		if err := a.verifyTurn(ctx, h, plan); err != nil && ctx.Err() == nil {
			h.log.Warn().Err(err).Msg("the check of the archive was broken off; it goes on later")
		}
		if sleep(ctx, lookEvery) != nil {
			return
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// verifyTurn checks if it is due and nobody else does.
func (a *app) verifyTurn(ctx context.Context, h *house, plan verifyPlan) error {
	lead, err := h.ledger.Lead(ctx, "verify-by-plan")
	if err != nil || lead == nil {
		return err
	}
	defer lead.End()
	within := time.Duration(plan.days) * 24 * time.Hour
	last, found, err := h.ledger.LastCheck(ctx, dossier.ByPlan)
	if err != nil {
		return err
	}
	if found && !last.EndedAt.IsZero() && a.now().Before(last.StartedAt.Add(within)) {
		return nil
	}
	total, err := h.ledger.CountDocuments(ctx)
	if err != nil {
		return err
	}
	var head string
	said := int64(0)
	c, err := h.pipeline.Verify(ctx, h.ledger, pipeline.VerifyOptions{Name: dossier.ByPlan, Deep: true, Rate: int64(plan.rate * megabyte), Workers: 1,
		Stages: h.verifyStages(&head),
		Progress: func(ctx context.Context, c dossier.Check) error {
			if c.Differences > 0 && said == 0 {
				h.log.Error().Int64("differences", c.Differences).Str("check", c.ID).Msg("the check of the archive finds differences; sohoa verify shows them")
			}
			said = c.Differences
			return a.pause(ctx, lead, plan, c.StartedAt.Add(share(within, c.Documents, total)))
		}})
	if err != nil {
		return err
	}
	e := h.log.Info()
	if c.Differences > 0 {
		e = h.log.Error()
	}
	e.Str("check", c.ID).Int64("documents", c.Documents).Int64("bytes", c.Bytes).Int64("differences", c.Differences).Msg("the whole archive was checked")
	return nil
}

// share is how much of the time is due when done of total are.
func share(within time.Duration, done, total int64) time.Duration {
	if total <= 0 {
		return 0
	}
	return time.Duration(float64(within) * min(1, float64(done)/float64(total)))
}

// pause waits until then, as long as the lead is ours.
func (a *app) pause(ctx context.Context, lead *ledger.Lead, plan verifyPlan, until time.Time) error {
	if plan.sleep == nil {
		plan.sleep = sleep
	}
	for {
		left := until.Sub(a.now())
		if left <= 0 {
			return nil
		}
		if err := plan.sleep(ctx, min(left, lookEvery)); err != nil {
			return err
		}
		if !lead.Held(ctx) {
			return errLead
		}
	}
}
