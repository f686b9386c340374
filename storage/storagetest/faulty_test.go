package storagetest_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"sohoa/storage"
	"sohoa/storage/disk"
	"sohoa/storage/storagetest"
)

// TestFaulty: lost means not done, reported lost means done.
func TestFaulty(t *testing.T) {
	s, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	lost := errors.New("lost")
	var (
		apply bool
		fail  error
		asked []string
	)
	f := storagetest.Faulty(s, func(op string, key storage.Key) (bool, error) {
		asked = append(asked, op+" "+string(key))
		return apply, fail
	})
	ctx := t.Context()
	there := func(key storage.Key) bool {
		_, err := s.Stat(ctx, key)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return err == nil
	}
	write := func(key storage.Key) error {
		return f.Put(ctx, key, strings.NewReader("x"), storage.Info{})
	}
	if err := write("good"); err != nil || !there("good") {
		t.Errorf("without a fault: %v", err)
	}
	fail = lost
	if err := write("lost"); err != lost || there("lost") {
		t.Errorf("a lost Put: %v, stored: %v", err, there("lost"))
	}
	if err := f.Delete(ctx, "good"); err != lost || !there("good") {
		t.Errorf("a lost Delete: %v, stored: %v", err, there("good"))
	}
	apply = true
	if err := write("reported"); err != lost || !there("reported") {
		t.Errorf("a Put reported lost: %v, stored: %v", err, there("reported"))
	}
	if err := f.Delete(ctx, "good"); err != lost || there("good") {
		t.Errorf("a Delete reported lost: %v, stored: %v", err, there("good"))
	}
	if _, _, err := f.Open(ctx, "reported"); err != lost {
		t.Errorf("Open: %v", err)
	}
	if _, err := f.Stat(ctx, "reported"); err != lost {
		t.Errorf("Stat: %v", err)
	}
	for _, err := range f.List(ctx, "a/") {
		if err != lost {
			t.Errorf("List: %v", err)
		}
	}
	want := "put good,put lost,delete good,put reported,delete good,open reported,stat reported,list a/"
	if got := strings.Join(asked, ","); got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
}
