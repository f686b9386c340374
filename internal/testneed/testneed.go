// Package testneed says what a test needs from the machine. Without it the test
// is skipped, saying how to get it; under SOHOA_TEST_REQUIRE=all, as in CI,
// nothing may be skipped and the test fails instead.
package testneed

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Missing ends the test because what is not here; how says how to get it.
func Missing(t testing.TB, what, how string) {
	t.Helper()
	if os.Getenv("SOHOA_TEST_REQUIRE") == "all" {
		t.Fatalf("needs %s, which is not here: %s", what, how)
	}
	t.Skipf("SKIPPED, needs %s: %s", what, how)
}

// Tool returns the path of a program, from the project's bin folder or PATH.
func Tool(t testing.TB, name, how string) string {
	t.Helper()
	if p := filepath.Join(Root(t), "bin", name); executable(p) {
		return p
	}
	p, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name, how)
	}
	return p
}

// Root is the folder of go.mod.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("testneed: no go.mod above the test")
		}
		dir = parent
	}
}

// Shared returns a file or folder of the shared folder beside the project
// (SOHOA_SHARED overrides where that is).
func Shared(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("SOHOA_SHARED")
	if dir == "" {
		dir = filepath.Join(Root(t), "..", "shared")
	}
	p := filepath.Join(dir, name)
	if _, err := os.Stat(p); err != nil {
		Missing(t, "../shared/"+name, "put the shared folder beside the project, or set SOHOA_SHARED")
	}
	return p
}

func executable(p string) bool {
	st, err := os.Stat(p)
	return err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0
}
