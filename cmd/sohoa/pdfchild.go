package main

import (
	"github.com/spf13/cobra"

	"sohoa/pipeline/pdf"
)

// pdfChild is the hidden subcommand under which the program runs itself to
// touch foreign bytes.
const pdfChild = "pdf-child"

func newPDFChildCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    pdfChild,
		Hidden: true,
		Args:   cobra.NoArgs,
		// The parent has settled all settings; a child reads none.
		PersistentPreRunE: func(*cobra.Command, []string) error { return nil },
		RunE: func(*cobra.Command, []string) error {
			if code := pdf.ChildMain(a.stdin, a.stdout); code != 0 {
				return &exitError{code: code}
			}
			return nil
		},
	}
}
