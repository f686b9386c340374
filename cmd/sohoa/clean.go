package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sohoa/pipeline"
	"sohoa/storage"
)

// cleanPlan says what the janitor may take away, and how often serve and work
// send it round.
type cleanPlan struct {
	rejectedDays, unfinishedDays int
	every                        time.Duration
}

func (c *cleanPlan) flags(f *pflag.FlagSet) {
	f.IntVar(&c.rejectedDays, "rejected-days", 30, "days after which the files of a rejected scan go")
	f.IntVar(&c.unfinishedDays, "unfinished-days", 7, "days after which what no intake names goes")
}

func (c cleanPlan) check() error {
	if c.rejectedDays < 1 || c.unfinishedDays < 1 {
		return usage("--rejected-days and --unfinished-days are at least 1")
	}
	return nil
}

const aDay = 24 * time.Hour

// options: what is unfinished is at least a day old, which no upload takes.
func (c cleanPlan) options() pipeline.CleanOptions {
	return pipeline.CleanOptions{Rejected: time.Duration(c.rejectedDays) * aDay, Unfinished: time.Duration(c.unfinishedDays) * aDay}
}

func newCleanCommand(a *app) *cobra.Command {
	var plan cleanPlan
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Take away what is nobody's: rejected scans after their days, unfinished intakes and uploads",
		Long: `clean takes away the files of scans that were rejected long ago, uploads by pieces
that expired, originals that no intake names because a door died, bytes of
documents deleted by order where that was broken off, stale uploads in parts, and
spool files. It never touches what a
record names or the ledger knows; what is locked stays. serve and work do it by
themselves. It prints a line for each object: why, document, key, bytes.

Exit 0 when done; 1, and unfinished intakes stay, where the archive has verdicts
that the ledger does not know (rebuild first).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := plan.check(); err != nil {
				return err
			}
			h, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer h.Close()
			o := plan.options()
			o.DryRun = dryRun
			out := csv.NewWriter(a.stdout)
			o.Report = func(c pipeline.Cleaned) {
				out.Write([]string{string(c.Why), c.Document, string(c.Key), fmt.Sprint(c.Size)})
			}
			err = h.clean(cmd.Context(), o)
			out.Flush()
			return errors.Join(err, out.Error())
		},
	}
	plan.flags(cmd.Flags())
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would go")
	return cmd
}

// clean goes round the archive, the store's unfinished uploads and the spool.
func (h *house) clean(ctx context.Context, o pipeline.CleanOptions) error {
	err := h.pipeline.Clean(ctx, h.ledger, o)
	if o.Quick {
		return err
	}
	now := h.pipeline.Now()
	if s, ok := h.store.(interface {
		AbortStale(ctx context.Context, before time.Time, dryRun bool) (int, error)
	}); ok {
		n, aerr := s.AbortStale(ctx, now.Add(-o.Unfinished), o.DryRun)
		h.log.Info().Int("uploads", n).Bool("dry-run", o.DryRun).Msg("stale uploads in parts")
		err = errors.Join(err, aerr)
	}
	n, serr := storage.SweepSpool(h.pipeline.SpoolDir, now.Add(-aDay), o.DryRun)
	h.log.Info().Int("files", n).Bool("dry-run", o.DryRun).Msg("spool files left behind")
	return errors.Join(err, serr)
}

// cleanByPlan sends the janitor round until ctx ends: every hour for expired
// uploads and rejected scans, which are quickly found, and every so often over the whole archive. Of
// many processes one does it.
func (a *app) cleanByPlan(ctx context.Context, h *house, plan cleanPlan) {
	if plan.every <= 0 {
		return
	}
	for {
		if err := a.cleanTurn(ctx, h, plan); err != nil && ctx.Err() == nil {
			h.log.Warn().Err(err).Msg("the janitor was broken off; it goes round again later")
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Hour):
		}
	}
}

// cleaned is the task under which the ledger keeps when the janitor last went
// over the whole archive.
const cleaned = "cleaned"

func (a *app) cleanTurn(ctx context.Context, h *house, plan cleanPlan) error {
	lead, err := h.ledger.Lead(ctx, "clean")
	if err != nil || lead == nil {
		return err
	}
	defer lead.End()
	o := plan.options()
	last, err := h.ledger.Place(ctx, cleaned)
	if err != nil {
		return err
	}
	if at, perr := time.Parse(time.RFC3339, last); perr == nil && a.now().Before(at.Add(plan.every)) {
		o.Quick = true
	}
	objects, bytes := 0, int64(0)
	o.Report = func(c pipeline.Cleaned) { objects, bytes = objects+1, bytes+c.Size }
	err = h.clean(ctx, o)
	if objects > 0 {
		h.log.Info().Int("objects", objects).Int64("bytes", bytes).Msg("the janitor took away what was nobody's")
	}
	if err != nil || o.Quick {
		return err
	}
	return h.ledger.SetPlace(ctx, cleaned, a.now().UTC().Format(time.RFC3339))
}
