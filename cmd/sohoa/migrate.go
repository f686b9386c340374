package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func newMigrateCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the ledger's schema up to date; make or check the bucket",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer h.Close()
			// A store that lacks a right, or answers OK to what it did not do, is
			// refused here and not by the first citizen's paper.
			if c, ok := h.store.(interface{ Check(context.Context) error }); ok {
				if err := c.Check(cmd.Context()); err != nil {
					return fmt.Errorf("the archive: %w", err)
				}
			}
			fmt.Fprintln(a.stdout, "the ledger is up to date, the archive answers")
			return nil
		},
	}
}
