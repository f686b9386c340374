//go:build named

package s3

import (
	"os"
	"testing"

	"sohoa/storage"
	"sohoa/storage/storagetest"
)

// named is a server that runs already: SOHOA_TEST_S3 is its address, and the keys
// stand where the AWS tools look for them in the environment.
func named(t testing.TB) (endpoint, access, secret string) {
	endpoint = os.Getenv("SOHOA_TEST_S3")
	if endpoint == "" {
		t.Fatal("SOHOA_TEST_S3 names no server")
	}
	return endpoint, os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")
}

// TestNamedServer tries what the archive needs of any server, each part in
// buckets of its own, which it leaves there:
//
//	SOHOA_TEST_S3=http://127.0.0.1:8333 AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… go test -tags named -run TestNamedServer -v ./storage/s3
//
// scripts/ceph.sh starts a Ceph for it; docs/operations.md says which servers it
// was held against.
func TestNamedServer(t *testing.T) {
	t.Run("Contract", func(t *testing.T) {
		storagetest.Test(t, func(t *testing.T) storage.Store { return onServer(t, named, nil) })
	})
	t.Run("Check", func(t *testing.T) {
		if err := onServer(t, named, nil).Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("Versions", func(t *testing.T) { testVersions(t, named, true) })
	t.Run("ObjectLock", func(t *testing.T) { testObjectLock(t, named) })
	t.Run("AbortStale", func(t *testing.T) { testAbortStale(t, named) })
}
