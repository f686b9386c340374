package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sohoa/dossier"
	"sohoa/pipeline"
	"sohoa/storage"
	"sohoa/storage/ledger"
)

// verifyOptions are the flags of verify.
type verifyOptions struct {
	deep, anew, status bool
	rate               float64 // MB/s
	workers            int
	out                string
}

func newVerifyCommand(a *app) *cobra.Command {
	o := verifyOptions{workers: 4}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Archive against ledger against recount; repairs nothing",
		Long: `verify holds every record against its objects, every object against its record,
every document of the ledger against the archive, and every counter against a
recount from dossiers and documents. With --deep it also reads and hashes every
byte.

Broken off, the next one goes on where it was. What serve and work check in the
background, and what was checked last, is shown by --status.

Exit 0 when all fits, 4 when anything differs, 130 when interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.rate < 0 || o.workers < 1 {
				return usage("--rate and --parallel must be positive")
			}
			if o.status {
				return a.verifyStatus(cmd.Context())
			}
			return a.verify(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.deep, "deep", false, "read and hash every byte")
	f.BoolVar(&o.anew, "anew", false, "begin again, also where the last one was broken off")
	f.Float64Var(&o.rate, "rate", 0, "MB a second to read, at most (0: as fast as it goes)")
	f.IntVar(&o.workers, "parallel", o.workers, "folders looked at at once")
	f.BoolVar(&o.status, "status", false, "say when all was checked last, and how far a check under way is")
	f.StringVarP(&o.out, "output", "o", "", "file for the differences, as CSV (default: standard output)")
	return cmd
}

const megabyte = 1e6

func (a *app) verify(ctx context.Context, o verifyOptions) error {
	h, err := a.openArchive(ctx)
	if err != nil {
		return err
	}
	defer h.Close()
	name := dossier.ByHand
	if o.deep {
		name = dossier.ByHandDeep
	}
	lead, err := h.ledger.Lead(ctx, "verify-"+string(name))
	if err != nil {
		return err
	}
	if lead == nil {
		return errors.New("another verify is under way; see --status")
	}
	defer lead.End()
	total, err := h.ledger.CountDocuments(ctx)
	if err != nil {
		return err
	}
	bar := newBar(a.stderr, int(total), "kiểm tra / verify")
	head := ""
	c, err := h.pipeline.Verify(ctx, h.ledger, pipeline.VerifyOptions{Name: name, Deep: o.deep, Anew: o.anew,
		Rate: int64(o.rate * megabyte), Workers: o.workers, Stages: h.verifyStages(&head),
		Progress: func(_ context.Context, c dossier.Check) error {
			bar.Describe("kiểm tra / verify: " + c.Stage)
			return bar.Set64(min(c.Documents, total))
		}})
	bar.Finish()
	if err != nil {
		if c.ID != "" {
			fmt.Fprintf(a.stderr, "sohoa: broken off after %d documents, %d differences so far; the next verify goes on there\n", c.Documents, c.Differences)
		}
		return err
	}
	tallies := false
	if err := a.write(o.out, func(w io.Writer) (err error) { tallies, err = h.differences(ctx, c, w); return err }); err != nil {
		return err
	}
	if tallies {
		fmt.Fprintln(a.stderr, "sohoa: sohoa rebuild --figures puts the tallies right")
	}
	if c.Differences > 0 {
		return &exitError{exitDifference, fmt.Errorf("%d differences", c.Differences)}
	}
	fmt.Fprintln(a.stderr, "sohoa: archive, ledger, tallies and audit log agree")
	if head != "" {
		// Kept elsewhere, it shows later that nothing was cut off the end.
		fmt.Fprintln(a.stderr, "sohoa: head of the audit log", head)
	}
	return nil
}

// differences writes what a check found; nothing where it found nothing. It
// reports whether tallies are among it.
func (h *house) differences(ctx context.Context, c dossier.Check, w io.Writer) (tallies bool, err error) {
	if c.Differences == 0 {
		return false, nil
	}
	report := csv.NewWriter(w)
	report.Write([]string{"difference", "document", "key", "detail"})
	if err := h.ledger.EachDifference(ctx, c.ID, func(d dossier.Difference) error {
		tallies = tallies || d.Kind == dossier.TallyDiffers
		return report.Write([]string{string(d.Kind), d.Document, d.Key, d.Detail})
	}); err != nil {
		return tallies, err
	}
	report.Flush()
	return tallies, report.Error()
}

// verifyStages are what is held against each other besides archive and ledger.
// head becomes the last hash of the audit log.
func (h *house) verifyStages(head *string) []pipeline.VerifyStage {
	return []pipeline.VerifyStage{
		{Name: "closings", Run: func(ctx context.Context, found func(dossier.Difference)) error {
			closings, err := h.ledger.Closings(ctx, "")
			if err != nil {
				return err
			}
			kept := map[storage.Key]dossier.Digest{}
			for _, c := range closings {
				kept[pipeline.ClosingKey(c.Period, c.ID)] = c.SHA256
			}
			return h.pipeline.VerifyClosings(ctx, kept, found)
		}},
		{Name: "tallies", Run: func(ctx context.Context, found func(dossier.Difference)) error {
			return h.ledger.Recount(ctx, func(m ledger.Miscount) {
				found(dossier.Difference{Kind: dossier.TallyDiffers, Key: string(m.Unit), Detail: m.String()})
			})
		}},
		{Name: "audit", Run: func(ctx context.Context, found func(dossier.Difference)) error {
			_, last, err := h.ledger.CheckAudit(ctx)
			if errors.Is(err, ledger.ErrAudit) {
				found(dossier.Difference{Kind: dossier.AuditBroken, Detail: err.Error()})
				return nil
			}
			*head = last
			return err
		}},
	}
}

// verifyStatus prints the passes that are kept, the newest first.
func (a *app) verifyStatus(ctx context.Context) error {
	h, err := a.openLedger(ctx)
	if err != nil {
		return err
	}
	defer h.Close()
	checks, err := h.ledger.Checks(ctx)
	if err != nil {
		return err
	}
	if len(checks) == 0 {
		fmt.Fprintln(a.stdout, "chưa kiểm tra lần nào / never checked")
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "check\tdeep\tbegun\tended\tstage\tdocuments\tobjects\tMB read\tdifferences")
	for _, c := range checks {
		ended := "under way since " + clock(c.MovedAt)
		if !c.EndedAt.IsZero() {
			ended = clock(c.EndedAt)
		}
		fmt.Fprintf(w, "%s\t%v\t%s\t%s\t%s\t%d\t%d\t%.1f\t%d\n", c.Name, c.Deep, clock(c.StartedAt), ended, c.Stage,
			c.Documents, c.Objects, float64(c.Bytes)/megabyte, c.Differences)
	}
	return w.Flush()
}

func clock(t time.Time) string { return t.In(dossier.Zone).Format("2006-01-02 15:04") }
