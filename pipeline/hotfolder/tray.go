package hotfolder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"sohoa/dossier"
)

// Waiting is a scan in the tray: it could not be filed by itself.
type Waiting struct {
	ID   string // names it as long as it lies there; free of what people wrote
	Name string // file name, for the page that shows it
	Kind dossier.Kind
	Size int64
	Time time.Time
}

// ErrNotWaiting: there is no such scan in the tray.
var ErrNotWaiting = errors.New("there is no such scan in the tray")

// Tray lists what waits to be filed by hand.
func (f *Folder) Tray() ([]Waiting, error) {
	var out []Waiting
	err := f.tray(func(p string, info fs.FileInfo) error {
		slip, _ := Filed(p)
		out = append(out, Waiting{ID: trayID(p), Name: path.Base(p), Kind: slip.Kind, Size: info.Size(), Time: info.ModTime()})
		return nil
	})
	return out, err
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

func trayID(p string) string {
	sum := sha256.Sum256([]byte(p))
	return hex.EncodeToString(sum[:16])
}

func (f *Folder) find(id string) (string, error) {
	found := ""
	if err := f.tray(func(p string, _ fs.FileInfo) error {
		if trayID(p) == id {
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

// Picture opens a scan of the tray, to be shown.
func (f *Folder) Picture(id string) (*os.File, error) {
	p, err := f.find(id)
	if err != nil {
		return nil, err
	}
	h, err := f.root.Open(p)
	if err != nil {
		return nil, fmt.Errorf("hot folder: %w", nameless(err))
	}
	return h, nil
}

// File hands in a scan of the tray by hand: kind, dossier and paper are the
// slip's. It is moved as its verdict says.
func (f *Folder) File(ctx context.Context, id string, slip dossier.Slip) error {
	p, err := f.find(id)
	if err != nil {
		return err
	}
	h, err := f.root.Open(p)
	if err != nil {
		return fmt.Errorf("hot folder: %w", nameless(err))
	}
	defer h.Close()
	before, err := h.Stat()
	if err != nil {
		return fmt.Errorf("hot folder: %w", nameless(err))
	}
	if err := f.hand(ctx, h, before, p, slip); err != nil {
		return fmt.Errorf("hot folder: %w", nameless(err))
	}
	return nil
}
