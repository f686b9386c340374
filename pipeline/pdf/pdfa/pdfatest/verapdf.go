// Package pdfatest holds what tests of archival copies need: the reference
// validator and pictures of pages.
package pdfatest

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sohoa/internal/testneed"
)

// VeraPDF validates every .pdf of a folder as PDF/A-2b and returns the broken
// rules of each by base name; none means that it passed. A file without a
// verdict fails the test, and so does an empty folder.
func VeraPDF(t testing.TB, dir string) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no files for veraPDF in %s", dir)
	}
	script := filepath.Join(testneed.Root(t), "scripts", "verapdf.sh")
	if out, err := exec.Command(script, "--fetch").CombinedOutput(); err != nil {
		testneed.Missing(t, "veraPDF (Java, Maven Central)", strings.TrimSpace(string(out)))
	}
	var stderr bytes.Buffer
	cmd := exec.Command(script, dir)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("verapdf.sh: %v\n%s", err, stderr.String())
	}
	verdicts := map[string][]string{}
	last := ""
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		line := s.Text()
		if rule, ok := strings.CutPrefix(line, "  FAIL "); ok && last != "" {
			verdicts[last] = append(verdicts[last], rule)
			continue
		}
		state, path, ok := strings.Cut(strings.TrimSuffix(line, " 2b"), " ")
		if !ok || state != "PASS" && state != "FAIL" {
			continue
		}
		last = filepath.Base(path)
		verdicts[last] = nil
		if state == "FAIL" {
			verdicts[last] = []string{}
		}
	}
	for name, rules := range verdicts {
		if rules != nil && len(rules) == 0 {
			verdicts[name] = []string{"failed without naming a rule"}
		}
	}
	for _, f := range files {
		if _, ok := verdicts[filepath.Base(f)]; !ok {
			verdicts[filepath.Base(f)] = []string{"veraPDF could not read it"}
		}
	}
	return verdicts
}

// WriteFile writes a file for VeraPDF.
func WriteFile(t testing.TB, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}
