// Package storage is the contract of the archive's object store. Objects are
// create-only: once written, a key never holds other bytes. The directory
// backend (storage/disk) and the S3 backend (storage/s3) pass one test-suite,
// storage/storagetest, which is the contract in code.
package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrConflict: the key holds different bytes. A missing key is fs.ErrNotExist.
var ErrConflict = errors.New("storage: key holds different bytes")

// ErrDigest: the bytes that were read do not have the digest Info promised;
// nothing was stored.
var ErrDigest = errors.New("storage: body does not have the promised digest")

// ErrUnavailable: the store cannot be reached, is full or answers that it is
// busy, after the backend's own retries. It is never the caller's fault and
// nobody above retries at once.
var ErrUnavailable = errors.New("storage: the store is not available")

// Key names an object: parts joined by "/", no empty part, no part that is or
// begins with ".", valid UTF-8, no control characters, at most 900 bytes.
type Key string

// Valid says what is wrong with a key, or nil.
func (k Key) Valid() error {
	if len(k) == 0 || len(k) > 900 || !utf8.ValidString(string(k)) {
		return fmt.Errorf("storage: bad key: empty, longer than 900 bytes or not UTF-8")
	}
	for _, r := range string(k) {
		if r < 0x20 || r == 0x7f || r == '\\' {
			return fmt.Errorf("storage: bad key: control character or backslash")
		}
	}
	for part := range strings.SplitSeq(string(k), "/") {
		if part == "" || part[0] == '.' {
			return fmt.Errorf("storage: bad key: a part is empty or begins with a dot")
		}
	}
	return nil
}

// Info describes an object. On Put the caller states what it knows: Size and
// SHA256 (lower-case hexadecimal) are checked when given, and computed while
// copying when not. On Open, Stat and List the backend states Key, Size and
// ModTime always; Open and Stat also ContentType, SHA256 and Meta.
type Info struct {
	Key         Key
	Size        int64
	SHA256      string
	ContentType string            // DefaultContentType where none was given
	Meta        map[string]string // keys a-z, 0-9, "-", but not "sha256"; values any UTF-8 without control characters; at most MaxMeta bytes
	ModTime     time.Time
}

// Store keeps objects. It is safe for concurrent use and retries transient
// errors itself; nobody above it does.
type Store interface {
	// Put stores the whole body, from its beginning, wherever it stands; a *Temp
	// is not read again for its digest. The object is durable when Put returns nil
	// and invisible when it does not, except that an answer lost on the way may
	// leave it stored: repeating the Put then succeeds. The same bytes again
	// succeed (the first object's metadata stays); other bytes are ErrConflict.
	// Of many racers with different bytes exactly one wins.
	Put(ctx context.Context, key Key, body io.ReadSeeker, info Info) error
	// Open returns the object for reading and seeking; fs.ErrNotExist if there is none.
	Open(ctx context.Context, key Key) (io.ReadSeekCloser, Info, error)
	Stat(ctx context.Context, key Key) (Info, error)
	// List yields the objects whose key begins with prefix, which ends in "/" or
	// is empty, in ascending byte order of their keys.
	List(ctx context.Context, prefix Key) iter.Seq2[Info, error]
	// Delete removes the object; a missing one is no error.
	Delete(ctx context.Context, key Key) error
}
