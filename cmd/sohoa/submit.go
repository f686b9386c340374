package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"sohoa/dossier"
	"sohoa/pipeline"
	"sohoa/storage/ledger"
)

func newSubmitCommand(a *app) *cobra.Command {
	var server, token, tokenFile string
	var slip dossier.Slip
	var code, unit, paper string
	kind := ""
	jobs := 4
	cmd := &cobra.Command{
		Use:   "submit --dossier CODE --kind component|result FILE…",
		Short: "Hand in documents and print one verdict a file",
		Long: `submit hands documents in, waits for each verdict and prints it. With --server it
goes through that server's HTTP door, else straight into --data.

Exit 0 when every file was stored, 3 when some were rejected.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			slip.Dossier, slip.Kind, slip.Paper = dossier.Code(code), dossier.Kind(kind), dossier.PaperCode(paper)
			slip.Unit = dossier.UnitCode(unit)
			slip.Door, slip.By = dossier.DoorSubmit, "cli"
			if slip.Kind == "" {
				return usage("--kind is needed: component or result")
			}
			if slip.Dossier == "" && slip.Kind != dossier.ResultInForce {
				return usage("--dossier is needed")
			}
			if (slip.Paper != "" || slip.Replaces != "") && len(args) > 1 {
				return usage("--paper and --replaces name one paper, so they take one file")
			}
			for _, f := range args {
				if st, err := os.Stat(f); err != nil || st.IsDir() {
					return usage("%s: cannot be read as a file", f)
				}
			}
			token, err := tokenFrom(token, tokenFile)
			if err != nil {
				return err
			}
			send, done, err := a.door(cmd.Context(), server, token)
			if err != nil {
				return err
			}
			return errors.Join(a.submit(cmd.Context(), send, slip, args, jobs), done())
		},
	}
	f := cmd.Flags()
	f.StringVar(&code, "dossier", "", "dossier code")
	f.Var(choice{&kind, []string{"component", "result", "result-in-force"}}, "kind", "what the document is to its dossier")
	f.StringVar(&paper, "paper", "", "paper code")
	f.StringVar(&slip.Name, "name", "", "name of the paper")
	f.StringVar(&slip.Number, "number", "", "symbol-number of the result")
	f.StringVar(&unit, "unit", "", "issuing unit of a result in force")
	f.Var(dateFlag{&slip.IssuedOn}, "issued-on", "day of issue")
	f.StringVar(&slip.Replaces, "replaces", "", "id of the document this is a better scan of")
	f.StringVar(&server, "server", "", "server whose HTTP door to use")
	f.StringVar(&token, "token", "", "API token for --server")
	f.StringVar(&tokenFile, "token-file", "", "file with the API token, which keeps it out of the list of processes")
	f.IntVar(&jobs, "jobs", jobs, "files on their way at once")
	return cmd
}

// tokenFrom is the API token, or what the file holds.
func tokenFrom(token, file string) (string, error) {
	if file == "" {
		return token, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", usage("--token-file: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// sender hands one file in and waits for its verdict.
type sender func(ctx context.Context, slip dossier.Slip, file string) (verdict, error)

// door opens the way in: a server's, or the data folder's with workers of its
// own. done closes it.
func (a *app) door(ctx context.Context, server, token string) (send sender, done func() error, err error) {
	if server != "" {
		c, err := newClient(server, token)
		if err != nil {
			return nil, nil, err
		}
		return c.send, func() error { return nil }, nil
	}
	h, err := a.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	stop := h.workBeside(ctx, ledger.WorkOptions{})
	send = func(ctx context.Context, slip dossier.Slip, file string) (verdict, error) {
		return h.send(ctx, slip, file)
	}
	return send, func() error {
		return errors.Join(stop(), h.Close())
	}, nil
}

// send takes a file in and waits for its verdict in this process.
func (h *house) send(ctx context.Context, slip dossier.Slip, file string) (verdict, error) {
	v := verdict{File: file}
	f, err := os.Open(file)
	if err != nil {
		return v, err
	}
	defer f.Close()
	slip.FileName = filepath.Base(file)
	st, err := h.pipeline.Receive(ctx, slip, f, pipeline.ReceiveOptions{})
	for err == nil && st.State == dossier.Pending {
		again := st.Again
		st, err = h.pipeline.Wait(ctx, st.Intake.ID, time.Minute)
		st.Again = again
	}
	return v.concluded(st, err)
}

// submit sends the files, some at a time, and prints the verdicts in the order
// of the command line.
func (a *app) submit(ctx context.Context, send sender, slip dossier.Slip, files []string, jobs int) error {
	verdicts := make([]verdict, len(files))
	ready := make([]chan struct{}, len(files))
	for i := range ready {
		ready[i] = make(chan struct{})
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(jobs, 1) + 1) // one more for the printer
	var rejected int
	g.Go(func() error {
		for i := range files {
			select {
			case <-ready[i]:
				fmt.Fprintln(a.stdout, verdicts[i].line())
				if !verdicts[i].stored() {
					rejected++
				}
			case <-gctx.Done():
				return nil
			}
		}
		return nil
	})
	for i, file := range files {
		g.Go(func() error {
			v, err := send(gctx, slip, file)
			if err != nil {
				return err
			}
			verdicts[i] = v
			close(ready[i])
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if rejected > 0 {
		return &exitError{code: exitRejected}
	}
	return nil
}
