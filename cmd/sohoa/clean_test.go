package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sohoa/pipeline"
)

// TestCleanByPlan: the janitor goes over the whole archive once in its time, and
// every hour over what is quickly found; of many processes one goes round, and a
// round that was broken off is made again. Time is the test's.
func TestCleanByPlan(t *testing.T) {
	s := newSite(t)
	now := time.Now()
	clock := func() time.Time { return now }
	a, h := s.house(clock)
	b, other := s.house(clock)
	plan := cleanPlan{rejectedDays: 30, unfinishedDays: 7, every: aDay}
	archive := filepath.Join(s.dir, "data", "archive")
	const (
		upload   = "uploads/01900000-0000-7000-8000-000000000001/upload.json" // of the summer of 2024
		orphan   = "dossiers/H51.10/H51.10-240801-000000/01900000-0000-7000-8000-000000000002/original.pdf"
		stranger = "dossiers/H51.10/H51.10-240801-000000/01900000-0000-7000-8000-000000000003/rejected.json"
	)
	leave := func(names ...string) {
		t.Helper()
		for _, name := range names {
			file := filepath.Join(archive, name)
			long := time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC)
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o750), os.WriteFile(file, []byte("x"), 0o600), os.Chtimes(file, long, long)); err != nil {
				t.Fatal(err)
			}
		}
	}
	// turn sends the janitor round and wants to find only that of what was left.
	turn := func(who *app, whose *house, wantErr error, want ...string) {
		t.Helper()
		if err := who.cleanTurn(t.Context(), whose, plan); !errors.Is(err, wantErr) {
			t.Errorf("the round ends with %v, want %v", err, wantErr)
		}
		var there []string
		for _, name := range []string{upload, orphan, stranger} {
			if _, err := os.Stat(filepath.Join(archive, name)); err == nil {
				there = append(there, name)
			}
		}
		if !slices.Equal(there, want) {
			t.Errorf("%v is there, want %v", there, want)
		}
	}

	leave(upload, orphan)
	turn(a, h, nil)
	leave(upload, orphan)
	now = now.Add(time.Hour)
	turn(a, h, nil, orphan)
	turn(b, other, nil, orphan) // the others know when it was done
	now = now.Add(aDay - 2*time.Hour)
	turn(a, h, nil, orphan)

	now = now.Add(2 * time.Hour)
	lead, err := other.ledger.Lead(t.Context(), "clean")
	if err != nil || lead == nil {
		t.Fatal(lead, err)
	}
	leave(upload)
	turn(a, h, nil, upload, orphan) // somebody else is at it
	lead.End()
	leave(stranger)
	turn(a, h, pipeline.ErrLedgerIncomplete, orphan, stranger)
	if err := os.RemoveAll(filepath.Dir(filepath.Join(archive, stranger))); err != nil {
		t.Fatal(err)
	}
	turn(b, other, nil) // made again, though the day is not over
}
