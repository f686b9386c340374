package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"sohoa/dossier"
	"sohoa/internal/program"
	"sohoa/pipeline"
	"sohoa/storage/ledger"
	"sohoa/tally"
)

// ofUnit is how many of a unit's first dossiers the papers are for.
const ofUnit = 300

// onLedgers measures what a document costs, from its bytes to its place in the
// tallies, by how much the ledger has: so many documents a round of dossiers that it
// has, spread over its units, on one ledger after the other. The ledgers grow by that.
func onLedgers(dir, scan string, databases []string, n, rounds, clients int) error {
	body, err := os.ReadFile(scan)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(dir, ".bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	fmt.Printf("scan of %d bytes, %d documents a round, %d senders at once\n", len(body), n, clients)
	took, used := make([][]float64, len(databases)), make([][]float64, len(databases))
	for round := range rounds {
		for i, database := range databases {
			ms, cpu, err := onLedger(filepath.Join(work, fmt.Sprint(round, i)), database, body, n, clients)
			if err != nil {
				return fmt.Errorf("%s: %w", database, err)
			}
			took[i], used[i] = append(took[i], ms), append(used[i], cpu)
			fmt.Printf("round %d, %s: %.2f ms a document, %.2f of processor time\n", round+1, database, ms, cpu)
		}
	}
	for i, database := range databases {
		fmt.Printf("median, %s: %.2f ms a document, %.2f × the first; processor %.2f ms, %.2f × (to reach: 1.20 ×)\n",
			database, median(took[i]), median(took[i])/median(took[0]), median(used[i]), median(used[i])/median(used[0]))
	}
	return nil
}

// onLedger returns the milliseconds a document, elapsed and of processor time.
func onLedger(dir, database string, body []byte, n, clients int) (ms, cpu float64, err error) {
	ctx := context.Background()
	p, l, done, err := house(ctx, dir, database, nil, func(context.Context, pipeline.Observation) {})
	if err != nil {
		return 0, 0, err
	}
	closed := false
	defer func() {
		if !closed {
			err = errors.Join(err, done())
		}
	}()
	codes, err := someDossiers(ctx, l, n)
	if err != nil {
		return 0, 0, err
	}
	before := program.Spent()
	// Other bytes each time, or they would be there already.
	rate, err := settle(ctx, p, l, codes, append(body[:len(body):len(body)], fmt.Sprintf("%%%d\n", rand.Uint64())...), clients)
	if err != nil {
		return 0, 0, err
	}
	closed = true
	if err := done(); err != nil { // the children's time is told when they have ended
		return 0, 0, err
	}
	after := program.Spent()
	return 1000 / rate, 1000 * (after[0] + after[1] - before[0] - before[1]).Seconds() / float64(n), nil
}

// someDossiers picks n of the ledger's dossiers.
func someDossiers(ctx context.Context, l *ledger.Ledger, n int) ([]dossier.Code, error) {
	units, err := l.Units(ctx)
	if err != nil {
		return nil, err
	}
	var codes []dossier.Code
	for _, u := range units {
		page, err := l.List(ctx, ledger.ListQuery{Indicator: "4.2", Side: tally.All, Units: []dossier.UnitCode{u.Code}, Limit: ofUnit})
		if err != nil {
			return nil, err
		}
		for _, d := range page.Items {
			codes = append(codes, d.Code)
		}
	}
	if len(codes) < n {
		return nil, fmt.Errorf("the ledger has %d dossiers, which is too few", len(codes))
	}
	rand.Shuffle(len(codes), func(i, j int) { codes[i], codes[j] = codes[j], codes[i] })
	return codes[:n], nil
}
