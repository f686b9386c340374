package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pressly/goose/v3"

	"sohoa/dossier"
	"sohoa/tally"
)

func TestReceiveAgain(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		slip := dossier.Slip{Kind: dossier.Component, Dossier: "H51.04-240830-0001", Unit: "H51.04", Paper: "CCCD"}
		first := intake(slip)
		got[dossier.Standing](t)(l.Receive(t.Context(), first))
		same := first
		same.ID = uuid.NewString()

		cases := []struct {
			name  string
			slip  func(*dossier.Slip)
			bytes bool // other bytes
			again bool
			err   error
		}{
			{name: "same bytes", again: true},
			{name: "same bytes, other file name", slip: func(s *dossier.Slip) { s.FileName = "b.pdf" }, again: true},
			{name: "same bytes, other door", slip: func(s *dossier.Slip) { s.Door = dossier.DoorBackfill }, again: true},
			{name: "other bytes", bytes: true, err: dossier.ErrPaperTaken},
			{name: "other bytes, other paper", bytes: true, slip: func(s *dossier.Slip) { s.Paper = "GKS" }},
			{name: "other bytes, no paper", bytes: true, slip: func(s *dossier.Slip) { s.Paper = "" }},
			{name: "same bytes, other dossier", slip: func(s *dossier.Slip) { s.Dossier = "H51.04-240830-0002" }},
			{name: "same bytes, other kind", slip: func(s *dossier.Slip) { s.Kind = dossier.ResultKind }},
			{name: "replaces nothing known", bytes: true, slip: func(s *dossier.Slip) { s.Replaces = uuid.NewString() }, err: dossier.ErrUnknownDocument},
			{name: "replaces what is not stored", bytes: true, slip: func(s *dossier.Slip) { s.Replaces = first.ID }, err: dossier.ErrNotReplaceable},
			{name: "reuses nothing known", slip: func(s *dossier.Slip) { s.Paper, s.Reuses = "X", uuid.NewString() }, err: dossier.ErrUnknownDocument},
			{name: "result in force of an unknown unit", slip: func(s *dossier.Slip) {
				*s = dossier.Slip{Kind: dossier.ResultInForce, Number: "12/QĐ", Unit: "H99"}
			}, err: dossier.ErrUnknownUnit},
		}
		for _, c := range cases {
			in := same
			in.ID = uuid.NewString()
			if c.bytes {
				in = intake(slip)
			}
			if c.slip != nil {
				c.slip(&in.Slip)
			}
			st, err := l.Receive(t.Context(), in)
			if !errors.Is(err, c.err) || err != nil && c.err == nil {
				t.Errorf("%s: error %v, want %v", c.name, err, c.err)
				continue
			}
			if err != nil {
				continue
			}
			if st.Again != c.again {
				t.Errorf("%s: again %v, want %v", c.name, st.Again, c.again)
			}
			if want := first.ID; c.again && st.Intake.ID != want {
				t.Errorf("%s: answered %s, want the first", c.name, st.Intake.ID)
			}
			seen, found, err := l.Seen(t.Context(), in.Slip, in.Original.SHA256)
			if err != nil || !found || seen.Intake.ID != st.Intake.ID {
				t.Errorf("%s: seen %v %v %v", c.name, seen.Intake.ID, found, err)
			}
		}
	})
}

