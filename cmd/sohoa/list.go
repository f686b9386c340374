package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sohoa/dossier"
	"sohoa/storage/ledger"
	"sohoa/tally"
)

func newListCommand(a *app) *cobra.Command {
	var f figuresFlags
	var indicator, procedure, out string
	var asOf dossier.Date
	var channel int
	side, format := string(tally.Counted), "text"
	cmd := &cobra.Command{
		Use:   "list --indicator ID --side counted|missing",
		Short: "The dossiers behind a figure, and why the missing ones do not count",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			unit, period, err := f.read()
			if err != nil {
				return err
			}
			ind, ok := tally.Find(indicator, f.formula)
			if !ok {
				return usage("--indicator: there is no indicator %q in %s", indicator, f.formula)
			}
			h, err := a.openLedger(cmd.Context())
			if err != nil {
				return err
			}
			defer h.Close()
			q := ledger.ListQuery{Indicator: ind.ID, Version: f.formula, Side: tally.Side(side), Period: period,
				Procedure: dossier.ProcedureCode(procedure), Channel: dossier.Channel(channel), Limit: 1000}
			if unit != "" {
				if asOf == 0 {
					asOf = dossier.DateOf(a.now())
					if period.To != 0 {
						asOf = period.To.AddDays(-1)
					}
				}
				if q.Units, err = h.subtree(cmd.Context(), unit, asOf); err != nil {
					return err
				}
			}
			return a.write(out, func(w io.Writer) error {
				return h.list(cmd.Context(), newListWriter(w, format), ind, q)
			})
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&indicator, "indicator", "", "4.1, 4.2, 4.3, 4.4, 3 or 9; 5 and 7 as in the appendix")
	cmd.Flags().Var(choice{&side, []string{"counted", "missing", "all"}}, "side", "which side of the figure")
	cmd.Flags().StringVar(&procedure, "procedure", "", "only this procedure")
	cmd.Flags().IntVar(&channel, "channel", 0, "only this channel: 1 direct, 2 online, 3 postal")
	cmd.Flags().Var(dateFlag{&asOf}, "structure-as-of", "the unit's subtree as it stood on this day (default: the period's last)")
	cmd.Flags().Var(choice{&format, []string{"text", "csv", "json"}}, "format", "form of the output")
	cmd.Flags().StringVarP(&out, "output", "o", "", "file to write (default: standard output)")
	return cmd
}

// subtree returns the units whose dossiers a unit answers for on a day.
func (h *house) subtree(ctx context.Context, unit dossier.UnitCode, day dossier.Date) ([]dossier.UnitCode, error) {
	units, err := h.ledger.Units(ctx)
	if err != nil {
		return nil, err
	}
	s, err := tally.StructureAsOf(units, day)
	if err != nil {
		return nil, err
	}
	if _, ok := s.Unit(unit); !ok {
		return nil, usage("--unit %s: %w", unit, dossier.ErrUnknownUnit)
	}
	return s.Subtree(unit), nil
}

func (h *house) list(ctx context.Context, w listWriter, ind tally.Indicator, q ledger.ListQuery) error {
	for {
		page, err := h.ledger.List(ctx, q)
		if err != nil {
			return err
		}
		for _, d := range page.Items {
			if err := w.row(d, ind.Missing(&d)); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return w.end()
		}
		q.After = page.Next
	}
}

// listWriter writes a list row by row, so that a province's year needs no memory.
type listWriter interface {
	row(d dossier.Dossier, why []tally.Why) error
	end() error
}

func newListWriter(w io.Writer, format string) listWriter {
	b := bufio.NewWriter(w)
	switch format {
	case "json":
		return &listJSON{b: b}
	case "csv":
		return &listCSV{b: b, c: csv.NewWriter(b)}
	}
	return &listText{b: b}
}

type listText struct {
	b *bufio.Writer
	n int
}

func (l *listText) row(d dossier.Dossier, why []tally.Why) error {
	l.n++
	var texts []string
	for _, y := range why {
		texts = append(texts, y.Text().VI)
	}
	_, err := fmt.Fprintf(l.b, "%-28s %-14s %-10s %s  %s\n", d.Code, d.Unit, dossier.DateOf(d.ReceivedAt).Local(), d.Status, strings.Join(texts, ", "))
	return err
}

func (l *listText) end() error {
	fmt.Fprintf(l.b, "— %d hồ sơ / dossiers\n", l.n)
	return l.b.Flush()
}

type listCSV struct {
	b      *bufio.Writer
	c      *csv.Writer
	headed bool
}

func (l *listCSV) head() error {
	if l.headed {
		return nil
	}
	l.headed = true
	return l.c.Write([]string{"code", "unit", "procedure", "channel", "received_at", "status", "resolved_at", "synced_at", "components", "results", "legal_results", "why", "why_vi"})
}

func (l *listCSV) row(d dossier.Dossier, why []tally.Why) error {
	var codes, texts []string
	for _, y := range why {
		codes, texts = append(codes, string(y)), append(texts, y.Text().VI)
	}
	return errors.Join(l.head(), l.c.Write([]string{string(d.Code), string(d.Unit), string(d.Procedure), strconv.Itoa(int(d.Channel)),
		local(d.ReceivedAt), string(d.Status), local(d.ResolvedAt), local(d.SyncedAt), strconv.Itoa(d.Components),
		strconv.Itoa(d.Results), strconv.Itoa(d.LegalResults), strings.Join(codes, " "), strings.Join(texts, ", ")}))
}

func (l *listCSV) end() error {
	err := l.head()
	l.c.Flush()
	return errors.Join(err, l.c.Error(), l.b.Flush())
}

func local(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(dossier.Zone).Format(time.RFC3339)
}

// listJSON writes one array, a dossier a line.
type listJSON struct {
	b *bufio.Writer
	n int
}

type listedWhy struct {
	Code tally.Why `json:"code"`
	VI   string    `json:"vi"`
	EN   string    `json:"en"`
}

func (l *listJSON) row(d dossier.Dossier, why []tally.Why) error {
	item := struct {
		Code       dossier.Code          `json:"code"`
		Unit       dossier.UnitCode      `json:"unit"`
		Procedure  dossier.ProcedureCode `json:"procedure"`
		Channel    dossier.Channel       `json:"channel"`
		ReceivedAt string                `json:"received_at"`
		Status     dossier.Status        `json:"status"`
		ResolvedAt string                `json:"resolved_at,omitempty"`
		SyncedAt   string                `json:"synced_at,omitempty"`
		Components int                   `json:"components"`
		Results    int                   `json:"results"`
		Legal      int                   `json:"legal_results"`
		Why        []listedWhy           `json:"why"`
	}{d.Code, d.Unit, d.Procedure, d.Channel, local(d.ReceivedAt), d.Status, local(d.ResolvedAt), local(d.SyncedAt),
		d.Components, d.Results, d.LegalResults, []listedWhy{}}
	for _, y := range why {
		item.Why = append(item.Why, listedWhy{y, y.Text().VI, y.Text().EN})
	}
	b, err := json.Marshal(item)
	if err != nil {
		return err
	}
	sep := ",\n"
	if l.n == 0 {
		sep = "[\n"
	}
	l.n++
	_, err = l.b.WriteString(sep + string(b))
	return err
}

func (l *listJSON) end() error {
	tail := "\n]\n"
	if l.n == 0 {
		tail = "[]\n"
	}
	l.b.WriteString(tail)
	return l.b.Flush()
}
