package main

import (
	"github.com/spf13/cobra"

	"sohoa/dossier"
)

func newDeleteCommand(a *app) *cobra.Command {
	var o orderFlags
	cmd := &cobra.Command{
		Use:   "delete DOCUMENT --order NUMBER --reason TEXT",
		Short: "Delete a document by order; its tombstone stays, the tallies follow",
		Long: `delete erases a document's bytes and record, in all versions the store keeps, and
leaves a tombstone that states what the document was, when and by which order it
went. It counts no more, nor does what reuses its file. The same order again
finishes what was broken off; the order that stands is the first.

Exit 0 when it is deleted, 2 when the document is not known, has no verdict yet,
or is under retention or legal hold.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.byOrder(cmd.Context(), args[0], o, dossier.ActDelete, func(h *house, o dossier.Order) error {
				_, err := h.pipeline.Delete(cmd.Context(), args[0], o)
				return err
			})
		},
	}
	o.add(cmd)
	return cmd
}
