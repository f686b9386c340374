package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/pipeline"
	"sohoa/storage"
	"sohoa/tally"
)

const known = dossier.Code("H51.10-240801-0001")

func rate(t *testing.T, r *rig, id string, unit dossier.UnitCode) (num, den int64) {
	t.Helper()
	ind, ok := tally.Find(id, "")
	if !ok {
		t.Fatalf("no indicator %s", id)
	}
	cells, err := r.ledger.Sums(context.Background(), []dossier.UnitCode{unit}, []tally.Series{ind.Series()}, dossier.Period{From: 20240801, To: 20240901})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		num, den = num+c.Numerator, den+c.Denominator
	}
	return num, den
}

func TestOneScanThroughEveryStage(t *testing.T) {
	r := newRig(t, rigOptions{})
	defer r.work(t)()
	original := file(t, "accept/scan-a4-colour-linearised.pdf")
	st := r.verdict(t, r.send(t, slip(dossier.Component, known, "GT01"), original))
	if st.State != dossier.Stored {
		t.Fatalf("state %s, fault %q, refusal %+v", st.State, st.Fault, st.Refusal)
	}
	if st.Record.Conforms != dossier.PDFA2b || st.Record.Archive == nil {
		t.Errorf("the archive copy is %q, want %q", st.Record.Conforms, dossier.PDFA2b)
	}
	body, f, err := r.pipe.OpenOriginal(context.Background(), st)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, original) || f.Size != int64(len(original)) {
		t.Errorf("the original is not what was sent: %v", err)
	}
	copied, f, err := r.pipe.OpenArchive(context.Background(), st)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if n, err := io.Copy(io.Discard, copied); err != nil || n != f.Size {
		t.Errorf("the archive copy has %d bytes of %d: %v", n, f.Size, err)
	}
	// A component alone digitises a dossier only where no document is returned.
	if num, den := rate(t, r, "4.2", "H51.10"); num != 0 || den != 2 {
		t.Errorf("4.2 is %d/%d, want 0/2", num, den)
	}
	r.verdict(t, r.send(t, slip(dossier.Component, "H51.10-240801-0002", ""), original))
	if num, den := rate(t, r, "4.2", "H51.10"); num != 1 || den != 2 {
		t.Errorf("4.2 is %d/%d, want 1/2", num, den)
	}
}

func TestASignedResultIsKeptByteForByteAndCounts(t *testing.T) {
	r := newRig(t, rigOptions{})
	defer r.work(t)()
	signed := file(t, "accept/signed-rsa-pades.pdf")
	st := r.verdict(t, r.send(t, slip(dossier.ResultKind, known, ""), signed))
	if st.State != dossier.Stored || !st.Record.Verdict.Signed || !st.Record.Verdict.LegalValue {
		t.Fatalf("state %s, verdict %+v, refusal %+v", st.State, st.Record, st.Refusal)
	}
	if st.Record.Archive != nil || st.Record.Conforms != dossier.AsOriginal {
		t.Errorf("a signed file got an archive copy: %+v", st.Record.Archive)
	}
	body, _, err := r.pipe.OpenArchive(context.Background(), st)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if got, _ := io.ReadAll(body); !bytes.Equal(got, signed) {
		t.Error("the signed bytes were changed")
	}
	if num, den := rate(t, r, "4.1", "H51.10"); num != 1 || den != 1 {
		t.Errorf("4.1 is %d/%d, want 1/1", num, den)
	}
}

func TestRejectionsStandAndCountForNothing(t *testing.T) {
	r := newRig(t, rigOptions{})
	defer r.work(t)()
	for name, reason := range map[string]dossier.Reason{
		"reject/truncated/pdf-at-60-percent.pdf": dossier.Truncated,
	} {
		st := r.verdict(t, r.send(t, slip(dossier.Component, "H51.10-240801-0002", ""), file(t, name)))
		if st.State != dossier.Refused || st.Refusal.Reason != reason {
			t.Fatalf("%s: state %s, refusal %+v, want %s", name, st.State, st.Refusal, reason)
		}
		if st.Refusal.Message.VI == "" || st.Refusal.Message.EN == "" {
			t.Errorf("%s: no sentence for the clerk", name)
		}
	}
	st := r.verdict(t, r.send(t, slip(dossier.Component, "H51.10-240801-0002", ""), []byte("xin chào")))
	if st.State != dossier.Refused || st.Refusal.Reason != dossier.NotADocument {
		t.Errorf("text: %+v", st.Refusal)
	}
	if num, den := rate(t, r, "4.2", "H51.10"); num != 0 || den != 2 {
		t.Errorf("4.2 is %d/%d, want 0/2", num, den)
	}
}

