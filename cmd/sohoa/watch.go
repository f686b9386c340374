package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"sohoa/pipeline/backfill"
	"sohoa/pipeline/hotfolder"
	"sohoa/storage/ledger"
)

func newWatchCommand(a *app) *cobra.Command {
	var join bool
	receipts := "keep"
	var settle, poll time.Duration
	cmd := &cobra.Command{
		Use:   "watch DIR",
		Short: "Take what a scanner drops into a folder",
		Long: `watch takes the files that a scanner drops into a folder: filed by the folder they
are in (<unit>/<dossier>/component/…), by their name, or by the code of the
receipt on their first page; a pile with several receipts is taken apart at them.
Each ends in done/, in rejected/ with a text beside
it that says why, in tray/ where it cannot be filed, or stays while the fault is
ours. Nothing is removed before its record stands.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if st, err := os.Stat(args[0]); err != nil || !st.IsDir() {
				return usage("%s: not a folder", args[0])
			}
			return a.watch(cmd.Context(), hotfolder.Options{Dir: args[0], By: "hot-folder", Settle: settle, Poll: poll, Join: join,
				Receipts: receipts == "keep", DPI: a.dpi, Now: a.now})
		},
	}
	cmd.Flags().BoolVar(&join, "join", false, "JPEG series (scan_001.jpg, scan_002.jpg …) become one document")
	cmd.Flags().Var(choice{&receipts, []string{"keep", "drop"}}, "receipts", "receipt pages by which scans file themselves")
	cmd.Flags().DurationVar(&settle, "settle", 3*time.Second, "how long size and time must be unchanged")
	cmd.Flags().DurationVar(&poll, "poll", 2*time.Second, "pause between looks")
	return cmd
}

func (a *app) watch(ctx context.Context, o hotfolder.Options) (err error) {
	h, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer h.Close()
	o.Log = h.log
	scans := hotfolder.Scans{DPI: a.dpi, With: func(ctx context.Context, path string) (hotfolder.Scan, error) { return h.bulk.Open(ctx, path) }}
	o.Finder, o.Pile, o.Spool = scans, scans, h.pipeline.SpoolDir
	folder, err := hotfolder.Open(backfill.Local{Pipeline: h.pipeline, Again: h.ledger.Replay}, o)
	if err != nil {
		return err
	}
	defer folder.Close()
	stop := h.workBeside(ctx, ledger.WorkOptions{BulkOnly: true})
	defer func() { err = errors.Join(err, stop()) }()
	return folder.Watch(ctx)
}
