package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"sohoa/storage/storagetest/servers"
)

// TestMigrateTriesTheBucket: migrate makes the bucket, and says what is wrong with
// it, before the first citizen's paper does.
func TestMigrateTriesTheBucket(t *testing.T) {
	endpoint, access, secret := servers.MinIO(t)
	bucket := fmt.Sprintf("migrate-%d", rand.Uint32())
	for _, c := range []struct {
		name, setting, secret string
		code                  int
		want                  string
	}{
		{"made", "", secret, 0, "the archive answers"},
		{"checked", "", secret, 0, "the archive answers"},
		{"object lock", "&object-lock=governance", secret, 1, "bucket " + bucket + " was made without it"},
		{"credentials", "", "wrong-secret", 1, "the server does not know the credentials"},
	} {
		cmd := exec.Command("sohoa", "migrate", "--data", t.TempDir(), "--store", "s3://"+bucket+"?region=us-east-1&endpoint="+endpoint+c.setting)
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+access, "AWS_SECRET_ACCESS_KEY="+c.secret)
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(out), c.want) || strings.Contains(string(out), "wrong-secret") {
			t.Errorf("%s: %v\n%s", c.name, err, out)
		}
	}
}
