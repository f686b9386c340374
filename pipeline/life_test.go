package pipeline_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"sohoa/dossier"
	"sohoa/pipeline"
)

// TestWhatHappensLater: replaced, judged anew, revoked: each an object beside the
// record, from which a rebuild makes the same ledger.
func TestWhatHappensLater(t *testing.T) {
	r := newRig(t, rigOptions{})
	defer r.work(t)()
	ctx := t.Context()
	old := r.verdict(t, r.send(t, slip(dossier.Component, known, "GT01"), file(t, "accept/page.jpg")))
	s := slip(dossier.Component, known, "GT01")
	s.Replaces = old.Intake.ID
	newer := r.verdict(t, r.send(t, s, file(t, "accept/page.png")))
	if got, want := r.objects(t, old), []string{"archive.pdf", "event-0001.json", "original.jpg", "record.json"}; !slices.Equal(got, want) {
		t.Errorf("the replaced one has %v, want %v", got, want)
	}

	result := r.verdict(t, r.send(t, slip(dossier.ResultKind, known, ""), file(t, "accept/signed-rsa-pades.pdf")))
	counts := func(want int64) {
		t.Helper()
		if num, _ := rate(t, r, "4.1", "H51.10"); num != want {
			t.Errorf("4.1 is %d, want %d", num, want)
		}
	}
	counts(1)
	for _, step := range []struct {
		legal bool
		want  int64
	}{{false, 0}, {false, 0}, {true, 1}, {false, 0}} {
		if err := r.pipe.Reverdict(ctx, result.Intake.ID, step.legal, order); err != nil {
			t.Fatal(err)
		}
		counts(step.want)
		if st, err := r.pipe.Standing(ctx, result.Intake.ID); err != nil || st.Legal != step.legal {
			t.Errorf("of legal value: %v, want %v; %v", st.Legal, step.legal, err)
		}
	}
	// Reused, it is what it is today.
	again := slip(dossier.ResultKind, "H51.11-240801-0003", "")
	again.Reuses = result.Intake.ID
	if st := r.verdict(t, r.send(t, again, nil)); st.Legal || st.Record.Verdict.LegalValue {
		t.Error("what reuses a doubted result is of legal value")
	}
	// Eight at once say it, and it has happened once.
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := r.pipe.Reverdict(ctx, result.Intake.ID, true, order); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	counts(1)
	if err := r.pipe.Revoke(ctx, result.Intake.ID, order); err != nil {
		t.Fatal(err)
	}
	counts(0)
	if got, want := r.objects(t, result), []string{"event-0001.json", "event-0002.json", "event-0003.json", "event-0004.json", "event-0005.json", "original.pdf", "record.json"}; !slices.Equal(got, want) {
		t.Errorf("the result has %v, want %v", got, want)
	}
	reuse := slip(dossier.Component, "H51.11-240801-0003", "")
	reuse.Reuses = result.Intake.ID
	if _, err := r.pipe.Receive(ctx, reuse, nil, pipeline.ReceiveOptions{}); !errors.Is(err, dossier.ErrUnknownDocument) {
		t.Errorf("reusing what is revoked: %v", err)
	}

	refused := r.verdict(t, r.send(t, slip(dossier.Component, known, ""), []byte("xin chào")))
	if _, err := r.pipe.Delete(ctx, newer.Intake.ID, order); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{refused.Intake.ID, newer.Intake.ID, "0192f3c4-0000-7000-8000-000000000001"} {
		if err := r.pipe.Revoke(ctx, id, order); !errors.Is(err, dossier.ErrUnknownDocument) {
			t.Errorf("revoking %s: %v", id, err)
		}
	}
	if err := r.pipe.Revoke(ctx, result.Intake.ID, dossier.Order{}); !errors.Is(err, dossier.ErrOrder) {
		t.Error(err)
	}
	if d := r.deeply(t); len(d) != 0 {
		t.Errorf("verify: %v", d)
	}
	samePicture(t, r, r.rebuilt(t))
}

