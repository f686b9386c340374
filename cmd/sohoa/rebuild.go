package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sohoa/pipeline/register"
	"sohoa/storage"
)

func newRebuildCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "rebuild",
		Short: "The ledger from the archive",
		Long: `rebuild enters into the ledger everything the archive holds: register files in
the order in which they were imported, then every record and refusal. What the
ledger already has changes nothing; broken off, it can be started again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			h, err := a.open(ctx)
			if err != nil {
				return err
			}
			defer h.Close()
			var documents int64
			err = h.pipeline.Rebuild(ctx, func(kind, name string, body io.Reader) error {
				k, err := register.ParseKind(kind)
				if err != nil {
					return err
				}
				temp, err := storage.Spool(h.pipeline.SpoolDir, body, maxRegister)
				if err != nil {
					return err
				}
				defer temp.Close()
				_, _, err = h.readRegister(ctx, k, name, temp)
				return err
			}, func(n int64) { documents = n })
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%d documents\n", documents)
			return nil
		},
	}
}
