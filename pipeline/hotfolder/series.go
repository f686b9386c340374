package hotfolder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/text/unicode/norm"

	"sohoa/dossier"
)

// bringSeries joins the pages into one document, submits it, and moves them all.
// Where a page is lacking between them, or nothing says whose they are, they go
// to the tray: a person must look.
func (f *Folder) bringSeries(ctx context.Context, names []string) (err error) {
	s := series{pages: map[int]string{}}
	var pages []*os.File
	var before []fs.FileInfo
	defer func() {
		for _, h := range pages {
			h.Close()
		}
	}()
	for _, name := range names {
		stem, n, _ := member(name)
		s.stem, s.pages[n] = stem, name
		h, err := f.root.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			return errChanged
		}
		if err != nil {
			return err
		}
		pages = append(pages, h)
		st, err := h.Stat()
		if err != nil {
			return err
		}
		before = append(before, st)
	}
	end, err := f.endOfSeries(ctx, s, names, pages)
	if err != nil {
		return err
	}
	for i, h := range pages {
		if err := f.unchanged(h, names[i], before[i]); err != nil {
			return err
		}
	}
	return f.moveAll(names, end)
}

func (f *Folder) endOfSeries(ctx context.Context, s series, names []string, pages []*os.File) (ending, error) {
	if _, whole := s.inOrder(); !whole {
		return ending{folder: TrayName}, nil
	}
	slip, ok := Filed(names[0])
	pile := false // several dossiers' papers may lie in it
	if !ok && f.Finder != nil {
		var err error
		if slip.Dossier, ok, err = f.Finder.Find(ctx, f.full(names[0])); err != nil {
			return ending{}, err
		}
		pile = ok
	}
	if !ok {
		return ending{folder: TrayName}, nil
	}
	joined, err := os.CreateTemp(f.Spool, "temp-series-*.pdf")
	if err != nil {
		return ending{}, err
	}
	defer func() { joined.Close(); os.Remove(joined.Name()) }()
	slip.FileName = norm.NFC.String(path.Base(strings.TrimRight(s.stem, " _-"))) + ".pdf"
	switch err := join(joined, pages, f.DPI); {
	case errors.Is(err, errNotJPEG):
		return f.badPage(ctx, slip, names, pages)
	case err != nil:
		return ending{}, err
	}
	if pile {
		parts, done, err := f.split(ctx, joined.Name(), slip.Dossier)
		defer func() { f.swept(done()) }()
		if err != nil {
			return ending{}, err
		}
		if len(parts) > 0 {
			return f.submitParts(ctx, path.Join(path.Dir(names[0]), slip.FileName), slip, parts)
		}
	}
	size, err := joined.Seek(0, 1)
	if err != nil {
		return ending{}, err
	}
	if _, err := joined.Seek(0, 0); err != nil {
		return ending{}, err
	}
	return f.submit(ctx, slip, joined, size)
}

// badPage hands in the page that is no JPEG by itself, so that the judge says
// what is wrong with it; the series shares its end.
func (f *Folder) badPage(ctx context.Context, slip dossier.Slip, names []string, pages []*os.File) (ending, error) {
	for i, h := range pages {
		if _, err := h.Seek(0, 0); err != nil {
			return ending{}, err
		}
		if _, err := readJPEGHead(h); err == nil {
			continue
		}
		st, err := h.Stat()
		if err != nil {
			return ending{}, err
		}
		if _, err := h.Seek(0, 0); err != nil {
			return ending{}, err
		}
		slip.FileName = norm.NFC.String(path.Base(names[i]))
		end, err := f.submit(ctx, slip, h, st.Size())
		if end.folder == Done {
			end.folder = TrayName // it is good and yet no JPEG: a person must look
		}
		end.text.VI = fmt.Sprintf("Trang %d: %s", i+1, end.text.VI)
		end.text.EN = fmt.Sprintf("Page %d: %s", i+1, end.text.EN)
		return end, err
	}
	return ending{}, errChanged
}

// moves is a note of files that are to be moved together: where a crash leaves
// some of a series behind, the rest must not be taken for a document.
type moves struct {
	From []string `json:"from"`
	To   []string `json:"to"`
	Text string   `json:"text,omitempty"` // beside the first
}

const movesPrefix = ".sohoa-moving-"

// moveAll moves the files of a series. The note is written first, whole.
func (f *Folder) moveAll(names []string, end ending) error {
	m := moves{From: names}
	for _, name := range names {
		to, err := f.free(path.Join(end.folder, inFolder(name)))
		if err != nil {
			return err
		}
		m.To = append(m.To, to)
	}
	if end.folder == Refused {
		m.Text = letterTo(end.reason, end.text)
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	note := movesPrefix + pathID(names[0]) + ".json"
	if err := f.writeWhole(note, b); err != nil {
		return err
	}
	return f.finish(note)
}

// finishMoves ends what a crash interrupted.
func (f *Folder) finishMoves() error {
	f.moving.Lock()
	defer f.moving.Unlock()
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), movesPrefix) && strings.HasSuffix(e.Name(), ".json") {
			if err := f.carryOut(e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *Folder) finish(note string) error {
	f.moving.Lock()
	defer f.moving.Unlock()
	return f.carryOut(note)
}

// carryOut does the moves of a note that are not yet done; f.moving is held.
func (f *Folder) carryOut(note string) error {
	b, err := f.root.ReadFile(note)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var m moves
	if err := json.Unmarshal(b, &m); err != nil || len(m.From) != len(m.To) || len(m.From) == 0 {
		return fmt.Errorf("a note of moves is damaged: %s", note)
	}
	for i, from := range m.From {
		if err := f.root.MkdirAll(path.Dir(m.To[i]), 0o777); err != nil {
			return err
		}
		if i == 0 && m.Text != "" {
			if err := f.root.WriteFile(m.To[0]+".txt", []byte(m.Text), 0o666); err != nil {
				return err
			}
		}
		if _, err := f.root.Lstat(m.To[i]); err == nil {
			continue // moved before the crash; a new file may bear the name by now
		}
		if err := f.root.Rename(from, m.To[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return f.root.Remove(note)
}
