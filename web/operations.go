package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"sohoa/dossier"
)

type runView struct {
	What, Host, StartedAt, SeenAt, Done, State, Class string
	Percent                                           int64 // of Total; -1 where it is not known
}

type operationsBody struct {
	Class, Sentence string
	Facts           []fact
	ShowHost        bool
	Runs            []runView
	Checks          []runView
}

const (
	opsSlow   = 10 * time.Minute // the oldest job waits too long
	opsUnseen = 24 * time.Hour   // until a silent run is no longer told of
	opsChecks = 5
)

// operationsPage says whether all goes on, and what runs.
func (s *server) operationsPage(w http.ResponseWriter, r *http.Request) error {
	if s.Operations == nil {
		return problem("not-wired", nil)
	}
	ctx, l := r.Context(), lang(r)
	o, err := s.Operations(ctx)
	if err != nil {
		return err
	}
	now := s.Now()
	b := operationsBody{ShowHost: mayWatch.Roles[actorOf(ctx).Role] != ReachNone}
	workers, silent := 0, 0
	for _, run := range o.Runs {
		v, shown := s.runView(run, now, l)
		switch {
		case run.Kind == dossier.Working && run.Alive(now):
			workers += run.Slots
		case run.EndedAt.IsZero() && shown && !run.Alive(now):
			silent++
		}
		if shown {
			b.Runs = append(b.Runs, v)
		}
	}
	for n, c := range o.Checks {
		if n < opsChecks {
			b.Checks = append(b.Checks, checkView(c, l))
		}
	}
	b.Class, b.Sentence = "good", say(l, "ops-good")
	switch err := s.Ready(ctx); {
	case err != nil:
		b.Class, b.Sentence = "bad", say(l, "ops-not-ready")
		s.Log.Error().Err(err).Msg("not ready")
	case workers == 0 && o.Pending > 0:
		b.Class, b.Sentence = "bad", say(l, "ops-no-workers")
	case o.Checked.Differences > 0:
		b.Class, b.Sentence = "bad", sayOf(l, "ops-damaged", o.Checked.Differences)
	case o.Oldest > opsSlow:
		b.Class, b.Sentence = "warn", sayOf(l, "ops-slow", int64(o.Oldest.Minutes()))
	case o.Faulted > 0:
		b.Class, b.Sentence = "warn", sayOf(l, "ops-faulted", int64(o.Faulted))
	case silent > 0:
		b.Class, b.Sentence = "warn", sayOf(l, "ops-silent", int64(silent))
	}
	b.Facts = facts(l, "ops-pending", grouped(int64(o.Pending)), "ops-running", grouped(int64(o.Running)), "ops-failed", grouped(int64(o.Faulted)),
		"ops-oldest", age(o.Oldest, l), "ops-workers", strconv.Itoa(workers), "ops-ledger", o.Ledger, "ops-store", o.Store,
		"ops-version", s.Version, "ops-since", clock(o.StartedAt), "ops-checked", checked(l, o.Checked))
	return s.render(w, r, http.StatusOK, "operations", say(l, "operations"), b)
}

// runView shows a run that goes on, one that fell silent lately, and a backfill
// that ended.
func (s *server) runView(r dossier.Run, now time.Time, l string) (v runView, shown bool) {
	v = runView{What: named(l, "run", string(r.Kind)), Host: r.Host, StartedAt: clock(r.StartedAt), SeenAt: clock(r.SeenAt), Percent: -1}
	if r.Kind == dossier.Working {
		v.Done = sayOf(l, "run-slots", int64(r.Slots))
	} else {
		v.Done = fmt.Sprintf(say(l, "run-rows"), grouped(r.Done), grouped(r.Total), grouped(r.Failed))
		if r.Total > 0 {
			v.Percent = r.Done * 100 / r.Total
		}
	}
	switch {
	case r.Alive(now) && r.Waiting != "":
		v.State, v.Class = "◔ "+named(l, "run-waits", r.Waiting), "soft"
	case r.Alive(now):
		v.State, v.Class = "✔ "+say(l, "run-alive"), "ok"
	case !r.EndedAt.IsZero() && r.Done < r.Total:
		v.State, v.Class = "– "+say(l, "run-broken-off")+" "+clock(r.EndedAt), "warn"
	case !r.EndedAt.IsZero():
		v.State, v.Class = "✔ "+say(l, "run-ended")+" "+clock(r.EndedAt), "soft"
	default:
		v.State, v.Class = "! "+say(l, "run-silent")+" "+clock(r.SeenAt), "warn"
	}
	last := now.Sub(r.SeenAt) < opsUnseen
	return v, r.Alive(now) || last && (r.EndedAt.IsZero() || r.Kind != dossier.Working)
}

