package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"sohoa/dossier"
	"sohoa/storage"
)

// Entries is what verification asks of the ledger, which also keeps how far it
// is.
type Entries interface {
	// Standings leaves out the documents it does not know.
	Standings(ctx context.Context, ids []string) (map[string]dossier.Standing, error)
	// DocumentsAfter lists documents in the order of their ids, from behind after.
	DocumentsAfter(ctx context.Context, after string, limit int) ([]dossier.Standing, error)
	// EventsOf lists what happened to documents after their verdicts.
	EventsOf(ctx context.Context, ids []string) (map[string][]dossier.Event, error)
	LastCheck(ctx context.Context, name dossier.CheckName) (c dossier.Check, found bool, err error)
	// SaveCheck enters how far a pass is and what it found since the last save,
	// both or neither.
	SaveCheck(ctx context.Context, c dossier.Check, found []dossier.Difference) error
}

// VerifyOptions say how to verify.
type VerifyOptions struct {
	Name    dossier.CheckName // ByHand where empty
	Deep    bool              // read and hash every byte
	Anew    bool              // begin again where the pass before was broken off
	Rate    int64             // bytes a second, at most; 0: no bound
	Workers int               // 4 where zero
	// Stages come after archive and ledger: what else there is to hold against
	// each other. Each is done as a whole.
	Stages []VerifyStage
	// Progress is told how far the pass is, by one goroutine at a time. It may
	// wait, and holds the pass up by that; an error of it breaks the pass off.
	Progress func(context.Context, dossier.Check) error
}

// VerifyStage is a part of verification that is not the pipeline's.
type VerifyStage struct {
	Name string
	Run  func(ctx context.Context, found func(dossier.Difference)) error
}

// unfinishedAfter is the age at which an original that no intake names is no
// longer taken for one on its way.
const unfinishedAfter = 7 * 24 * time.Hour

// Verify holds the archive against itself and against the ledger: every record
// has its objects, every object its record, every document of the ledger its
// folder, and, deep, every byte its hash. It repairs nothing.
//
// It goes over the archive in the order of its keys, then over the ledger in the
// order of its ids, and saves how far it is every second: broken off in whatever
// way, the next call of the same name goes on there. What it found is in the
// ledger, with the pass that it returns. What looks wrong is looked at twice,
// since documents come in meanwhile.
func (p *Pipeline) Verify(ctx context.Context, entries Entries, o VerifyOptions) (dossier.Check, error) {
	if o.Name == "" {
		o.Name = dossier.ByHand
	}
	if o.Workers == 0 {
		o.Workers = 4
	}
	if o.Progress == nil {
		o.Progress = func(context.Context, dossier.Check) error { return nil }
	}
	v := &verifier{p: p, entries: entries, o: o, limit: rate.NewLimiter(rate.Inf, verifyBuffer)}
	if o.Rate > 0 {
		v.limit.SetLimit(rate.Limit(o.Rate))
	}
	v.buffers.New = func() any { b := make([]byte, verifyBuffer); return &b }
	if err := v.begin(ctx); err != nil {
		return dossier.Check{}, err
	}
	err := v.run(ctx)
	if err == nil {
		v.c.EndedAt = p.Now()
	}
	// Also when broken off: what was done is done.
	sctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return v.c, errors.Join(err, v.save(sctx))
}

// verifyBuffer is what is read at a time.
const verifyBuffer = 256 << 10

type verifier struct {
	p       *Pipeline
	entries Entries
	o       VerifyOptions
	limit   *rate.Limiter
	buffers sync.Pool

	c     dossier.Check
	found []dossier.Difference // since the last save
	saved time.Time
}

// begin takes up the pass that was broken off, or begins one.
func (v *verifier) begin(ctx context.Context) error {
	c, found, err := v.entries.LastCheck(ctx, v.o.Name)
	if err != nil {
		return err
	}
	if found && c.EndedAt.IsZero() && c.Deep == v.o.Deep && !v.o.Anew {
		v.c = c
		return nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("new id: %w", err)
	}
	v.c = dossier.Check{ID: id.String(), Name: v.o.Name, Deep: v.o.Deep, StartedAt: v.p.Now()}
	return v.save(ctx)
}