// TestFingerprintsForADay: where documents were before migration 07001, the program
// before it may go on beside this one for a day and knows what this one receives by
// its fingerprint; what has none is known to this one all the same.
func TestFingerprintsForADay(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		now := day.Time()
		l := open(t, dsn, Options{Now: func() time.Time { return now }})
		province(t, l)
		slip := dossier.Slip{Kind: dossier.Component, Dossier: "H51.04-240830-0001", Unit: "H51.04"}
		result := dossier.Slip{Kind: dossier.ResultInForce, Number: "12/QĐ-UBND", Unit: "H51.04"}
		was := func(in dossier.Intake) (same sql.NullString) {
			must(t, l.read.QueryRowContext(t.Context(), `SELECT same FROM document WHERE id = $1`, in.ID).Scan(&same))
			return same
		}
		// Of another intake with the same bytes.
		again := func(what string, in dossier.Intake, want bool) {
			t.Helper()
			in.ID = uuid.Must(uuid.NewV7()).String()
			seen, found, err := l.Seen(t.Context(), in.Slip, in.Original.SHA256)
			must(t, err)
			st := got[dossier.Standing](t)(l.Receive(t.Context(), in))
			if st.Again != want || found != want || found && seen.Intake.ID != st.Intake.ID {
				t.Errorf("%s: received again %v, seen %v, want %v", what, st.Again, found, want)
			}
		}
		var all []dossier.Intake
		hand := func(what string, entered bool) {
			t.Helper()
			for _, s := range []dossier.Slip{slip, result} {
				in := intake(s)
				got[dossier.Standing](t)(l.Receive(t.Context(), in))
				same := was(in)
				if same.Valid != entered || entered && same.String != fingerprint(in.Slip, in.Original.SHA256) {
					t.Errorf("%s: %s has the fingerprint %q", what, s.Kind, same.String)
				}
				all = append(all, in)
			}
		}
		hand("a new ledger", false)

		// The schema changes under a ledger that has documents.
		schema, err := l.schema()
		must(t, err)
		got[[]*goose.MigrationResult](t)(schema.DownTo(t.Context(), 6001))
		must(t, l.Migrate(t.Context()))
		var until int64
		must(t, l.read.QueryRowContext(t.Context(), `SELECT at FROM place WHERE task = 'fingerprints'`).Scan(&until))
		now = time.UnixMicro(until).Add(-time.Second)
		hand("within the day", true)
		before := intake(slip) // by the program before this one
		if _, err := l.write.ExecContext(t.Context(), `INSERT INTO document (id, same, state, kind, dossier, unit, number_key, paper, sha256, replaces, reuses,
			replaced_by, deleted, counts, personal, legal, received_at, job, fault, intake, verdict)
			SELECT $1, $2, state, kind, dossier, unit, number_key, paper, $3, replaces, reuses, replaced_by, deleted, counts, personal, legal, received_at, 0, '', intake, ''
			FROM document WHERE id = $4`, before.ID, fingerprint(slip, before.Original.SHA256), string(before.Original.SHA256), all[0].ID); err != nil {
			t.Fatal(err)
		}
		again("of the program before", before, true)
		now = now.Add(2 * time.Second)
		hand("after the day", false)
		for i, in := range all {
			again(fmt.Sprint("document ", i), in, true)
		}
		// What is no longer there may come again, and is then known by that.
		must(t, l.Refuse(t.Context(), dossier.Refusal{Schema: 1, ID: all[2].ID, Slip: all[2].Slip, Original: all[2].Original, Reason: dossier.Empty}))
		again("refused", all[2], true)
		must(t, l.Swept(t.Context(), all[2].ID))
		again("swept", all[2], false)
		again("swept, and received since", all[2], true)
	})
}

// TestReceiveRace: of many who hand in the same paper at once, one is received;
// with the same bytes all get its standing, with other bytes the others are told.
func TestReceiveRace(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		for round := range 5 {
			for _, sameBytes := range []bool{true, false} {
				slip := dossier.Slip{Kind: dossier.Component, Dossier: dossier.Code(fmt.Sprintf("H51.04-2408%02d-%04d", round+1, int(bit(sameBytes)))), Unit: "H51.04", Paper: "CCCD"}
				const racers = 8
				base := intake(slip)
				ins := make([]dossier.Intake, racers)
				for i := range ins {
					if ins[i] = intake(slip); sameBytes {
						ins[i].Original = base.Original
					}
				}
				var mu sync.Mutex
				var wg sync.WaitGroup
				ids, taken, fresh := map[string]int{}, 0, 0
				for i := range racers {
					wg.Go(func() {
						st, err := l.Receive(context.Background(), ins[i])
						mu.Lock()
						defer mu.Unlock()
						switch {
						case errors.Is(err, dossier.ErrPaperTaken):
							taken++
						case err != nil:
							t.Error(err)
						default:
							ids[st.Intake.ID]++
							if !st.Again {
								fresh++
							}
						}
					})
				}
				wg.Wait()
				wantTaken := racers - 1
				if sameBytes {
					wantTaken = 0
				}
				if len(ids) != 1 || fresh != 1 || taken != wantTaken {
					t.Errorf("same bytes %v: ids %v, fresh %d, taken %d", sameBytes, ids, fresh, taken)
				}
			}
		}
		if s := got[QueueStats](t)(l.QueueStats(t.Context())); s.Pending != 10 {
			t.Errorf("%d jobs for 10 documents", s.Pending)
		}
	})
}

