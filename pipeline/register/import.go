package register

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"

	"sohoa/dossier"
	"sohoa/pipeline/sheet"
)

// BatchSize is the number of rows that go into the ledger in one transaction.
const BatchSize = 500

// maxErrors is how many row errors are kept; all are counted.
const maxErrors = 10_000

// Ledger takes the register in. Every call is one transaction.
type Ledger interface {
	// ImportUnits gets the whole file in one call; the others at most BatchSize
	// rows, no two of which name the same thing.
	ImportUnits(ctx context.Context, rows []dossier.Unit) (dossier.ImportOutcome, error)
	ImportProcedures(ctx context.Context, rows []dossier.Procedure) (dossier.ImportOutcome, error)
	ImportDossiers(ctx context.Context, rows []dossier.Registered) (dossier.ImportOutcome, error)
	ImportResults(ctx context.Context, rows []dossier.Result) (dossier.ImportOutcome, error)
	ImportPortal(ctx context.Context, rows []dossier.PortalFigure) (dossier.ImportOutcome, error)
	ImportIndicators(ctx context.Context, period string, values map[int]string) error
	Indicators(ctx context.Context, period string) (map[int]string, error)
}

// Summary is what became of a file. Rows = New + Changed + Same + Repeated + Bad.
type Summary struct {
	Kind     Kind
	Rows     int // rows that are not empty, without the header
	New      int
	Changed  int
	Same     int
	Repeated int // good rows passed over because a later good row names the same thing
	Bad      int // rows refused
}

// Options of an import.
type Options struct {
	Mapping  sheet.Mapping  // headers beyond the built-in ones
	Progress func(rows int) // called as rows go in; may be nil
}

// Import brings a register file into the ledger. Where two rows name the same
// thing the later one counts, so that importing a file again changes nothing.
// The row errors say what did not go in (the first 10,000 of them) and which
// columns were passed over; the error, that the import stopped: the batches
// before it stand, and importing again goes on. A header that will not do is
// told in row errors, and no row goes in.
func Import(ctx context.Context, l Ledger, kind Kind, s *sheet.Sheet, o Options) (Summary, []dossier.RowError, error) {
	im := &importer{ctx: ctx, sum: Summary{Kind: kind}, progress: o.Progress}
	var err error
	switch kind {
	case Units:
		lines, unknown, e := ReadUnits(s, o.Mapping)
		err = run(im, lines, unknown, e, nil, nil,
			func(lines []Line[dossier.Unit]) error { return importUnits(im, l, s.Name(), lines) }, maxUnits)
	case Procedures:
		lines, unknown, e := ReadProcedures(s, o.Mapping)
		err = run(im, lines, unknown, e, func(p dossier.Procedure) string { return string(p.Code) }, nil,
			into(im, s.Name(), l.ImportProcedures), BatchSize)
	case Dossiers:
		lines, unknown, e := ReadDossiers(s, o.Mapping)
		err = run(im, lines, unknown, e, func(d dossier.Registered) string { return string(d.Code) }, byUnitAndDay,
			into(im, s.Name(), l.ImportDossiers), BatchSize)
	case Results:
		lines, unknown, e := ReadResults(s, o.Mapping)
		err = run(im, lines, unknown, e, func(r dossier.Result) string { return string(r.Unit) + "\x00" + r.Number }, byUnitAndNumber,
			into(im, s.Name(), l.ImportResults), BatchSize)
	case Portal:
		lines, unknown, e := ReadPortal(s, o.Mapping)
		err = run(im, lines, unknown, e, func(f dossier.PortalFigure) string {
			return f.Period + "\x00" + string(f.Unit) + "\x00" + f.Indicator
		}, nil, into(im, s.Name(), l.ImportPortal), BatchSize)
	case Indicators:
		lines, unknown, e := ReadIndicators(s, o.Mapping)
		err = run(im, lines, unknown, e, func(v dossier.IndicatorValue) string { return v.Period + "\x00" + strconv.Itoa(v.Row) }, nil,
			func(lines []Line[dossier.IndicatorValue]) error { return importIndicators(im, l, lines) }, BatchSize)
	default:
		return im.sum, nil, fmt.Errorf("register: no such register: %q", kind)
	}
	return im.sum, im.errs, err
}

type importer struct {
	ctx      context.Context
	sum      Summary
	errs     []dossier.RowError
	progress func(int)
}

