package dossier

import "time"

// Difference is something in the archive or the ledger that does not fit the
// other. Nothing of it is personal.
type Difference struct {
	Kind     DifferenceKind
	Document string // its id; empty where it is about none
	Key      string // of the object, or the unit of a tally
	Detail   string
}

// DifferenceKind is a stable code.
type DifferenceKind string

const (
	MissingObject DifferenceKind = "missing-object" // a record names it
	ExtraObject   DifferenceKind = "extra-object"   // nothing names it
	WrongSize     DifferenceKind = "wrong-size"
	WrongHash     DifferenceKind = "wrong-hash"
	Misplaced     DifferenceKind = "misplaced"      // a record or refusal of another folder
	Unreadable    DifferenceKind = "unreadable"     // the store gives the object not, or not as what it should be
	NoVerdict     DifferenceKind = "no-verdict"     // neither record nor refusal, though the ledger knows one
	NotInLedger   DifferenceKind = "not-in-ledger"  // a document of the archive
	NotInArchive  DifferenceKind = "not-in-archive" // a row of the ledger
	StateDiffers  DifferenceKind = "state-differs"  // archive and ledger say different things of a document
	TallyDiffers  DifferenceKind = "tally"          // the counters are not the recount
	AuditBroken   DifferenceKind = "audit"          // the audit log's chain does not hold
)

// Check is one pass of verification over archive and ledger, at its end or on
// its way.
type Check struct {
	ID          string
	Name        CheckName
	Deep        bool // every byte was read
	StartedAt   time.Time
	MovedAt     time.Time // when it last got on
	EndedAt     time.Time // zero: not at its end
	Stage       string    // archive, ledger, tallies …
	Done        string    // all up to here is dealt with in the stage
	Documents   int64     // folders looked at
	Objects     int64
	Bytes       int64 // read
	Differences int64
}

// CheckName is who checks: passes of different names do not disturb each other.
type CheckName string

const (
	ByHand     CheckName = "by-hand"
	ByHandDeep CheckName = "by-hand-deep"
	ByPlan     CheckName = "by-plan" // in the background, all within a number of days
)
