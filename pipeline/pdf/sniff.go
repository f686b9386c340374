package pdf

import (
	"bytes"
	"encoding/binary"
	"regexp"
)

// pdfHeaderWithin is how far into a file a PDF header may stand: readers have
// always looked at the first 1,024 bytes (ISO 32000-1, annex H.3.4.1 note 13).
const pdfHeaderWithin = 1024

// Sniff tells what a file is from its first bytes (1,024 of them are enough),
// never from its name. ok is false where it is nothing we take.
func Sniff(head []byte) (mediaType, ext string, ok bool) {
	has := func(at int, s string) bool {
		return len(head) >= at+len(s) && string(head[at:at+len(s)]) == s
	}
	switch {
	case has(0, "%PDF-"):
		return "application/pdf", ".pdf", true
	case has(0, "\xff\xd8\xff"):
		return "image/jpeg", ".jpg", true
	case has(0, "\x89PNG\r\n\x1a\n"):
		return "image/png", ".png", true
	case has(0, "II*\x00"), has(0, "MM\x00*"), has(0, "II+\x00"), has(0, "MM\x00+"):
		return "image/tiff", ".tif", true
	case has(0, "RIFF") && has(8, "WEBP"):
		return "image/webp", ".webp", true
	case has(4, "ftyp") && heic(head):
		return "image/heic", ".heic", true
	}
	if len(head) > pdfHeaderWithin {
		head = head[:pdfHeaderWithin]
	}
	if bytes.Contains(head, []byte("%PDF-")) || lostHeader(head) {
		return "application/pdf", ".pdf", true
	}
	return "", "", false
}

var firstObject = regexp.MustCompile(`^%[^\n\r]{0,64}[\r\n](?:%[^\n\r]{0,64}[\r\n]|\s)*[0-9]{1,10} [0-9]{1,5} obj\b`)

// lostHeader reports whether these are the first bytes of a PDF whose header is
// misspelt or lost: comments, then an object. Other readers open such files.
func lostHeader(head []byte) bool {
	return !bytes.Contains(head, []byte("%PDF-")) && firstObject.Match(head)
}

// heic reports whether the brands of an ISO base media file name HEIC or HEIF.
func heic(head []byte) bool {
	n := int(binary.BigEndian.Uint32(head))
	if n < 16 || n > len(head) {
		n = min(len(head), 64)
	}
	for at := 8; at+4 <= n; at += 4 {
		switch string(head[at : at+4]) {
		case "heic", "heix", "hevc", "heim", "heis", "mif1", "msf1":
			return true
		}
	}
	return false
}
