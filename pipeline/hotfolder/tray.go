package hotfolder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"sohoa/dossier"
)

// Waiting is a scan in the tray: it could not be filed by itself.
type Waiting struct {
	ID   string           // names it as long as it lies there; free of what people wrote
	Unit dossier.UnitCode // whose: the unit of its folder, else of the hot folder
	Name string           // file name, for the page that shows it
	Kind dossier.Kind
	Size int64
	Time time.Time
}

// ErrNotWaiting: there is no such scan in the tray, or somebody else is filing it.
var ErrNotWaiting = errors.New("there is no such scan in the tray")

// Tray lists what waits to be filed by hand.
func (f *Folder) Tray() ([]Waiting, error) {
	var out []Waiting
	err := f.tray(func(p string, info fs.FileInfo) error {
		out = append(out, f.waiting(p, info))
		return nil
	})
	return out, err
}

// Look returns one scan of the tray.
func (f *Folder) Look(id string) (Waiting, error) {
	p, err := f.find(id)
	if err != nil {
		return Waiting{}, err
	}
	info, err := f.root.Stat(p)
	if errors.Is(err, fs.ErrNotExist) {
		return Waiting{}, ErrNotWaiting
	}
	if err != nil {
		return Waiting{}, fmt.Errorf("hot folder: %w", nameless(err))
	}
	return f.waiting(p, info), nil
}

func (f *Folder) waiting(p string, info fs.FileInfo) Waiting {
	slip, _ := Filed(p)
	return Waiting{ID: f.trayID(p), Unit: f.unitOf(p), Name: path.Base(p), Kind: slip.Kind, Size: info.Size(), Time: info.ModTime()}
}

// unitOf is the unit that the first folder names, where it lies below the hot
// folder's own; else that.
func (f *Folder) unitOf(p string) dossier.UnitCode {
	first, _, inside := strings.Cut(inFolder(p), "/")
	if u, err := dossier.ParseUnitCode(first); inside && err == nil && strings.HasPrefix(string(u), string(f.Unit)+".") {
		return u
	}
	return f.Unit
}

func (f *Folder) tray(each func(p string, info fs.FileInfo) error) error {
	err := fs.WalkDir(f.root.FS(), TrayName, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || passing(d.Name()) {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return each(p, info)
	})
	if err != nil && !errors.Is(err, fs.SkipAll) {
		return fmt.Errorf("hot folder: %w", nameless(err))
	}
	return nil
}

// trayID tells scans of several hot folders apart, too.
func (f *Folder) trayID(p string) string { return pathID(f.Dir + "\x00" + p) }

func pathID(p string) string {
	sum := sha256.Sum256([]byte(p))
	return hex.EncodeToString(sum[:16])
}

func (f *Folder) find(id string) (string, error) {
	found := ""
	if err := f.tray(func(p string, _ fs.FileInfo) error {
		if f.trayID(p) == id {
			found = p
			return fs.SkipAll
		}
		return nil
	}); err != nil {
		return "", err
	}
	if found == "" {
		return "", ErrNotWaiting
	}
	return found, nil
}

// Path is where a scan of the tray lies, for a child process that draws it.
func (f *Folder) Path(id string) (string, error) {
	p, err := f.find(id)
	return f.full(p), err
}

// hold keeps a scan of the tray to whoever asks first, until done.
func (f *Folder) hold(id string) (done func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held[id] {
		return nil, false
	}
	f.held[id] = true
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.held, id)
	}, true
}

// File hands in a scan of the tray by hand: what it is and who says so stands in
// the slip. It is moved as its verdict says: to done/, or to rejected/ with a
// Standing that is refused, or with a *dossier.Rejection where it was not even
// received. It stays in the tray where the slip cannot be taken (ErrUnknownUnit,
// ErrPaperTaken), where it lies in the failure inbox, and where ctx ends before
// its verdict; filing it again then finds what it became.
func (f *Folder) File(ctx context.Context, id string, slip dossier.Slip) (dossier.Standing, error) {
	done, ok := f.hold(id)
	if !ok {
		return dossier.Standing{}, ErrNotWaiting
	}
	defer done()
	p, err := f.find(id)
	if err != nil {
		return dossier.Standing{}, err
	}
	h, err := f.root.Open(p)
	if err != nil {
		return dossier.Standing{}, fmt.Errorf("hot folder: %w", nameless(err))
	}
	defer h.Close()
	before, err := h.Stat()
	if err != nil {
		return dossier.Standing{}, fmt.Errorf("hot folder: %w", nameless(err))
	}
	slip.FileName, slip.Door = norm.NFC.String(path.Base(p)), dossier.DoorHot
	st, err := f.verdict(ctx, slip, h, before.Size())
	var rej *dossier.Rejection
	end := ending{folder: Done}
	switch {
	case errors.As(err, &rej):
		end = ending{Refused, string(rej.Reason), rej.Reason.Text()}
	case err != nil:
		return st, err
	case st.State == dossier.Refused && st.Refusal != nil:
		end = ending{Refused, string(st.Refusal.Reason), st.Refusal.Message}
	case st.State != dossier.Stored:
		return st, nil
	}
	if cerr := f.conclude(h, before, p, end); cerr != nil {
		return st, fmt.Errorf("hot folder: %w", nameless(cerr))
	}
	return st, err
}

var discarded = dossier.Text{
	VI: "Đã bỏ bằng tay từ khay chờ: không thuộc hồ sơ nào, hoặc phải quét lại.",
	EN: "Taken out of the tray by hand: it belongs to no dossier, or has to be scanned again.",
}

// Discard moves a scan of the tray to rejected/, with a text that says so. It is
// not deleted.
func (f *Folder) Discard(id string) error {
	done, ok := f.hold(id)
	if !ok {
		return ErrNotWaiting
	}
	defer done()
	p, err := f.find(id)
	if err != nil {
		return err
	}
	if err := f.reject(p, "", discarded); errors.Is(err, fs.ErrNotExist) {
		return ErrNotWaiting
	} else if err != nil {
		return fmt.Errorf("hot folder: %w", nameless(err))
	}
	return nil
}

// Trays are those of several hot folders.
type Trays []*Folder

// Waiting lists what waits in the trays and belongs to one of the units.
func (t Trays) Waiting(units []dossier.UnitCode) ([]Waiting, error) {
	mine := map[dossier.UnitCode]bool{}
	for _, u := range units {
		mine[u] = true
	}
	var out []Waiting
	for _, f := range t {
		all, err := f.Tray()
		if err != nil {
			return nil, err
		}
		for _, w := range all {
			if mine[w.Unit] {
				out = append(out, w)
			}
		}
	}
	return out, nil
}

// Find returns a scan and the folder in whose tray it lies.
func (t Trays) Find(id string) (*Folder, Waiting, error) {
	for _, f := range t {
		w, err := f.Look(id)
		if !errors.Is(err, ErrNotWaiting) {
			return f, w, err
		}
	}
	return nil, Waiting{}, ErrNotWaiting
}
