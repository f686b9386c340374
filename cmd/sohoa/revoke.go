package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"sohoa/dossier"
	"sohoa/pipeline"
	"sohoa/storage"
	"sohoa/storage/ledger"
)

func newRevokeCommand(a *app) *cobra.Command {
	var o orderFlags
	cmd := &cobra.Command{
		Use:   "revoke DOCUMENT --order NUMBER --reason TEXT",
		Short: "Say that a stored paper is no longer valid; it counts no more, its bytes stay",
		Long: `revoke writes beside the document's record that the paper is no longer valid. It
counts no more and can be neither reused nor replaced; it can still be read. The
same paper may be handed in again.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.byOrder(cmd.Context(), args[0], o, dossier.ActRevoke, func(h *house, o dossier.Order) error {
				return h.pipeline.Revoke(cmd.Context(), args[0], o)
			})
		},
	}
	o.add(cmd)
	return cmd
}

func newRefileCommand(a *app) *cobra.Command {
	var o orderFlags
	var code string
	cmd := &cobra.Command{
		Use:   "refile DOCUMENT --dossier CODE --order NUMBER --reason TEXT",
		Short: "Put a paper that was filed in the wrong dossier into the right one; the tallies follow",
		Long: `refile takes the paper in for the right dossier, from the archive's own bytes, and
revokes it in the wrong one: there it counts no more, and may then be deleted by
order. It prints the id of the document in the right dossier, then that of the
wrong. The same command again finishes what was broken off.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := dossier.ParseCode(code)
			if err != nil {
				return usage("--dossier: %w", err)
			}
			return a.byOrder(cmd.Context(), args[0], o, dossier.ActRefile, func(h *house, o dossier.Order) error {
				stop := h.workBeside(cmd.Context(), ledger.WorkOptions{})
				st, err := h.pipeline.Refile(cmd.Context(), args[0], to, dossier.DoorSubmit, o)
				if err = errors.Join(err, stop()); err != nil {
					return err
				}
				if st.State != dossier.Stored {
					return fmt.Errorf("in the right dossier it is %s: %s", st.State, st.Fault)
				}
				fmt.Fprintln(a.stdout, st.Intake.ID)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&code, "dossier", "", "code of the dossier where it belongs")
	o.add(cmd)
	return cmd
}

func newReverdictCommand(a *app) *cobra.Command {
	var o orderFlags
	var trusted, untrusted bool
	cmd := &cobra.Command{
		Use:   "reverdict DOCUMENT --trusted|--untrusted --order NUMBER --reason TEXT",
		Short: "Enter another opinion on a stored document's signatures; the tallies follow",
		Long: `reverdict writes beside the document's record that its signatures were found
untrusted later, or trusted: whether it is of legal value. The record stays as it is;
the latest opinion counts.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if trusted == untrusted {
				return usage("either --trusted or --untrusted is needed")
			}
			return a.byOrder(cmd.Context(), args[0], o, dossier.ActReverdict, func(h *house, o dossier.Order) error {
				return h.pipeline.Reverdict(cmd.Context(), args[0], trusted, o)
			})
		},
	}
	cmd.Flags().BoolVar(&trusted, "trusted", false, "its signatures give it legal value")
	cmd.Flags().BoolVar(&untrusted, "untrusted", false, "they do not")
	o.add(cmd)
	return cmd
}

// orderFlags are an order on the command line.
type orderFlags struct{ number, reason string }

func (o *orderFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.number, "order", "", "number of the decision, judgment or minutes")
	cmd.Flags().StringVar(&o.reason, "reason", "", "why; kept for good, so no personal data")
}

// byOrder does something to a document by order, as an officer, and writes it
// into the audit log.
func (a *app) byOrder(ctx context.Context, id string, f orderFlags, act dossier.Action, do func(*house, dossier.Order) error) error {
	if uuid.Validate(id) != nil {
		return usage("%w", dossier.ErrUnknownDocument)
	}
	o, err := dossier.Order{By: "cli", Role: dossier.Officer, Number: f.number, Reason: f.reason}.Checked()
	if err != nil {
		return usage("--order, --reason: %w", err)
	}
	h, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer h.Close()
	st, err := h.pipeline.Standing(ctx, id)
	if err == nil {
		err = do(h, o)
	}
	for _, known := range []error{dossier.ErrUnknownDocument, dossier.ErrUndecided, dossier.ErrUnknownUnit, dossier.ErrPaperTaken, pipeline.ErrSlip, storage.ErrLocked, errors.ErrUnsupported} {
		if errors.Is(err, known) {
			return usage("%w", err)
		}
	}
	if err != nil {
		return err
	}
	if err := h.ledger.Audit(ctx, dossier.Deed{By: o.By, Role: o.Role, Unit: st.Intake.Slip.Unit, Action: act, Object: id}); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, id)
	return nil
}
