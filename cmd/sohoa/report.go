package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"sohoa/dossier"
	"sohoa/tally"
)

// figuresFlags are what report and list ask in common.
type figuresFlags struct {
	unit, period, formula string
	from, to              dossier.Date
}

func (f *figuresFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.unit, "unit", "", "unit with all units below it (default: the whole province)")
	cmd.Flags().Var(dateFlag{&f.from}, "from", "first day (default: the beginning)")
	cmd.Flags().Var(dateFlag{&f.to}, "to", "first day that no longer belongs to the period (default: no end)")
	cmd.Flags().StringVar(&f.period, "period", "", "2024, 2024-08 or 2024-Q3, instead of --from and --to")
	cmd.Flags().Var(choice{&f.formula, tally.Versions()}, "formula", "version of the formulas")
	f.formula = tally.DefaultVersion
}

// read returns the unit and the period that the flags ask for.
func (f *figuresFlags) read() (dossier.UnitCode, dossier.Period, error) {
	p := dossier.Period{From: f.from, To: f.to}
	if f.period != "" {
		if f.from != 0 || f.to != 0 {
			return "", p, usage("--period stands instead of --from and --to")
		}
		var err error
		if p, err = dossier.ParsePeriod(f.period); err != nil {
			return "", p, usage("--period: %w", err)
		}
	}
	if p.From != 0 && p.To != 0 && p.From >= p.To {
		return "", p, usage("the period is empty: --to does not belong to it")
	}
	if f.unit == "" {
		return "", p, nil
	}
	u, err := dossier.ParseUnitCode(f.unit)
	if err != nil {
		return "", p, usage("--unit: %w", err)
	}
	return u, p, nil
}

func newReportCommand(a *app) *cobra.Command {
	var f figuresFlags
	var asOf dossier.Date
	var kind reportKind
	var history bool
	var out string
	var heading tally.Heading
	format, lang := "text", "vi"
	cmd := &cobra.Command{
		Use:   "report",
		Short: "The figures per unit, or the letter's appendix",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			unit, period, err := f.read()
			if err != nil {
				return err
			}
			if kind.count() > 1 {
				return usage("--appendix, --plan, --trend, --forecast, --reconcile and --restatement are reports of their own")
			}
			q := tally.Query{Unit: unit, Period: period, Version: f.formula, AsOf: asOf}
			kind.period = f.period
			today := dossier.DateOf(a.now())
			if q.AsOf == 0 && period.To == 0 {
				q.AsOf = today
			}
			// Nothing is known of days still to come.
			if q.CutOff = today; period.To != 0 {
				q.CutOff = min(today, period.To.AddDays(-1))
			}
			h, err := a.openLedger(cmd.Context())
			if err != nil {
				return err
			}
			defer h.Close()
			if history {
				return a.history(cmd.Context(), h, unit)
			}
			r, err := h.figures(cmd.Context(), q, kind)
			if errors.Is(err, tally.ErrQuery) || errors.Is(err, dossier.ErrUnknownUnit) {
				return usage("%w", err)
			}
			if err != nil {
				return err
			}
			heading.Day = dossier.DateOf(a.now())
			return a.write(out, func(w io.Writer) error { return r.write(w, format, lang, heading) })
		},
	}
	f.add(cmd)
	cmd.Flags().Var(dateFlag{&asOf}, "structure-as-of", "show the units as they stood on this day (default: the period's last)")
	cmd.Flags().BoolVar(&kind.appendix, "appendix", false, "the eleven rows of the letter's appendix")
	cmd.Flags().BoolVar(&kind.plan, "plan", false, "results in force: level × year × target × done")
	cmd.Flags().BoolVar(&history, "history", false, "the unit's life: names, parents, mergers, successors")
	cmd.Flags().BoolVar(&kind.trend, "trend", false, "the unit's rates by month")
	cmd.Flags().Var(dateFlag{&kind.forecast}, "forecast", "what is needed to reach the targets by this day")
	cmd.Flags().BoolVar(&kind.reconcile, "reconcile", false, "beside the national portal's figures of --period, with what may explain the difference")
	cmd.Flags().BoolVar(&kind.restatement, "restatement", false, "what changed since --period was closed, with its dossiers")
	cmd.Flags().Var(choice{&format, []string{"text", "csv", "json", "xlsx"}}, "format", "form of the output")
	cmd.Flags().Var(choice{&lang, []string{"vi", "en"}}, "lang", "language of the text form")
	cmd.Flags().StringVar(&heading.Over, "heading-over", "", "XLSX: the authority above the sender, top left")
	cmd.Flags().StringVar(&heading.Agency, "heading-agency", "", "XLSX: the sender, top left")
	cmd.Flags().StringVar(&heading.Place, "heading-place", "", "XLSX: the place before the day")
	cmd.Flags().StringVarP(&out, "output", "o", "", "file to write (default: standard output)")
	return cmd
}

