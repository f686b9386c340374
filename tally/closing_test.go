package tally_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/tally"
)

func TestClosing(t *testing.T) {
	ctx := context.Background()
	src := small()
	q := tally.Query{Period: august}
	at := time.Date(2024, 9, 2, 8, 0, 0, 0, dossier.Zone)
	snap, err := tally.Close(ctx, src, q, tally.DefaultTargets(), at)
	if err != nil {
		t.Fatal(err)
	}
	kept, digest, err := snap.Encode()
	if err != nil {
		t.Fatal(err)
	}
	// The order in which a source answers changes nothing.
	for i, j := 0, len(src.Register)-1; i < j; i, j = i+1, j-1 {
		src.Register[i], src.Register[j] = src.Register[j], src.Register[i]
	}
	again, err := tally.Close(ctx, src, q, tally.DefaultTargets(), at.UTC())
	if err != nil {
		t.Fatal(err)
	}
	if b, d, err := again.Encode(); err != nil || d != digest || !bytes.Equal(b, kept) {
		t.Errorf("closed twice, the digests are %s and %s (%v)", digest, d, err)
	}

	// What changes afterwards changes no closed report, in any version.
	var was [2]bytes.Buffer
	for n, v := range tally.Versions() {
		table := report(t, src, tally.Query{Period: august, Version: v})
		if err := table.JSON(&was[n]); err != nil {
			t.Fatal(err)
		}
	}
	d := dossier.Dossier{Registered: dossier.Registered{Unit: "H51.10.1", Channel: dossier.Direct, Status: dossier.Received,
		ReceivedAt: time.Date(2024, 8, 1, 0, 0, 0, 0, dossier.Zone)}, Facts: dossier.Facts{Components: 1}, ReturnsDocument: true}
	after := d
	after.Facts.Results = 1
	src.Cells = append(src.Cells, tally.Diff(tally.Contribution(d), tally.Contribution(after))...)
	src.Register = append(src.Register, dossier.Unit{Code: "H51.99", Name: "Xã mới", Level: dossier.Commune, Parent: "H51"})
	read, err := tally.DecodeSnapshot(kept, digest)
	if err != nil {
		t.Fatal(err)
	}
	for n, v := range tally.Versions() {
		table, err := read.Report(ctx, v)
		if err != nil {
			t.Fatal(err)
		}
		var now bytes.Buffer
		if err := table.JSON(&now); err != nil {
			t.Fatal(err)
		}
		if now.String() != was[n].String() {
			t.Errorf("%s: the closed report is no longer\n%s\nbut\n%s", v, was[n].String(), now.String())
		}
	}
	changed, err := tally.Restate(ctx, read, src)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(changed), "[{H51.10.1 4.2@766-2022 {2 5} {3 5}}]"; got != want {
		t.Errorf("restated %s, want %s", got, want)
	}
	if _, err := tally.DecodeSnapshot(append(kept, ' '), digest); !errors.Is(err, tally.ErrSnapshot) {
		t.Errorf("other bytes: %v", err)
	}
	if _, err := tally.Close(ctx, src, tally.Query{Period: dossier.Period{To: 20240901}}, nil, at); !errors.Is(err, tally.ErrQuery) {
		t.Errorf("closing an open period: %v", err)
	}
	// A closed subtree has that subtree only.
	part, err := tally.Close(ctx, src, tally.Query{Unit: "H51.10", Period: august}, nil, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range append(part.Sums, part.Plan...) {
		if !strings.HasPrefix(string(c.Unit), "H51.10") {
			t.Errorf("closing H51.10 kept %v", c)
		}
	}
}

func TestReconcile(t *testing.T) {
	ctx := context.Background()
	src := small()
	// A dossier of the last day, and a merger after the period.
	src.Cells = append(src.Cells, tally.Contribution(dossier.Dossier{Registered: dossier.Registered{Unit: "H51.20", Channel: dossier.Direct, Status: dossier.Received,
		ReceivedAt: time.Date(2024, 8, 31, 23, 59, 59, 0, dossier.Zone)}})...)
	src.Register = append(src.Register, dossier.Unit{Code: "H51.21", Name: "Sở Nội vụ", Level: dossier.Department, Parent: "H51", ValidTo: 20250301, Successor: "H51.20"})
	src.Cells = append(src.Cells, tally.Contribution(dossier.Dossier{Registered: dossier.Registered{Unit: "H51.21", Channel: dossier.Direct, Status: dossier.Received,
		ReceivedAt: time.Date(2024, 8, 10, 9, 0, 0, 0, dossier.Zone)}})...)
	fig := func(unit, indicator string, num, den int64) dossier.PortalFigure {
		return dossier.PortalFigure{Period: "2024-08", Unit: dossier.UnitCode(unit), Indicator: indicator, Numerator: num, Denominator: den}
	}
	for _, tt := range []struct {
		name   string
		portal dossier.PortalFigure
		ours   tally.Rate
		want   string // candidates with their match
	}{
		{"agrees", fig("H51.20", "4.2", 3, 5), tally.Rate{Numerator: 3, Denominator: 5}, ""},
		{"other formula", fig("H51.10", "4.2", 0, 6), tally.Rate{Numerator: 2, Denominator: 6}, "formula both, own-only numerator, first-day numerator, synced-only numerator"},
		{"appendix row, by day of resolution", fig("H51.20", "5", 3, 3), tally.Rate{Numerator: 3, Denominator: 4}, "formula both"},
		{"the unit alone", fig("H51.10", "4.2", 0, 1), tally.Rate{Numerator: 2, Denominator: 6}, "own-only both, formula numerator, first-day numerator, synced-only numerator"},
		{"the last day", fig("H51.20", "3", 3, 4), tally.Rate{Numerator: 3, Denominator: 5}, "last-day both"},
		{"after the merger", fig("H51.20", "3", 3, 6), tally.Rate{Numerator: 3, Denominator: 5}, "structure both"},
		{"synchronised only", fig("H51", "4.2", 3, 3), tally.Rate{Numerator: 5, Denominator: 12}, "synced-only both, formula numerator"},
		{"components without results", fig("H51", "4.2", 8, 12), tally.Rate{Numerator: 5, Denominator: 12}, "components-only both"},
		{"no reason known", fig("H51", "4.2", 7, 13), tally.Rate{Numerator: 5, Denominator: 12}, ""},
		{"unknown unit", fig("H99", "4.2", 7, 13), tally.Rate{}, "unknown-unit possible"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tally.Reconcile(ctx, src, tally.Query{Period: august}, []dossier.PortalFigure{tt.portal})
			if err != nil {
				t.Fatal(err)
			}
			var list []string
			for _, c := range got[0].Candidates {
				if c.Text.VI == "" || c.Text.EN == "" {
					t.Errorf("%s says nothing", c.Code)
				}
				list = append(list, c.Code+" "+string(c.Match))
			}
			if s := strings.Join(list, ", "); s != tt.want || got[0].Ours != tt.ours {
				t.Errorf("ours %v, candidates %s; want %v, %s", got[0].Ours, s, tt.ours, tt.want)
			}
		})
	}
	if _, err := tally.Reconcile(ctx, src, tally.Query{Period: august}, []dossier.PortalFigure{fig("H51", "4.7", 1, 1)}); !errors.Is(err, tally.ErrQuery) {
		t.Errorf("an unknown indicator: %v", err)
	}
}
