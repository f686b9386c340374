package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sohoa/dossier"
	"sohoa/storage"
)

// ErrLedgerIncomplete: the archive has verdicts that the ledger does not know, so
// what the ledger does not name may still be somebody's. Rebuild first.
var ErrLedgerIncomplete = errors.New("the archive has verdicts that the ledger does not know: run sohoa rebuild first")

// Inventory is what the janitor asks of the ledger.
type Inventory interface {
	// Standings leaves out the documents it does not know.
	Standings(ctx context.Context, ids []string) (map[string]dossier.Standing, error)
	// Refused lists rejected documents received before a time and not swept yet,
	// the oldest first, behind the one of that id.
	Refused(ctx context.Context, before time.Time, after string, limit int) ([]dossier.Standing, error)
	// Swept notes that the files of a rejected document are gone.
	Swept(ctx context.Context, id string) error
	// Reused tells which of the documents others take their file from.
	Reused(ctx context.Context, ids []string) (map[string]bool, error)
}

// CleanOptions say what may go.
type CleanOptions struct {
	Rejected   time.Duration // age of a rejected scan whose files may go; 0: 30 days
	Unfinished time.Duration // age of what no intake names; 0: 7 days
	DryRun     bool          // only say it
	Quick      bool          // only expired uploads, and rejected scans, which the ledger lists; the archive is not walked
	Report     func(Cleaned) // may be nil
}

// Cleaned is an object that the janitor took away, or would have.
type Cleaned struct {
	Why      Leftover
	Document string
	Key      storage.Key
	Size     int64
}

// Leftover is why an object may go.
type Leftover string

const (
	LeftRejected   Leftover = "rejected"   // a scan that was rejected long ago, and its verdict
	LeftUnfinished Leftover = "unfinished" // of an intake that was never entered: its sender got no answer
	LeftDeleted    Leftover = "deleted"    // of a document that was deleted by order, where the deletion was broken off
	LeftUpload     Leftover = "upload"     // of an upload by pieces that nobody finished in its time, or that became a document
)

// Clean takes away what is nobody's: uploads that expired, rejected scans after
// their days, what a door that died has left, bytes of documents deleted by order. It never touches what
// a record names, a document that the ledger knows, or an object that is not of
// our making; what is locked stays. Where the archive has verdicts that the ledger
// does not know, unfinished intakes stay, too, and the answer is
// ErrLedgerIncomplete. Broken off, it can be started again; several at once do no
// harm.
func (p *Pipeline) Clean(ctx context.Context, inv Inventory, o CleanOptions) error {
	if o.Rejected == 0 {
		o.Rejected = 30 * 24 * time.Hour
	}
	if o.Unfinished == 0 {
		o.Unfinished = unfinishedAfter
	}
	if o.Report == nil {
		o.Report = func(Cleaned) {}
	}
	j := &janitor{p: p, inv: inv, o: o, now: p.Now()}
	if err := errors.Join(j.uploads(ctx), j.rejected(ctx)); err != nil || o.Quick {
		return err
	}
	return j.walk(ctx)
}

type janitor struct {
	p       *Pipeline
	inv     Inventory
	o       CleanOptions
	now     time.Time
	orphans []folder
	strange int // verdicts that the ledger does not know
}

// uploads sweeps what expired uploads have left. A piece may still be on its way
// when its upload expires: it is given an hour.
func (j *janitor) uploads(ctx context.Context) error {
	for info, err := range j.p.Store.List(ctx, uploadsRoot) {
		if err != nil {
			return fmt.Errorf("list the uploads: %w", err)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(string(info.Key), string(uploadsRoot)), "/")
		at := begun(id)
		switch {
		case at.IsZero():
			continue // not of our making
		case at.Add(UploadLife + time.Hour).After(j.now):
			return nil // ids are in order of time: none of the rest is older
		}
		if _, err := j.remove(ctx, Cleaned{Why: LeftUpload, Key: info.Key, Size: info.Size}); err != nil {
			return err
		}
	}
	return nil
}

// rejected sweeps the rejected scans whose days are over. Their verdict goes last
// of the objects, and the ledger follows: whatever a crash leaves is found again.
func (j *janitor) rejected(ctx context.Context) error {
	const atOnce = 500
	after := ""
	for {
		list, err := j.inv.Refused(ctx, j.now.Add(-j.o.Rejected), after, atOnce)
		if err != nil {
			return err
		}
		for _, st := range list {
			if err := j.sweep(ctx, st); err != nil {
				return err
			}
			after = st.Intake.ID
		}
		if len(list) < atOnce {
			return nil
		}
	}
}

func (j *janitor) sweep(ctx context.Context, st dossier.Standing) error {
	key := Folder(st.Intake)
	f := folder{key: key, objects: map[string]storage.Info{}}
	for info, err := range j.p.Store.List(ctx, key+"/") {
		if err != nil {
			return fmt.Errorf("list the archive: %w", err)
		}
		f.objects[strings.TrimPrefix(string(info.Key), string(key)+"/")] = info
	}
	if f.has(recordName) || f.has(tombstoneName) {
		return nil // the archive says otherwise than the ledger: verification's affair
	}
	gone, err := j.take(ctx, LeftRejected, f, func(name string) bool { return name != refusalName && ours(name) })
	if err == nil && gone {
		gone, err = j.take(ctx, LeftRejected, f, func(name string) bool { return name == refusalName })
	}
	if err != nil || !gone || j.o.DryRun {
		return err
	}
	return j.inv.Swept(ctx, st.Intake.ID)
}

