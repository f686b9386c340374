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

const accountColumns = `id, login, name, role, unit, hash, must_change, disabled, failed, locked_until, created_at, last_login`

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
	err = row.Scan(&a.ID, &a.Login, &a.Name, &a.Role, &a.Unit, &a.Hash, &must, &disabled, &a.Failed, &locked, &created, &last)
	a.MustChange, a.Disabled = must != 0, disabled != 0
	a.LockedUntil, a.CreatedAt, a.LastLogin = instant(locked), instant(created), instant(last)
	return a, err
}

// Accounts returns every account, by login.
func (l *Ledger) Accounts(ctx context.Context) ([]dossier.Account, error) {
	var out []dossier.Account
	err := query(ctx, l.read, `SELECT `+accountColumns+` FROM account ORDER BY login`, nil, func(rows *sql.Rows) error {
		a, err := scanAccount(rows)
		out = append(out, a)
		return err
	})
	return out, err
}

// CreateAccount adds an account and returns its id; dossier.ErrLoginTaken where
// the login is in use.
func (l *Ledger) CreateAccount(ctx context.Context, a dossier.Account) (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("new id: %w", err)
	}
	err = l.update(ctx, func(ctx context.Context, t *tx) error {
		n, err := t.Exec(ctx, `INSERT INTO account (`+accountColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,0,0,$9,0) ON CONFLICT (login) DO NOTHING`,
			id.String(), a.Login, a.Name, string(a.Role), string(a.Unit), a.Hash, bit(a.MustChange), bit(a.Disabled), micros(l.now()))
		if err == nil && n == 0 {
			err = dossier.ErrLoginTaken
		}
		return err
	})
	return id.String(), err
}

// UpdateAccount writes what an administrator may change: name, role, unit, hash,
// must-change and disabled; a new hash also ends a lock-out.
func (l *Ledger) UpdateAccount(ctx context.Context, a dossier.Account) error {
	return l.update(ctx, func(ctx context.Context, t *tx) error {
		n, err := t.Exec(ctx, `UPDATE account SET name = $2, role = $3, unit = $4, must_change = $5, disabled = $6,
			failed = CASE WHEN hash = $7 THEN failed ELSE 0 END, locked_until = CASE WHEN hash = $7 THEN locked_until ELSE 0 END, hash = $7
			WHERE id = $1`, a.ID, a.Name, string(a.Role), string(a.Unit), bit(a.MustChange), bit(a.Disabled), a.Hash)
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
