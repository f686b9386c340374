package backfill

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"sohoa/pipeline/register"
)

var errAmbiguous = errors.New("several files answer to the name")

// Pattern is where the file of a row lies that does not name it: path parts with
// {unit}, {number}, {dossier}, {paper} and {kind} in them.
type Pattern struct{ parts []string }

// ParsePattern reads a pattern such as {unit}/{number}.pdf; empty is none.
func ParsePattern(s string) (Pattern, error) {
	if s == "" {
		return Pattern{}, nil
	}
	clean := path.Clean(strings.ReplaceAll(s, `\`, "/"))
	if strings.HasPrefix(clean, "/") || clean == "." || strings.HasPrefix(clean, "..") {
		return Pattern{}, fmt.Errorf("not a pattern: a path below the root such as {unit}/{number}.pdf")
	}
	rest, found := clean, false
	for {
		_, after, ok := strings.Cut(rest, "{")
		if !ok {
			break
		}
		name, after, ok := strings.Cut(after, "}")
		switch name {
		case "unit", "number", "dossier", "paper", "kind":
			found = true
		default:
			ok = false
		}
		if !ok {
			return Pattern{}, fmt.Errorf("not a pattern: it may have {unit}, {number}, {dossier}, {paper} and {kind}")
		}
		rest = after
	}
	if !found {
		return Pattern{}, fmt.Errorf("not a pattern: every row would have the same file; use {unit} and {number}")
	}
	return Pattern{strings.Split(clean, "/")}, nil
}

// names are the parts of the path for the row. A number's slashes stay within
// their part: which signs replace them in file names, nobody has settled.
func (p Pattern) names(e register.Entry) []string {
	fill := strings.NewReplacer("{unit}", string(e.Slip.Unit), "{number}", e.Slip.Number, "{dossier}", string(e.Slip.Dossier),
		"{paper}", string(e.Slip.Paper), "{kind}", string(e.Slip.Kind))
	out := make([]string, len(p.parts))
	for i, part := range p.parts {
		out[i] = fill.Replace(part)
	}
	return out
}

// finder opens the files of rows below a root, through the differences between
// how names are written in a sheet and on a disk: composed and decomposed
// accents, capitals, outer blanks, and in patterns the signs between words.
type finder struct {
	root    *os.Root
	pattern Pattern

	mu   sync.Mutex
	dirs map[string]*folder // the last few that were looked through
}

// file is a row's file, opened.
type file struct {
	*os.File
	path  string // as it lies on the disk
	name  string // of it, NFC
	size  int64
	mtime int64
	err   error // of reading, which must not be taken for a door that is away
}

func (f *file) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}

// open finds and opens the row's file. A cause says what is wrong with it; an
// error is of the machine.
func (f *finder) open(e register.Entry) (*file, Cause, error) {
	var found string
	var err error
	if e.File != "" {
		found, err = f.find(strings.Split(e.File, "/"), loose)
	} else {
		found, err = f.find(f.pattern.names(e), looser)
	}
	if err != nil {
		return nil, causeOf(err), err
	}
	h, err := f.root.Open(found)
	if err != nil {
		return nil, causeOf(err), err
	}
	st, err := h.Stat()
	if err != nil {
		return nil, "", errors.Join(err, h.Close())
	}
	if !st.Mode().IsRegular() {
		return nil, FileUnread, h.Close()
	}
	return &file{File: h, path: found, name: norm.NFC.String(path.Base(found)), size: st.Size(), mtime: st.ModTime().UnixNano()}, "", nil
}

// find follows the names from the root: each as it is written, else the one
// entry of its folder that comes to the same in the spelling.
func (f *finder) find(names []string, as spelling) (string, error) {
	at := "."
	for i, name := range names {
		if name == "" {
			return "", fs.ErrNotExist
		}
		// A name with a slash in it (a number of a pattern) is no name on any disk.
		if !strings.Contains(name, "/") {
			next := path.Join(at, name)
			st, err := f.root.Stat(next)
			if err == nil && (i == len(names)-1 || st.IsDir()) {
				at = next
				continue
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
				return "", err
			}
		}
		dir, err := f.folder(at)
		if err != nil {
			return "", err
		}
		entries := dir.by(as)[as.key(name)]
		switch len(entries) {
		case 0:
			return "", fs.ErrNotExist
		case 1:
			at = path.Join(at, entries[0])
		default:
			return "", errAmbiguous
		}
	}
	return at, nil
}

// folder is a listing, by the keys it was asked for.
type folder struct {
	names []string
	mu    sync.Mutex
	index [2]map[string][]string // by spelling
}

func (d *folder) by(as spelling) map[string][]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.index[as] == nil {
		m := make(map[string][]string, len(d.names))
		for _, n := range d.names {
			k := as.key(n)
			m[k] = append(m[k], n)
		}
		d.index[as] = m
	}
	return d.index[as]
}

// keptFolders bounds what is remembered: a manifest goes through its folders in
// order, a few at a time.
const keptFolders = 8

func (f *finder) folder(at string) (*folder, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d := f.dirs[at]; d != nil {
		return d, nil
	}
	h, err := f.root.Open(at)
	if err != nil {
		return nil, err
	}
	names, err := h.Readdirnames(-1)
	if err = errors.Join(err, h.Close()); err != nil {
		return nil, err
	}
	if f.dirs == nil || len(f.dirs) >= keptFolders {
		f.dirs = map[string]*folder{}
	}
	d := &folder{names: names}
	f.dirs[at] = d
	return d, nil
}

// spelling is how far two names may differ and still be the same.
type spelling int

const (
	loose  spelling = iota // composed or decomposed accents, capitals, blanks
	looser                 // also accents, and what stands between words: 12/QĐ-UBND is 12_qd-ubnd
)

func (l spelling) key(s string) string {
	if l == loose {
		return strings.ToLower(strings.Join(strings.Fields(norm.NFC.String(s)), " "))
	}
	var b strings.Builder
	ext := path.Ext(s)
	gap := false
	for _, r := range norm.NFD.String(strings.TrimSuffix(s, ext)) {
		switch {
		case r == 'đ' || r == 'Đ' || unicode.IsLetter(r) || unicode.IsDigit(r):
			if r == 'đ' || r == 'Đ' {
				r = 'd'
			}
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			gap = false
			b.WriteRune(unicode.ToLower(r))
		case unicode.Is(unicode.Mn, r):
		default:
			gap = true
		}
	}
	return b.String() + strings.ToLower(ext)
}
