package web

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime"
	"net/url"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"sohoa/dossier"
)

func splitList(s string) []string {
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' })
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

func cutTrim(s, sep string) (string, string, bool) {
	a, b, ok := strings.Cut(s, sep)
	return strings.ToLower(strings.TrimSpace(a)), strings.TrimSpace(b), ok
}

func unquote(s string) string { return strings.Trim(s, `"`) }

// maxText is how long a value people write may be, in bytes.
const maxText = 2000

// personal reads a header value that people wrote: UTF-8 with percent signs, with
// or without the prefix of RFC 8187 (UTF-8”Nguy%E1%BB%85n), or plain text. The
// error names the header, never the value.
func personal(header, value string) (string, error) {
	rest, strict := cutFold(value, "utf-8'")
	if strict {
		_, enc, found := strings.Cut(rest, "'") // past the language
		if !found {
			return "", badValue(header)
		}
		value = enc
	}
	if v, err := url.PathUnescape(value); err == nil {
		value = v
	} else if strict {
		return "", badValue(header)
	}
	return cleanText(header, value)
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return s, false
}

// cleanText returns the value composed and without surrounding blanks.
func cleanText(name, value string) (string, error) {
	if len(value) > maxText || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return "", badValue(name)
	}
	return norm.NFC.String(strings.TrimSpace(value)), nil
}

func badValue(name string) *Problem { return problem("bad-value", nil).withDetail(name) }

// fileName reads Content-Disposition: attachment; filename*=UTF-8”…. Of a path
// only the last part is kept.
func fileName(disposition string) (string, error) {
	if disposition == "" {
		return "", nil
	}
	_, params, err := mime.ParseMediaType(disposition)
	if err != nil {
		return "", badValue("Content-Disposition")
	}
	return baseName("Content-Disposition", params["filename"])
}

func baseName(where, name string) (string, error) {
	name, err := cleanText(where, name)
	if err != nil || name == "" {
		return "", err
	}
	if name = path.Base(strings.ReplaceAll(name, `\`, "/")); name == "." || name == "/" || name == ".." {
		return "", nil
	}
	return name, nil
}

// contentDigest reads Content-Digest (RFC 9530); other algorithms than sha-256
// are passed over, as the RFC wants it.
func contentDigest(values []string) (dossier.Digest, error) {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			name, value, ok := cutTrim(part, "=")
			if name != "sha-256" {
				continue
			}
			value, params, _ := strings.Cut(value, ";")
			_ = params
			value = strings.TrimSpace(value)
			if !ok || len(value) < 2 || value[0] != ':' || value[len(value)-1] != ':' {
				return "", problem("bad-digest", nil)
			}
			sum, err := base64.StdEncoding.DecodeString(value[1 : len(value)-1])
			if err != nil || len(sum) != 32 {
				return "", problem("bad-digest", nil)
			}
			return dossier.Digest(hex.EncodeToString(sum)), nil
		}
	}
	return "", nil
}

// digestHeader writes what contentDigest reads.
func digestHeader(d dossier.Digest) string {
	sum, err := hex.DecodeString(string(d))
	if err != nil {
		return ""
	}
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum) + ":"
}

// attachment is the Content-Disposition of a file that is to be saved.
func attachment(name string) string {
	if v := mime.FormatMediaType("attachment", map[string]string{"filename": name}); v != "" {
		return v
	}
	return "attachment"
}

// day reads a day or nothing.
func day(name, value string) (dossier.Date, error) {
	if value == "" {
		return 0, nil
	}
	d, err := dossier.ParseDate(value)
	if err != nil {
		return 0, badValue(fmt.Sprintf("%s: yyyy-mm-dd", name))
	}
	return d, nil
}
