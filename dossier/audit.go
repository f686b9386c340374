package dossier

import (
	"strings"
	"time"
)

// Action is what somebody did that is kept in the audit log.
type Action string

const (
	ActSignIn   Action = "sign-in"
	ActSignOut  Action = "sign-out"
	ActPassword Action = "password" // changed the own
	ActSee      Action = "see"      // a dossier or a document
	ActFetch    Action = "fetch"    // the bytes of a document
	ActSend     Action = "send"
	ActReplace  Action = "replace" // a document by a better scan
	ActReuse    Action = "reuse"   // took over a paper digitised before
	ActAsk      Action = "ask"     // which papers of an owner could be reused
	ActList     Action = "list"    // the dossiers behind a figure
	ActExport   Action = "export"  // figures as a sheet
	ActReplay   Action = "replay"  // put a failed document back into the queue
	ActDelete   Action = "delete"  // by order
	ActImport   Action = "import"  // a file of the register
	ActClose    Action = "close"   // a period
	ActDiscard  Action = "discard" // a scan of the tray
	ActAmend    Action = "amend"   // corrected what is said of a document

	ActAccountMake     Action = "account-make"
	ActAccountChange   Action = "account-change" // name, role or unit
	ActAccountPassword Action = "account-password"
	ActAccountLock     Action = "account-lock"
	ActAccountUnlock   Action = "account-unlock"
	ActTokenMake       Action = "token-make"
	ActTokenRevoke     Action = "token-revoke"

	ActRevoke    Action = "revoke"    // a paper is no longer valid, by order
	ActReverdict Action = "reverdict" // another opinion on a document's signatures, by order
	ActHold      Action = "hold"      // placed or lifted a legal hold, by order
	ActRefile    Action = "refile"    // moved a paper to the dossier where it belongs, by order
)

// ActGrant is giving an account or a token a role, in the unit of the deed. It
// stands beside what made or changed them.
func ActGrant(r Role) Action { return "grant-" + Action(r) }

// OfPeople reports whether the action is about an account or a token and not
// about papers.
func (a Action) OfPeople() bool {
	return strings.HasPrefix(string(a), "account-") || strings.HasPrefix(string(a), "token-") || strings.HasPrefix(string(a), "grant-")
}

// Actions lists every action.
func Actions() []Action {
	out := []Action{ActSignIn, ActSignOut, ActPassword, ActSee, ActFetch, ActSend, ActReplace, ActReuse, ActAsk, ActList, ActExport, ActReplay, ActDelete, ActImport, ActClose, ActDiscard, ActAmend,
		ActAccountMake, ActAccountChange, ActAccountPassword, ActAccountLock, ActAccountUnlock, ActTokenMake, ActTokenRevoke, ActRevoke, ActReverdict, ActHold, ActRefile}
	for _, r := range Roles() {
		out = append(out, ActGrant(r))
	}
	return out
}

// Deed is an entry of the audit log. It names accounts, tokens, dossiers and
// documents by their ids and nobody by name or number.
type Deed struct {
	Seq    int64 // from 1, without gaps
	At     time.Time
	By     string   // account:… or token:…
	Role   Role     // as which
	Unit   UnitCode // whose paper it was, or whose figures
	Action Action
	Object string // id of a document, code of a dossier, kind of a register …
	From   string // address it came from
	Hash   string // over the entry and the hash of the one before
}

// DeedQuery chooses deeds; empty fields choose all.
type DeedQuery struct {
	By     string
	Action Action
	Object string
	Units  []UnitCode // nil: all
	Days   Period     // local days
	Before int64      // only entries before this one; 0: from the latest
	Limit  int        // 0: 100
}
