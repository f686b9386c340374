package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sohoa/dossier"
)

const accountColumns = `id, login, name, role, unit, hash, must_change, disabled, failed, locked_until, created_at, last_login, subject, epoch`

// Account returns the account of that id; dossier.ErrNoAccount where there is none.
func (l *Ledger) Account(ctx context.Context, id string) (dossier.Account, error) {
	return l.account(ctx, `SELECT `+accountColumns+` FROM account WHERE id = $1`, id)
}

// AccountByLogin returns the account of that login, which is in lower case.
func (l *Ledger) AccountByLogin(ctx context.Context, login string) (dossier.Account, error) {
	return l.account(ctx, `SELECT `+accountColumns+` FROM account WHERE login = $1`, login)
}

func (l *Ledger) account(ctx context.Context, text, key string) (dossier.Account, error) {
	a, err := scanAccount(l.read.QueryRowContext(ctx, text, key))
	if errors.Is(err, sql.ErrNoRows) {
		return a, dossier.ErrNoAccount
	}
	return a, err
}

func scanAccount(row interface{ Scan(...any) error }) (a dossier.Account, err error) {
	var must, disabled, locked, created, last int64
	err = row.Scan(&a.ID, &a.Login, &a.Name, &a.Role, &a.Unit, &a.Hash, &must, &disabled, &a.Failed, &locked, &created, &last, &a.Subject, &a.Epoch)
	a.MustChange, a.Disabled = must != 0, disabled != 0
	a.LockedUntil, a.CreatedAt, a.LastLogin = instant(locked), instant(created), instant(last)
	return a, err
}

// Accounts returns every account, by login.
func (l *Ledger) Accounts(ctx context.Context) ([]dossier.Account, error) {
	return l.accounts(ctx, `SELECT `+accountColumns+` FROM account ORDER BY login`)
}

// AccountsOf returns the accounts of the units, by unit and login, from the
// offset on and no more than limit.
func (l *Ledger) AccountsOf(ctx context.Context, units []dossier.UnitCode, offset, limit int) ([]dossier.Account, error) {
	if len(units) == 0 {
		return nil, nil
	}
	within, args := in("unit", 3, units)
	return l.accounts(ctx, `SELECT `+accountColumns+` FROM account WHERE `+within+` ORDER BY unit, login LIMIT $1 OFFSET $2`,
		append([]any{limit, offset}, args...)...)
}

func (l *Ledger) accounts(ctx context.Context, text string, args ...any) ([]dossier.Account, error) {
	var out []dossier.Account
	err := query(ctx, l.read, text, args, func(rows *sql.Rows) error {
		a, err := scanAccount(rows)
		out = append(out, a)
		return err
	})
	return out, err
}

// CreateAccount adds an account and returns its id, a new one where it has none;
// dossier.ErrLoginTaken where the login is in use.
func (l *Ledger) CreateAccount(ctx context.Context, a dossier.Account) (string, error) {
	if err := newAccountID(&a); err != nil {
		return "", err
	}
	err := l.update(ctx, func(ctx context.Context, t *tx) error { return l.insertAccount(ctx, t, a) })
	return a.ID, err
}

func newAccountID(a *dossier.Account) error {
	if a.ID != "" {
		return nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("new id: %w", err)
	}
	a.ID = id.String()
	return nil
}

