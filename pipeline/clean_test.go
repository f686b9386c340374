package pipeline_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"sohoa/dossier"
	"sohoa/pipeline"
	"sohoa/storage"
	"sohoa/storage/ledger"
	"sohoa/storage/s3"
)

// idOf is a document's id as it would have been made at that time.
func idOf(at time.Time) string {
	id := uuid.Must(uuid.NewV7())
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(id[:6], ms[2:])
	return id.String()
}

// all lists the keys of the archive.
func (r *rig) all(t testing.TB) []string {
	t.Helper()
	var keys []string
	for info, err := range r.store.List(context.Background(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, string(info.Key))
	}
	return keys
}

func without(list, gone []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(k string) bool { return slices.Contains(gone, k) })
}

// TestJanitor lets the janitor loose on a hostile mixture: exactly what is
// nobody's goes, and a dry run says the same.
func TestJanitor(t *testing.T) {
	for name, o := range map[string]func(t *testing.T) rigOptions{
		"disk":          func(t *testing.T) rigOptions { return rigOptions{} },
		"s3":            func(t *testing.T) rigOptions { return onStore(bucket(t, "")) },
		"s3 with locks": func(t *testing.T) rigOptions { return onStore(bucket(t, s3.LockGovernance)) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, o(t))
			ctx := t.Context()
			put := func(key string) string {
				t.Helper()
				if err := r.store.Put(ctx, storage.Key(key), strings.NewReader(key), storage.Info{}); err != nil {
					t.Fatal(err)
				}
				return key
			}
			stop := r.work(t)
			// Received in 2024: a stored one, one that reuses it, a rejected one, one whose
			// deletion was broken off.
			stored := r.verdict(t, r.send(t, slip(dossier.Component, known, ""), file(t, "accept/page.jpg")))
			reuse := slip(dossier.Component, "H51.11-240801-0003", "")
			reuse.Reuses = stored.Intake.ID
			r.verdict(t, r.send(t, reuse, nil))
			rejected := r.verdict(t, r.send(t, slip(dossier.Component, known, ""), []byte("xin chào")))
			deleted := r.verdict(t, r.send(t, slip(dossier.Component, known, ""), file(t, "accept/page.png")))
			if _, err := r.pipe.Delete(ctx, deleted.Intake.ID, order); err != nil {
				t.Fatal(err)
			}
			// Received today: a rejected one; one that waits for its verdict.
			r.pipe.Now = time.Now
			young := r.verdict(t, r.send(t, slip(dossier.Component, known, ""), []byte("chào buổi sáng")))
			stop()
			pending := r.send(t, slip(dossier.Component, "H51.11-240801-0004", ""), file(t, "accept/scan-a5-colour.pdf"))

			long, soon := time.Now(), time.Now().AddDate(0, 0, 5) // the janitor comes in eight days
			folder := "dossiers/H51.10/" + string(known) + "/"
			gone := []string{
				put(string(pipeline.Folder(deleted.Intake)) + "/original.png"),
				put(string(pipeline.Folder(deleted.Intake)) + "/record.json"),
				put(string(pipeline.Folder(deleted.Intake)) + "/slip-00.json"),
				put(folder + idOf(long) + "/original.pdf"),
				put("results/H51.10/2024/" + idOf(long) + "/original.pdf"),
				rejected.Intake.Original.Key, string(pipeline.Folder(rejected.Intake)) + "/rejected.json",
			}
			half := idOf(long) // with a copy: a crash during a try of a program that entered nothing
			gone = append(gone, put(folder+half+"/archive.pdf"), put(folder+half+"/original.pdf"))
			expired := idOf(long)
			gone = append(gone, put("uploads/"+expired+"/part-0000000000000000000"), put("uploads/"+expired+"/upload.json"))
			foreign, ours := idOf(long), idOf(long)
			for _, key := range []string{
				folder + idOf(soon) + "/original.pdf",                               // young by its id
				folder + "scan/original.pdf",                                        // no id
				folder + uuid.NewString() + "/original.pdf",                         // an id that says no time
				folder + foreign + "/original.pdf", folder + foreign + "/notes.txt", // somebody else's things
				folder + ours + "/sub/original.pdf",          // too deep
				"dossiers/" + idOf(long) + "/original.pdf",   // too high
				"uploads/" + idOf(soon) + "/upload.json",     // may be gone on with
				"uploads/notes.txt", "uploads/0/upload.json", // no upload of ours
				"original.pdf", "register/" + idOf(long) + "/original.pdf", "closings/2024-08/" + idOf(long) + ".json",
				string(pipeline.Folder(deleted.Intake)) + "/notes.txt",
			} {
				put(key)
			}
			locked := ""
			if s, ok := r.store.(*s3.Store); ok && name == "s3 with locks" {
				locked = put(folder + idOf(long) + "/original.pdf")
				if err := s.Hold(ctx, storage.Key(locked), true); err != nil {
					t.Fatal(err)
				}
			}
			before := r.all(t)
			clean := func(l *ledger.Ledger, dry bool) (keys []string, err error) {
				o := r.pipe.Options
				o.Ledger, o.Now = l, func() time.Time { return time.Now().AddDate(0, 0, 8) }
				err = pipeline.New(o).Clean(ctx, l, pipeline.CleanOptions{DryRun: dry, Report: func(c pipeline.Cleaned) { keys = append(keys, string(c.Key)) }})
				slices.Sort(keys)
				return keys, err
			}
			slices.Sort(gone)
			would, err := clean(r.ledger, true)
			if want := gone; err != nil || !slices.Equal(without(would, []string{locked}), want) {
				t.Errorf("a dry run says %v\n%s\nwant\n%s", err, strings.Join(would, "\n"), strings.Join(want, "\n"))
			}
			if now := r.all(t); !slices.Equal(now, before) {
				t.Errorf("a dry run took %v", without(before, now))
			}

			// A ledger that was lost: what it does not name may be somebody's.
			empty, err := ledger.Open(ctx, "sqlite:"+t.TempDir()+"/ledger.db", ledger.Options{Log: r.pipe.Log})
			if err == nil {
				defer empty.Close()
				err = empty.Migrate(ctx)
			}
			if err != nil {
				t.Fatal(err)
			}
			if took, err := clean(empty, true); !errors.Is(err, pipeline.ErrLedgerIncomplete) || slices.Contains(took, pending.Intake.Original.Key) || len(took) != 5 {
				t.Errorf("with an empty ledger: %v, %v", took, err)
			}

			if took, err := clean(r.ledger, false); err != nil || !slices.Equal(took, gone) {
				t.Errorf("taken %v\n%s", err, strings.Join(took, "\n"))
			}
			if now, want := r.all(t), without(before, gone); !slices.Equal(now, want) {
				t.Errorf("there is\n%s\nwant\n%s", strings.Join(now, "\n"), strings.Join(want, "\n"))
			}
			if took, err := clean(r.ledger, false); err != nil || len(took) != 0 {
				t.Errorf("again: %v, %v", took, err)
			}
			if st, err := r.pipe.Standing(ctx, rejected.Intake.ID); err != nil || !st.Swept || st.Deleted || st.Refusal == nil || st.Intake.Slip.FileName != "" {
				t.Errorf("the swept one: %+v, %v", st, err)
			}
			if st, err := r.pipe.Standing(ctx, young.Intake.ID); err != nil || st.Swept {
				t.Errorf("the young one: %+v, %v", st, err)
			}
			// The same bytes again are judged anew; what waited gets its verdict.
			defer r.work(t)()
			if st := r.verdict(t, r.send(t, slip(dossier.Component, known, ""), []byte("xin chào"))); st.Intake.ID == rejected.Intake.ID || st.State != dossier.Refused {
				t.Errorf("what was swept, again: %+v", st)
			}
			if st := r.verdict(t, pending); st.State != dossier.Stored {
				t.Errorf("what waited: %+v", st)
			}
		})
	}
}