// ours reports whether an intake leaves an object of that name before it has a
// verdict.
func ours(name string) bool { return name == archiveName || strings.HasPrefix(name, "original.") }

// take takes away the objects of a folder that may go; gone is false where one
// is locked and stays.
func (j *janitor) take(ctx context.Context, why Leftover, f folder, may func(name string) bool) (gone bool, err error) {
	gone = true
	for name, info := range f.objects {
		if !may(name) {
			continue
		}
		went, err := j.remove(ctx, Cleaned{Why: why, Document: f.id(), Key: info.Key, Size: info.Size})
		if err != nil {
			return false, err
		}
		gone = gone && went
	}
	return gone, nil
}

// remove takes an object away, unless it is locked, and says so.
func (j *janitor) remove(ctx context.Context, c Cleaned) (gone bool, err error) {
	if !j.o.DryRun {
		err := storage.Erase(ctx, j.p.Store, c.Key)
		if errors.Is(err, storage.ErrLocked) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("clean: %w", err)
		}
	}
	j.o.Report(c)
	return true, nil
}

const foldersToClean = 256

// walk goes over the archive. What no intake names is taken away at the end only,
// when every verdict of the archive was seen to be in the ledger.
func (j *janitor) walk(ctx context.Context) error {
	for _, root := range roots {
		var some []folder
		for f, err := range j.p.folders(ctx, root) {
			if err != nil {
				return err
			}
			if some = append(some, f); len(some) == foldersToClean {
				if err := j.look(ctx, some); err != nil {
					return err
				}
				some = nil
			}
		}
		if err := j.look(ctx, some); err != nil {
			return err
		}
	}
	if j.strange > 0 {
		return fmt.Errorf("%w (%d)", ErrLedgerIncomplete, j.strange)
	}
	for len(j.orphans) > 0 {
		n := min(len(j.orphans), foldersToClean)
		if err := j.unfinished(ctx, j.orphans[:n]); err != nil {
			return err
		}
		j.orphans = j.orphans[n:]
	}
	return nil
}

func idsOf(folders []folder) []string {
	ids := make([]string, len(folders))
	for i, f := range folders {
		ids[i] = f.id()
	}
	return ids
}

func (j *janitor) look(ctx context.Context, folders []folder) error {
	known, err := j.inv.Standings(ctx, idsOf(folders))
	if err != nil {
		return err
	}
	for _, f := range folders {
		st, ok := known[f.id()]
		switch {
		case f.has(tombstoneName):
			err = j.deleted(ctx, f, st)
		case !ok && (f.has(recordName) || f.has(refusalName)):
			j.strange++
		case !ok && j.forgotten(f):
			j.orphans = append(j.orphans, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// deleted finishes a deletion that was broken off.
func (j *janitor) deleted(ctx context.Context, f folder, st dossier.Standing) error {
	stone, err := j.p.tombstone(ctx, f.key)
	if err != nil || stone.ID != f.id() || Folder(dossier.Intake{ID: stone.ID, Slip: stone.Slip}) != f.key {
		return err // a tombstone of something else is verification's affair
	}
	if st.Tombstone == nil && !j.o.DryRun {
		if err := j.p.enterTombstone(ctx, stone); err != nil {
			return err
		}
	}
	_, err = j.take(ctx, LeftDeleted, f, func(name string) bool {
		return !outlives(name) && (ours(name) || name == recordName || name == refusalName || strings.HasPrefix(name, slipPrefix))
	})
	return err
}

// forgotten reports whether a folder holds nothing but what an intake leaves
// before it is entered, long ago by its id and by each of its objects.
func (j *janitor) forgotten(f folder) bool {
	before := j.now.Add(-j.o.Unfinished)
	if at := begun(f.id()); at.IsZero() || !at.Before(before) {
		return false
	}
	for name, info := range f.objects {
		if !ours(name) || !info.ModTime.Before(before) {
			return false
		}
	}
	return true
}

// unfinished takes away what no intake names: asked again, since the walk took
// its time.
func (j *janitor) unfinished(ctx context.Context, folders []folder) error {
	known, err := j.inv.Standings(ctx, idsOf(folders))
	if err != nil {
		return err
	}
	reused, err := j.inv.Reused(ctx, idsOf(folders))
	if err != nil {
		return err
	}
	for _, f := range folders {
		if _, is := known[f.id()]; is || reused[f.id()] {
			continue
		}
		for info, err := range j.p.Store.List(ctx, f.key+"/") {
			if err != nil {
				return fmt.Errorf("list the archive: %w", err)
			}
			f.objects[strings.TrimPrefix(string(info.Key), string(f.key)+"/")] = info
		}
		if !j.forgotten(f) {
			continue
		}
		if _, err := j.take(ctx, LeftUnfinished, f, ours); err != nil {
			return err
		}
	}
	return nil
}