func TestReplace(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		r := registered(1, "H51.04")
		got[Outcome](t)(l.ImportDossiers(t.Context(), []dossier.Registered{r}))
		slip := dossier.Slip{Kind: dossier.ResultKind, Dossier: r.Code, Unit: r.Unit, Paper: "KQ"}
		old := store(t, l, slip, true)
		wantRate(t, l, "4.1", 1, 1)

		slip.Replaces = old
		better := intake(slip)
		got[dossier.Standing](t)(l.Receive(t.Context(), better))
		wantRate(t, l, "4.1", 1, 1) // until the better one is settled, the old one stands
		if _, err := l.Receive(t.Context(), intake(slip)); !errors.Is(err, dossier.ErrNotReplaceable) {
			t.Errorf("a second replacement at once: %v", err)
		}
		other := slip
		other.Dossier = "H51.04-240830-0002"
		if _, err := l.Receive(t.Context(), intake(other)); !errors.Is(err, dossier.ErrNotReplaceable) {
			t.Errorf("a replacement in another dossier: %v", err)
		}
		must(t, l.Settle(t.Context(), record(better, false)))
		must(t, l.Settle(t.Context(), record(better, false))) // twice is once
		wantRate(t, l, "4.1", 0, 1)
		if st := got[dossier.Standing](t)(l.Standing(t.Context(), old)); st.ReplacedBy != better.ID || st.State != dossier.Stored {
			t.Errorf("the old one: %+v", st)
		}
		d, _, err := l.Dossier(t.Context(), r.Code)
		must(t, err)
		if d.Results != 1 || d.LegalResults != 0 {
			t.Errorf("facts: %+v", d.Facts)
		}
		if _, err := l.Receive(t.Context(), intake(slip)); !errors.Is(err, dossier.ErrNotReplaceable) {
			t.Errorf("replacing what has been replaced: %v", err)
		}
		slip.Replaces = better.ID
		best := intake(slip)
		got[dossier.Standing](t)(l.Receive(t.Context(), best))
		must(t, l.Refuse(t.Context(), dossier.Refusal{Schema: 1, ID: best.ID, Slip: best.Slip, Original: best.Original, Reason: dossier.Damaged}))
		wantRate(t, l, "4.1", 0, 1)
		// The refused one stands in nobody's way.
		store(t, l, slip, true)
		wantRate(t, l, "4.1", 1, 1)
		if docs := got[[]dossier.Standing](t)(l.Documents(t.Context(), r.Code)); len(docs) != 4 {
			t.Errorf("%d documents", len(docs))
		}
		sound(t, l)
	})
}

func TestVerdictsExcludeEachOther(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		in := intake(dossier.Slip{Kind: dossier.Component, Dossier: "H51.04-240830-0001", Unit: "H51.04"})
		got[dossier.Standing](t)(l.Receive(t.Context(), in))
		ref := dossier.Refusal{Schema: 1, ID: in.ID, Slip: in.Slip, Original: in.Original, Reason: dossier.Empty}
		must(t, l.Refuse(t.Context(), ref))
		must(t, l.Refuse(t.Context(), ref))
		if err := l.Settle(t.Context(), record(in, false)); err == nil {
			t.Error("a record for what was rejected was entered")
		}
		st := got[dossier.Standing](t)(l.Standing(t.Context(), in.ID))
		if st.State != dossier.Refused || st.Refusal == nil || st.Refusal.Reason != dossier.Empty {
			t.Errorf("%+v", st)
		}
		if _, err := l.Standing(t.Context(), uuid.NewString()); !errors.Is(err, dossier.ErrUnknownDocument) {
			t.Error(err)
		}
	})
}

// TestRebuild enters records without their intakes, a replacement before what it
// replaces, a reuse before its source.
func TestRebuild(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		a, b := registered(1, "H51.04"), registered(2, "H51.05")
		got[Outcome](t)(l.ImportDossiers(t.Context(), []dossier.Registered{a, b}))
		old := intake(dossier.Slip{Kind: dossier.ResultKind, Dossier: a.Code, Unit: a.Unit})
		next := intake(dossier.Slip{Kind: dossier.ResultKind, Dossier: a.Code, Unit: a.Unit, Replaces: old.ID})
		reuse := intake(dossier.Slip{Kind: dossier.Component, Dossier: b.Code, Unit: b.Unit, Reuses: next.ID})
		for range 2 {
			must(t, l.Settle(t.Context(), record(reuse, false)))
			must(t, l.Settle(t.Context(), record(next, true)))
			must(t, l.Settle(t.Context(), record(old, false)))
		}
		wantRate(t, l, "4.1", 1, 2)
		wantRate(t, l, "4.3", 1, 2)
		d, _, err := l.Dossier(t.Context(), a.Code)
		must(t, err)
		if d.Facts != (dossier.Facts{Results: 1, LegalResults: 1}) {
			t.Errorf("%+v", d.Facts)
		}
		if s := got[QueueStats](t)(l.QueueStats(t.Context())); s.Pending != 0 {
			t.Errorf("%+v", s)
		}
		sound(t, l)
	})
}

// tombstone is what an officer's order makes of a document as it stands.
func tombstone(t testing.TB, l *Ledger, id string) dossier.Tombstone {
	t.Helper()
	st := got[dossier.Standing](t)(l.Standing(t.Context(), id))
	if st.Tombstone != nil {
		return *st.Tombstone
	}
	return got[dossier.Tombstone](t)(dossier.TombstoneOf(st, dossier.Order{By: "account:officer-1", Role: dossier.Officer, Number: "12/QĐ", Reason: "hết hạn"}, day.Time(), "sohoa test"))
}