func (im *importer) note(e *dossier.RowError) {
	if len(im.errs) < maxErrors {
		im.errs = append(im.errs, *e)
	}
}

// headerErrors keeps the row errors in what Bind answered and returns the rest.
func (im *importer) headerErrors(err error) error {
	bad, rest := RowErrors(err)
	for _, e := range bad {
		im.note(e)
	}
	return rest
}

// RowErrors takes the row errors out of an error, also out of a joined one; what
// is left is of the machine.
func RowErrors(err error) (bad []*dossier.RowError, rest error) {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var left []error
		for _, e := range many.Unwrap() {
			b, r := RowErrors(e)
			bad, left = append(bad, b...), append(left, r)
		}
		return bad, errors.Join(left...)
	}
	var one *dossier.RowError
	if errors.As(err, &one) {
		return []*dossier.RowError{one}, nil
	}
	return nil, err
}

// window is how many rows are read ahead and put in order before they are cut
// into batches: a file in no order touches as few pages and counters a batch as
// one that is sorted. About 20 MiB at the most.
const window = 32_768

// run reads the lines and hands them on in batches, a window of them at a time
// in the given order; nil leaves them as they stand in the file.
func run[T any](im *importer, lines Lines[T], unknown []*dossier.RowError, header error, key func(T) string, order func(a, b T) int, put func([]Line[T]) error, size int) error {
	if header != nil {
		return im.headerErrors(header)
	}
	for _, e := range unknown {
		im.note(e)
	}
	last, err := repeated(im.ctx, lines, key)
	if err != nil {
		return im.headerErrors(err)
	}
	ahead := size
	if order != nil {
		ahead = max(size, window)
	}
	var held []Line[T]
	badRow, told := 0, len(im.errs)
	flush := func() error {
		if order != nil {
			slices.SortStableFunc(held, func(a, b Line[T]) int { return order(a.Value, b.Value) })
		}
		for batch := range slices.Chunk(held, size) {
			if err := im.ctx.Err(); err != nil {
				return err
			}
			if err := put(batch); err != nil {
				return err
			}
			if im.progress != nil {
				im.progress(im.sum.New + im.sum.Changed + im.sum.Same + im.sum.Repeated + im.sum.Bad)
			}
		}
		clear(held)
		held = held[:0]
		// What the ledger refused comes in the order of the batches.
		slices.SortStableFunc(im.errs[told:], func(a, b dossier.RowError) int { return cmp.Compare(a.Row, b.Row) })
		told = len(im.errs)
		return nil
	}
	for line, err := range lines {
		if im.ctx.Err() != nil {
			return im.ctx.Err()
		}
		var bad *dossier.RowError
		switch {
		case errors.As(err, &bad) && bad.Row > 0:
			im.note(bad)
			if bad.Row != badRow { // a row may have several bad cells
				badRow = bad.Row
				im.sum.Rows++
				im.sum.Bad++
			}
			continue
		case err != nil:
			return im.headerErrors(err)
		}
		im.sum.Rows++
		if len(last) > 0 {
			if at, ok := last[key(line.Value)]; ok && at != line.Row {
				im.sum.Repeated++
				continue
			}
		}
		if held = append(held, line); len(held) == ahead {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// byUnitAndDay is the order in which the ledger keeps dossiers.
func byUnitAndDay(a, b dossier.Registered) int {
	return cmp.Or(cmp.Compare(a.Unit, b.Unit), a.ReceivedAt.Compare(b.ReceivedAt), cmp.Compare(a.Code, b.Code))
}

func byUnitAndNumber(a, b dossier.Result) int {
	return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Number, b.Number))
}

// repeated returns, for the keys that more than one good row has, the last of
// these rows; none where key is nil. It reads the lines once, and again only where a key may be there
// twice; what it holds meanwhile is a bit set, not the keys.
func repeated[T any](ctx context.Context, lines Lines[T], key func(T) string) (map[string]int, error) {
	const bits = 1 << 27 // 16 MiB: at ten million rows one key in 200 is looked at twice
	var set []uint64
	seed := maphash.MakeSeed()
	spots := func(k string) (a, b uint64) {
		h := maphash.String(seed, k)
		return h % bits, (h >> 32) * 0x9E3779B1 % bits
	}
	again := map[uint64]bool{}
	n := 0
	for line, err := range lines {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var bad *dossier.RowError
		if errors.As(err, &bad) && bad.Row > 0 {
			continue
		}
		if err != nil { // also a file that proves to be no table: nothing of it goes in
			return nil, err
		}
		if key == nil {
			continue
		}
		if set == nil {
			set = make([]uint64, bits/64)
		}
		k := key(line.Value)
		a, b := spots(k)
		if set[a/64]&(1<<(a%64)) != 0 && set[b/64]&(1<<(b%64)) != 0 {
			again[maphash.String(seed, k)] = true
		}
		set[a/64] |= 1 << (a % 64)
		set[b/64] |= 1 << (b % 64)
	}
	if len(again) == 0 {
		return nil, nil
	}
	last, count := map[string]int{}, map[string]int{}
	for line, err := range lines {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var bad *dossier.RowError
		if errors.As(err, &bad) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if k := key(line.Value); again[maphash.String(seed, k)] {
			last[k] = line.Row
			count[k]++
		}
	}
	for k, c := range count {
		if c < 2 {
			delete(last, k)
		}
	}
	return last, nil
}

// into hands a batch to the ledger and maps what it refuses back to rows.
func into[T any](im *importer, file string, call func(context.Context, []T) (dossier.ImportOutcome, error)) func([]Line[T]) error {
	return func(lines []Line[T]) error {
		out, err := call(im.ctx, values(lines))
		if err != nil {
			return fmt.Errorf("register: import of %s: %w", im.sum.Kind, err)
		}
		im.add(out)
		return badRows(im, file, lines, out.Bad)
	}
}

func values[T any](lines []Line[T]) []T {
	out := make([]T, len(lines))
	for i, l := range lines {
		out[i] = l.Value
	}
	return out
}

func (im *importer) add(out dossier.ImportOutcome) {
	im.sum.New += out.New
	im.sum.Changed += out.Changed
	im.sum.Same += out.Same
}

func badRows[T any](im *importer, file string, lines []Line[T], bad []dossier.BadRow) error {
	rows := map[int]bool{}
	for _, b := range bad {
		if b.Index < 0 || b.Index >= len(lines) {
			return fmt.Errorf("register: the ledger refused row %d of a batch of %d", b.Index, len(lines))
		}
		rows[b.Index] = true
		im.note(&dossier.RowError{File: file, Row: lines[b.Index].Row, Column: b.Column, Reason: b.Reason})
	}
	im.sum.Bad += len(rows)
	return nil
}

// maxUnits bounds the register of units, which goes in as a whole.
const maxUnits = 200_000

// importUnits sends the whole register in one call, so that a parent or a
// successor may stand anywhere in it and no half of a tree goes in. A unit has a
// row for each of its states in time; of states that overlap the later row counts.
func importUnits(im *importer, l Ledger, file string, lines []Line[dossier.Unit]) error {
	states := map[dossier.UnitCode][]dossier.Unit{}
	var kept []Line[dossier.Unit]
	for _, line := range slices.Backward(lines) {
		u := line.Value
		if slices.ContainsFunc(states[u.Code], func(o dossier.Unit) bool {
			return (o.ValidTo == 0 || u.ValidFrom < o.ValidTo) && (u.ValidTo == 0 || o.ValidFrom < u.ValidTo)
		}) {
			im.sum.Repeated++
			continue
		}
		states[u.Code] = append(states[u.Code], u)
		kept = append(kept, line)
	}
	slices.Reverse(kept)
	return into(im, file, l.ImportUnits)(kept)
}

func importIndicators(im *importer, l Ledger, lines []Line[dossier.IndicatorValue]) error {
	periods := map[string]map[int]string{}
	var order []string
	for _, line := range lines {
		v := line.Value
		if periods[v.Period] == nil {
			periods[v.Period] = map[int]string{}
			order = append(order, v.Period)
		}
		periods[v.Period][v.Row] = v.Value
	}
	for _, p := range order {
		have, err := l.Indicators(im.ctx, p)
		if err != nil {
			return fmt.Errorf("register: import of indicators: %w", err)
		}
		if err := l.ImportIndicators(im.ctx, p, periods[p]); err != nil {
			return fmt.Errorf("register: import of indicators: %w", err)
		}
		for row, v := range periods[p] {
			switch old, ok := have[row]; {
			case !ok:
				im.sum.New++
			case old != v:
				im.sum.Changed++
			default:
				im.sum.Same++
			}
		}
	}
	return nil
}
