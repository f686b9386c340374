// Package hotfolder takes in what scanners drop into a shared folder. Every file
// ends in done/, in rejected/ with a text beside it, in tray/ where it waits to
// be filed by hand, or stays where it is while the fault is ours. Nothing is
// moved before its verdict stands, nothing is ever deleted, and a restart at any
// moment changes nothing: the same bytes again are the same document.
package hotfolder

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/text/unicode/norm"

	"sohoa/dossier"
)

// Door takes documents in and answers with their verdict, as backfill's does:
// a *dossier.Rejection, dossier.ErrUnknownUnit and dossier.ErrPaperTaken concern
// the file; anything else is a fault.
type Door interface {
	Submit(ctx context.Context, slip dossier.Slip, body io.ReadSeeker, size int64) (dossier.Standing, error)
	Standing(ctx context.Context, id string) (dossier.Standing, error)
}

// Replayer is a Door that can put a document in the failure inbox back into the
// queue: done each time the file is tried again.
type Replayer interface {
	Replay(ctx context.Context, id string) error
}

// Finder reads the dossier code off a scan: the QR code or barcode of the
// receipt on its first page. A scan that has none, or that cannot be opened
// because it is no good, answers false; an error is a fault.
type Finder interface {
	Find(ctx context.Context, path string) (code dossier.Code, ok bool, err error)
}

// The folders in which files end.
const (
	Done     = "done"
	Refused  = "rejected"
	TrayName = "tray"
)

// Options of a folder. Dir, By and Log are required.
type Options struct {
	Dir      string
	Unit     dossier.UnitCode // whose tray it is; folders of units below it are theirs
	By       string           // account that hands in
	Settle   time.Duration    // how long size and time must be unchanged; 0: 3 s
	Poll     time.Duration    // pause between looks; 0: 2 s
	Parallel int              // documents in flight; 0: 2
	Finder   Finder           // nil: scans are filed by folder and name only
	Pile     Pile             // nil: a pile with several receipts is not taken apart
	Receipts bool             // receipt pages are kept
	Spool    string           // folder for the parts of a pile on their way; empty: the system's
	Join     bool             // JPEG series (scan_001.jpg, scan_002.jpg …) become one document
	Quiet    time.Duration    // how long no page may have been added to a series; 0: 15 s
	DPI      int              // of JPEG pages that state none; 0: 200
	Log      zerolog.Logger
	Now      func() time.Time // nil: time.Now
}

// Folder is a hot folder. Only one process may watch a directory at a time; its
// tray may be used by others beside it.
type Folder struct {
	Options
	door Door
	root *os.Root

	moving sync.Mutex // a note of moves is being carried out

	mu    sync.Mutex
	files map[string]*watched // those present, by path
	held  map[string]bool     // scans of the tray that somebody files just now
}

// watched is what is known of a file that is present.
type watched struct {
	size    int64
	mtime   time.Time
	since   time.Time // when it was first seen with this size and time
	busy    bool
	failed  int
	retryAt time.Time
}

// Open opens a hot folder and makes the folders in which files end.
func Open(door Door, o Options) (*Folder, error) {
	if o.Settle <= 0 {
		o.Settle = 3 * time.Second
	}
	if o.Poll <= 0 {
		o.Poll = 2 * time.Second
	}
	if o.Parallel <= 0 {
		o.Parallel = 2
	}
	if o.Quiet <= 0 {
		o.Quiet = 15 * time.Second
	}
	if o.DPI <= 0 {
		o.DPI = 200
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("hot folder: %w", err)
	}
	f := &Folder{Options: o, door: door, root: root, files: map[string]*watched{}, held: map[string]bool{}}
	for _, name := range []string{Done, Refused, TrayName} {
		if err := root.MkdirAll(name, 0o777); err != nil {
			return nil, errors.Join(fmt.Errorf("hot folder: %w", err), root.Close())
		}
	}
	return f, nil
}

// Close closes the folder; Watch must have returned.
func (f *Folder) Close() error { return f.root.Close() }

// Watch looks again and again until ctx ends; what is in flight is finished. It
// polls, because shared folders give no notice. A folder that cannot be read is
// tried again: shares come and go.
func (f *Folder) Watch(ctx context.Context) error {
	var flying sync.WaitGroup
	defer flying.Wait()
	lanes := make(chan struct{}, f.Parallel)
	away := false
	for {
		ready, err := f.look()
		switch {
		case err != nil && !away:
			f.Log.Error().Err(nameless(err)).Msg("hot folder cannot be read; it is tried again")
		case err == nil && away:
			f.Log.Info().Msg("hot folder can be read again")
		}
		away = err != nil
		for _, names := range ready {
			select {
			case lanes <- struct{}{}:
			case <-ctx.Done():
				continue
			}
			flying.Go(func() {
				defer func() { <-lanes }()
				f.take(context.WithoutCancel(ctx), names)
			})
		}
		pause := time.NewTimer(f.Poll)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil
		}
	}
}

