package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"sohoa/dossier"
	"sohoa/storage"
)

// Difference is something in the archive or the ledger that does not fit the
// other.
type Difference struct {
	Kind     string // stable code: missing-object, wrong-size, wrong-hash, extra-object, no-verdict, not-in-ledger, not-in-archive, state-differs, unreadable
	Document string
	Key      storage.Key
	Detail   string // free of personal data
}

// Entries is what verification asks of the ledger.
type Entries interface {
	Standing(ctx context.Context, id string) (dossier.Standing, error)
	// Events lists what happened to a document after its verdict.
	Events(ctx context.Context, id string) ([]dossier.Event, error)
	// EachDocument calls f for every document, in the order of their ids.
	EachDocument(ctx context.Context, f func(dossier.Standing) error) error
}

// VerifyOptions say how to verify.
type VerifyOptions struct {
	Deep     bool                   // read and hash every byte
	Progress func(objects, n int64) // objects seen so far, and bytes read; may be nil
}

// Verify holds the archive against itself and against the ledger: every record
// has its objects, every object its record, every document of the ledger its
// folder, and, deep, every byte its hash. It repairs nothing.
func (p *Pipeline) Verify(ctx context.Context, entries Entries, o VerifyOptions, report func(Difference)) error {
	v := &verifier{p: p, ctx: ctx, entries: entries, o: o, report: report}
	for _, root := range []storage.Key{"dossiers/", "results/"} {
		if err := v.walk(root); err != nil {
			return err
		}
	}
	return entries.EachDocument(ctx, v.inArchive)
}

type verifier struct {
	p       *Pipeline
	ctx     context.Context
	entries Entries
	o       VerifyOptions
	report  func(Difference)
	objects int64
	bytes   int64
}

// walk goes over the folders below root. The listing is in order of keys, so a
// folder's objects come together and only one folder is held in memory.
func (v *verifier) walk(root storage.Key) error {
	var folder string
	var infos []storage.Info
	flush := func() error {
		if len(infos) == 0 {
			return nil
		}
		defer func() { infos = infos[:0] }()
		return v.folder(folder, infos)
	}
	for info, err := range v.p.Store.List(v.ctx, root) {
		if err != nil {
			return fmt.Errorf("list the archive: %w", err)
		}
		if dir := path.Dir(string(info.Key)); dir != folder {
			if err := flush(); err != nil {
				return err
			}
			folder = dir
		}
		infos = append(infos, info)
		if v.objects++; v.o.Progress != nil && v.objects%64 == 0 {
			v.o.Progress(v.objects, v.bytes)
		}
	}
	return flush()
}

func (v *verifier) folder(folder string, infos []storage.Info) error {
	id := path.Base(folder)
	there := map[string]storage.Info{}
	for _, info := range infos {
		there[strings.TrimPrefix(string(info.Key), folder+"/")] = info
	}
	say := func(kind string, key storage.Key, detail string) {
		v.report(Difference{Kind: kind, Document: id, Key: key, Detail: detail})
	}
	st, err := v.entries.Standing(v.ctx, id)
	unknown := errors.Is(err, dossier.ErrUnknownDocument)
	if err != nil && !unknown {
		return err
	}
	if _, deleted := there[tombstoneName]; deleted {
		return v.grave(folder, infos, st, unknown)
	}
	_, hasRecord := there[recordName]
	_, hasRefusal := there[refusalName]
	switch {
	case st.Tombstone != nil:
		say("state-differs", storage.Key(folder), "the ledger says deleted by order, the archive has no tombstone")
		return nil
	case hasRecord && hasRefusal:
		say("extra-object", storage.Key(folder+"/"+refusalName), "a record and a refusal of one document")
	case !hasRecord && !hasRefusal:
		if unknown || st.State == dossier.Pending || st.State == dossier.Faulted {
			return nil // on its way, or left by a door that died: nothing names it yet
		}
		say("no-verdict", storage.Key(folder), "the ledger says "+string(st.State))
		return nil
	}
	if err := v.life(folder, there, unknown, say); err != nil {
		return err
	}
	named := map[string]bool{recordName: true, refusalName: true}
	var files []dossier.File
	want := dossier.Refused
	var rec dossier.Record
	if hasRecord {
		want = dossier.Stored
		if err := v.p.readJSON(v.ctx, storage.Key(folder+"/"+recordName), &rec); err != nil {
			say("unreadable", storage.Key(folder+"/"+recordName), "not a record")
			return v.ctx.Err()
		}
		if rec.Slip.Reuses == "" {
			files = append(files, rec.Original)
			if rec.Archive != nil {
				files = append(files, *rec.Archive)
			}
		}
	} else {
		var ref dossier.Refusal
		if err := v.p.readJSON(v.ctx, storage.Key(folder+"/"+refusalName), &ref); err != nil {
			say("unreadable", storage.Key(folder+"/"+refusalName), "not a refusal")
			return v.ctx.Err()
		}
		files = append(files, ref.Original)
	}
	switch {
	case unknown:
		say("not-in-ledger", storage.Key(folder), "")
	case st.State != want:
		say("state-differs", storage.Key(folder), fmt.Sprintf("the archive says %s, the ledger %s", want, st.State))
	case hasRecord && !sameFiles(*st.Record, rec):
		say("state-differs", storage.Key(folder), "the ledger's record names other bytes")
	}
	for _, f := range files {
		name := path.Base(f.Key)
		named[name] = true
		info, ok := there[name]
		if !ok {
			say("missing-object", storage.Key(f.Key), "")
			continue
		}
		if info.Size != f.Size {
			say("wrong-size", storage.Key(f.Key), fmt.Sprintf("%d bytes, the record says %d", info.Size, f.Size))
			continue
		}
		if v.o.Deep {
			if err := v.hash(f, say); err != nil {
				return err
			}
		}
	}
	for name, info := range there {
		if !named[name] && !outlives(name) {
			say("extra-object", info.Key, "no record names it")
		}
	}
	return nil
}