// figures is a finished report that can be written in each form.
type figures interface {
	Text(w io.Writer, lang string) error
	CSV(w io.Writer) error
	JSON(w io.Writer) error
	XLSX(w io.Writer, h tally.Heading) error
}

type printed struct{ figures }

func (p printed) write(w io.Writer, format, lang string, heading tally.Heading) error {
	switch format {
	case "csv":
		return p.CSV(w)
	case "json":
		return p.JSON(w)
	case "xlsx":
		return p.XLSX(w, heading)
	}
	return p.Text(w, lang)
}

// write writes to the named file, whole or not at all, or to standard output.
func (a *app) write(name string, f func(io.Writer) error) error {
	if name == "" {
		return f(a.stdout)
	}
	temp, err := os.CreateTemp(filepath.Dir(name), ".sohoa-*")
	if err != nil {
		return usage("-o: %w", err)
	}
	defer os.Remove(temp.Name())
	if err := errors.Join(f(temp), temp.Chmod(0o644), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), name)
}

// history prints a unit's life as the register tells it.
func (a *app) history(ctx context.Context, h *house, unit dossier.UnitCode) error {
	if unit == "" {
		return usage("--history needs --unit")
	}
	units, err := h.ledger.Units(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(units, func(u dossier.Unit) bool { return u.Code == unit }) {
		return usage("--unit %s: %w", unit, dossier.ErrUnknownUnit)
	}
	for _, e := range tally.UnitHistory(units, unit) {
		fmt.Fprintf(a.stdout, "%s  %s / %s\n", e.Day.Local(), e.Text.VI, e.Text.EN)
	}
	return nil
}

// reportKind says which of the reports is asked for; none is the table of units.
type reportKind struct {
	appendix, plan, trend, reconcile, restatement bool
	forecast                                      dossier.Date
	period                                        string // as --period says it
}

func (k reportKind) count() (n int) {
	for _, on := range []bool{k.appendix, k.plan, k.trend, k.reconcile, k.restatement, k.forecast != 0} {
		if on {
			n++
		}
	}
	return n
}

func (h *house) figures(ctx context.Context, q tally.Query, kind reportKind) (printed, error) {
	targets, err := h.targets(ctx)
	if err != nil {
		return printed{}, err
	}
	switch {
	case kind.appendix:
		day := q.AsOf
		if q.Period.To != 0 {
			day = q.Period.To.AddDays(-1)
		}
		imported, err := h.ledger.Indicators(ctx, day.String()[:7])
		if err != nil {
			return printed{}, err
		}
		t, err := tally.Appendix(ctx, h.ledger, q, imported, targets)
		return printed{t}, err
	case kind.plan:
		t, err := tally.PlanReport(ctx, h.ledger, q, targets)
		return printed{t}, err
	case kind.trend:
		t, err := tally.MonthlyTrend(ctx, h.ledger, q, targets)
		return printed{t}, err
	case kind.reconcile:
		if kind.period == "" {
			return printed{}, usage("--reconcile needs --period, as the portal's figures name it")
		}
		portal, err := h.ledger.Portal(ctx, kind.period)
		if err != nil {
			return printed{}, err
		}
		t, err := tally.Reconcile(ctx, h.ledger, q, portal)
		return printed{t}, err
	case kind.restatement:
		t, closed, err := h.restatement(ctx, q, kind.period)
		if err == nil && !closed {
			err = usage("--restatement: this period of this unit has not been closed")
		}
		return printed{t}, err
	}
	t, err := tally.Report(ctx, h.ledger, q, targets)
	if err != nil {
		return printed{}, err
	}
	if kind.forecast != 0 {
		f, err := t.Forecast(kind.forecast)
		return printed{f}, err
	}
	restated, closed, err := h.restatement(ctx, q, kind.period)
	if err != nil || !closed {
		return printed{t}, err
	}
	return printed{closedTable{t, restated}}, nil
}

// closedTable is the table of a period that was closed: people also see what has
// changed since.
type closedTable struct {
	tally.Table
	restated tally.Restatement
}

func (c closedTable) Text(w io.Writer, lang string) error {
	if err := c.Table.Text(w, lang); err != nil {
		return err
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	return c.restated.Text(w, lang)
}
