package pipeline_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"sohoa/dossier"
	"sohoa/pipeline"
	"sohoa/storage"
	"sohoa/storage/ledger"
)

// objects lists what lies in a document's folder, by name.
func (r *rig) objects(t *testing.T, st dossier.Standing) []string {
	t.Helper()
	var names []string
	prefix := pipeline.Folder(st.Intake) + "/"
	for info, err := range r.store.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, strings.TrimPrefix(string(info.Key), string(prefix)))
	}
	return names
}

// rebuilt is a house whose ledger was made anew from the archive of this one.
func (r *rig) rebuilt(t *testing.T) *rig {
	t.Helper()
	l, err := ledger.Open(t.Context(), "sqlite:"+t.TempDir()+"/ledger.db", ledger.Options{Log: r.pipe.Log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := l.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	o := r.pipe.Options
	o.Ledger = l
	n := &rig{store: r.store, ledger: l, pipe: pipeline.New(o)}
	if err := n.register(); err != nil {
		t.Fatal(err)
	}
	if _, err := n.pipe.Rebuild(t.Context(), pipeline.RebuildOptions{}); err != nil {
		t.Fatal(err)
	}
	return n
}

func samePicture(t *testing.T, a, b *rig) {
	t.Helper()
	x, err := a.picture()
	if err != nil {
		t.Fatal(err)
	}
	y, err := b.picture()
	if err != nil {
		t.Fatal(err)
	}
	if x != y {
		t.Errorf("rebuilt:\n%s\n\nbefore:\n%s", y, x)
	}
}

func TestDeleteByOrder(t *testing.T) {
	r := newRig(t, rigOptions{})
	defer r.work(t)()
	ctx := t.Context()
	s := slip(dossier.Component, "H51.10-240801-0002", "GT01")
	s.Name, s.OwnerID = "Giấy khai sinh", "079099001234"
	src := r.verdict(t, r.send(t, s, file(t, "accept/page.jpg")))
	link := slip(dossier.Component, "H51.11-240801-0004", "GT01")
	link.Reuses = src.Intake.ID
	linked := r.verdict(t, r.send(t, link, nil))
	refused := r.verdict(t, r.send(t, slip(dossier.Component, known, ""), []byte("xin chào")))
	if num, _ := rate(t, r, "4.2", "H51.11"); num != 1 {
		t.Fatalf("4.2 is %d", num)
	}

	for name, o := range map[string]dossier.Order{"no number": {Reason: "x"}, "no reason": {Number: "1"}, "two lines": {Number: "1", Reason: "a\nb"},
		"too long": {Number: "1", Reason: strings.Repeat("x", 501)}} {
		if _, err := r.pipe.Delete(ctx, src.Intake.ID, o); !errors.Is(err, dossier.ErrOrder) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.pipe.Delete(ctx, "0192f3c4-0000-7000-8000-000000000001", order); !errors.Is(err, dossier.ErrUnknownDocument) {
		t.Errorf("nobody's document: %v", err)
	}

	// Ten officers at once, each with an order of its own: one stands.
	var wg sync.WaitGroup
	stones := make([]dossier.Tombstone, 10)
	for i := range stones {
		wg.Go(func() {
			o := order
			o.Number = string(rune('a' + i))
			var err error
			if stones[i], err = r.pipe.Delete(ctx, src.Intake.ID, o); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, s := range stones {
		if s.Deletion() != stones[0].Deletion() || s.Deletion().Role != dossier.Officer {
			t.Errorf("two orders stand: %+v, %+v", s.Deletion(), stones[0].Deletion())
		}
	}
	if _, err := r.pipe.Delete(ctx, refused.Intake.ID, order); err != nil {
		t.Errorf("a rejected one: %v", err)
	}
	for _, st := range []dossier.Standing{src, refused} {
		if got := r.objects(t, st); len(got) != 1 || got[0] != "tombstone.json" {
			t.Errorf("left in the folder: %v", got)
		}
	}
	after, err := r.pipe.Standing(ctx, src.Intake.ID)
	if err != nil || !after.Deleted || after.Tombstone == nil || after.Record != nil || after.Intake.Slip.Name != "" || after.Intake.Slip.OwnerID != "" {
		t.Errorf("%+v, %v", after, err)
	}
	if st, err := r.pipe.Standing(ctx, linked.Intake.ID); err != nil || !st.Deleted || st.Tombstone != nil {
		t.Errorf("what reuses it: %+v, %v", st, err)
	}
	for _, unit := range []dossier.UnitCode{"H51.10", "H51.11"} {
		if num, _ := rate(t, r, "4.2", unit); num != 0 {
			t.Errorf("4.2 of %s is %d", unit, num)
		}
	}
	if d := r.deeply(t); len(d) != 0 {
		t.Errorf("verify: %v", d)
	}
	samePicture(t, r, r.rebuilt(t))
}

// TestVerifyKnowsTombstones: what does not fit a tombstone is found.
func TestVerifyKnowsTombstones(t *testing.T) {
	r := newRig(t, rigOptions{})
	defer r.work(t)()
	ctx := t.Context()
	st := r.verdict(t, r.send(t, slip(dossier.Component, known, ""), file(t, "accept/page.jpg")))
	if _, err := r.pipe.Delete(ctx, st.Intake.ID, order); err != nil {
		t.Fatal(err)
	}
	folder := pipeline.Folder(st.Intake)
	left := folder + "/original.jpg"
	if err := r.store.Put(ctx, left, strings.NewReader("x"), storage.Info{}); err != nil {
		t.Fatal(err)
	}
	if d := r.deeply(t); len(d) != 1 || d[0] != "extra-object "+string(left) {
		t.Errorf("bytes that were left: %v", d)
	}
	// The same order again finishes it.
	if _, err := r.pipe.Delete(ctx, st.Intake.ID, order); err != nil {
		t.Fatal(err)
	}
	if d := r.deeply(t); len(d) != 0 {
		t.Errorf("%v", d)
	}
	if err := r.store.Delete(ctx, folder+"/tombstone.json"); err != nil {
		t.Fatal(err)
	}
	if d := r.deeply(t); len(d) != 1 || d[0] != "not-in-archive "+string(folder)+"/tombstone.json" {
		t.Errorf("no tombstone: %v", d)
	}
	if _, err := r.pipe.Delete(ctx, st.Intake.ID, order); !errors.Is(err, dossier.ErrUndecided) {
		t.Errorf("a ledger without an archive: %v", err)
	}
}