func TestTombstone(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		a, b, c := registered(1, "H51.04"), registered(2, "H51.05"), registered(3, "H51")
		got[Outcome](t)(l.ImportDossiers(t.Context(), []dossier.Registered{a, b, c}))
		src := intake(dossier.Slip{Kind: dossier.Component, Dossier: a.Code, Unit: a.Unit})
		got[dossier.Standing](t)(l.Receive(t.Context(), src))
		must(t, l.Settle(t.Context(), record(src, false)))
		reuse := store(t, l, dossier.Slip{Kind: dossier.Component, Dossier: b.Code, Unit: b.Unit, Reuses: src.ID}, false)
		again := store(t, l, dossier.Slip{Kind: dossier.Component, Dossier: c.Code, Unit: c.Unit, Reuses: reuse}, false)
		wantRate(t, l, "4.3", 2, 3)
		must(t, l.Delete(t.Context(), tombstone(t, l, src.ID)))
		must(t, l.Delete(t.Context(), tombstone(t, l, src.ID)))
		wantRate(t, l, "4.3", 0, 3)
		for _, id := range []string{src.ID, reuse, again} {
			if st := got[dossier.Standing](t)(l.Standing(t.Context(), id)); !st.Deleted {
				t.Errorf("%s is not deleted", id)
			}
		}
		if _, err := l.Receive(t.Context(), intake(dossier.Slip{Kind: dossier.Component, Dossier: c.Code, Unit: c.Unit, Reuses: src.ID})); !errors.Is(err, dossier.ErrUnknownDocument) {
			t.Errorf("reusing what is deleted: %v", err)
		}
		src.ID = uuid.NewString()
		if st := got[dossier.Standing](t)(l.Receive(t.Context(), src)); st.Again {
			t.Error("the same bytes may be handed in again")
		}
		sound(t, l)
	})
}

// TestTombstoneOfTheUnknown: a rebuild meets tombstones of documents that the
// ledger never had, before or after what hangs on them, and gives the same.
func TestTombstoneOfTheUnknown(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2, 3}, {2, 1, 0}, {3, 2, 1, 0, 2}, {1, 0, 3, 2, 3}, {2, 3, 0, 1}} {
		engines(t, func(t *testing.T, dsn string) {
			a, b := registered(1, "H51.04"), registered(2, "H51.05")
			slip := dossier.Slip{Kind: dossier.Component, Dossier: a.Code, Unit: a.Unit, OwnerID: "079099001234", Name: "Giấy khai sinh của An",
				Number: "12/HT", FileName: "an.pdf", Abstract: "An", SignedBy: "Bình"}
			older, newer := record(intake(slip), false), record(intake(slip), false)
			newer.Slip.Replaces = older.ID
			reuse := record(intake(dossier.Slip{Kind: dossier.Component, Dossier: b.Code, Unit: b.Unit, Reuses: newer.ID}), false)
			stone := got[dossier.Tombstone](t)(dossier.TombstoneOf(dossier.Standing{Intake: dossier.Intake{ID: newer.ID}, State: dossier.Stored, Record: &newer},
				dossier.Order{By: "account:1", Number: "1", Reason: "hết hạn"}, day.Time().UTC(), "sohoa"))
			steps := []func(l *Ledger) error{
				func(l *Ledger) error { return l.Settle(t.Context(), older) },
				func(l *Ledger) error { return l.Settle(t.Context(), reuse) },
				func(l *Ledger) error { return l.Delete(t.Context(), stone) },
				func(l *Ledger) error { return l.Settle(t.Context(), newer) }, // a crash left the record beside the tombstone
			}
			l := open(t, dsn, Options{})
			province(t, l)
			got[Outcome](t)(l.ImportDossiers(t.Context(), []dossier.Registered{a, b}))
			for _, i := range order {
				must(t, steps[i](l))
			}
			if st := got[dossier.Standing](t)(l.Standing(t.Context(), older.ID)); st.ReplacedBy != newer.ID || st.Deleted {
				t.Errorf("%v: the older one: %+v", order, st)
			}
			if st := got[dossier.Standing](t)(l.Standing(t.Context(), reuse.ID)); !st.Deleted || st.Record == nil || st.Tombstone != nil {
				t.Errorf("%v: what reuses it: %+v", order, st)
			}
			st := got[dossier.Standing](t)(l.Standing(t.Context(), newer.ID))
			if st.Tombstone == nil || st.Tombstone.Deletion().Order != "1" || st.Record != nil || st.State != dossier.Stored {
				t.Errorf("%v: what is deleted: %+v", order, st)
			}
			var kept string
			must(t, l.read.QueryRowContext(t.Context(), `SELECT intake || verdict || COALESCE(owner, '') FROM document WHERE id = $1`, newer.ID).Scan(&kept))
			for _, personal := range []string{"079099001234", "An", "12/HT", "Bình", "an.pdf"} {
				if strings.Contains(kept, personal) {
					t.Errorf("%v: %q is still in the ledger", order, personal)
				}
			}
			if ev := got[[]dossier.Event](t)(l.Events(t.Context(), newer.ID)); len(ev) != 1 || ev[0] != stone.Deletion() {
				t.Errorf("%v: %+v", order, ev)
			}
			wantRate(t, l, "4.3", 0, 2)
			sound(t, l)
		})
	}
}

