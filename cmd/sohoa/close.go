package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"sohoa/dossier"
	"sohoa/storage/ledger"
	"sohoa/tally"
)

func newCloseCommand(a *app) *cobra.Command {
	var unit string
	cmd := &cobra.Command{
		Use:   "close PERIOD",
		Short: "Keep the figures of a period as reported",
		Long: `close keeps the figures of a period (2024, 2024-08, 2024-Q3) as they are now, with
the dossiers behind them, hashed, in the archive and the ledger. Later reports of
that period show what has changed since, and because of which dossiers.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			period, err := dossier.ParsePeriod(args[0])
			if err != nil {
				return usage("%w", err)
			}
			q := tally.Query{Period: period}
			if unit != "" {
				if q.Unit, err = dossier.ParseUnitCode(unit); err != nil {
					return usage("--unit: %w", err)
				}
			}
			if a.now().Before(period.To.Time()) {
				return usage("%s has not ended yet", args[0])
			}
			h, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer h.Close()
			c, err := h.closePeriod(cmd.Context(), args[0], q, "cli")
			if errors.Is(err, dossier.ErrUnknownUnit) || errors.Is(err, tally.ErrQuery) {
				return usage("%w", err)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%s  %s  sha256 %s\n", c.Period, c.ID, c.SHA256)
			return nil
		},
	}
	cmd.Flags().StringVar(&unit, "unit", "", "unit with all units below it (default: the whole province)")
	return cmd
}

func (h *house) closePeriod(ctx context.Context, period string, q tally.Query, by string) (ledger.Closing, error) {
	targets, err := h.targets(ctx)
	if err != nil {
		return ledger.Closing{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return ledger.Closing{}, err
	}
	at := h.pipeline.Now()
	var snap tally.Snapshot
	for try := 1; ; try++ {
		if snap, err = tally.Close(ctx, h.ledger, q, targets, at); err != nil {
			return ledger.Closing{}, err
		}
		// A scan settled in between: figures and list must be of one moment.
		if err = snap.AddDossiers(ctx, h.ledger); errors.Is(err, tally.ErrMoved) && try < 20 {
			continue
		}
		if err != nil {
			return ledger.Closing{}, err
		}
		break
	}
	content, digest, err := snap.Encode()
	if err != nil {
		return ledger.Closing{}, err
	}
	c := ledger.Closing{ID: id.String(), Period: period, Unit: q.Unit, At: at, By: by, SHA256: digest, Content: content}
	// The archive first: the ledger can be rebuilt from it, not the other way.
	if err := h.pipeline.KeepClosing(ctx, period, c.ID, c.Unit, c.By, content, digest); err != nil {
		return c, err
	}
	return c, h.ledger.SaveClosing(ctx, c)
}

// restatement holds a period against its last closing; closed is false where it
// was never closed for that unit.
func (h *house) restatement(ctx context.Context, q tally.Query, period string) (r tally.Restatement, closed bool, err error) {
	if period == "" {
		return r, false, nil
	}
	closings, err := h.ledger.Closings(ctx, period)
	if err != nil {
		return r, false, err
	}
	for i := len(closings) - 1; i >= 0; i-- {
		c := closings[i]
		snap, err := tally.DecodeSnapshot(c.Content, c.SHA256)
		if err != nil {
			return r, false, fmt.Errorf("closing %s: %w", c.ID, err)
		}
		// A closing of the province serves every unit of it.
		if q.Unit != c.Unit {
			if snap, err = snap.Of(q.Unit); errors.Is(err, dossier.ErrUnknownUnit) {
				continue
			} else if err != nil {
				return r, false, err
			}
		}
		if r, err = tally.Restate(ctx, snap, h.ledger); err == nil {
			err = r.AddDossiers(ctx, h.ledger)
		}
		return r, err == nil, err
	}
	return r, false, nil
}

func newTargetCommand(a *app) *cobra.Command {
	var t ledger.Target
	var unit string
	cmd := &cobra.Command{
		Use:   "target --indicator ID PERCENT",
		Short: "Set a target by indicator, unit and year; an empty percentage takes it away",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] != "" {
				if _, err := tally.ParsePercent(args[0]); err != nil {
					return usage("%w", err)
				}
			}
			if !tally.Targetable(t.Indicator) {
				return usage("--indicator: there is no indicator %q", t.Indicator)
			}
			if unit != "" {
				u, err := dossier.ParseUnitCode(unit)
				if err != nil {
					return usage("--unit: %w", err)
				}
				t.Unit = u
			}
			t.Value = args[0]
			h, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer h.Close()
			// The archive first, as with all that a rebuild must bring back.
			if err := h.pipeline.KeepTarget(cmd.Context(), t); err != nil {
				return err
			}
			return h.ledger.SetTarget(cmd.Context(), t)
		},
	}
	cmd.Flags().StringVar(&t.Indicator, "indicator", "", "indicator of the target")
	cmd.Flags().StringVar(&unit, "unit", "", "unit it holds for, with those below it (default: every unit)")
	cmd.Flags().IntVar(&t.Year, "year", 0, "year it holds for (default: every year)")
	return cmd
}
