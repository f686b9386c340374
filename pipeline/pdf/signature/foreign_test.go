package signature_test

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sohoa/internal/testneed"
	"sohoa/pipeline/pdf/signature"
)

// foreign is what is to come of the signed files of the foreign corpus, without
// a trust folder: legal, changed, broken and the problems of the signatures, in
// the order in which they were made. pdfsig, where it is not empty, is what
// poppler's pdfsig says instead and why we differ.
var foreign = map[string]struct {
	verdict string
	pdfsig  string
}{
	"pdf.js/1c724b79-bug854315.pdf":                                      {"legal", ""},
	"pdf.js/1fe9051d-signed_verified.pdf":                                {"broken byte-range", ""}, // rewritten by something that did not know
	"pdfcpu/1d80fcde-sample2.pdf":                                        {"legal", ""},
	"pdfcpu/2f9949e8-testPAdES_BLT.pdf":                                  {"legal", ""},
	"pdfcpu/3e36114d-sample01.pdf":                                       {"legal", "does not verify adbe.x509.rsa_sha1"},
	"pdfcpu/56d0cefb-testPAdES_BB.pdf":                                   {"legal", ""},
	"pdfcpu/7ca64358-testPAdES_BT.pdf":                                   {"legal timestamp-unverified", "does not look at the timestamp; its certificate is not in the file"},
	"pdfcpu/7f83df32-sample1.pdf":                                        {"legal", ""},
	"pyHanko/1c0810f8-minimal-signed-twice-no-sig-type.pdf":              {"legal", ""},
	"pyHanko/20561be3-tail-uncovered.pdf":                                {"changed broken byte-range", "valid, only \"not total document signed\""},
	"pyHanko/2ef1b801-minimal-signed-twice-both-created.pdf":             {"legal", ""},
	"pyHanko/30fe330d-pades-lta-dss-indirect-arrs-test.pdf":              {"legal", "does not verify document timestamps"},
	"pyHanko/4737544a-form-update-override-appearance-stream-sneaky.pdf": {"changed changed-after", "valid: does not compare revisions"},
	"pyHanko/527993e3-sig-no-signed-attrs.pdf":                           {"legal", ""},
	"pyHanko/64170b3a-pades-with-old-style-signing-cert-attr-issser.pdf": {"legal", ""},
	"pyHanko/6a8e2b85-extensions-direct.pdf":                             {"legal", "does not know the second signature's algorithm"},
	"pyHanko/73dc0c19-signature-gap-too-big.pdf":                         {"broken byte-range", "valid: does not look at the gap"},
	"pyHanko/78b8f68a-ed448-disallowed-hash.pdf":                         {"unsupported", ""},
	"pyHanko/7fd6211b-extensions-update-direct.pdf":                      {"legal", "does not know the second signature's algorithm"},
	"qpdf/05e96941-digitally-signed.pdf":                                 {"legal", ""},
	"qpdf/60027d46-minimal-signed-restricted.pdf":                        {"legal", ""},
	"veraPDF-corpus/072b4eb9-veraPDF_test_suite_6-1-12-t02-pass-a.pdf":   {"broken digest-mismatch", ""},
	"veraPDF-corpus/0f9d2085-veraPDF_test_suite_6-1-11-t01-pass-a.pdf":   {"broken byte-range", ""},
	"veraPDF-corpus/3e1a35d0-veraPDF_test_suite_6-1-12-t02-fail-c.pdf":   {"broken digest-mismatch", ""},
	"veraPDF-corpus/59e89326-veraPDF_test_suite_6-1-12-t02-fail-b.pdf":   {"broken digest-mismatch", ""},
	"veraPDF-corpus/5b223916-veraPDF_test_suite_6-1-12-t02-fail-a.pdf":   {"broken digest-mismatch", ""},
}

