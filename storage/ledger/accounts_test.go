package ledger

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sohoa/dossier"
)

func TestAccounts(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		now := time.Date(2024, 8, 30, 8, 0, 0, 0, time.UTC)
		var clock atomic.Int64
		clock.Store(now.UnixMicro())
		l := open(t, dsn, Options{Now: func() time.Time { return time.UnixMicro(clock.Load()).UTC() }})
		ctx := t.Context()
		a := dossier.Account{Login: "lan", Name: "Nguyễn Thị Lan", Role: dossier.Clerk, Unit: "H51.04", Hash: "x", MustChange: true}
		id := got[string](t)(l.CreateAccount(ctx, a))
		if _, err := l.CreateAccount(ctx, a); !errors.Is(err, dossier.ErrLoginTaken) {
			t.Errorf("the login twice: %v", err)
		}
		if _, err := l.AccountByLogin(ctx, "hoa"); !errors.Is(err, dossier.ErrNoAccount) {
			t.Errorf("nobody: %v", err)
		}
		a.ID, a.CreatedAt = id, now
		if b := got[dossier.Account](t)(l.AccountByLogin(ctx, "lan")); b != a {
			t.Errorf("%+v, want %+v", b, a)
		}

		// Of many attempts at once no more than the limit are looked at.
		var wg sync.WaitGroup
		var looked atomic.Int64
		for range 20 {
			wg.Go(func() {
				ok, err := l.BeginLogin(ctx, id, 5, 15*time.Minute)
				if err != nil {
					t.Error(err)
				}
				if ok {
					looked.Add(1)
				}
			})
		}
		wg.Wait()
		if looked.Load() != 5 {
			t.Errorf("%d attempts looked at, want 5", looked.Load())
		}
		clock.Store(now.Add(15 * time.Minute).UnixMicro())
		if ok := got[bool](t)(l.BeginLogin(ctx, id, 5, 15*time.Minute)); !ok {
			t.Error("still locked after its time")
		}
		if err := l.EndLogin(ctx, id); err != nil {
			t.Fatal(err)
		}
		if b := got[dossier.Account](t)(l.Account(ctx, id)); b.Failed != 0 || !b.LockedUntil.IsZero() || !b.LastLogin.Equal(now.Add(15*time.Minute)) {
			t.Errorf("after a good one: %+v", b)
		}

		before := got[dossier.Account](t)(l.Account(ctx, id)).Epoch
		for what, err := range map[string]error{
			"place": l.SetAccountPlace(ctx, id, "Lan", dossier.Manager, "H51"), "password": l.SetAccountPassword(ctx, id, "y", false), "disabled": l.SetAccountDisabled(ctx, id, true),
		} {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		if list := got[[]dossier.Account](t)(l.Accounts(ctx)); len(list) != 1 || list[0].Name != "Lan" || list[0].Role != dossier.Manager || list[0].Unit != "H51" || !list[0].Disabled || list[0].Hash != "y" || list[0].MustChange || list[0].Epoch != before+2 {
			t.Errorf("%+v", list)
		}
		for what, err := range map[string]error{
			"place": l.SetAccountPlace(ctx, "nobody", "", dossier.Clerk, ""), "password": l.SetAccountPassword(ctx, "nobody", "", false), "disabled": l.SetAccountDisabled(ctx, "nobody", true),
		} {
			if !errors.Is(err, dossier.ErrNoAccount) {
				t.Errorf("%s of nobody: %v", what, err)
			}
		}
	})
}

func TestAccountsOfUnits(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		ctx := t.Context()
		for _, a := range []dossier.Account{{Login: "d", Unit: "H51"}, {Login: "c", Unit: "H51.04"}, {Login: "b", Unit: "H51.04"}, {Login: "a", Unit: "H92"}} {
			got[string](t)(l.CreateAccount(ctx, a))
		}
		logins := func(list []dossier.Account) (s string) {
			for _, a := range list {
				s += a.Login
			}
			return s
		}
		units := []dossier.UnitCode{"H51", "H51.04"}
		if s := logins(got[[]dossier.Account](t)(l.AccountsOf(ctx, units, 0, 10))); s != "dbc" {
			t.Error(s)
		}
		if s := logins(got[[]dossier.Account](t)(l.AccountsOf(ctx, units, 1, 1))); s != "b" {
			t.Error(s)
		}
		if s := logins(got[[]dossier.Account](t)(l.AccountsOf(ctx, nil, 0, 10))); s != "" {
			t.Errorf("of no units: %s", s)
		}
	})
}

