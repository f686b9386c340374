package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sohoa/dossier"
	"sohoa/web"
)

func newUserCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "user", Short: "Accounts for the pages: create, list"}
	cmd.AddCommand(newUserCreateCommand(a), newUserListCommand(a))
	return cmd
}

func newUserCreateCommand(a *app) *cobra.Command {
	var name, role, unit string
	var admin bool
	cmd := &cobra.Command{
		Use:   "create LOGIN",
		Short: "Make an account; its first password is printed once and must be changed",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if admin {
				role = string(dossier.Admin)
			}
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
			password := rand.Text()
			err = h.createAccount(cmd.Context(), dossier.Account{Login: args[0], Name: name, Role: r, Unit: u, MustChange: true}, password)
			if errors.Is(err, dossier.ErrLoginTaken) {
				return usage("%s: %w", args[0], err)
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(a.stdout, password)
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the person's name")
	cmd.Flags().StringVar(&role, "role", "", "clerk, operator, manager, officer, admin or system")
	cmd.Flags().BoolVar(&admin, "admin", false, "the same as --role admin")
	cmd.Flags().StringVar(&unit, "unit", "", "unit whose subtree the account may touch")
	return cmd
}

func (h *house) createAccount(ctx context.Context, a dossier.Account, password string) (err error) {
	if a.Hash, err = web.HashPassword(a.Login, password); err != nil {
		return err
	}
	_, err = h.ledger.CreateAccount(ctx, a)
	return err
}

func newUserListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the accounts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := a.openLedger(cmd.Context())
			if err != nil {
				return err
			}
			defer h.Close()
			accounts, err := h.ledger.Accounts(cmd.Context())
			if err != nil {
				return err
			}
			for _, x := range accounts {
				state := "in force"
				if x.Disabled {
					state = "disabled"
				}
				fmt.Fprintf(a.stdout, "%s\t%s\t%s\t%s\n", x.Login, x.Role, x.Unit, state)
			}
			return nil
		},
	}
}