func checkView(c dossier.Check, l string) runView {
	v := runView{What: named(l, "check", string(c.Name)), StartedAt: clock(c.StartedAt), SeenAt: clock(c.MovedAt),
		Done: sayOf(l, "check-done", c.Documents, size(c.Bytes, l)), Percent: -1}
	switch {
	case c.Differences > 0:
		v.State, v.Class = "✘ "+sayOf(l, "check-differs", c.Differences), "no"
	case c.EndedAt.IsZero():
		v.State, v.Class = "◔ "+named(l, "check-stage", c.Stage), "soft"
	default:
		v.State, v.Class = "✔ "+say(l, "check-good")+" "+clock(c.EndedAt), "ok"
	}
	return v
}

// checked says when the whole archive was checked last, and what came of it.
func checked(l string, c dossier.Check) string {
	if c.EndedAt.IsZero() {
		return say(l, "ops-never")
	}
	return clock(c.EndedAt) + ", " + sayOf(l, "ops-differ", c.Differences)
}

// RunBody is how far a backfill is that goes on elsewhere.
type RunBody struct {
	Host      string    `json:"host,omitempty" maxLength:"255" doc:"where it runs"`
	StartedAt time.Time `json:"started_at"`
	Done      int64     `json:"done" minimum:"0" doc:"rows, of total"`
	Total     int64     `json:"total" minimum:"0"`
	Failed    int64     `json:"failed" minimum:"0" doc:"rows that did not go in"`
	Ended     bool      `json:"ended,omitempty"`
}

type runInput struct {
	ID   string `path:"id" format:"uuid" doc:"the caller's own, the same each time"`
	Body RunBody
}

func (s *server) routeRuns() {
	operation(s, mayBackfill, huma.Operation{OperationID: "tellRun", Method: "PUT", Path: "/api/v1/runs/{id}", DefaultStatus: http.StatusNoContent,
		Summary: "Tell how far a backfill through this server is", Tags: []string{"documents"}, Errors: []int{401, 403, 422, 503},
		Description: "For the operations page. To be told again at least every 30 seconds: in silence it counts as broken off."}, s.putRun)
}

func (s *server) putRun(ctx context.Context, in *runInput) (*struct{}, error) {
	if s.Runs == nil {
		return nil, problem("not-wired", nil)
	}
	own, err := uuid.Parse(in.ID)
	if err != nil || strings.ContainsFunc(in.Body.Host, unicode.IsControl) {
		return nil, badValue("id or host")
	}
	now := s.Now()
	r := dossier.Run{Kind: dossier.Backfill, Host: in.Body.Host, StartedAt: in.Body.StartedAt, Done: in.Body.Done, Total: in.Body.Total, Failed: in.Body.Failed,
		ID: uuid.NewSHA1(own, []byte(actorOf(ctx).ID)).String()} // so that nobody speaks for another's
	if r.StartedAt.After(now) { // by a clock that is wrong
		r.StartedAt = now
	}
	if in.Body.Ended {
		r.EndedAt = now
	}
	return nil, s.Runs.SaveRun(ctx, r)
}

// age is how long something has been waiting, to people.
func age(d time.Duration, l string) string {
	switch {
	case d <= 0:
		return "–"
	case d < time.Minute:
		return sayOf(l, "age-seconds", int64(d.Seconds()))
	case d < 2*time.Hour:
		return sayOf(l, "age-minutes", int64(d.Minutes()))
	}
	return sayOf(l, "age-hours", int64(d.Hours()))
}
