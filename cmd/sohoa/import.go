package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sohoa/dossier"
	"sohoa/pipeline/register"
	"sohoa/pipeline/sheet"
	"sohoa/storage"
	"sohoa/web"
)

func newImportCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "import units|procedures|dossiers|results|indicators|portal FILE",
		Short: "Bring in a register (CSV or XLSX)",
		Long: `import brings a register into the ledger. Good rows go in; a bad row is named by
file, row and column. Importing the same file again changes nothing; importing a
newer state of a dossier updates it and its tallies.

Exit 0 when every row is in, 3 when some rows were refused.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, err := register.ParseKind(args[0])
			if err != nil {
				return usage("%w", err)
			}
			f, err := os.Open(args[1])
			if err != nil {
				return usage("%w", err)
			}
			defer f.Close()
			h, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer h.Close()
			sum, bad, err := h.importRegister(cmd.Context(), kind, filepath.Base(args[1]), f)
			for _, b := range bad {
				printRowError(a.stderr, b)
			}
			if row := (*dossier.RowError)(nil); errors.As(err, &row) {
				return &exitError{exitRejected, err}
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%s: %d dòng/rows: %d mới/new, %d đổi/changed, %d như cũ/same, %d lặp/repeated, %d sai/bad\n",
				args[1], sum.Rows, sum.New, sum.Changed, sum.Same, sum.Repeated, sum.Bad)
			if sum.Bad > 0 || sum.Rows == 0 && len(bad) > 0 {
				return &exitError{code: exitRejected}
			}
			return nil
		},
	}
}

func printRowError(w io.Writer, e dossier.RowError) {
	at := fmt.Sprintf("%s:%d", e.File, e.Row)
	if e.Column != "" {
		at += ": " + e.Column
	}
	fmt.Fprintf(w, "%s: %s / %s\n", at, e.Reason.VI, e.Reason.EN)
}

// importRegister keeps a register file in the archive, then brings it in.
func (h *house) importRegister(ctx context.Context, kind register.Kind, name string, body io.Reader) (register.Summary, []dossier.RowError, error) {
	temp, err := storage.Spool(h.pipeline.SpoolDir, body, maxRegister)
	if err != nil {
		return register.Summary{}, nil, err
	}
	defer temp.Close()
	forget, err := h.pipeline.KeepRegister(ctx, string(kind), filepath.Ext(name), temp)
	if err != nil {
		return register.Summary{}, nil, err
	}
	sum, bad, err := h.readRegister(ctx, kind, name, temp)
	if err == nil && sum.New+sum.Changed == 0 {
		err = forget() // it changed nothing, so a rebuild does not need it
	}
	return sum, bad, err
}

// maxRegister bounds a register file: ten times a province's dossiers of ten years.
const maxRegister = 8 << 30

func (h *house) readRegister(ctx context.Context, kind register.Kind, name string, temp *storage.Temp) (register.Summary, []dossier.RowError, error) {
	s, err := sheet.Open(name, temp, temp.Size())
	if err != nil {
		return register.Summary{}, nil, err
	}
	defer s.Close()
	return register.Import(ctx, h.ledger, kind, s, register.Options{})
}

// Import is the register's way in through the HTTP door.
func (h *house) Import(ctx context.Context, kind, name string, body io.Reader) (web.ImportReport, error) {
	k, err := register.ParseKind(kind)
	if err != nil {
		return web.ImportReport{}, err
	}
	sum, bad, err := h.importRegister(ctx, k, name, body)
	return web.ImportReport{New: sum.New, Changed: sum.Changed, Same: sum.Same + sum.Repeated, Bad: bad}, err
}