func TestSameBytesAgainAnswerTheFirstVerdict(t *testing.T) {
	r := newRig(t, rigOptions{})
	defer r.work(t)()
	scan := file(t, "accept/page.jpg")
	first := r.verdict(t, r.send(t, slip(dossier.Component, known, "GT01"), scan))
	again := r.send(t, slip(dossier.Component, known, "GT01"), scan)
	if !again.Again || again.Intake.ID != first.Intake.ID {
		t.Errorf("the same bytes made document %s, the first was %s", again.Intake.ID, first.Intake.ID)
	}
	other := r.verdict(t, r.send(t, slip(dossier.Component, "H51.11-240801-0003", "GT01"), scan))
	if other.Again || other.Intake.ID == first.Intake.ID {
		t.Error("the same bytes in another dossier are another document")
	}
	n := 0
	for _, err := range r.store.List(context.Background(), "dossiers/") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 6 { // two documents of three objects
		t.Errorf("%d objects in the archive, want 6", n)
	}
}

func TestPaperTakenReplacedReused(t *testing.T) {
	r := newRig(t, rigOptions{})
	defer r.work(t)()
	ctx := context.Background()
	first := r.verdict(t, r.send(t, slip(dossier.Component, known, "GT01"), file(t, "accept/page.jpg")))
	better := file(t, "accept/page.png")
	s := slip(dossier.Component, known, "GT01")
	if _, err := r.pipe.Receive(ctx, s, bytes.NewReader(better), pipeline.ReceiveOptions{}); !errors.Is(err, dossier.ErrPaperTaken) {
		t.Fatalf("other bytes for a taken paper: %v, want ErrPaperTaken", err)
	}
	s.Replaces = first.Intake.ID
	second := r.verdict(t, r.send(t, s, better))
	if second.State != dossier.Stored {
		t.Fatalf("the better scan: %+v", second)
	}
	old, err := r.pipe.Standing(ctx, first.Intake.ID)
	if err != nil || old.ReplacedBy != second.Intake.ID {
		t.Errorf("the first scan is replaced by %q, want %q (%v)", old.ReplacedBy, second.Intake.ID, err)
	}
	d, _, err := r.ledger.Dossier(ctx, known)
	if err != nil || d.Components != 1 {
		t.Errorf("%d components in force, want 1 (%v)", d.Components, err)
	}
	reuse := slip(dossier.Component, "H51.11-240801-0003", "GT01")
	reuse.Reuses = second.Intake.ID
	linked := r.verdict(t, r.send(t, reuse, nil))
	if linked.State != dossier.Stored || linked.Record.Original.SHA256 != second.Record.Original.SHA256 {
		t.Fatalf("reuse: %+v", linked)
	}
	if num, den := rate(t, r, "4.3", "H51.11"); num != 1 || den != 2 {
		t.Errorf("4.3 is %d/%d, want 1/2", num, den)
	}
	reuse.Reuses = first.Intake.ID
	if _, err := r.pipe.Receive(ctx, reuse, nil, pipeline.ReceiveOptions{}); !errors.Is(err, dossier.ErrUnknownDocument) {
		t.Errorf("a replaced document was offered for reuse: %v", err)
	}
}

func TestADossierTheRegisterDoesNotKnowYetWaits(t *testing.T) {
	r := newRig(t, rigOptions{})
	defer r.work(t)()
	ctx := context.Background()
	code := dossier.Code("000.00.10.H51-240802-0099") // leaf first: H51.10
	st := r.verdict(t, r.send(t, slip(dossier.Component, code, ""), file(t, "accept/page.jpg")))
	if st.State != dossier.Stored || st.Intake.Slip.Unit != "H51.10" {
		t.Fatalf("%+v", st.Intake.Slip)
	}
	if _, den := rate(t, r, "4.2", "H51.10"); den != 2 {
		t.Errorf("an unmatched dossier counts: %d", den)
	}
	if out, err := r.ledger.ImportDossiers(ctx, []dossier.Registered{{Code: code, Unit: "H51.10", Procedure: "1.000002",
		Channel: dossier.Direct, ReceivedAt: time.Date(2024, 8, 2, 0, 0, 0, 0, dossier.Zone), Status: dossier.Received}}); err != nil || out.New != 1 {
		t.Fatal(out, err)
	}
	if num, den := rate(t, r, "4.2", "H51.10"); num != 1 || den != 3 {
		t.Errorf("4.2 is %d/%d, want 1/3: it counts as soon as the register names it", num, den)
	}
}

