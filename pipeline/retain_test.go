package pipeline_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"sohoa/dossier"
	"sohoa/pipeline"
	"sohoa/storage"
	"sohoa/storage/s3"
	"sohoa/storage/storagetest/servers"
)

// bucket is a new bucket on MinIO, with object lock where mode is not empty.
func bucket(t *testing.T, mode s3.LockMode) *s3.Store {
	t.Helper()
	endpoint, access, secret := servers.MinIO(t)
	o, err := s3.Parse("s3://records-" + uuid.NewString() + "?endpoint=" + url.QueryEscape(endpoint))
	if err != nil {
		t.Fatal(err)
	}
	o.AccessKey, o.SecretKey, o.ObjectLock, o.Lock = access, secret, mode != "", mode
	s, err := s3.Open(t.Context(), o)
	if err == nil {
		err = s.EnsureBucket(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func onStore(s storage.Store) rigOptions {
	return rigOptions{wrap: func(storage.Store) storage.Store { return s }}
}

// TestRetention: a stored document is protected in a bucket with object lock, as
// long as the policy says, and no order deletes it before.
func TestRetention(t *testing.T) {
	for _, mode := range []s3.LockMode{s3.LockGovernance, s3.LockCompliance} {
		t.Run(string(mode), func(t *testing.T) {
			store := bucket(t, mode)
			if can, err := store.CanLock(t.Context()); err != nil || !can {
				t.Fatal(can, err)
			}
			r := newRig(t, onStore(store))
			now := time.Now()
			r.pipe.Now = func() time.Time { return now }
			rules := []dossier.Retention{{Kind: dossier.ResultKind, Years: 20, Permanent: 70}}
			r.pipe.Retain = func(s dossier.Slip, at time.Time) time.Time { return dossier.RetainUntil(rules, s, at) }
			defer r.work(t)()
			ctx := t.Context()
			s := slip(dossier.ResultKind, known, "")
			kept := r.verdict(t, r.send(t, s, file(t, "accept/page.jpg")))
			free := r.verdict(t, r.send(t, slip(dossier.Component, known, ""), file(t, "accept/page.png")))

			want := dossier.RetainUntil(rules, s, now)
			for _, name := range []string{"original.jpg", "archive.pdf", "record.json"} {
				lock, err := store.Lock(ctx, pipeline.Folder(kept.Intake)+"/"+storage.Key(name))
				if err != nil || !lock.Until.Equal(want) || lock.Hold {
					t.Errorf("%s: %+v, %v, want until %v", name, lock, err, want)
				}
			}
			if err := r.pipe.Process(ctx, kept.Intake); err != nil {
				t.Errorf("again: %v", err)
			}
			_, err := r.pipe.Delete(ctx, kept.Intake.ID, order)
			var locked *pipeline.LockedError
			if !errors.As(err, &locked) || !errors.Is(err, storage.ErrLocked) || !locked.Until.Equal(want) || !strings.Contains(locked.Text().VI, dossier.DateOf(want).Local()) {
				t.Errorf("an order against the retention: %v", err)
			}
			if st, err := r.pipe.Standing(ctx, kept.Intake.ID); err != nil || st.Deleted {
				t.Errorf("%+v, %v", st, err)
			}
			// A component has no rule; its versions go, too.
			if _, err := r.pipe.Delete(ctx, free.Intake.ID, order); err != nil {
				t.Errorf("what is not retained: %v", err)
			}
			if got := r.objects(t, free); len(got) != 1 || got[0] != "tombstone.json" {
				t.Errorf("left: %v", got)
			}
			// The policy became longer: every document follows.
			rules[0].Permanent = 80
			if n, err := r.pipe.RetainAll(ctx, nil); n != 1 || err != nil {
				t.Errorf("RetainAll = %d, %v", n, err)
			}
			want = dossier.RetainUntil(rules, s, now)
			if lock, err := store.Lock(ctx, pipeline.Folder(kept.Intake)+"/record.json"); err != nil || !lock.Until.Equal(want) {
				t.Errorf("after a longer policy: %+v, %v", lock, err)
			}
			if d := r.deeply(t); len(d) != 0 {
				t.Errorf("verify: %v", d)
			}
		})
	}
}

// TestLegalHold: what is held is not deleted, on any store, until the hold is
// lifted; a rebuild keeps it held.
func TestLegalHold(t *testing.T) {
	for name, o := range map[string]func(t *testing.T) rigOptions{
		"disk":         func(t *testing.T) rigOptions { return rigOptions{} },
		"s3 with lock": func(t *testing.T) rigOptions { return onStore(bucket(t, s3.LockGovernance)) },
		"s3 without":   func(t *testing.T) rigOptions { return onStore(bucket(t, "")) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, o(t))
			defer r.work(t)()
			ctx := t.Context()
			st := r.verdict(t, r.send(t, slip(dossier.Component, known, ""), file(t, "accept/page.jpg")))
			hold := func(on bool) {
				t.Helper()
				for range 2 {
					if err := r.pipe.Hold(ctx, st.Intake.ID, on, order); err != nil {
						t.Fatal(err)
					}
				}
				if s, ok := r.store.(*s3.Store); ok && name == "s3 with lock" {
					for _, obj := range []storage.Key{"original.jpg", "archive.pdf", "record.json"} {
						if lock, err := s.Lock(ctx, pipeline.Folder(st.Intake)+"/"+obj); err != nil || lock.Hold != on {
							t.Errorf("%s: %+v, %v, want hold %v", obj, lock, err, on)
						}
					}
				}
			}
			hold(true)
			for _, house := range []*rig{r, r.rebuilt(t)} {
				var locked *pipeline.LockedError
				if _, err := house.pipe.Delete(ctx, st.Intake.ID, order); !errors.As(err, &locked) || !locked.Hold {
					t.Errorf("an order against the hold: %v", err)
				}
			}
			hold(false)
			if _, err := r.pipe.Delete(ctx, st.Intake.ID, order); err != nil {
				t.Errorf("after it was lifted: %v", err)
			}
			if got := r.objects(t, st); len(got) != 3 || got[2] != "tombstone.json" { // two events outlive it
				t.Errorf("left: %v", got)
			}
			samePicture(t, r, r.rebuilt(t))
			if d := r.deeply(t); len(d) != 0 {
				t.Errorf("verify: %v", d)
			}
		})
	}
}