func TestResultsInForce(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		r := dossier.Result{Number: "12/QĐ-UBND", Unit: "H51.05", AuthorityLevel: dossier.District, IssuedOn: 20190102, Name: "Quyết định"}
		plan := func(day dossier.Date) [2]int64 {
			cells := got[[]tally.Cell](t)(l.Sums(t.Context(), nil, []tally.Series{tally.PlanSeries(dossier.District)}, dossier.Period{To: day.AddDays(1)}))
			var s [2]int64
			for _, c := range cells {
				s[0], s[1] = s[0]+c.Numerator, s[1]+c.Denominator
			}
			return s
		}
		// The document first, written another way: it waits for its register.
		store(t, l, dossier.Slip{Kind: dossier.ResultInForce, Number: " 12/qđ-ubnd", Unit: "H51.05"}, true)
		if p := plan(20240830); p != [2]int64{0, 0} {
			t.Errorf("before the register: %v", p)
		}
		if o := got[Outcome](t)(l.ImportResults(t.Context(), []dossier.Result{r, {Number: "1", Unit: "H99"}, {Unit: "H51"}})); o.New != 1 || len(o.Bad) != 2 ||
			o.Bad[0].Column != "unit" || o.Bad[0].Index != 1 || o.Bad[1].Column != "number" {
			t.Errorf("%+v", o)
		}
		if p := plan(20240830); p != [2]int64{1, 1} {
			t.Errorf("digitised: %v", p)
		}
		if o := got[Outcome](t)(l.ImportResults(t.Context(), []dossier.Result{r})); o.Same != 1 {
			t.Errorf("again: %+v", o)
		}
		r.ValidTo = 20240101
		got[Outcome](t)(l.ImportResults(t.Context(), []dossier.Result{r}))
		if a, b := plan(20231231), plan(20240101); a != [2]int64{1, 1} || b != [2]int64{0, 0} {
			t.Errorf("in force until 2024: %v, %v", a, b)
		}
		r.Revoked = true
		got[Outcome](t)(l.ImportResults(t.Context(), []dossier.Result{r}))
		if a := plan(20231231); a != [2]int64{0, 0} {
			t.Errorf("revoked: %v", a)
		}
		r.Revoked, r.ValidTo = false, 0
		got[Outcome](t)(l.ImportResults(t.Context(), []dossier.Result{r}))
		docs := got[[]dossier.Standing](t)(l.DocumentsOfResult(t.Context(), "H51.05", r.Number))
		if len(docs) != 1 {
			t.Fatalf("%d documents", len(docs))
		}
		must(t, l.Delete(t.Context(), tombstone(t, l, docs[0].Intake.ID)))
		if p := plan(20240830); p != [2]int64{0, 1} {
			t.Errorf("the document deleted: %v", p)
		}
		sound(t, l)
	})
}

func TestBadRows(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		o := got[Outcome](t)(l.ImportUnits(t.Context(), []dossier.Unit{
			{Code: "H51.06", Level: dossier.District, Parent: "H77"},
			{Code: "H51.06.01", Level: dossier.Commune, Parent: "H51.06"}, // its parent is bad
			{Code: "H51.07", Level: dossier.District, Parent: "H51", Successor: "H78"},
			{Code: "H51.08", Level: dossier.District, Parent: "H51", ValidFrom: 20240101, ValidTo: 20240101},
		}))
		if len(o.Bad) != 4 || o.Bad[0].Column != "parent" || o.Bad[1].Column != "parent" || o.Bad[2].Column != "successor" || o.Bad[3].Column != "valid_to" {
			t.Errorf("units: %+v", o)
		}
		var rows []dossier.Registered
		for i := range 1200 {
			rows = append(rows, registered(i, "H51.04"))
		}
		rows[3].Unit = "H99"
		rows[700].Procedure = "9.999999"
		rows[1100].ReceivedAt = time.Date(24, 1, 1, 0, 0, 0, 0, dossier.Zone)
		rows[600] = rows[599] // the same row twice, across a batch or not
		rows[5].Procedure = "1.004946.000.00.00.H51"
		o = got[Outcome](t)(l.ImportDossiers(t.Context(), rows))
		if o.New != 1196 || o.Same != 1 || len(o.Bad) != 3 ||
			o.Bad[0].Index != 3 || o.Bad[0].Column != "unit" || o.Bad[1].Index != 700 || o.Bad[1].Column != "procedure" ||
			o.Bad[2].Index != 1100 || o.Bad[2].Column != "received_at" {
			t.Errorf("dossiers: %d new, %d same, bad %+v", o.New, o.Same, o.Bad)
		}
		wantRate(t, l, "4.1", 0, 1196)
		sound(t, l)
	})
}

