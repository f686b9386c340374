package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"sohoa/pipeline"
	"sohoa/storage"
	"sohoa/storage/ledger"
)

func newCopyCommand(a *app) *cobra.Command {
	var from, to string
	var uploads bool
	workers := 16
	cmd := &cobra.Command{
		Use:   "copy --from disk:DIR --to s3://…",
		Short: "Copy a whole archive to another store, or a ledger to another database",
		Long: `copy brings every object of one store into another: the way from one machine to a
cluster, and back. What is there already is compared and passed over, so it can be
broken off and started again. Records go last, so that a copy taken while the
source is written holds only whole documents. Unfinished uploads, which their
senders begin again, stay behind unless --uploads is given.

From sqlite:FILE to postgres://… (or back) it brings the ledger with all that is
only there: accounts, tokens, settings, the audit log. The target must be empty,
and nobody should work on the source meanwhile. It is one transaction: broken off,
nothing has happened. An address with a password is best given as SOHOA_TO.

Exit 0 when everything is there, 4 when an object of the target differs.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" || to == "" {
				return usage("--from and --to are needed")
			}
			if ledgerAddress(from) != ledgerAddress(to) {
				return usage("--from and --to are two stores (disk:, s3:) or two ledgers (sqlite:, postgres:)")
			}
			if ledgerAddress(from) {
				return a.copyLedger(cmd.Context(), from, to)
			}
			return a.copy(cmd.Context(), from, to, workers, uploads)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "store to read: disk:DIR or s3://…; or ledger: sqlite:FILE or postgres://…")
	cmd.Flags().StringVar(&to, "to", "", "store, or ledger, to write")
	cmd.Flags().IntVar(&workers, "parallel", workers, "objects on their way at once")
	cmd.Flags().BoolVar(&uploads, "uploads", false, "also copy uploads by pieces that are not finished")
	return cmd
}

func (a *app) copy(ctx context.Context, from, to string, workers int, uploads bool) error {
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
	skip := pipeline.OfUpload
	if uploads {
		skip = nil
	}
	sum, err := storage.Copy(ctx, src, dst, storage.CopyOptions{Workers: workers, Spool: spool, Skip: skip, Last: pipeline.IsVerdict,
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

func (a *app) copyLedger(ctx context.Context, from, to string) error {
	open := func(dsn string) (*house, error) {
		b := *a
		b.database = dsn
		return b.openLedger(ctx)
	}
	src, err := open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := open(to)
	if err != nil {
		return err
	}
	defer dst.Close()
	counts, err := src.ledger.CopyTo(ctx, dst.ledger)
	if errors.Is(err, ledger.ErrNotEmpty) {
		return usage("--to: %w", err)
	}
	if err != nil {
		return err
	}
	for _, table := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(a.stdout, "%d %s\n", counts[table], table)
	}
	return nil
}
