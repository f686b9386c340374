package layers

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// TestEveryDependencyHasAReason holds docs/dependencies.md against go.mod.
func TestEveryDependencyHasAReason(t *testing.T) {
	b, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", b, nil)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	direct := 0
	for _, r := range mod.Require {
		if r.Indirect {
			continue
		}
		direct++
		if !strings.Contains(string(doc), "| "+r.Mod.Path) {
			t.Errorf("%s has no row in docs/dependencies.md", r.Mod.Path)
		}
	}
	if direct < 10 {
		t.Fatalf("only %d direct dependencies were found", direct)
	}
}
