package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"sohoa/dossier"
	"sohoa/storage"
)

func newDeleteCommand(a *app) *cobra.Command {
	o := dossier.Order{By: "cli", Role: dossier.Officer}
	cmd := &cobra.Command{
		Use:   "delete DOCUMENT --order NUMBER --reason TEXT",
		Short: "Delete a document by order; its tombstone stays, the tallies follow",
		Long: `delete erases a document's bytes and record, in all versions the store keeps, and
leaves a tombstone that states what the document was, when and by which order it
went. It counts no more, nor does what reuses its file. The same order again
finishes what was broken off. Order and reason are kept for good: no personal data.

Exit 0 when it is deleted, 2 when the document is not known, has no verdict yet,
or is under retention or legal hold.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if uuid.Validate(args[0]) != nil {
				return usage("%w", dossier.ErrUnknownDocument)
			}
			if _, err := o.Checked(); err != nil {
				return usage("--order, --reason: %w", err)
			}
			h, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer h.Close()
			stone, err := h.deleteByOrder(cmd.Context(), args[0], o)
			for _, known := range []error{dossier.ErrUnknownDocument, dossier.ErrUndecided, storage.ErrLocked} {
				if errors.Is(err, known) {
					return usage("%w", err)
				}
			}
			if err != nil {
				return err
			}
			d := stone.Deletion()
			fmt.Fprintf(a.stdout, "%s  %s  %s\n", stone.ID, d.At.In(dossier.Zone).Format("2006-01-02 15:04:05"), d.Order)
			return nil
		},
	}
	cmd.Flags().StringVar(&o.Number, "order", "", "number of the decision, judgment or minutes")
	cmd.Flags().StringVar(&o.Reason, "reason", "", "why")
	return cmd
}

// deleteByOrder deletes the document and writes it into the audit log.
func (h *house) deleteByOrder(ctx context.Context, id string, o dossier.Order) (dossier.Tombstone, error) {
	stone, err := h.pipeline.Delete(ctx, id, o)
	if err != nil {
		return stone, err
	}
	return stone, h.ledger.Audit(ctx, dossier.Deed{By: o.By, Role: o.Role, Unit: stone.Slip.Unit, Action: dossier.ActDelete, Object: id})
}
