package s3

import (
	"crypto/rand"
	"strings"
	"testing"

	"sohoa/storage"
	"sohoa/storage/storagetest"
	"sohoa/storage/storagetest/servers"
)

// onServer opens a store in a new bucket of a running server.
func onServer(t testing.TB, server func(testing.TB) (endpoint, access, secret string), change func(*Options)) *Store {
	t.Helper()
	endpoint, access, secret := server(t)
	o := Options{Endpoint: endpoint, Bucket: "test-" + strings.ToLower(rand.Text()), Prefix: "kho lưu trữ/", Region: "us-east-1",
		AccessKey: access, SecretKey: secret}
	if change != nil {
		change(&o)
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.EnsureBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContractMinIO(t *testing.T) {
	t.Parallel()
	storagetest.Test(t, func(t *testing.T) storage.Store { return onServer(t, servers.MinIO, nil) })
}

func TestContractVersity(t *testing.T) {
	t.Parallel()
	storagetest.Test(t, func(t *testing.T) storage.Store { return onServer(t, servers.Versity, nil) })
}
