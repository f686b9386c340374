package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline"
	"sohoa/storage"
	"sohoa/storage/s3"
	"sohoa/storage/storagetest/servers"
)

// path is where the directory store keeps an object.
func (r *rig) path(key string) string {
	return filepath.Join(r.dir, "archive", filepath.FromSlash(key))
}

// flip flips a bit of a file in place; its attributes stay.
func flip(t testing.TB, path string, bit int64) {
	t.Helper()
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	_, err = f.ReadAt(b[:], bit/8)
	if err == nil {
		b[0] ^= 1 << (bit % 8)
		_, err = f.WriteAt(b[:], bit/8)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func swap(t testing.TB, a, b string) {
	t.Helper()
	if err := errors.Join(os.Rename(a, a+".x"), os.Rename(b, a), os.Rename(a+".x", b)); err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, s storage.Store, key string, body []byte) {
	t.Helper()
	if err := s.Put(t.Context(), storage.Key(key), bytes.NewReader(body), storage.Info{}); err != nil {
		t.Fatal(err)
	}
}

// deepOnly marks what is found besides when every byte is read.
const deepOnly = "deep: "

// TestVerifyFinds damages an archive in one way after the other. Deep says that
// only reading every byte can tell.
func TestVerifyFinds(t *testing.T) {
	folder := func(rec dossier.Record) string { return filepath.Dir(rec.Original.Key) }
	for _, c := range []struct {
		name   string
		deep   bool
		damage func(t *testing.T, r *rig, docs []dossier.Record) []string // and what is to be found
	}{
		{"nothing", false, func(*testing.T, *rig, []dossier.Record) []string { return nil }},
		{"flipped bit of an original", true, func(t *testing.T, r *rig, docs []dossier.Record) []string {
			flip(t, r.path(docs[1].Original.Key), 77)
			return []string{"wrong-hash " + docs[1].Original.Key}
		}},
		{"flipped bit of a copy", true, func(t *testing.T, r *rig, docs []dossier.Record) []string {
			flip(t, r.path(docs[3].Archive.Key), 0)
			return []string{"wrong-hash " + docs[3].Archive.Key}
		}},
		{"flipped bit of a record", false, func(t *testing.T, r *rig, docs []dossier.Record) []string {
			flip(t, r.path(folder(docs[1])+"/record.json"), 5) // the case of nothing, a blank
			return []string{"wrong-hash " + folder(docs[1]) + "/record.json"}
		}},
		{"record replaced, meaning and all", false, func(t *testing.T, r *rig, docs []dossier.Record) []string {
			key := folder(docs[1]) + "/record.json"
			b, err := os.ReadFile(r.path(key))
			if err != nil {
				t.Fatal(err)
			}
			if err := r.store.Delete(t.Context(), storage.Key(key)); err != nil {
				t.Fatal(err)
			}
			put(t, r.store, key, bytes.Replace(b, []byte(`"pages": 1`), []byte(`"pages": 3`), 1))
			return []string{"state-differs " + key}
		}},
		{"record replaced, only a letter's case", false, func(t *testing.T, r *rig, docs []dossier.Record) []string {
			key := folder(docs[1]) + "/record.json"
			b, err := os.ReadFile(r.path(key))
			if err != nil {
				t.Fatal(err)
			}
			if err := r.store.Delete(t.Context(), storage.Key(key)); err != nil {
				t.Fatal(err)
			}
			put(t, r.store, key, bytes.Replace(b, []byte(`"original"`), []byte(`"Original"`), 1))
			return []string{"wrong-hash " + key}
		}},
		{"flipped bit of a register file", true, func(t *testing.T, r *rig, _ []dossier.Record) []string {
			put(t, r.store, "register/2024/08/x.csv", []byte("code,name\n"))
			flip(t, r.path("register/2024/08/x.csv"), 9)
			return []string{"wrong-hash register/2024/08/x.csv"}
		}},
		{"cut original", false, func(t *testing.T, r *rig, docs []dossier.Record) []string {
			p := r.path(docs[1].Original.Key)
			if err := errors.Join(os.Chmod(p, 0o600), os.Truncate(p, 10)); err != nil {
				t.Fatal(err)
			}
			return []string{"wrong-size " + docs[1].Original.Key}
		}},
		{"missing original", false, func(t *testing.T, r *rig, docs []dossier.Record) []string {
			if err := os.Remove(r.path(docs[1].Original.Key)); err != nil {
				t.Fatal(err)
			}
			return []string{"missing-object " + docs[1].Original.Key}
		}},
		{"missing record", false, func(t *testing.T, r *rig, docs []dossier.Record) []string {
			if err := os.Remove(r.path(folder(docs[1]) + "/record.json")); err != nil {
				t.Fatal(err)
			}
			return []string{"no-verdict " + folder(docs[1]), "not-in-archive " + folder(docs[1]) + "/record.json"}
		}},
		{"missing folder", false, func(t *testing.T, r *rig, docs []dossier.Record) []string {
			if err := os.RemoveAll(r.path(folder(docs[1]))); err != nil {
				t.Fatal(err)
			}
			return []string{"not-in-archive " + folder(docs[1]) + "/record.json"}
		}},
		{"extra object of a document", false, func(t *testing.T, r *rig, docs []dossier.Record) []string {
			put(t, r.store, folder(docs[1])+"/note.txt", []byte("?"))
			return []string{"extra-object " + folder(docs[1]) + "/note.txt"}
		}},
		{"extra object of the archive", false, func(t *testing.T, r *rig, _ []dossier.Record) []string {
			put(t, r.store, "photos/cat.jpg", []byte("?"))
			return []string{"extra-object photos/cat.jpg"}
		}},
		{"original nobody ever named", false, func(t *testing.T, r *rig, docs []dossier.Record) []string {
			fresh, old := uuid.NewString(), uuid.NewString()
			dir := filepath.Dir(folder(docs[1]))
			put(t, r.store, dir+"/"+fresh+"/original.pdf", []byte("on its way"))
			put(t, r.store, dir+"/"+old+"/original.pdf", []byte("left"))
			at := fixedNow.AddDate(0, -1, 0)
			if err := errors.Join(os.Chtimes(r.path(dir+"/"+old+"/original.pdf"), at, at),
				os.Chtimes(r.path(dir+"/"+fresh+"/original.pdf"), fixedNow, fixedNow)); err != nil {
				t.Fatal(err)
			}
			return []string{"extra-object " + dir + "/" + old + "/original.pdf"}
		}},
		{"swapped originals", true, func(t *testing.T, r *rig, docs []dossier.Record) []string {
			swap(t, r.path(docs[1].Original.Key), r.path(docs[2].Original.Key))
			return []string{"wrong-hash " + docs[1].Original.Key, "wrong-hash " + docs[2].Original.Key}
		}},
		{"swapped folders", false, func(t *testing.T, r *rig, docs []dossier.Record) []string {
			swap(t, r.path(folder(docs[1])), r.path(folder(docs[2])))
			return []string{
				"misplaced " + folder(docs[1]), "misplaced " + folder(docs[2]),
				"state-differs " + folder(docs[1]) + "/record.json", "state-differs " + folder(docs[2]) + "/record.json",
				deepOnly + "wrong-hash " + docs[1].Original.Key, deepOnly + "wrong-hash " + docs[2].Original.Key,
			}
		}},
		{"event nobody knows", false, func(t *testing.T, r *rig, docs []dossier.Record) []string {
			if err := r.pipe.Revoke(t.Context(), docs[1].ID, order); err != nil {
				t.Fatal(err)
			}
			key := folder(docs[2]) + "/event-0001.json"
			b, err := os.ReadFile(r.path(folder(docs[1]) + "/event-0001.json"))
			if err != nil {
				t.Fatal(err)
			}
			put(t, r.store, key, bytes.ReplaceAll(b, []byte(docs[1].ID), []byte(docs[2].ID)))
			put(t, r.store, folder(docs[2])+"/event-0003.json", b)
			return []string{"state-differs " + key, "extra-object " + folder(docs[2]) + "/event-0003.json"}
		}},
		{"missing event", false, func(t *testing.T, r *rig, docs []dossier.Record) []string {
			if err := r.pipe.Revoke(t.Context(), docs[1].ID, order); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(r.path(folder(docs[1]) + "/event-0001.json")); err != nil {
				t.Fatal(err)
			}
			return []string{"not-in-archive " + folder(docs[1])}
		}},
		{"document the ledger lost", false, func(t *testing.T, r *rig, docs []dossier.Record) []string {
			dir := filepath.Dir(folder(docs[1])) + "/" + uuid.NewString()
			b, err := os.ReadFile(r.path(folder(docs[1]) + "/record.json"))
			if err != nil {
				t.Fatal(err)
			}
			b = bytes.ReplaceAll(b, []byte(docs[1].ID), []byte(filepath.Base(dir)))
			body, err := os.ReadFile(r.path(docs[1].Original.Key))
			if err != nil {
				t.Fatal(err)
			}
			put(t, r.store, dir+"/record.json", b)
			put(t, r.store, dir+"/original.pdf", body)
			return []string{"not-in-ledger " + dir}
		}},
		{"flipped bit of an original without a verdict", true, func(t *testing.T, r *rig, _ []dossier.Record) []string {
			st := r.send(t, slip(dossier.Component, known, "GT77"), file(t, "accept/scan-a5-colour.pdf"))
			flip(t, r.path(st.Intake.Original.Key), 800)
			return []string{"wrong-hash " + st.Intake.Original.Key}
		}},
		{"missing original without a verdict", false, func(t *testing.T, r *rig, _ []dossier.Record) []string {
			st := r.send(t, slip(dossier.Component, known, "GT77"), file(t, "accept/scan-a5-colour.pdf"))
			if err := os.Remove(r.path(st.Intake.Original.Key)); err != nil {
				t.Fatal(err)
			}
			return []string{"not-in-archive " + st.Intake.Original.Key}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, rigOptions{damaged: true})
			docs := r.made(t, 5, 4000)
			all := c.damage(t, r, docs)
			for _, deep := range []bool{false, true} {
				var want []string
				for _, line := range all {
					if text, only := strings.CutPrefix(line, deepOnly); deep || !only {
						want = append(want, text)
					}
				}
				slices.Sort(want)
				_, got := r.verify(t, pipeline.VerifyOptions{Deep: deep})
				slices.Sort(got)
				if c.deep && !deep {
					if len(got) > 0 {
						t.Errorf("without reading the bytes: %q", got)
					}
					continue
				}
				if !slices.Equal(got, want) {
					t.Errorf("deep=%v: found\n%s\nwant\n%s", deep, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
		})
	}
}

var errStop = errors.New("stop")

// TestVerifyGoesOn: a pass that is broken off at every point in turn looks at
// everything once all the same, and keeps what it had found.
func TestVerifyGoesOn(t *testing.T) {
	r := newRig(t, rigOptions{})
	docs := r.made(t, 100, 100)
	for _, i := range []int{3, 50, 99} {
		flip(t, r.path(docs[i].Original.Key), int64(i))
	}
	whole, want := r.verify(t, pipeline.VerifyOptions{Deep: true})
	if whole.Documents != 100 || len(want) != 3 {
		t.Fatalf("%d documents, differences %q", whole.Documents, want)
	}
	var c dossier.Check
	stops := 0
	for stages := map[string]bool{}; ; stops++ {
		told := false
		o := pipeline.VerifyOptions{Name: dossier.ByPlan, Deep: true, Workers: 2, Progress: func(_ context.Context, c dossier.Check) error {
			stages[c.Stage] = true
			if told { // a stretch was done and not saved: it comes again, and must not count twice
				return errStop
			}
			told = true
			return nil
		}}
		var err error
		if c, err = r.pipe.Verify(t.Context(), r.ledger, o); err == nil {
			if len(stages) != 2 {
				t.Errorf("stages %v", stages)
			}
			break
		} else if !errors.Is(err, errStop) {
			t.Fatal(err)
		}
		if stops > 100 {
			t.Fatal("it never comes to an end")
		}
	}
	if got := r.differences(t, c); !slices.Equal(got, want) || c.Documents != whole.Documents || c.Objects != whole.Objects || c.Bytes != whole.Bytes {
		t.Errorf("broken off %d times: %+v %q\nin one go: %+v %q", stops, c, got, whole, want)
	}
	if stops < 3 {
		t.Errorf("it was broken off only %d times", stops)
	}
	if last, found, err := r.ledger.LastCheck(t.Context(), dossier.ByPlan); err != nil || !found || last.EndedAt.IsZero() || last.Differences != 3 {
		t.Errorf("last check %+v, %v, %v", last, found, err)
	}
}

// TestVerifyWhileReceiving: documents on their way are no differences.
func TestVerifyWhileReceiving(t *testing.T) {
	r := newRig(t, rigOptions{})
	stop := r.work(t)
	ctx, cancel := context.WithCancel(t.Context())
	verifying := make(chan error, 1)
	passes := 0
	go func() {
		for ctx.Err() == nil {
			c, err := r.pipe.Verify(t.Context(), r.ledger, pipeline.VerifyOptions{Deep: true, Anew: true})
			if err != nil || c.Differences != 0 {
				verifying <- fmt.Errorf("%+v: %w", c, err)
				return
			}
			passes++
		}
		verifying <- nil
	}()
	body := file(t, "accept/scan-a5-colour.pdf")
	bad := file(t, "reject/truncated/pdf-at-60-percent.pdf")
	for i := range 20 {
		s := slip(dossier.Component, known, fmt.Sprintf("GT%02d", i))
		if i%3 == 0 {
			r.verdict(t, r.send(t, s, append(bad, byte(i))))
		} else {
			r.verdict(t, r.send(t, s, append(slices.Clone(body), byte(i))))
		}
	}
	cancel()
	if err := <-verifying; err != nil {
		t.Error(err)
	}
	stop()
	if passes == 0 {
		t.Error("not one pass came to its end")
	}
	if c, found := r.verify(t, pipeline.VerifyOptions{Deep: true}); len(found) > 0 || c.Documents != 20 {
		t.Errorf("%+v %q", c, found)
	}
}

// TestVerifySlowly: however small the rate, every byte is read.
func TestVerifySlowly(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.made(t, 3, 400_000)
	fast, _ := r.verify(t, pipeline.VerifyOptions{Deep: true})
	slow, found := r.verify(t, pipeline.VerifyOptions{Deep: true, Rate: 1 << 30})
	if len(found) > 0 || slow.Bytes != fast.Bytes || slow.Bytes < 4*400_000 {
		t.Errorf("%d bytes slowly, %d otherwise; %q", slow.Bytes, fast.Bytes, found)
	}
	// A rate at which it would take days is kept to: there is no such time.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if c, err := r.pipe.Verify(ctx, r.ledger, pipeline.VerifyOptions{Deep: true, Anew: true, Rate: 1}); err == nil || c.Differences > 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestBitFlips flips single bits all over an archive, each in an object of its
// own: every one is found, and nothing else. In a bucket, where nobody can write
// into the middle of an object, the flipped one takes its place, digest and all.
func TestBitFlips(t *testing.T) {
	for _, c := range []struct {
		name  string
		base  func(t testing.TB) base
		flips int
	}{
		{"disk", func(testing.TB) base { return base{} }, 1000},
		{"s3", func(t testing.TB) base { return base{S3: newBucket(t)} }, 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, rigOptions{base: c.base(t), damaged: true})
			r.made(t, c.flips*3/7+3, 3000) // seven objects for three documents
			var keys []storage.Info
			for info, err := range r.store.List(t.Context(), "") {
				if err != nil {
					t.Fatal(err)
				}
				keys = append(keys, info)
			}
			random := rand.New(rand.NewPCG(1, 2))
			random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			flipped := map[string]bool{}
			for _, info := range keys[:c.flips] {
				flipped[string(info.Key)] = true
				bit := random.Int64N(info.Size * 8)
				if c.name == "disk" {
					flip(t, r.path(string(info.Key)), bit)
				} else {
					replaceFlipped(t, r.store, info.Key, bit)
				}
			}
			_, found := r.verify(t, pipeline.VerifyOptions{Deep: true})
			hit := map[string]bool{}
			for _, line := range found {
				_, key, _ := strings.Cut(line, " ")
				if flipped[key+"/record.json"] {
					key += "/record.json" // its folder stands for a record whose id or place flipped
				}
				if !flipped[key] {
					t.Errorf("nothing was done to it: %s", line)
				}
				hit[key] = true
			}
			for key := range flipped {
				if !hit[key] {
					t.Errorf("not found: a flipped bit of %s", key)
				}
			}
			t.Logf("%d flips, %d differences", c.flips, len(found))
		})
	}
}

// object reads an object whole.
func object(t testing.TB, s storage.Store, key storage.Key) ([]byte, storage.Info) {
	t.Helper()
	body, info, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(body)
	if err = errors.Join(err, body.Close()); err != nil {
		t.Fatal(err)
	}
	return b, info
}

func replaceFlipped(t testing.TB, s storage.Store, key storage.Key, bit int64) {
	t.Helper()
	b, info := object(t, s, key)
	b[bit/8] ^= 1 << (bit % 8)
	if err := s.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), key, bytes.NewReader(b), storage.Info{ContentType: info.ContentType, Meta: info.Meta}); err != nil {
		t.Fatal(err)
	}
}

// TestBitFlipInsideServer flips a bit in the file in which MinIO keeps an object.
// The server notices and does not give it: that is a difference, not an outage.
func TestBitFlipInsideServer(t *testing.T) {
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := servers.MinIOCommand(testneed.Tool(t, "minio", "run `make tools`"), dir, "127.0.0.1:"+port)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	})
	endpoint := "http://127.0.0.1:" + port
	if err := servers.Wait(http.DefaultClient, endpoint+"/minio/health/live"); err != nil {
		t.Fatal(err)
	}
	_, access, secret := servers.MinIO(t) // the credentials are the same
	o := s3.Options{Endpoint: endpoint, Bucket: "flip", Region: "us-east-1", AccessKey: access, SecretKey: secret, Attempts: 2}
	s, err := s3.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.EnsureBucket(t.Context()), s.Close()); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, rigOptions{base: base{S3: &o}, damaged: true})
	docs := r.made(t, 4, 400_000) // large enough for a file of its own
	key := docs[1].Original.Key
	parts, err := filepath.Glob(filepath.Join(dir, "data", "flip", key, "*", "part.1"))
	if err != nil || len(parts) != 1 {
		t.Fatal(parts, err)
	}
	flip(t, parts[0], 8*200_000+3)
	if _, found := r.verify(t, pipeline.VerifyOptions{Deep: true}); !slices.Equal(found, []string{"unreadable " + key}) {
		t.Errorf("found %q", found)
	}
}
