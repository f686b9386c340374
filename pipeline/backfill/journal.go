package backfill

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"sohoa/dossier"
)

// Journal remembers which document a row and its file became, so that a run
// that is started again need not read every file again. It is a convenience:
// what it says is checked against the ledger, and without it the outcome is the
// same.
type Journal interface {
	Find(Key) (id string, ok bool, err error)
	Add(k Key, id string) error
}

// Key is a row and its file as they are now: what the row says, and the file's
// place, size and time. A corrected row or a new scan is another key.
type Key [sha256.Size]byte

func keyOf(slip dossier.Slip, f *file) Key {
	slip.By = "" // another operator goes on with the same work
	said, err := json.Marshal(slip)
	if err != nil {
		panic("backfill: a slip is not JSON: " + err.Error()) // it is strings and numbers
	}
	h := sha256.New()
	h.Write(said)
	fmt.Fprintf(h, "\x00%s\x00%d\x00%d", f.path, f.size, f.mtime)
	return Key(h.Sum(nil))
}

// FileJournal is a journal in a file of one line a row: the key and the
// document's id, neither of which tells anything of a person. A line that a
// crash cut off is forgotten.
type FileJournal struct {
	mu sync.Mutex
	f  *os.File
	at map[uint64]int64 // beginning of the key: its last line
}

const journalLine = 2*sha256.Size + 1 + 36 + 1

// OpenJournal opens or creates a journal. Several runs may write to it at once;
// none then sees what another adds until it is opened again.
func OpenJournal(name string) (*FileJournal, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("backfill: journal: %w", err)
	}
	j := &FileJournal{f: f, at: map[uint64]int64{}}
	if err := j.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("backfill: journal: %w", err), f.Close())
	}
	return j, nil
}

func (j *FileJournal) load() error {
	r := io.NewSectionReader(j.f, 0, 1<<62)
	buf := make([]byte, 1024*journalLine)
	lines := int64(0)
	for {
		n, err := io.ReadFull(r, buf)
		for b := buf[:n-n%journalLine]; len(b) > 0; b = b[journalLine:] {
			if k, _, ok := parseLine(b[:journalLine]); ok {
				j.at[binary.BigEndian.Uint64(k[:])] = lines
			}
			lines++
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return j.f.Truncate(lines * journalLine)
		}
		if err != nil {
			return err
		}
	}
}

func parseLine(b []byte) (k Key, id string, ok bool) {
	if len(b) != journalLine || b[2*sha256.Size] != ' ' || b[journalLine-1] != '\n' {
		return k, "", false
	}
	if _, err := hex.Decode(k[:], b[:2*sha256.Size]); err != nil {
		return k, "", false
	}
	return k, string(bytes.TrimSpace(b[2*sha256.Size+1 : journalLine-1])), true
}

// Find returns the document of the key.
func (j *FileJournal) Find(k Key) (string, bool, error) {
	j.mu.Lock()
	line, ok := j.at[binary.BigEndian.Uint64(k[:])]
	j.mu.Unlock()
	if !ok {
		return "", false, nil
	}
	b := make([]byte, journalLine)
	if _, err := j.f.ReadAt(b, line*journalLine); err != nil {
		return "", false, fmt.Errorf("backfill: journal: %w", err)
	}
	got, id, ok := parseLine(b)
	return id, ok && got == k, nil
}

// Add notes the document of the key. It is not synced: a line lost is a file
// read once more.
func (j *FileJournal) Add(k Key, id string) error {
	if len(id) > 36 {
		return fmt.Errorf("backfill: journal: an id of %d bytes", len(id))
	}
	line := fmt.Appendf(nil, "%x %-36s\n", k[:], id)
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.f.Write(line); err != nil {
		return fmt.Errorf("backfill: journal: %w", err)
	}
	end, err := j.f.Seek(0, io.SeekCurrent) // where the append put it
	if err != nil {
		return fmt.Errorf("backfill: journal: %w", err)
	}
	j.at[binary.BigEndian.Uint64(k[:])] = end/journalLine - 1
	return nil
}

// Close closes the file.
func (j *FileJournal) Close() error { return j.f.Close() }