func (l *Ledger) insertAccount(ctx context.Context, t *tx, a dossier.Account) error {
	n, err := t.Exec(ctx, `INSERT INTO account (`+accountColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,0,0,$9,0,$10,0) ON CONFLICT DO NOTHING`,
		a.ID, a.Login, a.Name, string(a.Role), string(a.Unit), a.Hash, bit(a.MustChange), bit(a.Disabled), micros(l.now()), a.Subject)
	if err == nil && n == 0 {
		err = dossier.ErrLoginTaken
	}
	return err
}

// SignOn returns the account of a.Subject as the single sign-on now describes it:
// name, role and unit are a's. Where there is none yet it is made, with a.Login,
// or, where somebody else has that, with a login made of the subject. An account
// is never found by anything but its subject: whoever names people at the single
// sign-on cannot take over a local account.
func (l *Ledger) SignOn(ctx context.Context, a dossier.Account) (out dossier.Account, err error) {
	if a.Subject == "" {
		return out, errors.New("a single sign-on needs a subject")
	}
	if err := newAccountID(&a); err != nil {
		return out, err
	}
	err = l.update(ctx, func(ctx context.Context, t *tx) error {
		// Somebody may sign on twice at once, so what could not be inserted is
		// looked for again.
		a := a // as it came, should the transaction be made anew
		for _, a.Login = range []string{a.Login, "sso-" + a.Subject[:min(16, len(a.Subject))]} {
			n, err := t.Exec(ctx, `UPDATE account SET name = $2, role = $3, unit = $4 WHERE subject = $1`, a.Subject, a.Name, string(a.Role), string(a.Unit))
			if err == nil && n == 0 {
				err = l.insertAccount(ctx, t, a)
			}
			if err == nil {
				break
			} else if !errors.Is(err, dossier.ErrLoginTaken) {
				return err
			}
		}
		if _, err := t.Exec(ctx, `UPDATE account SET last_login = $2 WHERE subject = $1`, a.Subject, micros(l.now())); err != nil {
			return err
		}
		out, err = scanAccount(t.QueryRowContext(ctx, `SELECT `+accountColumns+` FROM account WHERE subject = $1`, a.Subject))
		return err
	})
	return out, err
}

// EndSessionsOf ends the sessions of the account of a subject; nobody's is no
// mistake.
func (l *Ledger) EndSessionsOf(ctx context.Context, subject string) error {
	return l.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.Exec(ctx, `UPDATE account SET epoch = epoch + 1 WHERE subject = $1 AND subject <> ''`, subject)
		return err
	})
}

// SetAccountPlace gives an account its name, role and unit.
func (l *Ledger) SetAccountPlace(ctx context.Context, id, name string, role dossier.Role, unit dossier.UnitCode) error {
	return l.changeAccount(ctx, `UPDATE account SET name = $2, role = $3, unit = $4 WHERE id = $1`, id, name, string(role), string(unit))
}

// SetAccountPassword gives an account a password by its hash. It ends a lock-out
// and every session; must says that whoever signs in has to change it.
func (l *Ledger) SetAccountPassword(ctx context.Context, id, hash string, must bool) error {
	return l.changeAccount(ctx, `UPDATE account SET hash = $2, must_change = $3, failed = 0, locked_until = 0, epoch = epoch + 1 WHERE id = $1`, id, hash, bit(must))
}

// SetAccountDisabled closes an account, which ends its sessions, or opens it
// again, which ends a lock-out.
func (l *Ledger) SetAccountDisabled(ctx context.Context, id string, disabled bool) error {
	return l.changeAccount(ctx, `UPDATE account SET disabled = $2, failed = 0, locked_until = 0, epoch = epoch + 1 WHERE id = $1`, id, bit(disabled))
}

func (l *Ledger) changeAccount(ctx context.Context, text, id string, args ...any) error {
	return l.update(ctx, func(ctx context.Context, t *tx) error {
		n, err := t.Exec(ctx, text, append([]any{id}, args...)...)
		if err == nil && n == 0 {
			err = dossier.ErrNoAccount
		}
		return err
	})
}

// BeginLogin counts an attempt before its password is looked at, so that many at
// once count as many; it reports whether the attempt may be looked at. At the
// limit the account is locked for a while. EndLogin takes a good one back.
func (l *Ledger) BeginLogin(ctx context.Context, id string, limit int, lock time.Duration) (allowed bool, err error) {
	now := l.now()
	err = l.update(ctx, func(ctx context.Context, t *tx) error {
		// An expired lock starts the count anew.
		n, err := t.Exec(ctx, `UPDATE account SET
			failed = CASE WHEN locked_until > 0 THEN 1 ELSE failed + 1 END,
			locked_until = CASE WHEN locked_until = 0 AND failed + 1 >= $3 THEN CAST($4 AS BIGINT) ELSE 0 END
			WHERE id = $1 AND locked_until <= $2`, id, micros(now), limit, micros(now.Add(lock)))
		allowed = n > 0
		return err
	})
	return allowed, err
}

// EndLogin notes a good attempt.
func (l *Ledger) EndLogin(ctx context.Context, id string) error {
	return l.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.Exec(ctx, `UPDATE account SET failed = 0, locked_until = 0, last_login = $2 WHERE id = $1`, id, micros(l.now()))
		return err
	})
}

// FindCtx, CommitCtx and DeleteCtx keep sessions as the session manager wants
// them; it hands over the hash of what the browser holds.
func (s Sessions) FindCtx(ctx context.Context, id string) ([]byte, bool, error) {
	var b []byte
	err := s.l.read.QueryRowContext(ctx, `SELECT data FROM web_session WHERE id = $1 AND expires > $2`, id, micros(s.l.now())).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return b, err == nil, err
}

// CommitCtx keeps a session until expiry, and forgets those past theirs.
func (s Sessions) CommitCtx(ctx context.Context, id string, data []byte, expiry time.Time) error {
	return s.l.update(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.Exec(ctx, `DELETE FROM web_session WHERE expires <= $1`, micros(s.l.now())); err != nil {
			return err
		}
		_, err := t.Exec(ctx, `INSERT INTO web_session (id, data, expires) VALUES ($1,$2,$3)
			ON CONFLICT (id) DO UPDATE SET data = excluded.data, expires = excluded.expires`, id, data, micros(expiry))
		return err
	})
}

// DeleteCtx ends a session.
func (s Sessions) DeleteCtx(ctx context.Context, id string) error {
	return s.l.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.Exec(ctx, `DELETE FROM web_session WHERE id = $1`, id)
		return err
	})
}

// Find, Commit and Delete are there because the session manager's interface
// names them; it calls those with a context.
func (s Sessions) Find(id string) ([]byte, bool, error) { return s.FindCtx(context.Background(), id) }

func (s Sessions) Commit(id string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), id, data, expiry)
}

func (s Sessions) Delete(id string) error { return s.DeleteCtx(context.Background(), id) }

// Sessions are the sessions of people who are signed in.
type Sessions struct{ l *Ledger }

// Sessions returns the ledger as a store of sessions.
func (l *Ledger) Sessions() Sessions { return Sessions{l} }
