package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sohoa/dossier"
)

func newTokenCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "token", Short: "API tokens: create, list, revoke"}
	cmd.AddCommand(newTokenCreateCommand(a), newTokenListCommand(a), newTokenRevokeCommand(a))
	return cmd
}

func newTokenCreateCommand(a *app) *cobra.Command {
	var role, unit, name string
	var days int
	cmd := &cobra.Command{
		Use:   "create --role ROLE --unit UNIT",
		Short: "Make an API token; its secret is printed once and kept only as a hash",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := dossier.ParseRole(role)
			if err != nil {
				return usage("--role: %w", err)
			}
			h, err := a.openLedger(cmd.Context())
			if err != nil {
				return err
			}
			defer h.Close()
			u, err := h.knownUnit(cmd.Context(), unit)
			if err != nil {
				return err
			}
			t := dossier.Token{Name: name, Role: r, Unit: u}
			if days > 0 {
				t.Expires = a.now().AddDate(0, 0, days)
			}
			secret, _, err := h.ledger.CreateToken(cmd.Context(), t)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.stdout, secret)
			return nil
		},
	}
	cmd.Flags().StringVar(&role, "role", "", "clerk, operator, manager, officer, admin or system")
	cmd.Flags().StringVar(&unit, "unit", "", "unit whose subtree the token may touch")
	cmd.Flags().StringVar(&name, "name", "", "what the token is for")
	cmd.Flags().IntVar(&days, "days", 365, "days until it expires; 0: never")
	return cmd
}

func newTokenListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the API tokens",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := a.openLedger(cmd.Context())
			if err != nil {
				return err
			}
			defer h.Close()
			tokens, err := h.ledger.Tokens(cmd.Context())
			if err != nil {
				return err
			}
			for _, t := range tokens {
				state := "in force"
				switch {
				case !t.RevokedAt.IsZero():
					state = "revoked"
				case !t.Expires.IsZero() && !t.Expires.After(a.now()):
					state = "expired"
				}
				expires := "never"
				if !t.Expires.IsZero() {
					expires = t.Expires.In(dossier.Zone).Format(time.DateOnly)
				}
				fmt.Fprintf(a.stdout, "%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Role, t.Unit, expires, state, t.Name)
			}
			return nil
		},
	}
}

func newTokenRevokeCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "Revoke an API token at once",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := a.openLedger(cmd.Context())
			if err != nil {
				return err
			}
			defer h.Close()
			return h.ledger.RevokeToken(cmd.Context(), args[0])
		},
	}
}
