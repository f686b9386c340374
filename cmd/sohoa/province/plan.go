package province

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"sohoa/dossier"
)

// Submission is a sample file that is handed in, and what must come of it.
type Submission struct {
	File    string // as it was given to Plan
	Dossier dossier.Code
	Kind    dossier.Kind
	Paper   dossier.PaperCode
	Name    string
	Owner   string         // whose paper it is, where that is known
	Expect  dossier.Reason // empty: stored
}

// Applicant is the number of a sample citizen, who comes more than once: the paper
// handed in first is taken over the second time.
const Applicant = "001090000001"

// Plan says which of the files goes to which dossier: the good ones (accept) as
// components and results, so that some dossiers become complete, the bad ones
// (a folder named by its reason in each path) to dossiers of their own. Signed
// files go in as results. The plan depends on the names only.
func (p Province) Plan(accept, reject []string) ([]Submission, error) {
	accept, reject = slices.Clone(accept), slices.Clone(reject)
	slices.Sort(accept)
	slices.Sort(reject)
	returns := map[dossier.ProcedureCode]bool{}
	for _, s := range services {
		returns[s.code] = s.returns
	}
	// Dossiers of 2024, so that the letter's period has them.
	var open, resolved []dossier.Code
	for _, d := range p.Dossiers {
		switch {
		case d.ReceivedAt.Year() != 2024 || d.ReceivedAt.Month() > 8:
		case d.Status == dossier.Received || !returns[d.Procedure.National()]:
			open = append(open, d.Code)
		case d.Status == dossier.Resolved || d.Status == dossier.Returned:
			resolved = append(resolved, d.Code)
		}
	}
	var out []Submission
	add := func(file string, code dossier.Code, kind dossier.Kind, paper string, name string, expect dossier.Reason) {
		out = append(out, Submission{File: file, Dossier: code, Kind: kind, Paper: dossier.PaperCode(paper), Name: name, Expect: expect})
	}
	take := func(from *[]dossier.Code) (dossier.Code, error) {
		if len(*from) == 0 {
			return "", fmt.Errorf("sample province: more files than dossiers")
		}
		c := (*from)[0]
		*from = (*from)[1:]
		return c, nil
	}
	var signed, plain []string
	for _, f := range accept {
		if strings.HasPrefix(path.Base(f), "signed") {
			signed = append(signed, f)
		} else {
			plain = append(plain, f)
		}
	}
	// A complete dossier for each signed file: a paper, and the signed result.
	for i, f := range signed {
		code, err := take(&resolved)
		if err != nil {
			return nil, err
		}
		if len(plain) > 0 {
			add(plain[i%len(plain)], code, dossier.Component, "TK-01", "Tờ khai", "")
		}
		add(f, code, dossier.ResultKind, "", "Kết quả giải quyết", "")
	}
	// Then a third of the plain ones each: component and scanned result of one
	// dossier; components with a code; papers without a code of an open dossier.
	for i := 0; i < len(plain); i++ {
		from := &resolved
		if i%3 == 2 {
			from = &open
		}
		code, err := take(from)
		if err != nil {
			return nil, err
		}
		switch i % 3 {
		case 0:
			add(plain[i], code, dossier.Component, "TK-01", "Tờ khai", "")
			add(plain[(i+1)%len(plain)], code, dossier.ResultKind, "", "Kết quả giải quyết (bản quét)", "")
		case 1:
			add(plain[i], code, dossier.Component, "CCCD", "Bản sao giấy tờ tùy thân", "")
			if i == 1 {
				out[len(out)-1].Owner = Applicant
			}
		default:
			add(plain[i], code, dossier.Component, "", "Giấy tờ kèm theo", "")
		}
	}
	for _, f := range reject {
		reason := dossier.Reason(path.Base(path.Dir(f)))
		if !reason.Valid() {
			return nil, fmt.Errorf("sample province: %s does not lie in a folder named by its reason", f)
		}
		if reason == dossier.WrongDossier {
			continue // codes, not files
		}
		code, err := take(&open)
		if err != nil {
			if code, err = take(&resolved); err != nil {
				return nil, err
			}
		}
		add(f, code, dossier.ResultKind, "", "Kết quả giải quyết", reason)
	}
	return out, nil
}
