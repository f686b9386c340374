package web

import (
	"errors"
	"net/http"
	"strings"

	"sohoa/dossier"
	"sohoa/tally"
)

func (s *server) routeStation() {
	s.route("GET /station", maySend, s.stationPage)
}

type stationZone struct {
	Kind      dossier.Kind
	Title     string
	Documents []paperView
}

type stationBody struct {
	UnitName, Code, Problem, Subtitle, Lacks string
	Open, Known                              bool
	Zones                                    []stationZone
	Words                                    map[string]string
}

// stationWords are what the station's script says.
var stationWords = []string{"digest", "sending", "checking", "pages", "again", "lost", "busy", "rescan", "kept", "see", "reuse", "reused", "none", "signed", "valid-to", "digitised"}

func (s *server) stationPage(w http.ResponseWriter, r *http.Request) error {
	ctx, l := r.Context(), lang(r)
	tree, err := s.trees.get(ctx)
	if err != nil {
		return err
	}
	b := stationBody{Code: strings.ToUpper(strings.TrimSpace(r.URL.Query().Get("code"))), Words: map[string]string{}}
	b.UnitName = tree.by[actorOf(ctx).Unit].Name
	for _, k := range stationWords {
		b.Words[k] = say(l, "station-"+k)
	}
	for _, f := range dossier.Flags() {
		b.Words["flag "+string(f)] = f.Text().In(l)
	}
	if b.Code == "" {
		return s.render(w, r, http.StatusOK, "station", say(l, "station"), b, "station.js")
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
		return s.render(w, r, p.Status, "station", say(l, "station"), b, "station.js")
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
			if st.Intake.Slip.Kind == k && st.ReplacedBy == "" && !st.Revoked && !st.Deleted && st.State != dossier.Refused {
				v := paperOf(st, l)
				if v.Pages != "" {
					v.Pages += " " + say(l, "station-pages")
				}
				z.Documents = append(z.Documents, v)
			}
		}
		b.Zones = append(b.Zones, z)
	}
	return s.render(w, r, http.StatusOK, "station", b.Code, b, "station.js")
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
