package disk

import (
	"testing"

	"sohoa/storage"
	"sohoa/storage/storagetest"
)

func open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	storagetest.Test(t, func(t *testing.T) storage.Store { return open(t) })
}

func TestContractWithoutAttributes(t *testing.T) {
	storagetest.Test(t, func(t *testing.T) storage.Store {
		s := open(t)
		s.attrs = false
		return s
	})
}