// TestJanitorRacesUploads: the janitor goes round without end while documents
// come in, some of them stalled between their original and their intake; all of
// them get their verdict, and what is nobody's goes.
func TestJanitorRacesUploads(t *testing.T) {
	var stall sync.Map
	r := newRig(t, rigOptions{hook: func(at pipeline.Point) error {
		if at.Step == pipeline.StepIntake && !at.After {
			if wait, ok := stall.LoadAndDelete("next"); ok {
				<-wait.(chan struct{})
			}
		}
		return nil
	}})
	r.pipe.Now = time.Now
	defer r.work(t)()
	var orphans []string
	for i := range 20 {
		key := fmt.Sprintf("dossiers/H51.10/%s/%s/original.pdf", known, idOf(time.Now().Add(-time.Duration(i+2)*time.Hour)))
		if err := r.store.Put(t.Context(), storage.Key(key), strings.NewReader(key), storage.Info{}); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-2 * time.Hour)
		if err := os.Chtimes(filepath.Join(r.dir, "archive", key), old, old); err != nil {
			t.Fatal(err)
		}
		orphans = append(orphans, key)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var janitors, senders sync.WaitGroup
	var mu sync.Mutex
	var took []string
	rounds := 0
	round := make(chan struct{}, 1)
	for range 2 {
		janitors.Go(func() {
			for ctx.Err() == nil {
				err := r.pipe.Clean(ctx, r.ledger, pipeline.CleanOptions{Unfinished: time.Hour, Report: func(c pipeline.Cleaned) {
					mu.Lock()
					defer mu.Unlock()
					took = append(took, string(c.Key))
				}})
				if err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
				mu.Lock()
				rounds++
				mu.Unlock()
				select {
				case round <- struct{}{}:
				default:
				}
			}
		})
	}
	scan := file(t, "accept/page.jpg")
	sent := make([]dossier.Standing, 24)
	for w := range 3 {
		senders.Go(func() {
			for i := w; i < len(sent); i += 3 {
				if i%4 == 0 {
					wait := make(chan struct{})
					stall.Store("next", wait)
					go func() { <-round; <-round; close(wait) }() // two whole rounds go by
				}
				s := slip(dossier.Component, known, fmt.Sprintf("GT%02d", i))
				st, err := r.pipe.Receive(context.Background(), s, bytes.NewReader(scan), pipeline.ReceiveOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				sent[i] = st
			}
		})
	}
	senders.Wait()
	for _, st := range sent {
		if got := r.verdict(t, st); got.State != dossier.Stored {
			t.Errorf("%s: %s", st.Intake.ID, got.State)
		}
	}
	cancel()
	janitors.Wait()
	slices.Sort(took)
	slices.Sort(orphans)
	if !slices.Equal(slices.Compact(took), orphans) {
		t.Errorf("taken:\n%s\nwant:\n%s", strings.Join(took, "\n"), strings.Join(orphans, "\n"))
	}
	t.Logf("%d rounds beside %d uploads", rounds, len(sent))
	if d := r.deeply(t); len(d) != 0 {
		t.Errorf("verify: %v", d)
	}
}
