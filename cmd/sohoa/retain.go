package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"sohoa/dossier"
)

// checkRetention says once, at the start, that the archive cannot keep to the
// retention that is set.
func (a *app) checkRetention(ctx context.Context, h *house) error {
	if len(a.retention) == 0 {
		return nil
	}
	can := false
	if s, ok := h.store.(interface {
		CanLock(context.Context) (bool, error)
	}); ok {
		var err error
		if can, err = s.CanLock(ctx); err != nil {
			return fmt.Errorf("open the archive: %w", err)
		}
	}
	if !can {
		h.log.Warn().Msg("retention is set, but the archive has no object lock: nothing but rights and care keeps documents from being deleted")
	}
	return nil
}

func newRetainCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "retain",
		Short: "Bring the retention of sohoa.yaml to every stored document",
		Long: `retain protects every stored document for as long as the policy says: after the
policy became longer, or after the archive moved to a bucket with object lock. New
documents are protected when they are stored. A retention never becomes shorter.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(a.retention) == 0 {
				return usage("no retention is set in sohoa.yaml")
			}
			h, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer h.Close()
			bar := newBar(a.stderr, -1, "thời hạn lưu giữ / retention")
			n, err := h.pipeline.RetainAll(cmd.Context(), func(n int64) { bar.Set64(n) })
			bar.Finish()
			fmt.Fprintf(a.stdout, "%d documents\n", n)
			return err
		},
	}
}

func newHoldCommand(a *app) *cobra.Command {
	var o orderFlags
	var lift bool
	cmd := &cobra.Command{
		Use:   "hold DOCUMENT --order NUMBER --reason TEXT",
		Short: "Place a legal hold on a stored document, or lift it: no order deletes what is held",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.byOrder(cmd.Context(), args[0], o, dossier.ActHold, func(h *house, o dossier.Order) error {
				return h.pipeline.Hold(cmd.Context(), args[0], !lift, o)
			})
		},
	}
	cmd.Flags().BoolVar(&lift, "lift", false, "lift the hold instead")
	o.add(cmd)
	return cmd
}