// Sweep looks once and brings every settled file to its end.
func (f *Folder) Sweep(ctx context.Context) error {
	ready, err := f.look()
	if err != nil {
		return err
	}
	var flying sync.WaitGroup
	lanes := make(chan struct{}, f.Parallel)
	for _, names := range ready {
		lanes <- struct{}{}
		flying.Go(func() {
			defer func() { <-lanes }()
			f.take(ctx, names)
		})
	}
	flying.Wait()
	return nil
}

// look goes through the folder and returns what has settled and may be tried,
// each a file or the pages of a series; these are busy from then on.
func (f *Folder) look() ([][]string, error) {
	if err := f.finishMoves(); err != nil {
		return nil, fmt.Errorf("hot folder: %w", err)
	}
	present := map[string]fs.FileInfo{}
	locked := map[string]bool{}
	err := fs.WalkDir(f.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			if p == "." || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
				return err
			}
			return nil // gone meanwhile, or not ours to read
		}
		name := d.Name()
		switch {
		case p == ".":
		case d.IsDir() && (strings.HasPrefix(name, ".") || p == Done || p == Refused || p == TrayName):
			return fs.SkipDir
		case d.IsDir() || !d.Type().IsRegular():
		default:
			if of, ok := lockOf(name); ok {
				locked[path.Join(path.Dir(p), of)] = true
				return nil
			}
			if passing(name) {
				return nil
			}
			info, err := d.Info()
			if err == nil {
				present[p] = info
			} else if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("hot folder: %w", err)
	}

	now := f.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for p, w := range f.files {
		if _, ok := present[p]; !ok && !w.busy {
			delete(f.files, p)
		}
	}
	settled := map[string]time.Duration{} // for how long
	for p, info := range present {
		w := f.files[p]
		if w == nil {
			w = &watched{}
			f.files[p] = w
		}
		if w.busy {
			continue
		}
		if w.since.IsZero() || w.size != info.Size() || !w.mtime.Equal(info.ModTime()) {
			*w = watched{size: info.Size(), mtime: info.ModTime(), since: now}
			continue
		}
		if d := now.Sub(w.since); !locked[p] && d >= f.Settle && !now.Before(w.retryAt) {
			settled[p] = d
		}
	}
	var ready [][]string
	if f.Join {
		ready = f.joinable(present, settled)
	}
	for p := range settled {
		ready = append(ready, []string{p})
	}
	for _, names := range ready {
		for _, p := range names {
			f.files[p].busy = true
		}
	}
	return ready, nil
}

// joinable takes the series out of what has settled. A page waits for its
// series: for every page to settle, and for no page to be added for a while.
func (f *Folder) joinable(present map[string]fs.FileInfo, settled map[string]time.Duration) (ready [][]string) {
	all := map[string]*series{}
	for p := range present {
		if stem, page, ok := member(p); ok {
			if all[stem] == nil {
				all[stem] = &series{stem: stem, pages: map[int]string{}}
			}
			all[stem].pages[page] = p
		}
	}
	for _, s := range all {
		quiet := true
		for _, p := range s.pages {
			d, ok := settled[p]
			quiet = quiet && ok && d >= f.Quiet
		}
		names, _ := s.inOrder()
		for _, p := range names {
			delete(settled, p)
		}
		if quiet {
			ready = append(ready, names)
		}
	}
	return ready
}

// lockOf tells the lock files of office and scanner programs: they hold the
// file whose name they bear.
func lockOf(name string) (of string, ok bool) {
	if s, ok := strings.CutPrefix(name, ".~lock."); ok {
		return strings.TrimSuffix(s, "#"), true
	}
	for _, suffix := range []string{".lock", ".lck"} {
		if s, ok := strings.CutSuffix(strings.ToLower(name), suffix); ok {
			return name[:len(s)], true
		}
	}
	return "", false
}

// passing tells names that files bear only while they are written, and files of
// the system.
func passing(name string) bool {
	low := strings.ToLower(name)
	if strings.HasPrefix(low, ".") || strings.HasPrefix(low, "~") || low == "thumbs.db" || low == "desktop.ini" {
		return true
	}
	for _, suffix := range []string{".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".writing", ".~", "~"} {
		if strings.HasSuffix(low, suffix) {
			return true
		}
	}
	return false
}

