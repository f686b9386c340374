package disk

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"sohoa/storage"
)

// about is what the store knows of an object besides its bytes, as it stands in
// the attribute user.sohoa or in the sidecar.
type about struct {
	SHA256      string            `json:"sha256"`
	ContentType string            `json:"type,omitempty"`
	Meta        map[string]string `json:"meta,omitempty"`
}

// An attribute is part of the file's inode: it reaches the disk with the same
// fsync and is there when, and only when, the object is. A sidecar takes an
// fsync and a folder more.
const (
	attrName = "user.sohoa"
	sideDir  = ".meta"
)

// probeAttrs tries whether the filesystem keeps attributes.
func (s *Store) probeAttrs() (ok bool, err error) {
	name := path.Join(spoolDir, "probe-"+rand.Text())
	f, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close(), s.remove(name)) }()
	err = setAttr(f, attrName, []byte("{}"))
	if errors.Is(err, errNoAttrs) {
		return false, nil
	}
	return err == nil, err
}

// writeAbout writes the attribute; false means that a sidecar has to do.
func (s *Store) writeAbout(f *os.File, a about) (bool, error) {
	if !s.attrs {
		return false, nil
	}
	b, err := json.Marshal(a)
	if err != nil {
		return false, err
	}
	err = setAttr(f, attrName, b)
	if errors.Is(err, errNoAttrs) {
		return false, nil
	}
	return err == nil, err
}

// readAbout answers the zero about where nothing is known.
func (s *Store) readAbout(f *os.File, name string) (about, error) {
	b, err := getAttr(f, attrName)
	if err != nil && !errors.Is(err, errNoAttrs) {
		return about{}, unavailable("reading metadata", err)
	}
	if err == nil {
		return parseAbout(b), nil
	}
	sides, err := s.sidecars(name)
	if err != nil {
		return about{}, unavailable("reading metadata", err)
	}
	if len(sides) == 0 {
		return about{}, nil
	}
	side := sides[0]
	if len(sides) > 1 {
		// Leftovers of a crash between sidecar and link: the bytes decide.
		sha, err := digest(f)
		if err != nil {
			return about{}, unavailable("reading metadata", err)
		}
		side = sidecarName(name, sha)
	}
	b, err = s.root.ReadFile(side)
	if errors.Is(err, fs.ErrNotExist) {
		return about{}, nil
	}
	if err != nil {
		return about{}, unavailable("reading metadata", err)
	}
	return parseAbout(b), nil
}

// parseAbout answers the zero about for anything unreadable: the digest is then
// computed from the bytes, which are the truth.
func parseAbout(b []byte) about {
	var a about
	if json.Unmarshal(b, &a) != nil || (storage.Info{SHA256: a.SHA256, ContentType: a.ContentType, Meta: a.Meta}).Check() != nil {
		return about{}
	}
	return a
}

// restoreAbout gives an object that lost its description a new one.
func (s *Store) restoreAbout(f *os.File, name string, a about) error {
	if s.attrs {
		// An attribute needs the right to write, which objects do not give.
		if err := f.Chmod(fileMode | 0o200); err != nil {
			return unavailable("writing metadata", err)
		}
		ok, err := s.writeAbout(f, a)
		if err = errors.Join(err, f.Chmod(fileMode)); err != nil {
			return unavailable("writing metadata", err)
		}
		if ok {
			return nil
		}
	}
	return s.writeSidecar(name, a)
}

// sidecarName is made of the hash of the object's name, so that it is short
// enough for every name, and of the digest of its bytes, so that racers do not
// take each other's.
func sidecarName(name, sha string) string {
	return sidecarPrefix(name) + sha[:16] + ".json"
}

func sidecarPrefix(name string) string {
	h := sha256.Sum256([]byte(path.Base(name)))
	return path.Join(path.Dir(name), sideDir, hex.EncodeToString(h[:16])+"-")
}

func (s *Store) sidecars(name string) ([]string, error) {
	prefix := sidecarPrefix(name)
	entries, err := s.readDir(path.Dir(prefix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if p := path.Join(path.Dir(prefix), e.Name()); strings.HasPrefix(p, prefix) {
			out = append(out, p)
		}
	}
	return out, nil
}

// writeSidecar writes the description beside the object, durably. The first one
// for the same bytes stays.
func (s *Store) writeSidecar(name string, a about) error {
	side := sidecarName(name, a.SHA256)
	if err := s.ensureDir(path.Dir(side)); err != nil {
		return err
	}
	b, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("storage/disk: %w", err)
	}
	tmp := path.Join(spoolDir, "meta-"+rand.Text())
	f, err := s.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return unavailable("writing metadata", err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		if err = s.root.Link(tmp, side); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	if err = errors.Join(err, s.remove(tmp), s.syncDir(path.Dir(side))); err != nil {
		return unavailable("writing metadata", err)
	}
	return nil
}

func (s *Store) removeSidecar(name, sha string) error {
	if err := s.remove(sidecarName(name, sha)); err != nil {
		return unavailable("clearing up", err)
	}
	return nil
}

// removeAbout removes the sidecars of a deleted object, and their folder with
// the last of them.
func (s *Store) removeAbout(name string) error {
	sides, err := s.sidecars(name)
	if err != nil || len(sides) == 0 {
		return err
	}
	for _, side := range sides {
		if err := s.remove(side); err != nil {
			return err
		}
	}
	s.removeEmpty(path.Dir(sides[0])) // which others may still be in
	return nil
}
