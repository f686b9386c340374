package hotfolder

import (
	"path"
	"regexp"
	"strings"

	"golang.org/x/text/unicode/norm"

	"sohoa/dossier"
)

// codeInName finds a dossier code at the beginning of a name.
var codeInName = regexp.MustCompile(`(?i)^[A-Z0-9]+(?:\.[A-Z0-9]+)*-[0-9]{6}-[0-9]{4,12}`)

// Filed reads from its path below the hot folder what a file is:
//
//	<unit>/<dossier>/component/<paper>/anything.pdf   by folders, in this order; unit and paper may be left out
//	<dossier>.001.pdf                                 by name: a component
//	<dossier>-KQ1.pdf, <dossier> kết quả.pdf          by name: a result
//	result/<name>                                     a folder may also say the kind alone
//
// It reports false where no dossier is named; the slip then holds the kind, which
// is a component unless a folder says otherwise.
func Filed(name string) (dossier.Slip, bool) {
	slip := dossier.Slip{Kind: dossier.Component}
	parts := strings.Split(norm.NFC.String(name), "/")
	folders, file := parts[:len(parts)-1], parts[len(parts)-1]
	kindAt := -1
	for i, p := range folders {
		if c, err := dossier.ParseCode(p); err == nil {
			slip.Dossier = c
			continue
		}
		if k, ok := kindOf(p); ok {
			slip.Kind, kindAt = k, i
		}
	}
	if kindAt >= 0 && kindAt == len(folders)-2 && slip.Dossier != "" {
		if p, err := dossier.ParsePaperCode(folders[len(folders)-1]); err == nil {
			slip.Paper = p
		}
	}
	if slip.Dossier != "" {
		return slip, true
	}
	base := strings.TrimSuffix(file, path.Ext(file))
	if m := codeInName.FindString(base); m != "" {
		if c, err := dossier.ParseCode(m); err == nil {
			slip.Dossier = c
			for _, word := range strings.FieldsFunc(base[len(m):], func(r rune) bool { return strings.ContainsRune(".-_ ", r) }) {
				if k, ok := kindOf(strings.TrimRight(word, "0123456789")); ok {
					slip.Kind = k
				}
			}
			if rest := folded(base[len(m):]); strings.HasPrefix(rest, "ketqua") {
				slip.Kind = dossier.ResultKind
			}
			return slip, true
		}
	}
	return slip, false
}

func kindOf(s string) (dossier.Kind, bool) {
	switch folded(s) {
	case "component", "components", "thanhphan", "thanhphanhoso", "tphs", "tp":
		return dossier.Component, true
	case "result", "results", "ketqua", "ketquagiaiquyet", "kq":
		return dossier.ResultKind, true
	}
	return "", false
}

func folded(s string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ToLower(s)) {
		if r >= 'a' && r <= 'z' {
			b.WriteRune(r)
		}
	}
	return b.String()
}