func (v *verifier) save(ctx context.Context) error {
	v.c.MovedAt = v.p.Now()
	if err := v.entries.SaveCheck(ctx, v.c, v.found); err != nil {
		return err
	}
	v.found, v.saved = nil, time.Now()
	return nil
}

func (v *verifier) run(ctx context.Context) error {
	stages := append([]VerifyStage{
		{Name: "archive", Run: func(ctx context.Context, _ func(dossier.Difference)) error { return v.inOrder(ctx, v.folders) }},
		{Name: "ledger", Run: func(ctx context.Context, _ func(dossier.Difference)) error { return v.inOrder(ctx, v.rows) }},
	}, v.o.Stages...)
	at := 0
	for i, s := range stages {
		if s.Name == v.c.Stage {
			at = i
		}
	}
	for _, s := range stages[at:] {
		if s.Name != v.c.Stage {
			v.c.Stage, v.c.Done = s.Name, ""
			if err := v.save(ctx); err != nil {
				return err
			}
		}
		var found []dossier.Difference
		if err := s.Run(ctx, func(d dossier.Difference) { found = append(found, d) }); err != nil {
			return fmt.Errorf("verify: %s: %w", s.Name, err)
		}
		v.add(looked{found: found})
	}
	return nil
}

// looked is what came of looking at something.
type looked struct {
	documents, objects, bytes int64
	found                     []dossier.Difference
}

func (l *looked) add(m looked) {
	l.documents += m.documents
	l.objects += m.objects
	l.bytes += m.bytes
	l.found = append(l.found, m.found...)
}

func (v *verifier) add(l looked) {
	v.c.Documents += l.documents
	v.c.Objects += l.objects
	v.c.Bytes += l.bytes
	v.c.Differences += int64(len(l.found))
	v.found = append(v.found, l.found...)
}

// stretch is a piece of work: what lies up to last, in the order of the stage.
type stretch struct {
	last string
	look func(context.Context) (looked, error)
	got  looked
	err  error
	done chan struct{}
}

