package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"sohoa/storage"
)

func newCopyCommand(a *app) *cobra.Command {
	var from, to string
	workers := 4
	cmd := &cobra.Command{
		Use:   "copy --from disk:DIR --to s3://…",
		Short: "Copy a whole archive to another store, with hash check; can be started again",
		Long: `copy brings every object of one store into another: the way from one machine to a
cluster, and back. What is there already is compared and passed over, so it can be
broken off and started again. Records go last, so that a copy taken while the
source is written holds only whole documents.

Exit 0 when everything is there, 4 when an object of the target differs.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" || to == "" {
				return usage("--from and --to are needed")
			}
			return a.copy(cmd.Context(), from, to, workers)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "store to read: disk:DIR or s3://…")
	cmd.Flags().StringVar(&to, "to", "", "store to write")
	cmd.Flags().IntVar(&workers, "parallel", workers, "objects on their way at once")
	return cmd
}

func (a *app) copy(ctx context.Context, from, to string, workers int) error {
	open := func(url string) (storage.Store, string, error) {
		b := *a
		b.store = url
		return b.openStore(ctx)
	}
	src, _, err := open(from)
	if err != nil {
		return err
	}
	dst, spool, err := open(to)
	if err != nil {
		return err
	}
	bar := newBar(a.stderr, -1, "sao chép / copy")
	sum, err := storage.Copy(ctx, src, dst, storage.CopyOptions{Workers: workers, Spool: spool,
		Last: func(k storage.Key) bool {
			name := filepath.Base(string(k))
			return name == "record.json" || name == "rejected.json"
		},
		Progress: func(p storage.CopyProgress) { bar.Set64(p.Copied + p.Present) }})
	bar.Finish()
	fmt.Fprintf(a.stdout, "%d copied, %d there already, %d bytes\n", sum.Copied, sum.Present, sum.Bytes)
	for _, f := range sum.Faults {
		fmt.Fprintf(a.stderr, "%s: %v\n", f.Key, f.Err)
	}
	if err != nil {
		return err
	}
	if len(sum.Faults) > 0 {
		return &exitError{exitDifference, fmt.Errorf("%d objects were not copied", len(sum.Faults))}
	}
	return nil
}
