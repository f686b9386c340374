package dossier

import "time"

// Run is something that goes on for long, as it tells of itself every few
// seconds. Nothing of it is personal.
type Run struct {
	ID        string
	Kind      RunKind
	Host      string // where it runs
	StartedAt time.Time
	SeenAt    time.Time // when it last told
	EndedAt   time.Time // zero: it goes on, or died
	Slots     int       // of workers: documents at once
	Done      int64     // rows, of Total
	Total     int64     // as far as is known
	Failed    int64     // rows that did not go in
	Waiting   string    // why nothing goes on at present; else empty
}

// RunKind is what it is that runs.
type RunKind string

const (
	Working  RunKind = "work"
	Backfill RunKind = "backfill"
)

// RunSilence is after how long without a word a run counts as dead; it tells
// three times as often.
const RunSilence = 30 * time.Second

// Alive reports whether the run still goes on.
func (r Run) Alive(now time.Time) bool { return r.EndedAt.IsZero() && now.Sub(r.SeenAt) < RunSilence }