// inOrder has the workers look at the stretches, and notes each when all before
// it are done.
func (v *verifier) inOrder(ctx context.Context, cut func(ctx context.Context, from string, hand func(*stretch) bool) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	work := make(chan *stretch)
	ordered := make(chan *stretch, 2*v.o.Workers) // how far ahead of the slowest the others get
	for range v.o.Workers {
		wg.Go(func() {
			for s := range work {
				s.got, s.err = s.look(ctx)
				close(s.done)
			}
		})
	}
	var cutErr error
	wg.Go(func() {
		defer close(ordered)
		defer close(work)
		cutErr = cut(ctx, v.c.Done, func(s *stretch) bool {
			s.done = make(chan struct{})
			for _, ch := range []chan<- *stretch{ordered, work} {
				select {
				case ch <- s:
				case <-ctx.Done():
					return false
				}
			}
			return true
		})
	})
	for s := range ordered {
		select {
		case <-s.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if s.err != nil {
			return s.err
		}
		v.add(s.got)
		v.c.Done = s.last
		if len(v.found) > 0 || time.Since(v.saved) > time.Second {
			if err := v.save(ctx); err != nil {
				return err
			}
		}
		if err := v.o.Progress(ctx, v.c); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return cutErr // set before ordered was closed
}

// group is the objects that belong together: those of a document, or one alone.
type group struct {
	name     string // for a document its folder, else the key
	document string // its id; empty: none
	infos    []storage.Info
}

// groupOf says what an object belongs to: under dossiers/ and results/ to the
// document in whose folder it lies.
func groupOf(key storage.Key) (name, document string) {
	parts := strings.SplitN(string(key), "/", 5)
	if len(parts) == 5 && (parts[0] == "dossiers" || parts[0] == "results") {
		return strings.Join(parts[:4], "/"), parts[3]
	}
	return string(key), ""
}

const foldersAtOnce = 16

// folders cuts the archive's listing. It is in the order of keys, so that a
// folder's objects come together. from is the last key that was dealt with.
func (v *verifier) folders(ctx context.Context, from string, hand func(*stretch) bool) error {
	passed, _ := groupOf(storage.Key(from))
	var some []*group
	var last storage.Key
	flush := func() bool {
		if len(some) == 0 {
			return true
		}
		batch := some
		some = nil
		return hand(&stretch{last: string(last), look: func(ctx context.Context) (looked, error) { return v.lookAt(ctx, batch) }})
	}
	for info, err := range storage.ListAfter(ctx, v.p.Store, "", storage.Key(from)) {
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		name, document := groupOf(info.Key)
		if from != "" && name == passed {
			continue // come to a folder that was dealt with
		}
		if len(some) == 0 || some[len(some)-1].name != name {
			if len(some) == foldersAtOnce && !flush() {
				return ctx.Err()
			}
			some = append(some, &group{name: name, document: document})
		}
		f := some[len(some)-1]
		f.infos = append(f.infos, info)
		last = info.Key
	}
	flush()
	return ctx.Err()
}

func (v *verifier) lookAt(ctx context.Context, batch []*group) (looked, error) {
	var sum looked
	ids := make([]string, 0, len(batch))
	for _, f := range batch {
		if f.document != "" {
			ids = append(ids, f.document)
		}
	}
	said, err := v.said(ctx, ids)
	if err != nil {
		return sum, err
	}
	for _, f := range batch {
		got, err := v.folder(ctx, f, said[f.document])
		if err == nil && len(got.found) > 0 {
			err = v.settled(ctx, got.found)
		}
		if err == nil && len(got.found) > 0 {
			got, err = v.again(ctx, f)
		}
		if err != nil {
			return sum, err
		}
		sum.add(got)
	}
	return sum, nil
}

// entry is what the ledger says of a document.
type entry struct {
	dossier.Standing
	known  bool
	events []dossier.Event
}

func (v *verifier) said(ctx context.Context, ids []string) (map[string]entry, error) {
	standings, err := v.entries.Standings(ctx, ids)
	if err != nil {
		return nil, err
	}
	events, err := v.entries.EventsOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[string]entry, len(standings))
	for id, st := range standings {
		out[id] = entry{st, true, events[id]}
	}
	return out, nil
}

// settled waits a moment where what was found may be on its way: the archive is
// written before the ledger.
func (v *verifier) settled(ctx context.Context, found []dossier.Difference) error {
	lasting := func(d dossier.Difference) bool {
		return d.Kind == dossier.WrongHash || d.Kind == dossier.WrongSize || d.Kind == dossier.Unreadable
	}
	if !slices.ContainsFunc(found, func(d dossier.Difference) bool { return !lasting(d) }) {
		return nil
	}
	select {
	case <-time.After(300 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// again looks a second time at a folder that seemed wrong: it may have been on
// its way. An object that cannot be read is a difference only while the store
// answers otherwise.
func (v *verifier) again(ctx context.Context, f *group) (looked, error) {
	list := func() (infos []storage.Info, err error) {
		dir := storage.Key(f.name + "/")
		if f.document == "" {
			dir = storage.Key(path.Dir(f.name) + "/")
		}
		for info, err := range v.p.Store.List(ctx, dir) {
			if err != nil {
				return nil, fmt.Errorf("list: %w", err)
			}
			if f.document != "" || string(info.Key) == f.name {
				infos = append(infos, info)
			}
		}
		return infos, nil
	}
	infos, err := list()
	if err != nil || len(infos) == 0 {
		return looked{}, err // gone meanwhile: deleted
	}
	var said map[string]entry
	if f.document != "" {
		if said, err = v.said(ctx, []string{f.document}); err != nil {
			return looked{}, err
		}
	}
	got, err := v.folder(ctx, &group{f.name, f.document, infos}, said[f.document])
	if err == nil {
		_, err = list()
	}
	return got, err
}

// folder holds a folder against itself and against what the ledger says of it.
func (v *verifier) folder(ctx context.Context, f *group, st entry) (looked, error) {
	l := &look{v: v, ctx: ctx, f: f, there: map[string]storage.Info{}, named: map[string]bool{}}
	l.got.objects = int64(len(f.infos))
	for _, info := range f.infos {
		l.there[strings.TrimPrefix(string(info.Key), f.name+"/")] = info
	}
	if f.document == "" {
		l.single(f.infos[0])
	} else {
		l.got.documents = 1
		l.document(st)
	}
	return l.got, cmp.Or(l.err, ctx.Err())
}

// look is the looking at one folder.
type look struct {
	v     *verifier
	ctx   context.Context
	f     *group
	there map[string]storage.Info
	named map[string]bool
	got   looked
	err   error // not of the archive's
}

func (l *look) say(kind dossier.DifferenceKind, key storage.Key, detail string) {
	l.got.found = append(l.got.found, dossier.Difference{Kind: kind, Document: l.f.document, Key: string(key), Detail: detail})
}

func (l *look) key(name string) storage.Key { return storage.Key(l.f.name + "/" + name) }

// single looks at an object that is no document's.
func (l *look) single(info storage.Info) {
	switch root, _, _ := strings.Cut(string(info.Key), "/"); root {
	case "register", "closings":
		if l.v.o.Deep {
			l.stated(info.Key)
		}
	case "uploads": // pieces on their way, which are swept in their time
		if l.v.p.Now().Sub(info.ModTime) > UploadLife+unfinishedAfter {
			l.say(dossier.ExtraObject, info.Key, "left of an upload that was never finished")
		}
	default:
		l.say(dossier.ExtraObject, info.Key, "no part of an archive")
	}
}

func (l *look) document(st entry) {
	_, hasRecord := l.there[recordName]
	_, hasRefusal := l.there[refusalName]
	_, deleted := l.there[tombstoneName]
	switch {
	case deleted:
		l.grave(st)
		return
	case st.Tombstone != nil:
		l.say(dossier.StateDiffers, storage.Key(l.f.name), "the ledger says deleted by order, the archive has no tombstone")
		return
	case hasRecord:
		if hasRefusal {
			l.say(dossier.ExtraObject, l.key(refusalName), "a record and a refusal of one document")
			l.named[refusalName] = true
		}
		lastWord(l, st, recordName, dossier.Stored, st.Record, ofRecord)
	case hasRefusal:
		lastWord(l, st, refusalName, dossier.Refused, st.Refusal, ofRefusal)
	case st.known && (st.State == dossier.Stored || st.State == dossier.Refused):
		l.say(dossier.NoVerdict, storage.Key(l.f.name), "the ledger says "+string(st.State))
		return
	case st.known: // on its way
		l.files(st.Intake.Slip, st.Intake.Original)
		l.named[archiveName] = true // of a try that broke off
	default: // left by a door that died: nothing names it yet
		for _, info := range l.f.infos {
			if l.v.p.Now().Sub(info.ModTime) > unfinishedAfter {
				l.say(dossier.ExtraObject, info.Key, "left of an intake that was never entered")
			}
		}
		return
	}
	l.life(st)
	for name, info := range l.there {
		if !l.named[name] {
			l.say(dossier.ExtraObject, info.Key, "no record names it")
		}
	}
}

// life holds what happened later, as the folder's events say, against what the
// ledger knows of it.
func (l *look) life(st entry) {
	var happened []dossier.Event
	same := func(a, b dossier.Event) bool { return a.Type == b.Type && a.At.Equal(b.At) && a.Outcome == b.Outcome }
	for n := 1; ; n++ {
		name := eventName(n)
		if _, there := l.there[name]; !there {
			break // what comes behind a gap is extra
		}
		l.named[name] = true
		var e dossier.Later
		if !l.json(name, &e, func() bool { return e.Schema == dossier.LaterSchema }) {
			continue
		}
		if e.Number != n || e.ID != l.f.document {
			l.say(dossier.Misplaced, l.key(name), "it is not this event of this document")
			continue
		}
		happened = append(happened, e.Event)
		if e.Type == dossier.EventAmendment {
			l.slip(e.Event)
		}
		if st.known && !slices.ContainsFunc(st.events, func(have dossier.Event) bool { return same(have, e.Event) }) {
			l.say(dossier.StateDiffers, l.key(name), "the ledger does not know that this happened")
		}
	}
	for _, have := range st.events {
		if have.Type == dossier.EventDeletion || have.Type == dossier.EventSweep {
			continue
		}
		if !slices.ContainsFunc(happened, func(e dossier.Event) bool { return same(have, e) }) {
			l.say(dossier.NotInArchive, storage.Key(l.f.name), "the ledger says that this happened: "+have.Type)
		}
	}
}

// slip sees that a corrected slip is there and is the one that the event names.
func (l *look) slip(e dossier.Event) {
	l.named[e.Detail] = true
	var a dossier.Amended
	if _, there := l.there[e.Detail]; !there {
		l.say(dossier.MissingObject, l.key(e.Detail), "an event names this slip")
		return
	}
	if !l.json(e.Detail, &a, func() bool { return a.Schema == dossier.AmendedSchema }) {
		return
	}
	if b, err := json.Marshal(a.Slip); err != nil || fmt.Sprintf("%s%x.json", slipPrefix, sha256.Sum256(b)) != e.Detail || a.ID != l.f.document {
		l.say(dossier.Misplaced, l.key(e.Detail), "it is not the slip that the event names")
	}
}

// word is what verification holds against a folder of its last word.
type word struct {
	schema int
	id     string
	slip   dossier.Slip
	files  []dossier.File
}

func ofRecord(r *dossier.Record) word {
	w := word{r.Schema, r.ID, r.Slip, []dossier.File{r.Original}}
	if r.Archive != nil {
		w.files = append(w.files, *r.Archive)
	}
	return w
}

func ofRefusal(r *dossier.Refusal) word {
	return word{r.Schema, r.ID, r.Slip, []dossier.File{r.Original}}
}

// lastWord holds a record or a refusal, which makes a document's state, against
// the ledger's copy of it, and the folder's objects against it. Where it cannot be
// read the ledger's copy is the other witness.
func lastWord[T any](l *look, st entry, name string, state dossier.State, kept *T, of func(*T) word) {
	l.named[name] = true
	said := new(T)
	sound := l.json(name, said, func() bool { return of(said).schema == dossier.RecordSchema })
	if sound {
		l.place(of(said).id, of(said).slip)
		l.against(st, state)
		if st.State == state && !same(kept, said) {
			l.say(dossier.StateDiffers, l.key(name), "the ledger has another one")
			sound = false
		}
	}
	if !sound {
		if said = kept; said == nil {
			l.unnamed()
			return
		}
	}
	w := of(said)
	l.files(w.slip, w.files...)
}

// unnamed looks at the objects of a folder of which nobody can say what they
// should be: by the digests that the store keeps.
func (l *look) unnamed() {
	for name, info := range l.there {
		if l.named[name] || strings.HasPrefix(name, eventPrefix) {
			continue
		}
		l.named[name] = true
		if l.v.o.Deep {
			l.stated(info.Key)
		}
	}
}

// grave looks at the folder of a document that was deleted by order.
func (l *look) grave(st entry) {
	var stone dossier.Tombstone
	key := l.key(tombstoneName)
	if l.json(tombstoneName, &stone, func() bool { return stone.Schema == dossier.RecordSchema }) {
		l.place(stone.ID, stone.Slip)
		switch {
		case !st.known:
			l.say(dossier.NotInLedger, key, "")
		case st.Tombstone == nil:
			l.say(dossier.StateDiffers, key, "the archive says deleted by order, the ledger "+string(st.State))
		case !same(st.Tombstone, &stone):
			l.say(dossier.StateDiffers, key, "the ledger has another tombstone")
		}
	}
	for _, info := range l.f.infos {
		switch name := path.Base(string(info.Key)); {
		case name == tombstoneName:
		case !outlives(name):
			l.say(dossier.ExtraObject, info.Key, "of a document that was deleted by order")
		case l.v.o.Deep:
			l.stated(info.Key)
		}
	}
}

// same compares in the form in which both are kept.
func same(a, b any) bool {
	x, err := json.Marshal(a)
	if err != nil {
		return false
	}
	y, err := json.Marshal(b)
	return err == nil && bytes.Equal(x, y)
}

// place sees that a record lies where it belongs.
func (l *look) place(id string, s dossier.Slip) {
	if id != l.f.document || string(Folder(dossier.Intake{ID: id, Slip: s})) != l.f.name {
		l.say(dossier.Misplaced, storage.Key(l.f.name), "it belongs to another folder")
	}
}

func (l *look) against(st entry, want dossier.State) {
	switch {
	case !st.known:
		l.say(dossier.NotInLedger, storage.Key(l.f.name), "")
	case st.State == dossier.Pending: // its job will enter what stands
	case st.State != want:
		l.say(dossier.StateDiffers, storage.Key(l.f.name), fmt.Sprintf("the archive says %s, the ledger %s", want, st.State))
	}
}

// files looks at the objects that a record names. Those of a paper that is
// reused lie in the folder of its source and are looked at there.
func (l *look) files(s dossier.Slip, files ...dossier.File) {
	if s.Reuses != "" {
		return
	}
	for _, f := range files {
		name := strings.TrimPrefix(f.Key, l.f.name+"/")
		l.named[name] = true
		info, ok := l.there[name]
		switch {
		case !ok:
			l.say(dossier.MissingObject, storage.Key(f.Key), "")
		case info.Size != f.Size:
			l.say(dossier.WrongSize, info.Key, fmt.Sprintf("%d bytes, the record says %d", info.Size, f.Size))
		case l.v.o.Deep:
			if got, _, ok := l.hash(info.Key); ok && got != string(f.SHA256) {
				l.say(dossier.WrongHash, info.Key, "sha256 "+got)
			}
		}
	}
}

// stated holds an object that nothing names by its hash against the digest that
// the store keeps with it.
func (l *look) stated(key storage.Key) {
	if got, info, ok := l.hash(key); ok && got != info.SHA256 {
		l.say(dossier.WrongHash, key, "sha256 "+got)
	}
}

// hash reads an object. What keeps it from being read is a difference.
func (l *look) hash(key storage.Key) (sum string, info storage.Info, ok bool) {
	body, info, ok := l.open(key)
	if !ok {
		return "", info, false
	}
	defer body.Close() // it was only read
	h := sha256.New()
	buf := l.v.buffers.Get().(*[]byte)
	defer l.v.buffers.Put(buf)
	n, err := io.CopyBuffer(h, l.v.slowly(l.ctx, body), *buf)
	l.got.bytes += n
	if err != nil {
		l.unreadable(key, err)
		return "", info, false
	}
	return hex.EncodeToString(h.Sum(nil)), info, true
}

// json reads a record or a refusal. Its bytes must have the digest the store
// keeps with them, and, where it is of this program's schema, be what this
// program would write: a bit that changes nothing of the meaning is a flipped
// bit all the same.
func (l *look) json(name string, into any, current func() bool) bool {
	body, info, ok := l.open(l.key(name))
	if !ok {
		return false
	}
	defer body.Close() // it was only read
	b, err := io.ReadAll(l.v.slowly(l.ctx, body))
	l.got.bytes += int64(len(b))
	if err != nil {
		l.unreadable(info.Key, err)
		return false
	}
	sum := sha256.Sum256(b)
	if got := hex.EncodeToString(sum[:]); got != info.SHA256 {
		l.say(dossier.WrongHash, info.Key, "sha256 "+got)
		return false
	}
	if err := json.Unmarshal(b, into); err != nil {
		l.say(dossier.Unreadable, info.Key, "it is not in the form of a record")
		return false
	}
	if current() {
		if want, err := encode(into); err != nil || !bytes.Equal(b, want) {
			l.say(dossier.WrongHash, info.Key, "it is not as it was written")
			return false
		}
	}
	return true
}

func (l *look) open(key storage.Key) (io.ReadCloser, storage.Info, bool) {
	body, info, err := l.v.p.Store.Open(l.ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		l.say(dossier.MissingObject, key, "")
		return nil, info, false
	}
	if err != nil {
		l.unreadable(key, err)
		return nil, info, false
	}
	return body, info, true
}

func (l *look) unreadable(key storage.Key, err error) {
	var waiting *notWaited
	if errors.As(err, &waiting) {
		l.err = err
	}
	l.say(dossier.Unreadable, key, err.Error())
}

// slowly reads no faster than was asked for.
func (v *verifier) slowly(ctx context.Context, r io.Reader) io.Reader {
	return &slow{r, ctx, v.limit}
}

type slow struct {
	r     io.Reader
	ctx   context.Context
	limit *rate.Limiter
}

func (s *slow) Read(b []byte) (int, error) {
	n, err := s.r.Read(b[:min(len(b), verifyBuffer)])
	if n > 0 {
		if werr := s.limit.WaitN(s.ctx, n); werr != nil {
			return n, &notWaited{werr}
		}
	}
	return n, err
}

// notWaited: it was the waiting that was broken off, not the reading.
type notWaited struct{ err error }

func (e *notWaited) Error() string { return e.err.Error() }
func (e *notWaited) Unwrap() error { return e.err }

// rows cuts the ledger's documents, from behind the id that was dealt with last.
func (v *verifier) rows(ctx context.Context, from string, hand func(*stretch) bool) error {
	const atOnce = 250
	for {
		list, err := v.entries.DocumentsAfter(ctx, from, atOnce)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return nil
		}
		from = list[len(list)-1].Intake.ID
		if !hand(&stretch{last: from, look: func(ctx context.Context) (looked, error) { return v.inArchive(ctx, list) }}) {
			return ctx.Err()
		}
		if len(list) < atOnce {
			return nil
		}
	}
}

// inArchive holds documents of the ledger against the archive.
func (v *verifier) inArchive(ctx context.Context, list []dossier.Standing) (looked, error) {
	var sum looked
	for _, st := range list {
		_, there, err := v.stands(ctx, st)
		if err != nil {
			return sum, err
		}
		if there {
			continue
		}
		// It may have been deleted, or settled, meanwhile.
		now, err := v.entries.Standings(ctx, []string{st.Intake.ID})
		if err != nil {
			return sum, err
		}
		st, ok := now[st.Intake.ID]
		if !ok {
			continue
		}
		key, there, err := v.stands(ctx, st)
		if err != nil {
			return sum, err
		}
		if !there {
			sum.found = append(sum.found, dossier.Difference{Kind: dossier.NotInArchive, Document: st.Intake.ID, Key: string(key), Detail: "the ledger says " + string(st.State)})
		}
	}
	return sum, nil
}

// stands reports whether the object is there by which a document of the ledger
// stands in the archive.
func (v *verifier) stands(ctx context.Context, st dossier.Standing) (key storage.Key, there bool, err error) {
	switch {
	case st.Tombstone != nil:
		key = inFolder(Folder(st.Intake), tombstoneName)
	case st.State == dossier.Stored:
		key = inFolder(Folder(st.Intake), recordName)
	case st.Swept:
		return "", true, nil // it is to be gone
	case st.State == dossier.Refused:
		key = inFolder(Folder(st.Intake), refusalName)
	case st.Intake.Slip.Reuses != "":
		return "", true, nil
	default:
		key = storage.Key(st.Intake.Original.Key)
	}
	_, err = v.p.Store.Stat(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return key, false, nil
	}
	return key, err == nil, err
}

// VerifyClosings holds the closed periods of the archive against those of the
// ledger, by their keys and digests.
func (p *Pipeline) VerifyClosings(ctx context.Context, kept map[storage.Key]dossier.Digest, found func(dossier.Difference)) error {
	there := map[storage.Key]bool{}
	for info, err := range p.Store.List(ctx, "closings/") {
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		there[info.Key] = true
		if _, known := kept[info.Key]; !known {
			found(dossier.Difference{Kind: dossier.NotInLedger, Key: string(info.Key)})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(kept)) {
		if !there[key] {
			found(dossier.Difference{Kind: dossier.NotInArchive, Key: string(key)})
			continue
		}
		sum, err := storage.Hash(ctx, p.Store, key)
		if err != nil {
			return err
		}
		if sum != string(kept[key]) {
			found(dossier.Difference{Kind: dossier.WrongHash, Key: string(key), Detail: "sha256 " + sum})
		}
	}
	return nil
}
