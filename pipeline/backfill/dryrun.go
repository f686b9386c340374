package backfill

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"sync"

	"sohoa/dossier"
	"sohoa/pipeline/register"
	"sohoa/pipeline/sheet"
)

// Checker answers what a dry run asks; it writes nothing.
type Checker interface {
	// Known reports whether the register knows the dossier, or the result in
	// force; dossier.ErrUnknownUnit where not even the unit is known.
	Known(ctx context.Context, slip dossier.Slip) (bool, error)
	// Seen answers the standing of the same bytes handed in before for the same
	// paper, where there is one.
	Seen(ctx context.Context, slip dossier.Slip, digest dossier.Digest) (dossier.Standing, bool, error)
	// Inspect gives the verdict on the scan: nil, or a *dossier.Rejection; any
	// other error is a fault.
	Inspect(ctx context.Context, slip dossier.Slip, body io.ReadSeeker, size int64) error
}

// Preview is what a dry run found beside its Summary, in which Stored means
// that the row would be handed in.
type Preview struct {
	Summary
	Unmatched int // of the stored: the register does not know the dossier or result yet; they would wait for it
	Encoding  sheet.Encoding
	Converted map[string]sheet.Encoding // columns typed with old fonts
	Unused    []*dossier.RowError       // columns that would be passed over
}

// DryRun checks every row as Run would take it and writes nothing. fast leaves
// out the reading of the files.
func DryRun(ctx context.Context, s *sheet.Sheet, c Checker, o Options, fast bool) (Preview, error) {
	r, err := newRun(s, o)
	if err != nil {
		return Preview{}, err
	}
	r.Rate, r.Between = 0, Hours{}
	d := &dry{run: r, check: c, fast: fast, seen: map[uint64]uint64{}, seed: maphash.MakeSeed()}
	sum, err := r.all(ctx, d.row)
	return Preview{Summary: sum, Unmatched: d.unmatched, Encoding: s.Encoding(), Converted: s.Converted(), Unused: r.unused}, err
}

type dry struct {
	*run
	check Checker
	fast  bool

	mu        sync.Mutex
	unmatched int
	seed      maphash.Seed
	seen      map[uint64]uint64 // paper by what it is to its dossier: its bytes or, when fast, its file
}

func (d *dry) row(ctx context.Context, line register.Line[register.Entry]) (Result, bool) {
	res := Result{Row: line.Row, File: line.Value.File}
	res, ok, err := d.look(ctx, res, line.Value)
	if ctx.Err() != nil {
		return res, false
	}
	if err != nil {
		d.run.mu.Lock()
		d.fail(fmt.Errorf("backfill: dry run: %w", err))
		d.run.mu.Unlock()
		return res, false
	}
	return res, ok
}

func (d *dry) look(ctx context.Context, res Result, e register.Entry) (Result, bool, error) {
	slip := e.Slip
	slip.By, slip.Door = d.By, dossier.DoorBackfill
	f, cause, err := d.files.open(e)
	if cause != "" {
		return skipped(res, cause), true, nil
	}
	if err != nil {
		return res, false, err
	}
	defer f.Close()
	res.File, slip.FileName = f.path, f.name

	known, err := d.check.Known(ctx, slip)
	if errors.Is(err, dossier.ErrUnknownUnit) {
		return skipped(res, UnknownUnit), true, nil
	}
	if err != nil {
		return res, false, err
	}
	content := f.path
	var digest dossier.Digest
	if !d.fast {
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			if f.err != nil {
				return skipped(res, FileUnread), true, nil
			}
			return res, false, err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return res, false, err
		}
		digest = dossier.Digest(hex.EncodeToString(h.Sum(nil)))
		content = string(digest)
		if f.size == 0 {
			content = f.path // empty files are not the same paper
		}
	}
	if cause := d.repeated(slip, content); cause != "" {
		return skipped(res, cause), true, nil
	}
	if !d.fast {
		st, found, err := d.check.Seen(ctx, slip, digest)
		if err != nil {
			return res, false, err
		}
		if found {
			res.Outcome, res.Document = Already, st.Intake.ID
			if st.Correctable() && st.Slip().Amend(slip) != st.Slip() {
				res.Reason, res.Text = string(Corrected), Corrected.Text()
			}
			if st.State == dossier.Refused && st.Refusal != nil {
				res.Outcome, res.Reason, res.Text = Rejected, string(st.Refusal.Reason), st.Refusal.Message
			}
			return res, true, nil
		}
		var rej *dossier.Rejection
		switch err := d.check.Inspect(ctx, slip, f, f.size); {
		case errors.As(err, &rej):
			res.Outcome, res.Reason, res.Text = Rejected, string(rej.Reason), rej.Reason.Text()
			return res, true, nil
		case err != nil && f.err != nil:
			return skipped(res, FileUnread), true, nil
		case err != nil:
			return res, false, err
		}
	}
	res.Outcome = Stored
	if !known {
		d.mu.Lock()
		d.unmatched++
		d.mu.Unlock()
	}
	return res, true, nil
}

// repeated tells a row that repeats one above it, or that has other bytes for
// the same coded paper. Rows of one dossier come in their order.
func (d *dry) repeated(s dossier.Slip, content string) Cause {
	paper := fmt.Sprintf("%s\x00%s\x00%s\x00%s\x00%s", s.Kind, s.Dossier, s.Unit, s.Number, s.Paper)
	if s.Paper == "" || s.Kind == dossier.ResultInForce {
		paper += "\x00" + content // papers without a code are papers of their own
	}
	k, v := maphash.String(d.seed, paper), maphash.String(d.seed, content)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch old, ok := d.seen[k]; {
	case !ok:
		d.seen[k] = v
		return ""
	case old == v:
		return Repeated
	}
	return PaperTaken
}