func foreignFiles(t *testing.T) (root string, files []string) {
	root = testneed.Shared(t, "corpus")
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && strings.EqualFold(filepath.Ext(p), ".pdf") {
			files = append(files, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("the foreign corpus is empty")
	}
	return root, files
}

func summary(r signature.Report) string {
	var s []string
	for _, e := range []struct {
		on   bool
		name string
	}{{r.Legal, "legal"}, {r.Changed, "changed"}, {r.Broken, "broken"}} {
		if e.on {
			s = append(s, e.name)
		}
	}
	for _, g := range r.Signatures {
		if g.Problem != "" {
			s = append(s, g.Problem)
		}
	}
	return strings.Join(s, " ")
}

var rawByteRange = regexp.MustCompile(`/ByteRange\s*\[`)

func TestForeign(t *testing.T) {
	root, files := foreignFiles(t)
	signed, detected := 0, 0
	for _, path := range files {
		rel, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		must, may := rawByteRange.Match(b), detect(t, path)
		if may {
			detected++
		}
		if must && !may {
			t.Errorf("%s has a /ByteRange and is not detected", rel)
		}
		rep, err := signature.Verify(context.Background(), strings.NewReader(string(b)), int64(len(b)), nil, signature.Trust{}, judgedAt)
		if err != nil {
			t.Errorf("%s: %v", rel, err)
		}
		want, known := foreign[filepath.ToSlash(rel)]
		if rep.Signed != known {
			t.Errorf("%s: signed %v, want %v", rel, rep.Signed, known)
		}
		if rep.Signed && !may {
			t.Errorf("%s is signed and was not detected", rel)
		}
		if known {
			signed++
			if got := summary(rep); got != want.verdict {
				t.Errorf("%s: %q, want %q", rel, got, want.verdict)
			}
		}
	}
	if signed != len(foreign) {
		t.Errorf("%d of the %d signed files are there", signed, len(foreign))
	}
	t.Logf("%d files, %d never to be rewritten, %d signed", len(files), detected, signed)
}

// TestSelfMadeAgainstPdfsig shows that the test files are what they are said to
// be in the eyes of an independent implementation: the good ones are good, and
// what was tampered with is not.
func TestSelfMadeAgainstPdfsig(t *testing.T) {
	if os.Getenv("SOHOA_CONFORMANCE") == "" {
		t.Skip("starts a program for each file: SOHOA_CONFORMANCE=1")
	}
	pdfsig := testneed.Tool(t, "pdfsig", "apt-get install poppler-utils")
	for _, dir := range []string{"good", "tampered", "signature-invalid"} {
		files, err := filepath.Glob(filepath.Join(folder(t), dir, "*.pdf"))
		if err != nil || len(files) == 0 {
			t.Fatal("no files in", dir, err)
		}
		for _, f := range files {
			out, err := exec.Command(pdfsig, "-nocert", f).Output()
			if _, isExit := err.(*exec.ExitError); err != nil && !isExit {
				t.Fatal(err)
			}
			text := string(out)
			// It does not verify document timestamps, and not Ed25519.
			checked := strings.Count(text, "Signature Validation:") - strings.Count(text, "has not yet been verified")
			valid := strings.Count(text, "Signature is Valid.")
			if filepath.Base(f) == "ed25519.pdf" {
				continue
			}
			if checked == 0 || (valid == checked) != (dir == "good") {
				t.Errorf("%s/%s: pdfsig finds %d of %d valid\n%s", dir, filepath.Base(f), valid, checked, text)
			}
		}
	}
}

// TestForeignAgainstPdfsig compares with poppler's pdfsig: every file in which
// it sees a signature is detected, and where the verdicts differ the table says
// why.
func TestForeignAgainstPdfsig(t *testing.T) {
	if os.Getenv("SOHOA_CONFORMANCE") == "" {
		t.Skip("starts a program for each of thousands of files: SOHOA_CONFORMANCE=1")
	}
	pdfsig := testneed.Tool(t, "pdfsig", "apt-get install poppler-utils")
	root, files := foreignFiles(t)
	seen := 0
	for _, path := range files {
		rel, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		// It loops for ever on a few files. Its exit code tells valid from invalid;
		// only what it prints is asked for.
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		out, err := exec.CommandContext(ctx, pdfsig, "-nocert", path).Output()
		cancel()
		if _, isExit := err.(*exec.ExitError); err != nil && !isExit {
			t.Fatal(err)
		}
		n := strings.Count(string(out), "Signature #")
		if n == 0 {
			continue
		}
		seen++
		if !detect(t, path) {
			t.Errorf("%s: pdfsig sees %d signatures, Detect none", rel, n)
		}
		validations := strings.Count(string(out), "Signature Validation:")
		valid := strings.Count(string(out), "Signature is Valid.")
		want, known := foreign[filepath.ToSlash(rel)]
		if !known {
			if validations > 0 {
				t.Errorf("%s: pdfsig verifies something that we do not see as signed", rel)
			}
			continue // a field that nobody has signed
		}
		theirs := validations > 0 && valid == validations
		ours := strings.HasPrefix(want.verdict, "legal")
		if theirs != ours && want.pdfsig == "" {
			t.Errorf("%s: pdfsig says valid = %v, we say %q, and the table does not say why:\n%s", rel, theirs, want.verdict, out)
		}
	}
	t.Logf("pdfsig sees signature fields in %d files", seen)
}