// The single sign-on finds its own accounts again and takes over nobody else's.
func TestSignOn(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		ctx := t.Context()
		local := got[string](t)(l.CreateAccount(ctx, dossier.Account{Login: "lan", Role: dossier.Admin, Unit: "H51", Hash: "x"}))
		subject := strings.Repeat("5", 64)
		first := got[dossier.Account](t)(l.SignOn(ctx, dossier.Account{Subject: subject, Login: "lan", Name: "Lan", Role: dossier.Clerk, Unit: "H51.04"}))
		if first.ID == local || first.Login == "lan" || first.Role != dossier.Clerk || first.Hash != "" || first.LastLogin.IsZero() {
			t.Fatalf("%+v", first)
		}
		again := got[dossier.Account](t)(l.SignOn(ctx, dossier.Account{Subject: subject, Login: "other", Name: "Lan", Role: dossier.Manager, Unit: "H51"}))
		if again.ID != first.ID || again.Login != first.Login || again.Role != dossier.Manager || again.Unit != "H51" {
			t.Errorf("%+v", again)
		}
		if a := got[dossier.Account](t)(l.Account(ctx, local)); a.Role != dossier.Admin || a.Subject != "" {
			t.Errorf("the local account: %+v", a)
		}
		if err := errors.Join(l.EndSessionsOf(ctx, subject), l.EndSessionsOf(ctx, ""), l.EndSessionsOf(ctx, "nobody")); err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string]int64{first.ID: 1, local: 0} {
			if a := got[dossier.Account](t)(l.Account(ctx, id)); a.Epoch != want {
				t.Errorf("epoch %d, want %d", a.Epoch, want)
			}
		}
		if _, err := l.SignOn(ctx, dossier.Account{Login: "x"}); err == nil {
			t.Error("without a subject")
		}
		// Many at once are one account.
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := l.SignOn(ctx, dossier.Account{Subject: "many", Login: "many", Role: dossier.Clerk, Unit: "H51"}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := len(got[[]dossier.Account](t)(l.Accounts(ctx))); n != 3 {
			t.Errorf("%d accounts", n)
		}
	})
}

func TestSessions(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		var clock atomic.Int64
		clock.Store(1e15)
		now := func() time.Time { return time.UnixMicro(clock.Load()).UTC() }
		l := open(t, dsn, Options{Now: now})
		s, ctx := l.Sessions(), t.Context()
		for _, data := range []string{"one", "two"} {
			if err := s.CommitCtx(ctx, "id", []byte(data), now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			if b, ok, err := s.FindCtx(ctx, "id"); string(b) != data || !ok || err != nil {
				t.Errorf("%q %v %v", b, ok, err)
			}
		}
		clock.Add(time.Hour.Microseconds())
		if _, ok, err := s.FindCtx(ctx, "id"); ok || err != nil {
			t.Errorf("after its time: %v %v", ok, err)
		}
		if err := s.CommitCtx(ctx, "other", []byte("x"), now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		clock.Add(-time.Hour.Microseconds())
		if _, ok, _ := s.FindCtx(ctx, "id"); ok {
			t.Error("a session past its time is still there")
		}
		if err := s.DeleteCtx(ctx, "other"); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := s.FindCtx(ctx, "other"); ok || err != nil {
			t.Errorf("deleted: %v %v", ok, err)
		}
	})
}

func TestDocumentsOfOwner(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		slip := dossier.Slip{Kind: dossier.Component, Dossier: "H51.04-240830-0001", Unit: "H51.04", OwnerID: "012345678901"}
		first, pending := intake(slip), intake(slip)
		slip.OwnerID = "012345678902"
		other := intake(slip)
		for _, in := range []dossier.Intake{first, pending, other} {
			got[dossier.Standing](t)(l.Receive(t.Context(), in))
			if in.ID != pending.ID {
				if err := l.Settle(t.Context(), record(in, false)); err != nil {
					t.Fatal(err)
				}
			}
		}
		list := got[[]dossier.Standing](t)(l.DocumentsOfOwner(t.Context(), "012345678901", 10))
		if len(list) != 1 || list[0].Intake.ID != first.ID {
			t.Errorf("%d documents", len(list))
		}
		if list := got[[]dossier.Standing](t)(l.DocumentsOfOwner(t.Context(), "", 10)); len(list) != 0 {
			t.Errorf("%d documents of nobody", len(list))
		}
	})
}
