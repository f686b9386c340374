package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"sohoa/dossier"
	"sohoa/pipeline/pdf"
	"sohoa/storage"
)

// Scan is a received document whose bytes lie in a judge's hands. Where an
// earlier try already wrote the last word, that stands in its place.
type Scan struct {
	dossier.Intake
	session   *pdf.Session
	reused    *dossier.Record    // the slip reuses this one: no bytes of its own
	record    *dossier.Record    // already written: the truth
	refusal   *dossier.Refusal   // already written: the truth
	tombstone *dossier.Tombstone // deleted by order: nothing else is true any more
}

// decided reports whether the later stages have nothing left to find out.
func (s Scan) decided() bool {
	return s.reused != nil || s.record != nil || s.refusal != nil || s.tombstone != nil
}

// open looks at the document's folder, unless nobody can have left anything
// there, and hands its original to a judge.
func (r *run) open(in dossier.Intake) (Scan, error) {
	scan := Scan{Intake: in}
	var names map[string]bool
	var err error
	if !in.Untried {
		names, err = r.folder()
	}
	switch {
	case err != nil:
		return scan, err
	case names[tombstoneName]:
		scan.tombstone = new(dossier.Tombstone)
		return scan, r.p.readJSON(r.ctx, inFolder(Folder(in), tombstoneName), scan.tombstone)
	case names[recordName]:
		scan.record = new(dossier.Record)
		return scan, r.p.readJSON(r.ctx, inFolder(Folder(in), recordName), scan.record)
	case names[refusalName]:
		scan.refusal = new(dossier.Refusal)
		return scan, r.p.readJSON(r.ctx, inFolder(Folder(in), refusalName), scan.refusal)
	case in.Slip.Reuses != "":
		src, err := r.p.Ledger.Standing(r.ctx, in.Slip.Reuses)
		switch {
		case err != nil:
		case src.Tombstone != nil:
			// Deleted since: the link is recorded, and the ledger knows that there is
			// no file behind it.
			scan.reused = &dossier.Record{ID: src.Tombstone.ID, Archive: src.Tombstone.Archive, Conforms: dossier.AsOriginal}
		case src.Record == nil:
			err = errors.New("the reused document has no record")
		default:
			reused := *src.Record
			reused.Verdict.LegalValue = src.Legal // its signatures may have been judged anew
			scan.reused = &reused
		}
		return scan, err
	}
	path, done, err := r.p.local(r.ctx, in.Original)
	if err != nil {
		return scan, err
	}
	r.later(done)
	judge := r.p.Judge
	if in.Slip.Door.Bulk() {
		judge = r.p.Bulk
	}
	if scan.session, err = judge.Open(r.ctx, path); err != nil {
		return scan, err
	}
	r.later(scan.session.Close)
	return scan, nil
}

// folder lists the names in the document's folder: one request, whatever an
// earlier try has left there.
func (r *run) folder() (map[string]bool, error) {
	prefix := Folder(r.in) + "/"
	names := map[string]bool{}
	for info, err := range r.p.Store.List(r.ctx, prefix) {
		if err != nil {
			return nil, err
		}
		names[strings.TrimPrefix(string(info.Key), string(prefix))] = true
	}
	return names, nil
}

// local returns a path of this machine with the file's bytes: what this process
// has just received, the store's own file where it has one, else a spooled copy.
// done lets go of it.
func (p *Pipeline) local(ctx context.Context, file dossier.File) (path string, done func(), err error) {
	if temp := p.fresh.take(file); temp != nil {
		return temp.Path(), func() { temp.Close() }, nil
	}
	body, _, err := p.Store.Open(ctx, storage.Key(file.Key))
	if err != nil {
		return "", nil, err
	}
	defer body.Close()
	if f, ok := body.(interface{ Name() string }); ok {
		if st, err := os.Stat(f.Name()); err == nil && st.Mode().IsRegular() {
			return f.Name(), func() {}, nil
		}
	}
	temp, err := storage.FetchOpen(ctx, body, storage.Info{Size: file.Size, SHA256: string(file.SHA256)}, p.SpoolDir)
	if err != nil {
		return "", nil, fmt.Errorf("fetch %s: %w", file.Key, err)
	}
	return temp.Path(), func() { temp.Close() }, nil
}

// Picture draws a page of a document, from 1, as PNG.
func (p *Pipeline) Picture(ctx context.Context, st dossier.Standing, page, dpi int) ([]byte, error) {
	path, done, err := p.local(ctx, st.Intake.Original)
	if err != nil {
		return nil, err
	}
	defer done()
	session, err := p.Judge.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	return session.Picture(ctx, page, dpi)
}

// OpenOriginal opens a document's bytes as they were received.
func (p *Pipeline) OpenOriginal(ctx context.Context, st dossier.Standing) (io.ReadSeekCloser, dossier.File, error) {
	return p.openFile(ctx, st.Intake.Original)
}

// OpenArchive opens the archive copy: the normalised one where there is one,
// else the original.
func (p *Pipeline) OpenArchive(ctx context.Context, st dossier.Standing) (io.ReadSeekCloser, dossier.File, error) {
	if st.Record == nil {
		return nil, dossier.File{}, fs.ErrNotExist
	}
	if st.Record.Archive != nil {
		return p.openFile(ctx, *st.Record.Archive)
	}
	return p.openFile(ctx, st.Record.Original)
}

func (p *Pipeline) openFile(ctx context.Context, f dossier.File) (io.ReadSeekCloser, dossier.File, error) {
	body, _, err := p.Store.Open(ctx, storage.Key(f.Key))
	return body, f, err
}
