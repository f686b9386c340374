package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sohoa/pipeline"
	"sohoa/storage/ledger"
	"sohoa/tally"
)

func newVerifyCommand(a *app) *cobra.Command {
	var deep bool
	var out string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Archive against ledger against recount; repairs nothing",
		Long: `verify holds every record against its objects, every object against its record,
every document of the ledger against the archive, and every counter against a
recount from dossiers and documents. With --deep it also reads and hashes every
byte.

Exit 0 when all fits, 4 when anything differs.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer h.Close()
			n, head := 0, ""
			err = a.write(out, func(w io.Writer) error {
				report := csv.NewWriter(w)
				found := func(row ...string) {
					if n++; n == 1 {
						report.Write([]string{"difference", "document", "key", "detail"})
					}
					report.Write(row)
				}
				err := h.pipeline.Verify(cmd.Context(), h.ledger, pipeline.VerifyOptions{Deep: deep}, func(d pipeline.Difference) {
					found(d.Kind, d.Document, string(d.Key), d.Detail)
				})
				if err != nil {
					return err
				}
				err = h.ledger.Recount(cmd.Context(), func(c tally.Cell) {
					found("tally", "", string(c.Unit), fmt.Sprintf("%s %s: the counters differ from the recount by %+d/%+d", c.Series, c.Day, c.Numerator, c.Denominator))
				})
				if err != nil {
					return err
				}
				var broken error
				if _, head, broken = h.ledger.CheckAudit(cmd.Context()); errors.Is(broken, ledger.ErrAudit) {
					found("audit", "", "", broken.Error())
				} else if broken != nil {
					return broken
				}
				report.Flush()
				return report.Error()
			})
			if err != nil {
				return err
			}
			if n > 0 {
				return &exitError{exitDifference, fmt.Errorf("%d differences", n)}
			}
			fmt.Fprintln(a.stderr, "sohoa: archive, ledger, tallies and audit log agree")
			if head != "" {
				// Kept elsewhere, it shows later that nothing was cut off the end.
				fmt.Fprintln(a.stderr, "sohoa: head of the audit log", head)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&deep, "deep", false, "read and hash every byte")
	cmd.Flags().StringVarP(&out, "output", "o", "", "file for the differences, as CSV (default: standard output)")
	return cmd
}
