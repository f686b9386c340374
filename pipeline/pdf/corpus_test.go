package pdf_test

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline/pdf"
)

// received is the day by whose rules the files of testdata are judged.
const received dossier.Date = 20260120

// folders lists the files below testdata/<kind> by folder. Every folder must be
// known and have files, and every known one must be there: a corpus with a hole
// proves nothing.
func folders[T ~string](t *testing.T, kind string, known []T) map[T][]string {
	t.Helper()
	root := filepath.Join(testneed.Root(t), "testdata", kind)
	dirs, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	out := map[T][]string{}
	for _, d := range dirs {
		if !slices.Contains(known, T(d.Name())) {
			t.Errorf("testdata/%s/%s: no such verdict", kind, d.Name())
			continue
		}
		out[T(d.Name())] = list(t, filepath.Join(root, d.Name()))
	}
	for _, k := range known {
		if len(out[k]) == 0 {
			t.Errorf("testdata/%s/%s has no file", kind, k)
		}
	}
	return out
}

func list(t *testing.T, dir string) (files []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		files = append(files, filepath.Join(dir, e.Name()))
	}
	return files
}

func trusting(t *testing.T) pdf.Options {
	return pdf.Options{TrustDir: filepath.Join(testneed.Root(t), "testdata", "signature", "trust")}
}

func TestAcceptFolder(t *testing.T) {
	files := list(t, filepath.Join(testneed.Root(t), "testdata", "accept"))
	if len(files) == 0 {
		t.Fatal("testdata/accept is empty")
	}
	pool := newPool(t, trusting(t))
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			for _, kind := range []dossier.Kind{dossier.Component, dossier.ResultKind} {
				v, err := inspect(t, pool, f, pdf.Question{Kind: kind, Profile: dossier.ProfileFor(received), DefaultDPI: 200})
				if err != nil {
					t.Errorf("as a %s: %v", kind, err)
					continue
				}
				if v.Pages == 0 {
					t.Errorf("as a %s: no pages", kind)
				}
				if v.Signed != v.LegalValue {
					t.Errorf("as a %s: signed %v, legal value %v", kind, v.Signed, v.LegalValue)
				}
			}
		})
	}
}

func TestRejectFolders(t *testing.T) {
	pool := newPool(t, trusting(t))
	for reason, files := range folders(t, "reject", dossier.Reasons()) {
		for _, f := range files {
			t.Run(string(reason)+"/"+filepath.Base(f), func(t *testing.T) {
				if reason == dossier.WrongDossier {
					refusesCodes(t, f) // no file can have a wrong code: its slip has
					return
				}
				v, err := inspect(t, pool, f, pdf.Question{Kind: dossier.ResultKind, Profile: dossier.ProfileFor(received), DefaultDPI: 200})
				var r *dossier.Rejection
				if !errors.As(err, &r) {
					t.Fatalf("not rejected: %v, %+v", err, v)
				}
				if r.Reason != reason {
					t.Errorf("rejected as %s: %v", r.Reason, err)
				}
			})
		}
	}
}

func refusesCodes(t *testing.T, file string) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); n++ {
		if c, err := dossier.ParseCode(s.Text()); err == nil {
			t.Errorf("%q was read as the code %s", s.Text(), c)
		}
	}
	if n == 0 {
		t.Error("no codes")
	}
}

func TestFlagFolders(t *testing.T) {
	pool := newPool(t, trusting(t))
	for flag, files := range folders(t, "flag", dossier.Flags()) {
		for _, f := range files {
			t.Run(string(flag)+"/"+filepath.Base(f), func(t *testing.T) {
				p := dossier.ProfileFor(received)
				switch flag { // two flags need a rule that the built-in ones do not make
				case dossier.BelowRecommended:
					p.RecommendedDPI = 300
				case dossier.ActiveContentGone:
					p.ActiveContent = dossier.StripActive
				}
				s, err := pool.Open(t.Context(), f)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				v, err := s.Inspect(t.Context(), pdf.Question{Kind: dossier.Component, Profile: p, DefaultDPI: 200})
				if err != nil {
					t.Fatal(err)
				}
				found := v.Findings
				c, err := s.Normalise(t.Context(), filepath.Join(t.TempDir(), "copy.pdf"), pdf.Label{})
				if v.Signed {
					if !errors.Is(err, pdf.ErrSigned) {
						t.Errorf("normalising a signed file: %v", err)
					}
				} else if err != nil {
					t.Fatal(err)
				}
				found = append(found, c.Findings...)
				if !slices.ContainsFunc(found, func(x dossier.Finding) bool { return x.Flag == flag }) {
					t.Errorf("not flagged: %+v", found)
				}
			})
		}
	}
}

// The files of testdata are what the program beside them makes: nobody has
// edited one by hand, and each can be made again.
func TestFoldersAreMade(t *testing.T) {
	if !conformance() {
		t.Skip("unpacks gigabytes of zeros: SOHOA_CONFORMANCE=1")
	}
	root, dir := testneed.Root(t), t.TempDir()
	cmd := exec.Command("go", "run", "./testdata/make", "-o", dir)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, kind := range []string{"accept", "reject", "flag", "signature"} {
		made, kept := contents(t, filepath.Join(dir, kind)), contents(t, filepath.Join(root, "testdata", kind))
		for name, sum := range kept {
			if made[name] != sum {
				t.Errorf("testdata/%s/%s is not what the program makes", kind, name)
			}
			delete(made, name)
		}
		for name := range made {
			t.Errorf("testdata/%s/%s is made and not kept", kind, name)
		}
	}
}

// contents digests every file below dir.
func contents(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	out := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		out[rel] = sha256.Sum256(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatalf("%s is empty", dir)
	}
	return out
}
