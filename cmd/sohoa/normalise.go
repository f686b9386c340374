package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sohoa/dossier"
	"sohoa/pipeline/pdf"
)

func newNormaliseCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "normalise IN OUT.pdf",
		Short: "The archival copy of a scan, without a server; refuses a signed file",
		Long: `normalise writes the PDF/A copy that the archive would keep. A signed file is
refused, because rewriting destroys its legal value. Exit 3 when the file is
rejected, refused, or cannot become PDF/A without changing what is shown; then
nothing is written.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.normalise(cmd.Context(), args[0], args[1])
		},
	}
}

func (a *app) normalise(ctx context.Context, in, out string) error {
	if st, err := os.Stat(in); err != nil || st.IsDir() {
		return usage("%s: cannot be read as a file", in)
	}
	log, err := a.log()
	if err != nil {
		return err
	}
	judge, err := a.openJudge(log, 0)
	if err != nil {
		return err
	}
	defer judge.Close()
	s, err := judge.Open(ctx, in)
	if err != nil {
		return err
	}
	defer s.Close()
	// The rules of resolution do not matter here, only that it can be read.
	verdict, err := s.Inspect(ctx, pdf.Question{Kind: dossier.Component, Profile: dossier.AnyProfile(), DefaultDPI: a.dpi})
	refused := func(text dossier.Text) error {
		return &exitError{exitRejected, fmt.Errorf("%s: %s\n       %s", in, text.VI, text.EN)}
	}
	if rej := (*dossier.Rejection)(nil); errors.As(err, &rej) {
		return refused(rej.Text())
	}
	if err != nil {
		return err
	}
	if verdict.Signed {
		return refused(dossier.Text{
			VI: "Tệp đã ký số: không chuyển đổi, vì chữ ký sẽ mất giá trị.",
			EN: "The file is signed: it is not converted, because that would destroy the signature."})
	}
	// Written beside the target and renamed, so that nothing half-written stays.
	temp, err := os.MkdirTemp(filepath.Dir(out), ".sohoa-")
	if err != nil {
		return usage("%s: %w", out, err)
	}
	defer os.RemoveAll(temp)
	half := filepath.Join(temp, "copy.pdf")
	made, err := s.Normalise(ctx, half, pdf.Label{Title: filepath.Base(in)})
	if err != nil {
		return err
	}
	if made.Conforms == dossier.AsOriginal {
		return refused(dossier.NotConvertible.Text())
	}
	if err := os.Rename(half, out); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s  %s  %d bytes  sha256 %s\n", out, made.Conforms, made.Size, made.SHA256)
	return nil
}
