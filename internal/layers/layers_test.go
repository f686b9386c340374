// Package layers holds the house rule on imports: who may import whom. A new
// package must be named here, so that its place is a decision.
package layers

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "sohoa/"

// allowed says which packages of ours a package may import. Test helpers under
// storage/storagetest, tally/tallytest and internal are free to be imported by
// tests only, which are not looked at here.
var allowed = map[string][]string{
	"dossier":                {},
	"storage":                {"storage/direct"},
	"storage/direct":         {},
	"storage/copy":           {"storage"},
	"storage/disk":           {"storage"},
	"storage/s3":             {"storage", "storage/wire"},
	"storage/ledger":         {"dossier", "tally", "storage/wire"},
	"storage/wire":           {},
	"tally":                  {"dossier"},
	"pipeline":               {"dossier", "storage", "pipeline/pdf"},
	"pipeline/pdf":           {"dossier", "pipeline/pdf/pdfa", "pipeline/pdf/signature", "storage/direct"},
	"pipeline/pdf/pdfa":      {"dossier"},
	"pipeline/pdf/signature": {"dossier"},
	"pipeline/sheet":         {"dossier"},
	"pipeline/register":      {"dossier", "pipeline/sheet"},
	"pipeline/backfill":      {"dossier", "pipeline", "pipeline/register", "pipeline/sheet"},
	"pipeline/hotfolder":     {"dossier", "storage"},
	"web":                    {"dossier", "pipeline", "pipeline/register", "pipeline/sheet", "storage", "tally"},
	"cmd/sohoa":              {"*"},
	"cmd/sohoa/province":     {"dossier"},
}

// forTests may be imported by test files only.
func forTests(pkg string) bool {
	return strings.HasPrefix(pkg, "internal/") || strings.Contains(pkg, "test/") || strings.HasSuffix(pkg, "test") ||
		strings.HasPrefix(pkg, "testdata/")
}

// soleUser says which third-party modules have one home only.
var soleUser = map[string]string{
	"github.com/minio/minio-go":       "storage/s3",
	"github.com/pdfcpu/pdfcpu":        "pipeline/pdf",
	"github.com/klippa-app/go-pdfium": "pipeline/pdf",
	"github.com/riverqueue/river":     "storage/ledger",
	"modernc.org/sqlite":              "storage/ledger",
	"github.com/jackc/pgx":            "storage/ledger",
	"github.com/danielgtaylor/huma":   "web",
	"github.com/spf13/cobra":          "cmd/sohoa",
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "sohoa/...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestImports(t *testing.T) {
	seen := 0
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if forTests(name) {
			continue
		}
		seen++
		may, known := allowed[name]
		if !known {
			t.Errorf("package %s has no place in the house: name it in this test", name)
			continue
		}
		for _, imp := range p.Imports {
			if ours, ok := strings.CutPrefix(imp, module); ok {
				if forTests(ours) {
					t.Errorf("%s imports %s, which is for tests", name, ours)
				} else if !slices.Contains(may, "*") && !slices.Contains(may, ours) {
					t.Errorf("%s must not import %s", name, ours)
				}
			}
			for lib, home := range soleUser {
				if strings.HasPrefix(imp, lib) && name != home && !strings.HasPrefix(name, home+"/") {
					t.Errorf("%s imports %s, whose only home is %s", name, imp, home)
				}
			}
			if name == "dossier" && strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") {
				t.Errorf("dossier imports %s: standard library only", imp)
			}
		}
	}
	if seen < 10 {
		t.Fatalf("only %d packages were looked at", seen)
	}
}

// slowToStart are packages that must not be linked into the binary: every process
// pays for what they do before main, and each child of the judge is a process.
var slowToStart = map[string]string{
	"github.com/mattn/go-runewidth": "computes tables for 45 ms (pdfcpu/pkg/api needs it)",
}

func TestQuickToStart(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "sohoa/cmd/sohoa")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model") {
		t.Fatalf("%d packages were found, the PDF library is not among them", len(deps))
	}
	for p, why := range slowToStart {
		if slices.Contains(deps, p) {
			t.Errorf("the binary links %s, which %s", p, why)
		}
	}
}
