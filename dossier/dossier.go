package dossier

import (
	"fmt"
	"slices"
	"time"
)

// Status is where the register says a dossier stands.
type Status string

const (
	Received  Status = "received"
	Resolved  Status = "resolved"
	Returned  Status = "returned"
	Withdrawn Status = "withdrawn"
	Rejected  Status = "rejected"
	Cancelled Status = "cancelled"
)

// Statuses are all there are.
func Statuses() []Status {
	return []Status{Received, Resolved, Returned, Withdrawn, Rejected, Cancelled}
}

// ParseStatus reads a status as the register writes it.
func ParseStatus(s string) (Status, error) {
	if v := Status(s); slices.Contains(Statuses(), v) {
		return v, nil
	}
	return "", fmt.Errorf("not a status: received, resolved, returned, withdrawn, rejected or cancelled")
}

// Channel is how a dossier was handed in.
type Channel int

const (
	Direct Channel = 1
	Online Channel = 2
	Postal Channel = 3
)

// ParseChannel reads 1, 2 or 3; empty is direct, as the provincial systems write it.
func ParseChannel(s string) (Channel, error) {
	switch s {
	case "", "1":
		return Direct, nil
	case "2":
		return Online, nil
	case "3":
		return Postal, nil
	}
	return 0, fmt.Errorf("not a channel: 1 direct, 2 online, 3 postal")
}

// Registered is a dossier as the register of dossiers states it: the
// denominators come from here.
type Registered struct {
	Code            Code
	Unit            UnitCode
	Procedure       ProcedureCode
	Channel         Channel
	ReceivedAt      time.Time // zero: the register has no reception date
	Status          Status
	ResolvedAt      time.Time
	SyncedAt        time.Time // when the national portal took it over
	PersonalStoreAt time.Time // when its result was pushed to the owner's personal store
}

// Facts is what the archive holds for a dossier: the numerators come from here.
// Only documents in force count, never replaced, revoked or deleted ones.
type Facts struct {
	Components    int // components with a stored file (a reused one has the file it reuses)
	Reused        int // of these, taken over from data digitised before
	PersonalStore int // of these, taken from the owner's personal store
	Results       int // results with a stored file
	LegalResults  int // of these, of legal value
}

// Dossier is all that the figures need to know of one dossier.
type Dossier struct {
	Registered
	ReturnsDocument bool // of its procedure
	Facts
}

// Result is a legacy result in force as its register states it. It has no
// dossier; its number and unit name it.
type Result struct {
	Number         string // symbol-number (số ký hiệu), as printed
	Unit           UnitCode
	AuthorityLevel Level
	IssuedOn       Date
	ValidFrom      Date
	ValidTo        Date // first day on which it is no longer in force; zero: permanent
	Revoked        bool
	Name           string
}
