package pdf_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline/pdf"
)

// foreignFile is a row of corpus.csv: a file and what other readers said of it.
type foreignFile struct {
	path      string
	name      string
	qpdf      string
	mutool    string
	pdfinfo   string
	pdfium    string
	encrypted string
}

// opens reports whether three other readers open it, without a password.
func (f foreignFile) opens() bool {
	return (f.qpdf == "ok" || f.qpdf == "warn") && f.mutool == "ok" && f.pdfinfo == "ok"
}

func foreignFiles(t testing.TB) []foreignFile {
	t.Helper()
	dir := testneed.Shared(t, "corpus")
	in, err := os.Open(filepath.Join(dir, "corpus.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	rows, err := csv.NewReader(in).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 2 {
		t.Fatal("the corpus is empty")
	}
	col := map[string]int{}
	for i, name := range rows[0] {
		col[name] = i
	}
	var files []foreignFile
	for _, r := range rows[1:] {
		files = append(files, foreignFile{
			path: filepath.Join(dir, r[col["file"]]), name: r[col["file"]],
			qpdf: r[col["qpdf_check"]], mutool: r[col["mutool"]], pdfinfo: r[col["pdfinfo"]], pdfium: r[col["pdfium"]],
			encrypted: r[col["encrypted"]],
		})
	}
	return files
}

// outcome is what became of one file.
type outcome struct {
	name     string
	verdict  dossier.Verdict
	rejected *dossier.Rejection
	fault    error
}

func (o outcome) String() string {
	switch {
	case o.fault != nil:
		return "FAULT"
	case o.rejected != nil:
		return string(o.rejected.Reason)
	}
	return "accepted"
}

// judgeAll inspects files with a few sessions at once; the answers come in the
// order of the files.
func judgeAll(t testing.TB, pool *pdf.Pool, paths []string, q pdf.Question) []outcome {
	t.Helper()
	out := make([]outcome, len(paths))
	var wg sync.WaitGroup
	next := make(chan int)
	for range 2 {
		wg.Go(func() {
			for i := range next {
				o := outcome{name: paths[i]}
				s, err := pool.Open(t.Context(), paths[i])
				if err != nil {
					o.fault = err
				} else {
					o.verdict, err = s.Inspect(t.Context(), q)
					s.Close()
					if err != nil && !errors.As(err, &o.rejected) {
						o.fault = err
					}
				}
				out[i] = o
			}
		})
	}
	for i := range paths {
		next <- i
	}
	close(next)
	wg.Wait()
	return out
}

// conformance reports whether everything is to be run, which takes minutes.
func conformance() bool { return os.Getenv("SOHOA_CONFORMANCE") != "" }

// TestCorpus judges every foreign file by the profile that asks nothing of a
// scan: whatever is rejected is rejected because it cannot be read. It counts as
// wrong where qpdf, mutool and pdfinfo all open the file without a password.
func TestCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("judges thousands of files")
	}
	files := foreignFiles(t)
	pool := newPool(t, pdf.Options{})
	var paths []string
	for _, f := range files {
		paths = append(paths, f.path)
	}
	outcomes := judgeAll(t, pool, paths, pdf.Question{Kind: dossier.Component, Profile: dossier.AnyProfile()})

	count := map[string]int{}
	flags := map[dossier.Flag]int{}
	var lines, wrong []string
	opened := 0
	for i, o := range outcomes {
		f := files[i]
		count[o.String()]++
		detail := ""
		if o.fault != nil {
			t.Errorf("%s: no verdict: %v", f.name, o.fault)
			detail = o.fault.Error()
		}
		if o.rejected != nil {
			detail = o.rejected.Error()
		}
		for _, g := range o.verdict.Findings {
			flags[g.Flag]++
			detail += " " + string(g.Flag)
		}
		if f.opens() {
			opened++
			if o.rejected != nil {
				wrong = append(wrong, fmt.Sprintf("%s: %v", f.name, o.rejected))
			}
		}
		lines = append(lines, fmt.Sprintf("%s,%s,%s,%s,%s,%s,%d,%q", f.name, f.qpdf, f.mutool, f.pdfinfo, f.pdfium, o, o.verdict.Pages, detail))
	}
	if path := os.Getenv("SOHOA_CORPUS_OUT"); path != "" {
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var sum []string
	for k, n := range count {
		sum = append(sum, fmt.Sprintf("%s %d", k, n))
	}
	slices.Sort(sum)
	t.Logf("%d files: %s", len(files), strings.Join(sum, ", "))
	t.Logf("flags: %v", flags)
	t.Logf("%d are opened by qpdf, mutool and pdfinfo; %d of them (%.2f %%) are rejected:\n%s",
		opened, len(wrong), 100*float64(len(wrong))/float64(opened), strings.Join(wrong, "\n"))
	if 1000*len(wrong) > 3*opened {
		t.Errorf("more than 0.3 %% are wrongly rejected")
	}
}