// life holds what happened later, as the folder's events say, against the ledger.
func (v *verifier) life(folder string, there map[string]storage.Info, unknown bool, say func(kind string, key storage.Key, detail string)) error {
	first, ok := there[eventName(1)]
	if !ok || unknown {
		return nil
	}
	events, err := v.p.events(v.ctx, storage.Key(folder))
	if err != nil {
		say("unreadable", first.Key, "the events of the document cannot be read")
		return v.ctx.Err()
	}
	entered, err := v.entries.Events(v.ctx, path.Base(folder))
	if err != nil {
		return err
	}
	for _, e := range events {
		if !slices.ContainsFunc(entered, func(have dossier.Event) bool {
			return have.Type == e.Type && have.At.Equal(e.At) && have.Outcome == e.Outcome
		}) {
			say("state-differs", storage.Key(folder+"/"+eventName(e.Number)), "the ledger does not know that this happened")
		}
	}
	return nil
}

// grave looks at the folder of a document that was deleted by order.
func (v *verifier) grave(folder string, infos []storage.Info, st dossier.Standing, unknown bool) error {
	key := storage.Key(folder + "/" + tombstoneName)
	stone, err := v.p.tombstone(v.ctx, storage.Key(folder))
	say := func(kind string, key storage.Key, detail string) {
		v.report(Difference{Kind: kind, Document: path.Base(folder), Key: key, Detail: detail})
	}
	switch {
	case err != nil && v.ctx.Err() != nil:
		return v.ctx.Err()
	case err != nil || stone.ID != path.Base(folder):
		say("unreadable", key, "not a tombstone of this document")
	case unknown:
		say("not-in-ledger", key, "")
	case st.Tombstone == nil:
		say("state-differs", key, "the archive says deleted by order, the ledger "+string(st.State))
	}
	for _, info := range infos {
		if !outlives(path.Base(string(info.Key))) {
			say("extra-object", info.Key, "of a document that was deleted by order")
		}
	}
	return nil
}

func sameFiles(a, b dossier.Record) bool {
	if a.Original.SHA256 != b.Original.SHA256 || (a.Archive == nil) != (b.Archive == nil) {
		return false
	}
	return a.Archive == nil || a.Archive.SHA256 == b.Archive.SHA256
}

func (v *verifier) hash(f dossier.File, say func(string, storage.Key, string)) error {
	body, _, err := v.p.Store.Open(v.ctx, storage.Key(f.Key))
	if errors.Is(err, fs.ErrNotExist) {
		say("missing-object", storage.Key(f.Key), "")
		return nil
	}
	if err != nil {
		return err
	}
	defer body.Close()
	h := sha256.New()
	n, err := io.Copy(h, body)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.Key, err)
	}
	v.bytes += n
	if got := hex.EncodeToString(h.Sum(nil)); got != string(f.SHA256) {
		say("wrong-hash", storage.Key(f.Key), "sha256 "+got)
	}
	return nil
}

// inArchive holds a document of the ledger against its folder.
func (v *verifier) inArchive(st dossier.Standing) error {
	name := recordName
	switch {
	case st.Tombstone != nil:
		name = tombstoneName
	case st.State == dossier.Pending, st.State == dossier.Faulted:
		return nil
	case st.State == dossier.Refused:
		name = refusalName
	}
	key := inFolder(Folder(st.Intake), name)
	if _, err := v.p.Store.Stat(v.ctx, key); errors.Is(err, fs.ErrNotExist) {
		v.report(Difference{Kind: "not-in-archive", Document: st.Intake.ID, Key: key, Detail: "the ledger says " + string(st.State)})
		return nil
	} else if err != nil {
		return err
	}
	return nil
}
