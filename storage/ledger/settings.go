package ledger

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"sohoa/dossier"
)

// ImportIndicators keeps rows of the appendix that come from elsewhere, as they
// are to be printed, by row number.
func (l *Ledger) ImportIndicators(ctx context.Context, period string, values map[int]string) error {
	err := l.update(ctx, func(ctx context.Context, t *tx) error {
		var rows [][]any
		for line, v := range values {
			rows = append(rows, []any{period, int64(line), v})
		}
		slices.SortFunc(rows, func(a, b []any) int { return int(a[1].(int64) - b[1].(int64)) })
		_, err := t.bulk(ctx, `INSERT INTO indicator_value (period, line, value)`,
			`ON CONFLICT (period, line) DO UPDATE SET value = excluded.value`, rows)
		return err
	})
	if err != nil {
		return fmt.Errorf("import indicators: %w", err)
	}
	return nil
}

// Indicators returns what ImportIndicators keeps for the period.
func (l *Ledger) Indicators(ctx context.Context, period string) (map[int]string, error) {
	out := map[int]string{}
	err := query(ctx, l.read, `SELECT line, value FROM indicator_value WHERE period = $1`, []any{period}, func(r *sql.Rows) error {
		var line int
		var v string
		err := r.Scan(&line, &v)
		out[line] = v
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("indicators: %w", err)
	}
	return out, nil
}

// Target is a target by indicator, unit (empty: any) and year (0: any); Value is
// a percentage with a point, "80.00".
type Target struct {
	Indicator string           `json:"indicator"`
	Unit      dossier.UnitCode `json:"unit,omitempty"`
	Year      int              `json:"year,omitempty"`
	Value     string           `json:"value"`
}

// SetTarget keeps a target; an empty value takes it away.
func (l *Ledger) SetTarget(ctx context.Context, tg Target) error {
	err := l.update(ctx, func(ctx context.Context, t *tx) (err error) {
		if tg.Value == "" {
			_, err = t.Exec(ctx, `DELETE FROM target WHERE indicator = $1 AND unit = $2 AND year = $3`, tg.Indicator, string(tg.Unit), tg.Year)
			return err
		}
		_, err = t.Exec(ctx, `INSERT INTO target (indicator, unit, year, value) VALUES ($1, $2, $3, $4)
			ON CONFLICT (indicator, unit, year) DO UPDATE SET value = excluded.value`, tg.Indicator, string(tg.Unit), tg.Year, tg.Value)
		return err
	})
	if err != nil {
		return fmt.Errorf("set a target: %w", err)
	}
	return nil
}

// Targets lists every target that was set.
func (l *Ledger) Targets(ctx context.Context) ([]Target, error) {
	var out []Target
	err := query(ctx, l.read, `SELECT indicator, unit, year, value FROM target ORDER BY indicator, unit, year`, nil, func(r *sql.Rows) error {
		var t Target
		err := r.Scan(&t.Indicator, &t.Unit, &t.Year, &t.Value)
		out = append(out, t)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("targets: %w", err)
	}
	return out, nil
}

// ImportPortal keeps the national portal's figures.
func (l *Ledger) ImportPortal(ctx context.Context, figures []dossier.PortalFigure) (Outcome, error) {
	type key struct {
		period, indicator string
		unit              dossier.UnitCode
	}
	out, err := inBatches(figures, func(f dossier.PortalFigure) key { return key{f.Period, f.Indicator, f.Unit} },
		func(_ int, rows []dossier.PortalFigure) (out Outcome, err error) {
			err = l.update(ctx, func(ctx context.Context, t *tx) (err error) {
				out, err = t.importPortal(ctx, rows)
				return err
			})
			return out, err
		})
	if err != nil {
		return out, fmt.Errorf("import the portal's figures: %w", err)
	}
	return out, nil
}

func (t *tx) importPortal(ctx context.Context, figures []dossier.PortalFigure) (Outcome, error) {
	var out Outcome
	var units []dossier.UnitCode
	for _, f := range figures {
		units = append(units, f.Unit)
	}
	slices.Sort(units)
	known, err := knownUnits(ctx, t, slices.Compact(units))
	if err != nil {
		return out, err
	}
	for i, f := range figures {
		if !known[f.Unit] {
			out.Bad = append(out.Bad, badRow(i, "unit", unknownUnit))
			continue
		}
		var n, d int64
		err := t.QueryRowContext(ctx, `SELECT numerator, denominator FROM portal WHERE period = $1 AND unit = $2 AND indicator = $3`,
			f.Period, string(f.Unit), f.Indicator).Scan(&n, &d)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			out.New++
		case err != nil:
			return out, err
		case n == f.Numerator && d == f.Denominator:
			out.Same++
			continue
		default:
			out.Changed++
		}
		if _, err := t.Exec(ctx, `INSERT INTO portal (period, unit, indicator, numerator, denominator) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (period, unit, indicator) DO UPDATE SET numerator = excluded.numerator, denominator = excluded.denominator`,
			f.Period, string(f.Unit), f.Indicator, f.Numerator, f.Denominator); err != nil {
			return out, err
		}
	}
	return out, nil
}

// Portal returns the national portal's figures of the period, by unit and
// indicator.
func (l *Ledger) Portal(ctx context.Context, period string) ([]dossier.PortalFigure, error) {
	var out []dossier.PortalFigure
	err := query(ctx, l.read, `SELECT period, unit, indicator, numerator, denominator FROM portal WHERE period = $1 ORDER BY unit, indicator`, []any{period},
		func(r *sql.Rows) error {
			var f dossier.PortalFigure
			err := r.Scan(&f.Period, &f.Unit, &f.Indicator, &f.Numerator, &f.Denominator)
			out = append(out, f)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("the portal's figures: %w", err)
	}
	return out, nil
}

// CreateToken makes an API token of the name, role, unit and expiry given. The
// secret is returned this once and kept hashed.
func (l *Ledger) CreateToken(ctx context.Context, tk dossier.Token) (secret, id string, err error) {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails
	secret = "sohoa_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw))
	u, err := uuid.NewV7()
	if err != nil {
		return "", "", fmt.Errorf("create a token: %w", err)
	}
	err = l.update(ctx, func(ctx context.Context, t *tx) error {
		if tk.Unit != "" {
			known, err := knownUnits(ctx, t, []dossier.UnitCode{tk.Unit})
			if err != nil {
				return err
			}
			if !known[tk.Unit] {
				return dossier.ErrUnknownUnit
			}
		}
		_, err := t.Exec(ctx, `INSERT INTO token (id, secret, name, role, unit, created_at, expires_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)`,
			u.String(), hashSecret(secret), tk.Name, string(tk.Role), string(tk.Unit), micros(l.now()), micros(tk.Expires))
		return err
	})
	if err != nil {
		return "", "", fmt.Errorf("create a token: %w", err)
	}
	return secret, u.String(), nil
}

// hashSecret: a secret of 256 random bits needs no salt and no slow hash.
func hashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

const tokenColumns = `id, name, role, unit, created_at, expires_at, revoked_at`

func scanToken(r interface{ Scan(...any) error }) (dossier.Token, error) {
	var t dossier.Token
	var created, expires, revoked int64
	err := r.Scan(&t.ID, &t.Name, &t.Role, &t.Unit, &created, &expires, &revoked)
	t.CreatedAt, t.Expires, t.RevokedAt = instant(created), instant(expires), instant(revoked)
	return t, err
}

// Token returns the token with that secret, or dossier.ErrNoToken where there is
// none in force.
func (l *Ledger) Token(ctx context.Context, secret string) (dossier.Token, error) {
	t, err := scanToken(l.read.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM token WHERE secret = $1`, hashSecret(secret)))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return dossier.Token{}, dossier.ErrNoToken
	case err != nil:
		return dossier.Token{}, fmt.Errorf("token: %w", err)
	case !t.RevokedAt.IsZero(), !t.Expires.IsZero() && !l.now().Before(t.Expires):
		return dossier.Token{}, dossier.ErrNoToken
	}
	return t, nil
}

// RevokeToken ends a token; dossier.ErrNoToken where there is none of that id.
// Revoking again changes nothing.
func (l *Ledger) RevokeToken(ctx context.Context, id string) error {
	err := l.update(ctx, func(ctx context.Context, t *tx) error {
		n, err := t.Exec(ctx, `UPDATE token SET revoked_at = CASE WHEN revoked_at = 0 THEN $1 ELSE revoked_at END WHERE id = $2`, micros(l.now()), id)
		if err == nil && n == 0 {
			err = dossier.ErrNoToken
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("revoke a token: %w", err)
	}
	return nil
}

// Tokens lists every token, the newest first.
func (l *Ledger) Tokens(ctx context.Context) ([]dossier.Token, error) {
	return l.tokens(ctx, ` ORDER BY created_at DESC, id DESC`)
}

// TokensOf lists the tokens of the units, the newest first, from the offset on
// and no more than limit.
func (l *Ledger) TokensOf(ctx context.Context, units []dossier.UnitCode, offset, limit int) ([]dossier.Token, error) {
	if len(units) == 0 {
		return nil, nil
	}
	within, args := in("unit", 3, units)
	return l.tokens(ctx, ` WHERE `+within+` ORDER BY created_at DESC, id DESC LIMIT $1 OFFSET $2`, append([]any{limit, offset}, args...)...)
}

// TokenByID returns a token, in force or not; dossier.ErrNoToken where there is
// none of that id.
func (l *Ledger) TokenByID(ctx context.Context, id string) (dossier.Token, error) {
	list, err := l.tokens(ctx, ` WHERE id = $1`, id)
	if err == nil && len(list) == 0 {
		err = dossier.ErrNoToken
	}
	if err != nil {
		return dossier.Token{}, err
	}
	return list[0], nil
}

func (l *Ledger) tokens(ctx context.Context, where string, args ...any) ([]dossier.Token, error) {
	var out []dossier.Token
	err := query(ctx, l.read, `SELECT `+tokenColumns+` FROM token`+where, args, func(r *sql.Rows) error {
		t, err := scanToken(r)
		out = append(out, t)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	return out, nil
}

// Closing is the figures of a period as they were reported. Content is kept byte
// for byte; SHA256 is its digest.
type Closing struct {
	ID      string
	Period  string
	Unit    dossier.UnitCode
	At      time.Time
	By      string // account or token
	SHA256  dossier.Digest
	Content []byte
}

// SaveClosing keeps a closing; the same id again changes nothing.
func (l *Ledger) SaveClosing(ctx context.Context, c Closing) error {
	err := l.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.Exec(ctx, `INSERT INTO closing (id, period, unit, closed_at, closed_by, sha256, content) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (id) DO NOTHING`, c.ID, c.Period, string(c.Unit), micros(c.At), c.By, string(c.SHA256), string(c.Content))
		return err
	})
	if err != nil {
		return fmt.Errorf("close a period: %w", err)
	}
	return nil
}

// ClosingsOf lists the closings of the units, the latest first, without their
// contents; of every unit's as one where the empty unit is among them.
func (l *Ledger) ClosingsOf(ctx context.Context, units []dossier.UnitCode) ([]Closing, error) {
	if len(units) == 0 {
		return nil, nil
	}
	within, args := in("unit", 1, units)
	var out []Closing
	err := query(ctx, l.read, `SELECT id, period, unit, closed_at, closed_by, sha256 FROM closing WHERE `+within+` ORDER BY closed_at DESC, id DESC`, args,
		func(r *sql.Rows) error {
			var c Closing
			var at int64
			err := r.Scan(&c.ID, &c.Period, &c.Unit, &at, &c.By, &c.SHA256)
			c.At = instant(at)
			out = append(out, c)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("closings: %w", err)
	}
	return out, nil
}

// Closings lists the closings of a period, or all where it is empty, the oldest
// first.
func (l *Ledger) Closings(ctx context.Context, period string) ([]Closing, error) {
	return l.closings(ctx, `$1 = '' OR period = $1`, period)
}

// Closing returns a closing; found is false where there is none of that id.
func (l *Ledger) Closing(ctx context.Context, id string) (c Closing, found bool, err error) {
	list, err := l.closings(ctx, `id = $1`, id)
	if err != nil || len(list) == 0 {
		return Closing{}, false, err
	}
	return list[0], true, nil
}

func (l *Ledger) closings(ctx context.Context, where string, args ...any) ([]Closing, error) {
	var out []Closing
	err := query(ctx, l.read, `SELECT id, period, unit, closed_at, closed_by, sha256, content FROM closing WHERE `+where+` ORDER BY closed_at, id`, args,
		func(r *sql.Rows) error {
			var c Closing
			var at int64
			err := r.Scan(&c.ID, &c.Period, &c.Unit, &at, &c.By, &c.SHA256, &c.Content)
			c.At = instant(at)
			out = append(out, c)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("closings: %w", err)
	}
	return out, nil
}
