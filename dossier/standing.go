package dossier

import "errors"

// State is where an intake stands.
type State string

const (
	Pending State = "pending"  // received; its job is queued or running
	Stored  State = "stored"   // its record stands
	Refused State = "rejected" // its refusal stands
	Faulted State = "faulted"  // our fault after the last try: it waits in the failure inbox and can be replayed
)

// Standing is what can be answered about an intake at any time.
type Standing struct {
	Intake  Intake
	State   State
	Again   bool     // these bytes had been received before; this is the first verdict
	Record  *Record  // when Stored
	Refusal *Refusal // when Refused
	Fault   string   // when Faulted: for operators, free of personal data

	Legal      bool       // of legal value today: as its record says, unless an officer judged its signatures anew
	Corrected  bool       // handing it in again has corrected what is said of it
	Amended    *Slip      // the slip as it was corrected after the verdict; nil: never
	ReplacedBy string     // id of the better scan, when there is one
	Revoked    bool       // an officer said that the paper is no longer valid
	Swept      bool       // it was rejected, and its days are over: its files are gone
	Deleted    bool       // its file is gone: deleted by order, or what it reuses was
	Tombstone  *Tombstone // when it was itself deleted by order; there is no Record or Refusal then
}

// Correctable reports whether what is said of the document can be corrected.
func (s Standing) Correctable() bool { return s.Record != nil && !s.Deleted }

// Slip is what is said of the document today.
func (s Standing) Slip() Slip {
	switch {
	case s.Amended != nil:
		return *s.Amended
	case s.Record != nil:
		return s.Record.Slip
	}
	return s.Intake.Slip
}

// Errors a door turns into an answer of its own. They are about what was asked,
// not about the scan, and never about us.
var (
	ErrUnknownUnit     = errors.New("the unit is not in the register of units")
	ErrPaperTaken      = errors.New("this paper of this dossier already has other bytes; say which document it replaces")
	ErrUnknownDocument = errors.New("there is no such document")
	ErrNotReplaceable  = errors.New("the document to replace is not in force or belongs to another dossier")
	ErrUndecided       = errors.New("the document has no verdict yet")
	ErrOrder           = errors.New("an order has a number and a reason, each one line of at most 500 characters")
)

// RowError is a bad row of a file that was handed in: its place and what to do.
type RowError struct {
	File   string `json:"file"`
	Row    int    `json:"row"` // 1-based line of the sheet; the header is row 1
	Column string `json:"column,omitempty"`
	Reason Text   `json:"reason"` // never repeats personal data
}
