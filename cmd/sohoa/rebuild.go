package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"sohoa/dossier"
	"sohoa/pipeline"
	"sohoa/pipeline/register"
	"sohoa/storage"
	"sohoa/storage/ledger"
	"sohoa/tally"
)

func newRebuildCommand(a *app) *cobra.Command {
	var restart, figures bool
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "The ledger from the archive",
		Long: `rebuild enters into the ledger everything the archive holds: registers, targets and
closed periods in the order in which they were kept, then every record, refusal and
tombstone with what happened later. What the ledger already has changes nothing.
Broken off, it goes on where it was when it is started again; --restart begins anew,
for an archive into which older files were copied meanwhile.

With --figures it only counts the figures of the ledger anew, from its own
dossiers, results and documents, puts right what differs (which verify calls
tally) and prints it; nothing else is touched, and others may go on working.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			switch {
			case figures && restart:
				return usage("--figures has nothing to --restart")
			case figures:
				return a.refill(ctx)
			}
			h, err := a.openArchive(ctx)
			if err != nil {
				return err
			}
			defer h.Close()
			if restart {
				if err := h.ledger.SetPlace(ctx, "rebuild", ""); err != nil {
					return err
				}
			}
			start := a.now()
			bar := newBar(a.stderr, -1, "dựng lại / rebuild")
			done, err := h.pipeline.Rebuild(ctx, pipeline.RebuildOptions{Restore: h.restore, Place: h.ledger,
				Progress: func(r pipeline.Rebuilt) { bar.Set64(r.Kept + r.Documents) }})
			bar.Finish()
			took := a.now().Sub(start)
			fmt.Fprintf(a.stdout, "%d documents, %d events, %d register files, targets and closings; %.0f/s", done.Documents, done.Events, done.Kept,
				float64(done.Documents+done.Kept)/max(took.Seconds(), 0.001))
			if done.Passed > 0 {
				fmt.Fprintf(a.stdout, "; %d were entered before", done.Passed)
			}
			fmt.Fprintln(a.stdout)
			return err
		},
	}
	cmd.Flags().BoolVar(&restart, "restart", false, "begin anew instead of going on where the last run was broken off")
	cmd.Flags().BoolVar(&figures, "figures", false, "count the figures anew from the ledger's own rows, and nothing else")
	return cmd
}

// refill puts the figures of the ledger right.
func (a *app) refill(ctx context.Context) error {
	h, err := a.openLedger(ctx)
	if err != nil {
		return err
	}
	defer h.Close()
	n := 0
	err = h.ledger.Refill(ctx, func(m ledger.Miscount) {
		n++
		fmt.Fprintf(a.stdout, "%s: %v\n", m.Unit, m)
	})
	if err == nil {
		fmt.Fprintf(a.stdout, "differences put right: %d\n", n)
	}
	return err
}

// restore brings back what the archive keeps besides documents.
func (h *house) restore(ctx context.Context, k pipeline.Kept) error {
	switch k.Kind {
	case pipeline.KindTarget:
		var t ledger.Target
		if err := json.NewDecoder(k.Body).Decode(&t); err != nil {
			return fmt.Errorf("not a target: %w", err)
		}
		return h.ledger.SetTarget(ctx, t)
	case pipeline.KindClosing:
		return h.restoreClosing(ctx, k)
	}
	kind, err := register.ParseKind(k.Kind)
	if err != nil {
		return err
	}
	temp, err := storage.Spool(h.pipeline.SpoolDir, k.Body, maxRegister)
	if err != nil {
		return err
	}
	defer temp.Close()
	_, _, err = h.readRegister(ctx, kind, path.Base(string(k.Info.Key)), temp)
	return err
}

// restoreClosing enters a closed period as it was kept: closings/<period>/<id>.json.
func (h *house) restoreClosing(ctx context.Context, k pipeline.Kept) error {
	content, err := io.ReadAll(k.Body)
	if err != nil {
		return err
	}
	snap, err := tally.DecodeSnapshot(content, dossier.Digest(k.Info.SHA256))
	if err != nil {
		return err
	}
	dir, name := path.Split(string(k.Info.Key))
	return h.ledger.SaveClosing(ctx, ledger.Closing{ID: strings.TrimSuffix(name, ".json"), Period: path.Base(dir), Unit: snap.Unit,
		At: snap.ClosedAt, By: k.Info.Meta["closed-by"], SHA256: dossier.Digest(k.Info.SHA256), Content: content})
}
