package dossier

import (
	"fmt"
	"time"
)

// Role says what an account or an API token may do; where, its unit says.
type Role string

const (
	Clerk    Role = "clerk"    // own unit: send in, see
	Operator Role = "operator" // own subtree: backfill, send in, see
	Manager  Role = "manager"  // own subtree: see
	Officer  Role = "officer"  // own subtree: see, delete by order, close periods
	Admin    Role = "admin"    // accounts, tokens, settings; no papers
	System   Role = "system"   // the provincial system: feeds the register
)

// Roles lists every role.
func Roles() []Role { return []Role{Clerk, Operator, Manager, Officer, Admin, System} }

// ParseRole reads a role.
func ParseRole(s string) (Role, error) {
	for _, r := range Roles() {
		if string(r) == s {
			return r, nil
		}
	}
	return "", fmt.Errorf("not a role: clerk, operator, manager, officer, admin or system")
}

// Token is an API token as it is kept. Its secret is stored hashed and shown
// once, when it is made.
type Token struct {
	ID        string
	Name      string
	Role      Role
	Unit      UnitCode
	CreatedAt time.Time
	Expires   time.Time // zero: never
	RevokedAt time.Time // zero: in force
}

// ErrNoToken: there is no such token, or it has expired or been revoked. Which
// of these, a caller from outside is not told.
var ErrNoToken = fmt.Errorf("no such token, or it has expired or been revoked")

// Account is a person's local account. Login and Name are personal data.
type Account struct {
	ID          string
	Login       string // lower case
	Name        string
	Role        Role
	Unit        UnitCode
	Hash        string // of the password, with its parameters; empty: cannot sign in by password
	MustChange  bool   // the password was set by somebody else
	Disabled    bool
	Failed      int       // attempts since the last good one
	LockedUntil time.Time // no attempt is looked at before
	CreatedAt   time.Time
	LastLogin   time.Time
	Subject     string // who it is at the single sign-on, hashed; empty: a local account
	Epoch       int64  // a session that began in an earlier one has ended
}

// Errors of accounts.
var (
	ErrNoAccount  = fmt.Errorf("there is no such account")
	ErrLoginTaken = fmt.Errorf("an account of this login is there already")
)
