package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"sohoa/dossier"
	"sohoa/tally"
)

func (s *server) routeStation() {
	s.route("GET /station", maySend, s.stationPage)
	s.route("GET /dossiers/{code}/receipt", mayLook, s.receiptPage)
}

type stationZone struct {
	Kind      dossier.Kind
	Title     string
	Documents []stationPaper
}

// stationPaper is a paper with the pages to look at: those that something was
// found on, else the first.
type stationPaper struct {
	paperView
	Look []pageOf
}

type pageOf struct {
	ID   string
	Page int
}

// here reports whether a paper is one of its dossier's: received or stored, and
// not replaced, revoked or deleted since.
func here(st dossier.Standing) bool {
	return st.ReplacedBy == "" && !st.Revoked && !st.Deleted && st.State != dossier.Refused
}

// maxLook is how many pages of a paper the station shows.
const maxLook = 3

func pagesToLookAt(st dossier.Standing) []pageOf {
	if st.Record == nil {
		return nil
	}
	var out []pageOf
	for _, f := range st.Record.Verdict.Findings {
		at := pageOf{st.Intake.ID, f.Page}
		if f.Page > 0 && len(out) < maxLook && !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	if len(out) == 0 {
		out = append(out, pageOf{st.Intake.ID, 1})
	}
	return out
}

type stationBody struct {
	UnitName, Code, Problem, Subtitle, Lacks string
	Who                                      string // whose unsent files the browser may go on with
	Open, Known                              bool
	Zones                                    []stationZone
	Words                                    map[string]string
}

// stationWords are what the station's script says.
var stationWords = []string{"digest", "sending", "waiting", "goes-on", "elsewhere", "checking", "pages", "page", "again", "lost", "busy", "rescan", "kept", "see", "reuse", "reused", "none",
	"signed", "valid-to", "digitised", "camera-code", "no-code", "photo", "photos", "sign-in"}

var stationScripts = []string{"upload.js", "station.js"}

func (s *server) stationPage(w http.ResponseWriter, r *http.Request) error {
	ctx, l := r.Context(), lang(r)
	tree, err := s.trees.get(ctx)
	if err != nil {
		return err
	}
	b := stationBody{Code: strings.ToUpper(strings.TrimSpace(r.URL.Query().Get("code"))), Words: map[string]string{}, Who: actorOf(ctx).ID}
	if found := dossier.FindCodes(b.Code); len(found) == 1 {
		b.Code = string(found[0]) // the reader read an address, or fields
	}
	b.UnitName = tree.by[actorOf(ctx).Unit].Name
	for _, k := range stationWords {
		b.Words[k] = say(l, "station-"+k)
	}
	for _, f := range dossier.Flags() {
		b.Words["flag "+string(f)] = f.Text().In(l)
	}
	if b.Code == "" {
		return s.render(w, r, http.StatusOK, "station", say(l, "station"), b, stationScripts...)
	}
	if len(b.Code) > 100 {
		b.Code = ""
	}
	d, known, docs, err := s.dossier(ctx, b.Code)
	var p *Problem
	if errors.As(err, &p) && p.Code == "unknown-dossier" {
		// Not in the register yet and without papers: it is taken in all the same.
		code, perr := dossier.ParseCode(b.Code)
		if perr != nil {
			return perr
		}
		d.Code = code
		if d.Unit, err = s.Register.ResolveUnit(ctx, code); err != nil {
			return err
		}
	} else if err != nil {
		p = s.problemOf(err)
		if p.Status >= 500 {
			return err
		}
		b.Problem = dossier.Text{VI: p.MessageVI, EN: p.MessageEN}.In(l)
		return s.render(w, r, p.Status, "station", say(l, "station"), b, stationScripts...)
	}
	b.Open, b.Known, b.Code = true, known, string(d.Code)
	if b.Subtitle, err = s.subtitle(ctx, d, known, l); err != nil {
		return err
	}
	if known {
		b.Lacks = lacks(d, l)
	}
	for _, k := range []dossier.Kind{dossier.Component, dossier.ResultKind} {
		z := stationZone{Kind: k, Title: say(l, "zone-"+string(k))}
		for _, st := range docs {
			if st.Intake.Slip.Kind == k && here(st) {
				v := stationPaper{paperOf(st, l), pagesToLookAt(st)}
				if v.Pages != "" {
					v.Pages += " " + say(l, "station-pages")
				}
				z.Documents = append(z.Documents, v)
			}
		}
		b.Zones = append(b.Zones, z)
	}
	return s.render(w, r, http.StatusOK, "station", b.Code, b, stationScripts...)
}

// lacks says what scanning can still add to a dossier.
func lacks(d dossier.Dossier, l string) string {
	var out []string
	seen := map[tally.Why]bool{}
	for _, id := range []string{"4.2", "4.1"} {
		i, ok := tally.Find(id, tally.DefaultVersion)
		if !ok {
			continue
		}
		for _, why := range i.Missing(&d) {
			if !seen[why] {
				seen[why] = true
				out = append(out, why.Text().In(l))
			}
		}
	}
	return strings.Join(out, ", ")
}
