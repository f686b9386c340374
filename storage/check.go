package storage

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrNested: the key lies below an object, or is a folder of other objects. S3
// itself would allow it, but a folder and several S3 servers cannot hold both.
var ErrNested = errors.New("storage: the key lies below an object or is itself a folder of objects")

// ErrDenied: the store refuses because a right is missing. A person has to grant
// it; the text says which.
var ErrDenied = errors.New("storage: a right is missing")

// DefaultContentType is what an object has that was put without a content type.
const DefaultContentType = "application/octet-stream"

// MaxMeta is the most bytes of metadata an object may carry, keys and values as
// they are sent: the limit of S3, which every backend keeps so that an archive
// can move from one to the other.
const MaxMeta = 2000

// Check says what is wrong with what a caller states on Put, or nil. Backends
// call it first.
func (i Info) Check() error {
	if i.Size < 0 {
		return fmt.Errorf("storage: bad info: negative size")
	}
	if i.SHA256 != "" && !validDigest(i.SHA256) {
		return fmt.Errorf("storage: bad info: the digest is not a SHA-256 in lower-case hexadecimal")
	}
	if !printable(i.ContentType) || len(i.ContentType) > 200 {
		return fmt.Errorf("storage: bad info: the content type is not printable ASCII")
	}
	total := 0
	for k, v := range i.Meta {
		if !validMetaKey(k) {
			return fmt.Errorf("storage: bad info: metadata key %q is not made of a-z, 0-9 and -, or is sha256, which is the store's own", k)
		}
		if !utf8.ValidString(v) || hasControl(v) {
			return fmt.Errorf("storage: bad info: the value of metadata %q is not UTF-8 or has control characters", k)
		}
		total += len(k) + len(EncodeMeta(v))
	}
	if total > MaxMeta {
		return fmt.Errorf("storage: bad info: %d bytes of metadata, at most %d are allowed", total, MaxMeta)
	}
	return nil
}

// EncodeMeta writes a metadata value in the ASCII that an HTTP header carries.
// Plain values stay as they are; others become RFC 2047 words, which is also
// how Amazon S3 shows them, so that other clients can read them. An encoded value
// always begins with a word, and never holds plain text beside words.
func EncodeMeta(v string) string {
	if plain(v) {
		return v
	}
	const most = 45 // bytes in a word: 60 characters of base64, under the 75 a word may have
	var b strings.Builder
	for {
		n := len(v)
		if n > most {
			for n = most; !utf8.RuneStart(v[n]); n-- {
			}
		}
		b.WriteString("=?utf-8?b?")
		b.WriteString(base64.StdEncoding.EncodeToString([]byte(v[:n])))
		b.WriteString("?=")
		if v = v[n:]; v == "" {
			return b.String()
		}
		b.WriteByte(' ')
	}
}

// plain: survives a header unchanged, and cannot be taken for an encoded word.
// Servers trim blanks at the ends and fold runs of them, and drop empty values.
func plain(v string) bool {
	return v != "" && printable(v) && v[0] != ' ' && v[len(v)-1] != ' ' &&
		!strings.Contains(v, "=?") && !strings.Contains(v, "  ")
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func validMetaKey(k string) bool {
	if k == "" || k == "sha256" {
		return false
	}
	for i := range len(k) {
		if c := k[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

func validDigest(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