// tag names a file in the log: names of files are personal data.
func tag(name string) string {
	h := fnv.New32a()
	h.Write([]byte(name))
	return fmt.Sprintf("%08x", h.Sum32())
}

// nameless is an error without the path in it.
func nameless(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return fmt.Errorf("%s: %w", at.Op, at.Err)
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		return fmt.Errorf("%s: %w", link.Op, link.Err)
	}
	return err
}

// take brings one settled file or series to its end, or leaves it for another try.
func (f *Folder) take(ctx context.Context, names []string) {
	var err error
	if len(names) == 1 {
		err = f.bring(ctx, names[0])
	} else {
		err = f.bringSeries(ctx, names)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, name := range names {
		w := f.files[name]
		if w == nil {
			continue
		}
		w.busy = false
		switch {
		case errors.Is(err, errChanged):
			w.since = time.Time{}
		case err != nil:
			w.failed++
			pause := min(10*time.Second<<min(w.failed-1, 10), 10*time.Minute)
			w.retryAt = f.Now().Add(pause)
			if i > 0 {
				continue
			}
			// Once when it begins and then ever more seldom, not with every look.
			f.Log.Error().Err(nameless(err)).Str("file", tag(name)).Int("attempt", w.failed).Dur("again_in", pause).
				Msg("a file of the hot folder stays: the fault is ours")
		default:
			delete(f.files, name)
		}
	}
}

var errChanged = errors.New("the file changed while it was read")

// bring submits the file and moves it to where its verdict sends it. A crash
// after the verdict and before the move leaves the file where it is: it is
// handed in again, is known, and is moved then.
func (f *Folder) bring(ctx context.Context, name string) error {
	h, err := f.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody took it away
	}
	if err != nil {
		return err
	}
	defer h.Close()
	before, err := h.Stat()
	if err != nil {
		return err
	}
	slip, ok := Filed(name)
	if !ok && f.Finder != nil {
		var code dossier.Code
		if code, ok, err = f.Finder.Find(ctx, f.full(name)); err != nil {
			return err
		}
		slip.Dossier = code
		if ok {
			parts, done, err := f.split(ctx, f.full(name), code)
			defer func() { f.swept(done()) }()
			if err != nil {
				return err
			}
			if len(parts) > 0 {
				end, err := f.submitParts(ctx, name, slip, parts)
				if err != nil {
					return err
				}
				return f.conclude(h, before, name, end)
			}
		}
	}
	if !ok {
		if err := f.unchanged(h, name, before); err != nil {
			return err
		}
		return f.move(name, TrayName)
	}
	return f.hand(ctx, h, before, name, slip)
}

// full is the file's path for other processes.
func (f *Folder) full(name string) string { return filepath.Join(f.Dir, filepath.FromSlash(name)) }

// hand submits the open file under the slip and moves it.
func (f *Folder) hand(ctx context.Context, h *os.File, before fs.FileInfo, name string, slip dossier.Slip) error {
	slip.FileName = norm.NFC.String(path.Base(name))
	end, err := f.submit(ctx, slip, h, before.Size())
	if err != nil {
		return err
	}
	return f.conclude(h, before, name, end)
}

// swept logs what the removal of files met that were ours and on their way.
func (f *Folder) swept(err error) {
	if err != nil {
		f.Log.Warn().Err(nameless(err)).Msg("a part of a pile was left in the spool")
	}
}

// conclude moves the file to its end if it is still the one that was read.
func (f *Folder) conclude(h *os.File, before fs.FileInfo, name string, end ending) error {
	if err := f.unchanged(h, name, before); err != nil {
		return err
	}
	if end.folder == Refused {
		return f.reject(name, end.reason, end.text)
	}
	return f.move(name, end.folder)
}

// ending is where a document goes, and why.
type ending struct {
	folder string
	reason string
	text   dossier.Text
}