func TestRefusedAtTheDoor(t *testing.T) {
	r := newRig(t, rigOptions{})
	ctx := context.Background()
	body := func() io.Reader { return bytes.NewReader([]byte("%PDF-1.4")) }
	var rej *dossier.Rejection
	if _, err := r.pipe.Receive(ctx, slip(dossier.Component, "H51.10-241301-0001", ""), body(), pipeline.ReceiveOptions{}); !errors.As(err, &rej) || rej.Reason != dossier.WrongDossier {
		t.Errorf("month 13: %v", err)
	}
	if _, err := r.pipe.Receive(ctx, slip(dossier.Component, "X99-240801-0001", ""), body(), pipeline.ReceiveOptions{}); !errors.Is(err, dossier.ErrUnknownUnit) {
		t.Errorf("unknown unit: %v", err)
	}
	if _, err := r.pipe.Receive(ctx, slip(dossier.Component, known, ""), body(), pipeline.ReceiveOptions{Digest: "00"}); !errors.Is(err, pipeline.ErrDigest) {
		t.Errorf("wrong digest: %v", err)
	}
	big := io.MultiReader(body(), io.LimitReader(zeros{}, 65<<20))
	if _, err := r.pipe.Receive(ctx, slip(dossier.Component, known, ""), big, pipeline.ReceiveOptions{}); !errors.As(err, &rej) || rej.Reason != dossier.TooLarge {
		t.Errorf("too large: %v", err)
	}
	broken := io.MultiReader(body(), failing{})
	if _, err := r.pipe.Receive(ctx, slip(dossier.Component, known, ""), broken, pipeline.ReceiveOptions{}); !errors.Is(err, pipeline.ErrTransfer) {
		t.Errorf("broken off: %v", err)
	}
	for info, err := range r.store.List(ctx, "") {
		t.Errorf("something was left behind: %v %v", info.Key, err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the line broke") }

// counting counts what is asked of a store.
type counting struct {
	storage.Store
	lists, opens atomic.Int64
}

func (c *counting) List(ctx context.Context, prefix storage.Key) iter.Seq2[storage.Info, error] {
	c.lists.Add(1)
	return c.Store.List(ctx, prefix)
}

func (c *counting) Open(ctx context.Context, key storage.Key) (io.ReadSeekCloser, storage.Info, error) {
	c.opens.Add(1)
	return c.Store.Open(ctx, key)
}

// TestFirstTryAsksNothing: what has just been received is neither looked for nor
// fetched back; what comes back into the queue is.
func TestFirstTryAsksNothing(t *testing.T) {
	var store *counting
	fail := atomic.Bool{}
	r := newRig(t, rigOptions{wrap: func(s storage.Store) storage.Store { store = &counting{Store: s}; return store },
		hook: func(p pipeline.Point) error {
			if p.Step == pipeline.StepRecord && !p.After && fail.Swap(false) {
				return errors.New("not now")
			}
			return nil
		}})
	defer r.work(t)()
	send := func(code dossier.Code) {
		t.Helper()
		st := r.verdict(t, r.send(t, slip(dossier.Component, code, ""), file(t, "accept/page.jpg")))
		if st.State != dossier.Stored {
			t.Fatal(st.State, st.Fault)
		}
	}
	send("H51.10-240801-0001")
	if l, o := store.lists.Load(), store.opens.Load(); l != 0 || o != 0 {
		t.Errorf("a first try listed %d times and opened %d objects", l, o)
	}
	fail.Store(true)
	send("H51.10-240801-0002")
	if l, o := store.lists.Load(), store.opens.Load(); l != 1 || o != 1 {
		t.Errorf("with a second try: listed %d times and opened %d objects, want 1 and 1", l, o)
	}
}