// TestRefile: a paper filed in the wrong dossier counts in the right one, as it was
// judged last and with what was said of it last, and no more in the wrong one.
func TestRefile(t *testing.T) {
	for name, hook := range map[string]pipeline.Step{"undisturbed": "", "broken off before the event": pipeline.StepEvent, "before the ledger": pipeline.StepEvented} {
		t.Run(name, func(t *testing.T) {
			broken := false
			r := newRig(t, rigOptions{hook: func(at pipeline.Point) error {
				if broken && at.Step == hook && !at.After {
					return errLost
				}
				return nil
			}})
			defer r.work(t)()
			ctx := t.Context()
			const right = dossier.Code("H51.11-240801-0003")
			wrong := r.verdict(t, r.send(t, slip(dossier.ResultKind, known, ""), file(t, "accept/signed-rsa-pades.pdf")))
			paper := r.verdict(t, r.send(t, slip(dossier.Component, known, "GT01"), file(t, "accept/page.jpg")))
			if err := r.pipe.Reverdict(ctx, wrong.Intake.ID, false, order); err != nil {
				t.Fatal(err)
			}
			if _, err := r.pipe.Amend(ctx, wrong.Intake.ID, dossier.Slip{By: "account:1", Name: "Giấy phép"}); err != nil {
				t.Fatal(err)
			}
			if broken = hook != ""; broken {
				if _, err := r.pipe.Refile(ctx, wrong.Intake.ID, right, dossier.DoorSubmit, order); !errors.Is(err, errLost) {
					t.Fatal(err)
				}
				broken = false
			}
			var st dossier.Standing
			for range 2 { // again changes nothing
				var err error
				if st, err = r.pipe.Refile(ctx, wrong.Intake.ID, right, dossier.DoorSubmit, order); err != nil {
					t.Fatal(err)
				}
			}
			if s := st.Slip(); st.State != dossier.Stored || s.Dossier != right || s.Name != "Giấy phép" || st.Record.Original.SHA256 != wrong.Intake.Original.SHA256 || st.Record.Original.Key == wrong.Intake.Original.Key {
				t.Errorf("in the right dossier: %+v", st)
			}
			if now, err := r.pipe.Standing(ctx, wrong.Intake.ID); err != nil || !now.Revoked {
				t.Errorf("in the wrong dossier: %+v, %v", now, err)
			}
			if num, _ := rate(t, r, "4.1", "H51"); num != 0 {
				t.Error("a result found untrusted counts where it was moved to")
			}
			if err := r.pipe.Reverdict(ctx, st.Intake.ID, true, order); err != nil {
				t.Fatal(err)
			}
			for unit, want := range map[dossier.UnitCode]int64{"H51.10": 0, "H51.11": 1} {
				if num, _ := rate(t, r, "4.1", unit); num != want {
					t.Errorf("4.1 of %s is %d, want %d", unit, num, want)
				}
			}
			for to, want := range map[dossier.Code]error{known: pipeline.ErrSlip, "H99.99-240801-0001": dossier.ErrUnknownUnit} {
				if _, err := r.pipe.Refile(ctx, paper.Intake.ID, to, dossier.DoorSubmit, order); !errors.Is(err, want) {
					t.Errorf("to %s: %v, want %v", to, err, want)
				}
			}
			r.send(t, slip(dossier.Component, right, "GT01"), file(t, "accept/page.png"))
			if _, err := r.pipe.Refile(ctx, paper.Intake.ID, right, dossier.DoorSubmit, order); !errors.Is(err, dossier.ErrPaperTaken) {
				t.Errorf("where another lies: %v", err)
			}
			if _, err := r.pipe.Refile(ctx, paper.Intake.ID, right, dossier.DoorSubmit, dossier.Order{}); !errors.Is(err, dossier.ErrOrder) {
				t.Error(err)
			}
			if now, err := r.pipe.Standing(ctx, paper.Intake.ID); err != nil || now.Revoked {
				t.Errorf("one that could not be moved: %+v, %v", now, err)
			}
			if d := r.deeply(t); len(d) != 0 {
				t.Errorf("verify: %v", d)
			}
			samePicture(t, r, r.rebuilt(t))
		})
	}
}

// TestAmend: what is said of a paper is corrected; its record and its folder stay,
// and who deletes it deletes what was corrected, too.
func TestAmend(t *testing.T) {
	r := newRig(t, rigOptions{})
	defer r.work(t)()
	ctx := t.Context()
	force := dossier.Slip{Kind: dossier.ResultInForce, Unit: "H51.10", Number: "12/QĐ-UBND", Name: "Giấy phép", IssuedOn: 20190506, By: "cli", Door: dossier.DoorBackfill}
	st := r.verdict(t, r.send(t, force, file(t, "accept/page.jpg")))
	id := st.Intake.ID
	amend := func(anew dossier.Slip, want bool) {
		t.Helper()
		anew.By = "cli"
		if changed, err := r.pipe.Amend(ctx, id, anew); err != nil || changed != want {
			t.Errorf("%+v: %v %v", anew, changed, err)
		}
	}
	amend(dossier.Slip{Name: "Giấy phép"}, false)
	amend(dossier.Slip{Number: "13/QĐ-UBND", Unit: "H51.11", Paper: "X"}, false) // which paper it is, nobody corrects
	amend(dossier.Slip{Name: "Giấy phép xây dựng", IssuedOn: 20200102, OwnerID: "079099001234"}, true)
	amend(dossier.Slip{Name: "Giấy phép xây dựng"}, false)
	amend(dossier.Slip{Name: "Giấy phép"}, true)
	amend(dossier.Slip{Name: "Giấy phép xây dựng"}, true)
	got, err := r.ledger.Standing(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	want := got.Record.Slip
	want.Name, want.IssuedOn, want.OwnerID = "Giấy phép xây dựng", 20200102, "079099001234"
	if got.Slip() != want || got.Record.Slip.Name != "Giấy phép" || pipeline.Folder(got.Intake) != pipeline.Folder(st.Intake) {
		t.Errorf("%+v", got)
	}
	if of, err := r.ledger.DocumentsOfOwner(ctx, "079099001234", 9); err != nil || len(of) != 1 || of[0].Intake.ID != id {
		t.Errorf("of the owner: %v %v", of, err)
	}
	if d := r.deeply(t); len(d) != 0 {
		t.Errorf("verify: %v", d)
	}
	wantValid(t, r.store)
	samePicture(t, r, r.rebuilt(t))

	if _, err := r.pipe.Delete(ctx, id, order); err != nil {
		t.Fatal(err)
	}
	if got, want := r.objects(t, st), []string{"event-0001.json", "event-0002.json", "event-0003.json", "tombstone.json"}; !slices.Equal(got, want) {
		t.Errorf("after it was deleted: %v", got)
	}
	if got, err := r.ledger.Standing(ctx, id); err != nil || got.Amended != nil {
		t.Errorf("after it was deleted the ledger says %+v %v", got.Amended, err)
	}
	samePicture(t, r, r.rebuilt(t))
	if _, err := r.pipe.Amend(ctx, id, dossier.Slip{Name: "x", By: "cli"}); !errors.Is(err, dossier.ErrUnknownDocument) {
		t.Error(err)
	}
}