// submit hands a document in and waits for its end; an error is a fault.
func (f *Folder) submit(ctx context.Context, slip dossier.Slip, body io.ReadSeeker, size int64) (ending, error) {
	slip.By, slip.Door = f.By, dossier.DoorHot
	st, err := f.verdict(ctx, slip, body, size)
	var rej *dossier.Rejection
	switch {
	case errors.As(err, &rej):
		return ending{Refused, string(rej.Reason), rej.Reason.Text()}, nil
	case errors.Is(err, dossier.ErrUnknownUnit):
		// Nothing is wrong with the scan: somebody must say whose it is.
		return ending{folder: TrayName}, nil
	case errors.Is(err, dossier.ErrPaperTaken):
		return ending{folder: Refused, text: paperTaken}, nil
	case err != nil:
		return ending{}, err
	}
	switch st.State {
	case dossier.Stored:
		return ending{folder: Done}, nil
	case dossier.Refused:
		end := ending{folder: Refused}
		if st.Refusal != nil {
			end.reason, end.text = string(st.Refusal.Reason), st.Refusal.Message
		}
		return end, nil
	case dossier.Pending:
		return ending{}, ctx.Err()
	}
	return ending{}, fmt.Errorf("document %s lies in the failure inbox", st.Intake.ID)
}

// verdict hands a document in and waits until it is no longer pending, or ctx
// ends. One that lay in the failure inbox is taken out of it for another try.
func (f *Folder) verdict(ctx context.Context, slip dossier.Slip, body io.ReadSeeker, size int64) (dossier.Standing, error) {
	st, err := f.door.Submit(ctx, slip, body, size)
	if err != nil {
		return st, err
	}
	for pause := 100 * time.Millisecond; st.State == dossier.Pending; pause = min(2*pause, 5*time.Second) {
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return st, nil
		}
		again := st.Again
		if st, err = f.door.Standing(ctx, st.Intake.ID); err != nil {
			return st, err
		}
		st.Again = again
	}
	if again, ok := f.door.(Replayer); ok && st.State == dossier.Faulted && st.Again {
		if err := again.Replay(ctx, st.Intake.ID); err != nil {
			return st, err
		}
		return st, fmt.Errorf("document %s was taken out of the failure inbox again", st.Intake.ID)
	}
	return st, nil
}

// unchanged sees that the name still means the bytes that were read.
func (f *Folder) unchanged(h *os.File, name string, before fs.FileInfo) error {
	after, err := f.root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return errChanged
	}
	if err != nil {
		return err
	}
	if !os.SameFile(before, after) || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return errChanged
	}
	return nil
}

var paperTaken = dossier.Text{
	VI: "Giấy tờ này của hồ sơ đã có tệp khác. Nếu là bản quét tốt hơn, hãy thay thế tại trạm số hóa.",
	EN: "This paper of the dossier already has other bytes. If this is a better scan, replace it at the scan station.",
}

// reject moves the file to rejected/ and says why in a text beside it. The text
// is written first, so that no file lies there without one.
func (f *Folder) reject(name, reason string, why dossier.Text) error {
	to, err := f.free(path.Join(Refused, inFolder(name)))
	if err != nil {
		return err
	}
	if err := f.root.MkdirAll(path.Dir(to), 0o777); err != nil {
		return err
	}
	if err := f.root.WriteFile(to+".txt", []byte(letterTo(reason, why)), 0o666); err != nil {
		return err
	}
	return f.root.Rename(name, to)
}

// letterTo is the text beside a rejected file, as Notepad shows it.
func letterTo(reason string, why dossier.Text) string {
	s := "\ufeffTỆP BỊ TỪ CHỐI\r\n\r\n" + why.VI + "\r\n\r\n" + why.EN + "\r\n"
	if reason != "" {
		s += "\r\nMã lý do: " + reason + "\r\n"
	}
	return s
}

// move moves the file below the folder, keeping its path.
func (f *Folder) move(name, folder string) error {
	to, err := f.free(path.Join(folder, inFolder(name)))
	if err != nil {
		return err
	}
	if err := f.root.MkdirAll(path.Dir(to), 0o777); err != nil {
		return err
	}
	return f.root.Rename(name, to)
}

// inFolder is the path a file of the tray had in the hot folder.
func inFolder(name string) string { return strings.TrimPrefix(name, TrayName+"/") }

// free is the name, or the name with a number where it is taken.
func (f *Folder) free(name string) (string, error) {
	to := name
	for i := 2; ; i++ {
		_, err := f.root.Lstat(to)
		if errors.Is(err, fs.ErrNotExist) {
			return to, nil
		}
		if err != nil {
			return "", err
		}
		to = numbered(name, i)
	}
}

func numbered(name string, i int) string {
	ext := path.Ext(name)
	return fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(name, ext), i, ext)
}

// writeWhole writes a file that is there whole or not at all.
func (f *Folder) writeWhole(name string, b []byte) error {
	h, err := f.root.Create(name + ".tmp")
	if err != nil {
		return err
	}
	_, err = h.Write(b)
	if err = errors.Join(err, h.Sync(), h.Close()); err != nil {
		return err
	}
	return f.root.Rename(name+".tmp", name)
}
