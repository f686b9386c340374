package dossier

import (
	"time"
)

// Kind is what a document is to its dossier.
type Kind string

const (
	Component     Kind = "component"
	ResultKind    Kind = "result"
	ResultInForce Kind = "result-in-force" // a legacy result that has no dossier
)

// Digest is a SHA-256 in lower-case hexadecimal.
type Digest string

// Door is the way by which a document came in.
type Door string

const (
	DoorAPI      Door = "api"
	DoorWeb      Door = "web"
	DoorHot      Door = "hot-folder"
	DoorBackfill Door = "backfill"
	DoorSubmit   Door = "submit"
)

// Bulk reports whether papers of this door come by the thousand and nobody
// stands waiting: those of the counters pass before them.
func (d Door) Bulk() bool { return d == DoorHot || d == DoorBackfill }

// Slip is what is said of a document when it is handed in. OwnerID, Name,
// Number, Abstract, FileName and Signer may be personal data: they stand in the
// record and the ledger and nowhere else.
type Slip struct {
	Kind          Kind      `json:"kind"`
	Dossier       Code      `json:"dossier,omitempty"`
	Number        string    `json:"number,omitempty"` // symbol-number of a result (số ký hiệu)
	Unit          UnitCode  `json:"unit"`             // whose document it is; from the register, the dossier code or the slip
	Procedure     string    `json:"procedure,omitempty"`
	Paper         PaperCode `json:"paper,omitempty"`
	Name          string    `json:"name,omitempty"`
	FileName      string    `json:"file_name,omitempty"`
	OwnerID       string    `json:"owner_id,omitempty"`
	IssuedOn      Date      `json:"issued_on,omitzero"`
	IssuedBy      string    `json:"issued_by,omitempty"`
	SignedBy      string    `json:"signed_by,omitempty"`
	ValidFrom     Date      `json:"valid_from,omitzero"`
	ValidTo       Date      `json:"valid_to,omitzero"`
	Scope         string    `json:"scope,omitempty"`
	Abstract      string    `json:"abstract,omitempty"`
	Replaces      string    `json:"replaces,omitempty"`       // id of the document this is a better scan of
	Reuses        string    `json:"reuses,omitempty"`         // id of a document digitised before: no new bytes
	PersonalStore bool      `json:"personal_store,omitempty"` // taken from the owner's personal store
	By            string    `json:"by"`                       // account or token, never a person's name
	Door          Door      `json:"door"`
}

// File is a stored object of a document.
type File struct {
	Key       string `json:"key"`
	MediaType string `json:"media_type"`
	Size      int64  `json:"size"`
	SHA256    Digest `json:"sha256"`
}

// Intake is a document that has been received: its bytes lie in the archive and
// its job in the queue. Everything later steps write follows from it and from
// the bytes, never from the clock or from chance, so that each can be repeated.
type Intake struct {
	ID         string    `json:"id"` // UUIDv7, the document's id from now on
	Slip       Slip      `json:"slip"`
	Original   File      `json:"original"` // zero where the slip reuses a document
	ReceivedAt time.Time `json:"received_at"`

	// Untried: the queue knows that nobody has worked at it before, so that nothing
	// of a verdict can be in the archive yet.
	Untried bool `json:"-"`
}

// Signature is what was found of one signature field of a PDF.
type Signature struct {
	Field           string    `json:"field,omitempty"`
	Signer          string    `json:"signer"`
	SignedAt        time.Time `json:"signed_at,omitzero"`
	TimestampedAt   time.Time `json:"timestamped_at,omitzero"`
	Intact          bool      `json:"intact"`            // the digest and the signature over the bytes it covers hold
	CoversWholeFile bool      `json:"covers_whole_file"` // its byte range leaves out its own contents only and reaches the end
	CoversRevision  bool      `json:"covers_revision"`   // the same, up to the end of its own revision
	ChangedAfter    bool      `json:"changed_after"`     // something other than a signed revision follows
	Trusted         bool      `json:"trusted"`           // chains to the trust folder, was in force at signing
	Revoked         bool      `json:"revoked"`
	Certification   bool      `json:"certification,omitempty"`
	DocumentStamp   bool      `json:"document_timestamp,omitempty"`
	Problem         string    `json:"problem,omitempty"` // stable code: unknown-root, self-signed, expired, chain-missing, revoked, digest-mismatch, malformed …
}

// Conformance names what the archive copy is.
type Conformance string

const (
	PDFA2b     Conformance = "pdfa-2b"
	AsOriginal Conformance = "original" // the original is the archive copy
)

// Colour is how the pages are coloured: the richest of them.
type Colour string

const (
	BlackWhite Colour = "bw"
	Grey       Colour = "grey"
	FullColour Colour = "colour"
)

// Verdict is what the judge found in an accepted scan.
type Verdict struct {
	Profile    string      `json:"profile"` // scan rule by which it was judged, e.g. nd30-2020
	Pages      int         `json:"pages"`
	Scan       bool        `json:"scan"`              // every page is an image
	MinDPI     int         `json:"min_dpi,omitempty"` // lowest over the pages' images; 0: no image
	Colour     Colour      `json:"colour,omitempty"`
	PageSize   string      `json:"page_size,omitempty"` // of page 1, e.g. A4
	Signed     bool        `json:"signed"`
	Signatures []Signature `json:"signatures,omitempty"`
	// LegalValue: signed, intact, nothing after it but signed revisions, and,
	// where a trust folder is set, trusted and not revoked.
	LegalValue bool      `json:"legal_value"`
	Findings   []Finding `json:"findings,omitempty"`
}

// RecordSchema is the version of record.json that this program writes.
const RecordSchema = 1

// Record is all that is known of a stored document: record.json, written last
// and never changed. A document exists when, and only when, its record does.
type Record struct {
	Schema     int         `json:"schema"`
	ID         string      `json:"id"`
	Slip       Slip        `json:"slip"`
	Original   File        `json:"original"`
	Archive    *File       `json:"archive,omitempty"` // nil where the original is the archive copy
	Conforms   Conformance `json:"conforms"`
	Verdict    Verdict     `json:"verdict"`
	ReceivedAt time.Time   `json:"received_at"`
	Tool       string      `json:"tool"` // name and version of the program that wrote it
	Events     []Event     `json:"events"`
}

// Refusal is rejected.json: the commit point of a rejection, in place of a record.
type Refusal struct {
	Schema     int       `json:"schema"`
	ID         string    `json:"id"`
	Slip       Slip      `json:"slip"`
	Original   File      `json:"original"`
	Reason     Reason    `json:"reason"`
	Message    Text      `json:"message"`
	ReceivedAt time.Time `json:"received_at"`
	Tool       string    `json:"tool"`
}
