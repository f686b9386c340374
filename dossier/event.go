package dossier

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Types of events, from the vocabulary of PREMIS where it has a word.
const (
	EventIngestion   = "ingestion"
	EventDigest      = "message digest calculation"
	EventValidation  = "validation"
	EventNormalise   = "normalization"
	EventReuse       = "reuse"
	EventReplacement = "replacement" // of the record: what it replaces; later: by which document it was
	EventRevocation  = "revocation"  // the paper is no longer valid; its bytes stay
	EventSignature   = "digital signature validation"
	EventAmendment   = "metadata modification" // Detail names the object that holds the slip as it is since
	EventPolicy      = "policy assignment"     // a legal hold was placed or lifted
	EventDeletion    = "deletion"
	EventSweep       = "sweep" // of a rejected scan, after its days
)

// Outcomes of events that change what a document counts for.
const (
	OutcomeSuccess = "success"
	OutcomeTrusted = "trusted" // its signatures give it legal value
	OutcomeDoubted = "untrusted"
	OutcomeHeld    = "legal hold"
	OutcomeFreed   = "no legal hold"
)

// Event is one thing that happened to a document, in the terms of PREMIS. It
// names nobody but by an account or a token.
type Event struct {
	Type    string    `json:"type"`
	At      time.Time `json:"at"`
	Agent   string    `json:"agent"`            // account:…, token:…, or the program
	Role    Role      `json:"role,omitempty"`   // as which the agent acted
	Tool    string    `json:"tool,omitempty"`   // name and version of the program, where it is not the agent
	Detail  string    `json:"detail,omitempty"` // profile, digest, id of another document …
	Outcome string    `json:"outcome,omitempty"`
	Order   string    `json:"order,omitempty"` // number of the order by which it was done
	Reason  string    `json:"reason,omitempty"`

	// Slip of an amendment. It may be personal, and events outlive their documents:
	// it stands in an object of its own, which does not.
	Slip *Slip `json:"-"`
}

// Latest answers the last of a document's events that is of the type, or nil.
func Latest(events []Event, kind string) *Event {
	for i := len(events) - 1; i >= 0; i-- {
		if events[i].Type == kind {
			return &events[i]
		}
	}
	return nil
}

// Held reports whether a document is under legal hold, by what happened to it, in
// order: the latest word holds.
func Held(events []Event) bool {
	last := Latest(events, EventPolicy)
	return last != nil && last.Outcome == OutcomeHeld
}

// Later is event-0001.json, event-0002.json … beside a record: what happened to
// the document afterwards, in order. Each is written once and never changed.
type Later struct {
	Schema int    `json:"schema"`
	ID     string `json:"id"` // the document's
	Number int    `json:"number"`
	Event
}

// Amended is slip-….json beside a record: the slip as somebody corrected it, named
// by an event. The latest such event has the last word.
type Amended struct {
	Schema int    `json:"schema"`
	ID     string `json:"id"` // the document's
	Slip   Slip   `json:"slip"`
}

// AmendedSchema is the version of slip-….json that this program writes.
const AmendedSchema = 1

// Amend is the slip with what was said anew of it. What a document is, and where
// it belongs, stays; nor does silence take back what was said before.
func (s Slip) Amend(anew Slip) Slip {
	for _, f := range []struct {
		old *string
		new string
	}{{&s.Name, anew.Name}, {&s.OwnerID, anew.OwnerID}, {&s.IssuedBy, anew.IssuedBy}, {&s.SignedBy, anew.SignedBy},
		{&s.Scope, anew.Scope}, {&s.Abstract, anew.Abstract}} {
		if f.new != "" {
			*f.old = f.new
		}
	}
	for _, f := range []struct {
		old *Date
		new Date
	}{{&s.IssuedOn, anew.IssuedOn}, {&s.ValidFrom, anew.ValidFrom}, {&s.ValidTo, anew.ValidTo}} {
		if f.new != 0 {
			*f.old = f.new
		}
	}
	if s.Kind != ResultInForce && anew.Number != "" { // there the number is which paper it is
		s.Number = anew.Number
	}
	return s
}

