package ledger

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sohoa/dossier"
)

func TestTokens(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		now := day.Time()
		l := open(t, dsn, Options{Now: func() time.Time { return now }})
		province(t, l)
		secret, id, err := l.CreateToken(t.Context(), dossier.Token{Name: "máy quét", Role: dossier.Clerk, Unit: "H51.04", Expires: now.Add(time.Hour)})
		must(t, err)
		tk := got[dossier.Token](t)(l.Token(t.Context(), secret))
		if tk.ID != id || tk.Role != dossier.Clerk || tk.Unit != "H51.04" || !tk.CreatedAt.Equal(now) {
			t.Errorf("%+v", tk)
		}
		var kept string
		must(t, l.read.QueryRowContext(t.Context(), `SELECT secret FROM token`).Scan(&kept))
		if strings.Contains(kept, strings.TrimPrefix(secret, "sohoa_")) {
			t.Error("the secret is kept as it is")
		}
		if _, err := l.Token(t.Context(), "sohoa_wrong"); !errors.Is(err, dossier.ErrNoToken) {
			t.Error(err)
		}
		now = now.Add(time.Hour)
		if _, err := l.Token(t.Context(), secret); !errors.Is(err, dossier.ErrNoToken) {
			t.Errorf("expired: %v", err)
		}
		secret, id, err = l.CreateToken(t.Context(), dossier.Token{Name: "a", Role: dossier.System})
		must(t, err)
		must(t, l.RevokeToken(t.Context(), id))
		must(t, l.RevokeToken(t.Context(), id))
		if _, err := l.Token(t.Context(), secret); !errors.Is(err, dossier.ErrNoToken) {
			t.Errorf("revoked: %v", err)
		}
		if err := l.RevokeToken(t.Context(), "nobody"); !errors.Is(err, dossier.ErrNoToken) {
			t.Error(err)
		}
		if _, _, err := l.CreateToken(t.Context(), dossier.Token{Role: dossier.Clerk, Unit: "H99"}); !errors.Is(err, dossier.ErrUnknownUnit) {
			t.Error(err)
		}
		if all := got[[]dossier.Token](t)(l.Tokens(t.Context())); len(all) != 2 || all[0].ID != id {
			t.Errorf("%+v", all)
		}
	})
}

func TestSettings(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		must(t, l.ImportIndicators(t.Context(), "2024-08", map[int]string{1: "95,20%", 11: "—"}))
		must(t, l.ImportIndicators(t.Context(), "2024-08", map[int]string{1: "95,21%"}))
		if v := got[map[int]string](t)(l.Indicators(t.Context(), "2024-08")); len(v) != 2 || v[1] != "95,21%" || v[11] != "—" {
			t.Errorf("%v", v)
		}
		must(t, l.SetTarget(t.Context(), Target{"4.2", "", 2024, "80.00"}))
		must(t, l.SetTarget(t.Context(), Target{"4.2", "H51.04", 2024, "70.00"}))
		must(t, l.SetTarget(t.Context(), Target{"4.2", "", 2024, "85.00"}))
		must(t, l.SetTarget(t.Context(), Target{"4.2", "H51.04", 2024, ""}))
		if v := got[[]Target](t)(l.Targets(t.Context())); len(v) != 1 || v[0] != (Target{"4.2", "", 2024, "85.00"}) {
			t.Errorf("%v", v)
		}
		f := dossier.PortalFigure{Period: "2024-08", Unit: "H51.04", Indicator: "4.2", Numerator: 1, Denominator: 2}
		bad := f
		bad.Unit = "H99"
		if o := got[Outcome](t)(l.ImportPortal(t.Context(), []dossier.PortalFigure{f, bad})); o.New != 1 || len(o.Bad) != 1 || o.Bad[0].Index != 1 {
			t.Errorf("%+v", o)
		}
		if o := got[Outcome](t)(l.ImportPortal(t.Context(), []dossier.PortalFigure{f})); o.Same != 1 {
			t.Errorf("%+v", o)
		}
		f.Numerator = 2
		if o := got[Outcome](t)(l.ImportPortal(t.Context(), []dossier.PortalFigure{f})); o.Changed != 1 {
			t.Errorf("%+v", o)
		}
		if v := got[[]dossier.PortalFigure](t)(l.Portal(t.Context(), "2024-08")); len(v) != 1 || v[0] != f {
			t.Errorf("%v", v)
		}
		c := Closing{ID: "a", Period: "2024-08", Unit: "H51", At: day.Time().UTC(), By: "officer-1", SHA256: "00", Content: []byte(`{"ă":1}`)}
		must(t, l.SaveClosing(t.Context(), c))
		must(t, l.SaveClosing(t.Context(), c))
		if v := got[[]Closing](t)(l.Closings(t.Context(), "2024-08")); len(v) != 1 || string(v[0].Content) != string(c.Content) || !v[0].At.Equal(c.At) {
			t.Errorf("%v", v)
		}
		must(t, l.Ready(t.Context()))
		must(t, l.Migrate(t.Context())) // again changes nothing
	})
}

func TestOpenErrors(t *testing.T) {
	for _, dsn := range []string{"", "mysql://x", "sqlite:", "sqlite:/tmp/x?mode=ro", "postgres://u:secret@[bad"} {
		l, err := Open(t.Context(), dsn, Options{})
		if err == nil {
			l.Close()
			t.Errorf("%q was opened", dsn)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the password is in %q", err)
		}
	}
}

func TestTile(t *testing.T) {
	// Every tiling is complete, counted out day by day, and short.
	days := []dossier.Date{20231231, 20240101, 20240115, 20240131, 20240201, 20240229, 20240301, 20240830, 20241231, 20250101, 20250201, 20260630, 20270101}
	for _, years := range []bool{true, false} {
		for _, from := range days {
			for _, to := range days {
				seen := map[dossier.Date]int64{}
				rows := 0
				for _, s := range tile(dossier.Period{From: from, To: to}, years) {
					if s.from > s.to {
						t.Errorf("%d..%d: an empty run %v", from, to, s)
					}
					periods := map[int64]bool{}
					for d := dossier.Date(20230101); d < 20280101; d = d.AddDays(1) {
						for _, p := range []int64{int64(d), monthOf(d), yearOf(d)} {
							if s.from <= p && p <= s.to {
								seen[d] += s.sign
								periods[p] = true
							}
						}
					}
					rows += len(periods)
				}
				for d := dossier.Date(20230101); d < 20280101; d = d.AddDays(1) {
					var want int64
					if d >= from && d < to {
						want = 1
					}
					if seen[d] != want {
						t.Fatalf("%d..%d: day %d is counted %d times", from, to, d, seen[d])
					}
				}
				if years && rows > 2*15+2*6+4 {
					t.Errorf("%d..%d takes %d rows a unit", from, to, rows)
				}
			}
		}
	}
	if got, want := fmt.Sprint(tile(dossier.Period{From: 20240101, To: 20240830}, true)), "[{20240830 20240831 -1} {202409 202412 -1} {2024 2024 1}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