func TestUnitStates(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		states := []dossier.Unit{
			{Code: "H51.05", Name: "Phường Vĩnh Châu", Level: dossier.Commune, Parent: "H51", ValidFrom: 20250701},
			{Code: "H51.05", Name: "Thị xã Vĩnh Châu", Level: dossier.District, Parent: "H51", ValidTo: 20250701},
		}
		for i, want := range []Outcome{{Changed: 1, New: 1}, {Same: 2}} {
			o := got[Outcome](t)(l.ImportUnits(t.Context(), states))
			if o.New != want.New || o.Changed != want.Changed || o.Same != want.Same {
				t.Errorf("%d: %+v", i, o)
			}
		}
		var names []string
		for _, u := range got[[]dossier.Unit](t)(l.Units(t.Context())) {
			if u.Code == "H51.05" {
				names = append(names, u.Name)
			}
		}
		if fmt.Sprint(names) != "[Thị xã Vĩnh Châu Phường Vĩnh Châu]" {
			t.Errorf("%q", names)
		}
	})
}

func TestProcedureChanges(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		var rows []dossier.Registered
		for i := range 1100 {
			r := registered(i, "H51.04")
			if i%2 == 1 {
				r.Procedure = "1.004946.000.00.00.H51"
			}
			rows = append(rows, r)
		}
		got[Outcome](t)(l.ImportDossiers(t.Context(), rows))
		wantRate(t, l, "4.1", 0, 1100)
		got[Outcome](t)(l.ImportProcedures(t.Context(), []dossier.Procedure{{Code: "1.004946", Name: "Cấp giấy phép", ReturnsDocument: false}}))
		wantRate(t, l, "4.1", 0, 0)
		wantRate(t, l, "4.2", 0, 1100)
		sound(t, l)
		// A local form of its own takes over the dossiers that name it.
		got[Outcome](t)(l.ImportProcedures(t.Context(), []dossier.Procedure{{Code: "1.004946.000.00.00.H51", Name: "Cấp giấy phép", ReturnsDocument: true}}))
		wantRate(t, l, "4.1", 0, 550)
		sound(t, l)
		var open int
		must(t, l.read.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM procedure WHERE unsettled > 0`).Scan(&open))
		if open != 0 {
			t.Errorf("%d procedures are still open", open)
		}
	})
}

// TestProcedureOfItsOwn: a local form is entered while a dossier that names it is
// being entered under the national code. Whoever is first, the dossier follows it.
func TestProcedureOfItsOwn(t *testing.T) {
	local := dossier.Procedure{Code: "1.004946.000.00.00.H51", Name: "Cấp giấy phép", ReturnsDocument: false}
	row := registered(1, "H51.04")
	row.Procedure = local.Code
	begin := func(t *testing.T) *Ledger {
		l := open(t, postgresDSN(t), Options{})
		province(t, l)
		return l
	}
	check := func(t *testing.T, l *Ledger) {
		if d, _, err := l.Dossier(t.Context(), row.Code); err != nil || d.ReturnsDocument {
			t.Errorf("the dossier is read under the national code: %v", err)
		}
		sound(t, l)
	}
	t.Run("the dossier", func(t *testing.T) {
		l := begin(t)
		store(t, l, dossier.Slip{Kind: dossier.Component, Dossier: row.Code, Unit: row.Unit}, false)
		release := heldUp(t, l, row.Code)
		ended := make(chan error, 2)
		go func() { _, err := l.ImportDossiers(t.Context(), []dossier.Registered{row}); ended <- err }()
		waiting(t, l, 1)
		imported := make(chan struct{})
		go func() {
			_, err := l.ImportProcedures(t.Context(), []dossier.Procedure{local})
			ended <- err
			close(imported)
		}()
		for n := 1; n < 2; {
			select {
			case <-imported:
				n = 2
			case <-time.After(time.Millisecond):
				n = waiters(t, l)
			}
		}
		release()
		must(t, errors.Join(<-ended, <-ended))
		check(t, l)
	})
	t.Run("the procedure", func(t *testing.T) {
		l := begin(t)
		ended := make(chan error, 1)
		must(t, l.update(t.Context(), func(ctx context.Context, tx *tx) error {
			if _, err := tx.importProcedures(ctx, []dossier.Procedure{local}); err != nil {
				return err
			}
			go func() { _, err := l.ImportDossiers(t.Context(), []dossier.Registered{row}); ended <- err }()
			waiting(t, l, 1)
			return nil
		}))
		must(t, <-ended)
		check(t, l)
	})
}

// TestReusedWhileDeleted: a paper is used again while it is being deleted.
func TestReusedWhileDeleted(t *testing.T) {
	l := open(t, postgresDSN(t), Options{})
	province(t, l)
	a, b := registered(1, "H51.04"), registered(2, "H51.04")
	got[Outcome](t)(l.ImportDossiers(t.Context(), []dossier.Registered{a, b}))
	src := store(t, l, dossier.Slip{Kind: dossier.Component, Dossier: a.Code, Unit: a.Unit}, false)
	stone := tombstone(t, l, src)
	release := heldUp(t, l, a.Code)
	ended := make(chan error, 1)
	go func() { ended <- l.Delete(t.Context(), stone) }()
	waiting(t, l, 1)
	reuse := store(t, l, dossier.Slip{Kind: dossier.Component, Dossier: b.Code, Unit: b.Unit, Reuses: src}, false)
	release()
	must(t, <-ended)
	if st := got[dossier.Standing](t)(l.Standing(t.Context(), reuse)); !st.Deleted {
		t.Error("what was made of the deleted file still counts")
	}
	sound(t, l)
}

// heldUp locks a dossier until released, at the latest with the test.
func heldUp(t *testing.T, l *Ledger, code dossier.Code) (release func()) {
	t.Helper()
	held, err := l.write.BeginTx(t.Context(), nil)
	must(t, err)
	_, err = held.ExecContext(t.Context(), `SELECT code FROM dossier WHERE code = $1 FOR UPDATE`, string(code))
	must(t, err)
	return func() { must(t, held.Rollback()) }
}

// waiters counts the transactions of this PostgreSQL's database that wait for a
// lock.
func waiters(t *testing.T, l *Ledger) (n int) {
	t.Helper()
	must(t, l.read.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n))
	return n
}

// waiting waits until n transactions wait for a lock.
func waiting(t *testing.T, l *Ledger, n int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); waiters(t, l) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody waits for the lock")
		}
	}
}

func TestSwept(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		in := intake(dossier.Slip{Kind: dossier.Component, Dossier: "H51.04-240830-0001", Unit: "H51.04"})
		got[dossier.Standing](t)(l.Receive(t.Context(), in))
		stored := store(t, l, dossier.Slip{Kind: dossier.Component, Dossier: "H51.04-240830-0001", Unit: "H51.04"}, false)
		later := day.AddDays(30).Time()
		if list := got[[]dossier.Standing](t)(l.Refused(t.Context(), later, "", 10)); len(list) != 0 {
			t.Errorf("nothing is rejected yet: %v", list)
		}
		must(t, l.Refuse(t.Context(), dossier.Refusal{Schema: 1, ID: in.ID, Slip: in.Slip, Original: in.Original, Reason: dossier.Empty}))
		if list := got[[]dossier.Standing](t)(l.Refused(t.Context(), day.Time(), "", 10)); len(list) != 0 {
			t.Errorf("it was received on that day, not before: %v", list)
		}
		list := got[[]dossier.Standing](t)(l.Refused(t.Context(), later, "", 10))
		if len(list) != 1 || list[0].Intake.ID != in.ID {
			t.Fatalf("%v", list)
		}
		for _, id := range []string{in.ID, in.ID, stored, "nobody"} {
			must(t, l.Swept(t.Context(), id))
		}
		if list := got[[]dossier.Standing](t)(l.Refused(t.Context(), later, "", 10)); len(list) != 0 {
			t.Errorf("it is swept: %v", list)
		}
		if _, found, err := l.Seen(t.Context(), in.Slip, in.Original.SHA256); err != nil || found {
			t.Errorf("seen %v, %v", found, err)
		}
		in.ID = uuid.NewString()
		if st := got[dossier.Standing](t)(l.Receive(t.Context(), in)); st.Again {
			t.Error("what was swept may be handed in again")
		}
		if ev := got[[]dossier.Event](t)(l.Events(t.Context(), stored)); len(ev) != 0 {
			t.Errorf("%v", ev)
		}
	})
}

// TestHappen: events enter once, in any order, and the tallies follow.
func TestHappen(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		r := registered(1, "H51.04")
		got[Outcome](t)(l.ImportDossiers(t.Context(), []dossier.Registered{r}))
		in := intake(dossier.Slip{Kind: dossier.ResultKind, Dossier: r.Code, Unit: r.Unit, Paper: "KQ"})
		got[dossier.Standing](t)(l.Receive(t.Context(), in))
		must(t, l.Settle(t.Context(), record(in, true)))
		event := func(kind, outcome string, hour int) dossier.Event {
			return dossier.Event{Type: kind, Outcome: outcome, At: day.Time().UTC().Add(time.Duration(hour) * time.Hour), Agent: "account:1", Role: dossier.Officer,
				Tool: "sohoa test", Order: "12/QĐ", Reason: "chứng thư bị thu hồi"}
		}
		doubted, trusted := event(dossier.EventSignature, dossier.OutcomeDoubted, 1), event(dossier.EventSignature, dossier.OutcomeTrusted, 2)
		wantRate(t, l, "4.1", 1, 1)
		for range 2 {
			must(t, l.Happen(t.Context(), in.ID, doubted))
			wantRate(t, l, "4.1", 0, 1)
		}
		must(t, l.Happen(t.Context(), in.ID, trusted))
		wantRate(t, l, "4.1", 1, 1)
		must(t, l.Happen(t.Context(), in.ID, doubted)) // known already
		wantRate(t, l, "4.1", 1, 1)
		third := event(dossier.EventSignature, dossier.OutcomeDoubted, 0) // older than what is known
		must(t, l.Happen(t.Context(), in.ID, third))
		wantRate(t, l, "4.1", 1, 1)
		hold := event(dossier.EventPolicy, dossier.OutcomeHeld, 1)
		must(t, l.Happen(t.Context(), in.ID, hold))
		ev := got[[]dossier.Event](t)(l.Events(t.Context(), in.ID))
		if want := []dossier.Event{third, doubted, hold, trusted}; !slices.Equal(ev, want) {
			t.Errorf("events\n%+v, want\n%+v", ev, want)
		}

		must(t, l.Happen(t.Context(), in.ID, event(dossier.EventRevocation, dossier.OutcomeSuccess, 3)))
		wantRate(t, l, "4.1", 0, 1)
		if st := got[dossier.Standing](t)(l.Standing(t.Context(), in.ID)); !st.Revoked || st.Deleted || st.Record == nil {
			t.Errorf("%+v", st)
		}
		better := intake(dossier.Slip{Kind: dossier.ResultKind, Dossier: r.Code, Unit: r.Unit, Paper: "KQ", Replaces: in.ID})
		if _, err := l.Receive(t.Context(), better); !errors.Is(err, dossier.ErrNotReplaceable) {
			t.Errorf("replacing what is revoked: %v", err)
		}
		reuse := intake(dossier.Slip{Kind: dossier.ResultKind, Dossier: r.Code, Unit: r.Unit, Reuses: in.ID})
		if _, err := l.Receive(t.Context(), reuse); !errors.Is(err, dossier.ErrUnknownDocument) {
			t.Errorf("reusing what is revoked: %v", err)
		}
		in.ID = uuid.NewString() // the same paper again, by the same bytes
		if st := got[dossier.Standing](t)(l.Receive(t.Context(), in)); st.Again {
			t.Error("what was revoked may be handed in again")
		}
		must(t, l.Settle(t.Context(), record(in, true)))
		wantRate(t, l, "4.1", 1, 1)
		if err := l.Happen(t.Context(), uuid.NewString(), doubted); !errors.Is(err, dossier.ErrUnknownDocument) {
			t.Error(err)
		}
		sound(t, l)
	})
}

// TestOddTexts: whatever people typed, both databases take it.
func TestOddTexts(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		odd := "12\x00/Q\xffĐ \t\u0000🙂'\"; DROP TABLE document; --"
		r := dossier.Result{Number: odd, Unit: "H51.05", AuthorityLevel: dossier.District, IssuedOn: 20190102, Name: odd}
		if o := got[Outcome](t)(l.ImportResults(t.Context(), []dossier.Result{r})); o.New != 1 {
			t.Errorf("%+v", o)
		}
		if o := got[Outcome](t)(l.ImportResults(t.Context(), []dossier.Result{r})); o.Same != 1 {
			t.Errorf("%+v", o)
		}
		in := intake(dossier.Slip{Kind: dossier.ResultInForce, Number: odd, Unit: "H51.05", Name: odd, FileName: odd, OwnerID: odd, Abstract: odd, By: odd})
		got[dossier.Standing](t)(l.Receive(t.Context(), in))
		must(t, l.Settle(t.Context(), record(in, false)))
		if docs := got[[]dossier.Standing](t)(l.DocumentsOfResult(t.Context(), "H51.05", odd)); len(docs) != 1 || docs[0].Record == nil {
			t.Errorf("%+v", docs)
		}
		for _, u := range []dossier.Unit{{Code: "H51.06", Name: odd, Level: dossier.District, Parent: "H51"}} {
			for _, want := range []int{1, 0} {
				if o := got[Outcome](t)(l.ImportUnits(t.Context(), []dossier.Unit{u})); o.New != want {
					t.Errorf("%+v", o)
				}
			}
		}
		for _, want := range []int{1, 0} {
			if o := got[Outcome](t)(l.ImportProcedures(t.Context(), []dossier.Procedure{{Code: "1.000002", Name: odd}})); o.New != want {
				t.Errorf("%+v", o)
			}
		}
		sound(t, l)
	})
}