// Replacement is what happened to the document that the newer one replaces.
func Replacement(newer Record) Event {
	return Event{Type: EventReplacement, At: newer.ReceivedAt, Agent: newer.Slip.By, Tool: newer.Tool, Outcome: OutcomeSuccess, Detail: newer.ID}
}

// LaterSchema is the version of event-0001.json that this program writes.
const LaterSchema = 1

// Order is by whose word something is done to a document that stands. Number
// and Reason are kept for good: they hold no personal data.
type Order struct {
	By     string // account:…, token:… or cli
	Role   Role
	Number string // of the decision, judgment or minutes (số văn bản)
	Reason string
}

// Checked returns the order without blanks around its texts, or ErrOrder.
func (o Order) Checked() (Order, error) {
	o.Number, o.Reason = strings.TrimSpace(o.Number), strings.TrimSpace(o.Reason)
	for _, s := range []string{o.Number, o.Reason} {
		if s == "" || !utf8.ValidString(s) || utf8.RuneCountInString(s) > 500 || strings.ContainsFunc(s, unicode.IsControl) {
			return o, ErrOrder
		}
	}
	return o, nil
}

// Tombstone is tombstone.json: what is left of a document that was deleted by
// order, in place of its record (or refusal) and its bytes. It states what the
// document was and by whose word it went, and holds nothing personal. Written
// once, it is never changed, and nothing brings the document back.
type Tombstone struct {
	Schema     int       `json:"schema"`
	ID         string    `json:"id"`
	Slip       Slip      `json:"slip"`  // bare
	State      State     `json:"state"` // stored or rejected: what it was
	Original   File      `json:"original"`
	Archive    *File     `json:"archive,omitempty"`
	ReceivedAt time.Time `json:"received_at"`
	Tool       string    `json:"tool"`
	Events     []Event   `json:"events"` // of its record, and last the deletion
}

// Deletion is the event that made the tombstone.
func (t Tombstone) Deletion() Event {
	if len(t.Events) == 0 {
		return Event{Type: EventDeletion}
	}
	return t.Events[len(t.Events)-1]
}

// Bare is the slip without what may be personal. The number of a result in
// force stays: without a dossier it is all that says which paper it was.
func (s Slip) Bare() Slip {
	b := Slip{Kind: s.Kind, Dossier: s.Dossier, Unit: s.Unit, Procedure: s.Procedure, Paper: s.Paper,
		IssuedOn: s.IssuedOn, ValidFrom: s.ValidFrom, ValidTo: s.ValidTo,
		Replaces: s.Replaces, Reuses: s.Reuses, PersonalStore: s.PersonalStore, By: s.By, Door: s.Door}
	if s.Kind == ResultInForce {
		b.Number = s.Number
	}
	return b
}

// TombstoneOf is the tombstone of a document with a verdict; ErrUndecided where
// it has none.
func TombstoneOf(st Standing, o Order, at time.Time, tool string) (Tombstone, error) {
	t := Tombstone{Schema: RecordSchema, ID: st.Intake.ID, Slip: st.Intake.Slip.Bare(), State: st.State,
		Original: st.Intake.Original, ReceivedAt: st.Intake.ReceivedAt, Tool: tool}
	switch {
	case st.Record != nil:
		t.Slip, t.Archive, t.Events = st.Record.Slip.Bare(), st.Record.Archive, slices.Clone(st.Record.Events)
	case st.Refusal != nil:
	default:
		return Tombstone{}, ErrUndecided
	}
	t.Events = append(t.Events, Event{Type: EventDeletion, At: at, Agent: o.By, Role: o.Role, Tool: tool, Outcome: OutcomeSuccess, Order: o.Number, Reason: o.Reason})
	return t, nil
}
