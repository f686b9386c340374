package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sohoa/dossier"
)

// pagePolicy is the Content-Security-Policy of everything but the originals:
// nothing from elsewhere, no inline script or style, no frame around us.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// filePolicy is the policy of bytes that somebody sent us: they may do nothing.
const filePolicy = "sandbox; default-src 'none'; frame-ancestors 'none'"

type server struct {
	Options
	mux     *http.ServeMux
	api     huma.API
	routes  []Route
	access  map[string]Access
	metrics *metrics
	trees   *trees
	slots   chan struct{} // requests at once
	uploads chan struct{} // of these, uploads

	templates templates
	stamp     string // of the static files, so that browsers may keep them
	sessions  *scs.SessionManager
	addresses *addresses
	sso       *signOn // nil: local accounts only
	hashers   chan struct{}
	nobody    string // a hash that is nobody's
	years     yearsCache
	lately    *lately
}

// New returns the doors as one handler. Options without the needed parts are a
// mistake of the program and panic.
//
// The server around it needs timeouts for headers and idle connections only:
// bodies and answers have deadlines of their own, request by request, so that a
// scan of 2 GiB over a slow line is fine as long as it moves.
func New(o Options) http.Handler { return newServer(o).handler() }

// Routes returns the table of routes of a handler made by New, for the test that
// compares it with docs/access.md.
func Routes(h http.Handler) []Route {
	if d, ok := h.(*doors); ok {
		return slices.Clone(d.routes)
	}
	return nil
}

type doors struct {
	http.Handler
	routes []Route
}

func newServer(o Options) *server {
	if o.Pipeline == nil || o.Register == nil || o.Source == nil || o.Tokens == nil {
		panic("web: Pipeline, Register, Source and Tokens are needed")
	}
	s := &server{Options: o.withDefaults(), mux: http.NewServeMux(), access: map[string]Access{}}
	s.slots = make(chan struct{}, s.MaxInFlight)
	s.uploads = make(chan struct{}, s.MaxUploads)
	s.trees = &trees{load: s.Source.Units, now: s.Now}
	s.metrics = newMetrics(s.Registry)
	s.addresses = &addresses{seen: map[string]*address{}, now: s.Now, behindProxy: s.BehindProxy}
	s.lately = &lately{seen: map[string]time.Time{}}
	s.api = humago.New(guarded{s}, s.apiConfig())

	s.routePapers()
	s.routeUploads()
	s.routeFigures()
	s.routeRegister()
	s.routeReuse()
	s.routeOfficer()
	s.routeRuns()
	s.routeTray()
	if err := s.routePages(); err != nil {
		panic(err) // what is embedded does not parse: no test has passed
	}
	s.route("GET /api/openapi.json", public, s.openapi)
	s.route("GET /healthz", public, func(w http.ResponseWriter, r *http.Request) error {
		return writeText(w, "ok\n")
	})
	s.route("GET /readyz", public, s.readyz)
	metrics := promhttp.HandlerFor(s.Registry, promhttp.HandlerOpts{})
	s.route("GET /metrics", mayWatch, func(w http.ResponseWriter, r *http.Request) error {
		metrics.ServeHTTP(w, r)
		return nil
	})
	// huma describes its own errors, which we never send: see ownProblems.
	for _, name := range []string{"ErrorModel", "ErrorDetail"} {
		delete(s.api.OpenAPI().Components.Schemas.Map(), name)
	}
	return s
}

// routePages adds the pages.
func (s *server) routePages() error {
	var err error
	if s.templates, err = parseTemplates(); err != nil {
		return err
	}
	if s.Accounts != nil && s.SessionStore != nil {
		s.sessions = s.newSessions()
		s.hashers = newHashers()
		s.nobody = nobodysHash()
	}
	if s.SignOn != nil {
		s.sso = newSignOn(*s.SignOn, s.Now)
	}
	if err := s.routeStatic(); err != nil {
		return err
	}
	s.routeSign()
	s.routeSignOn()
	s.routeDashboard()
	s.routeViews()
	s.routeStation()
	s.routeTrayPages()
	s.routePeople()
	s.route("GET /audit", mayAudit, s.auditPage)
	s.route("GET /audit.csv", mayAudit, s.auditCSV)
	return nil
}

func (s *server) handler() http.Handler {
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := s.mux.Handler(r); pattern == "" {
			s.noRoute(w, r)
			return
		}
		s.mux.ServeHTTP(w, r)
	})
	var outer http.Handler = inner
	if s.sessions != nil {
		outer = s.sessions.LoadAndSave(outer)
	}
	// A browser says from which site a request comes; programs say nothing and
	// have no cookie that somebody else's page could use.
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, problem("cross-origin", nil))
	}))
	return &doors{s.outermost(origin.Handler(outer)), s.routes}
}

// noRoute answers what the mux would answer in plain text.
func (s *server) noRoute(w http.ResponseWriter, r *http.Request) {
	code := "not-found"
	var allow []string
	for _, m := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"} {
		probe := r.Clone(r.Context())
		probe.Method = m
		if _, p := s.mux.Handler(probe); p != "" {
			allow = append(allow, m)
		}
	}
	if len(allow) > 0 {
		code = "method-not-allowed"
		w.Header().Set("Allow", strings.Join(allow, ", "))
	}
	s.fail(w, r, problem(code, nil))
}

// route adds a route that is not in the OpenAPI document.
func (s *server) route(pattern string, a Access, h func(http.ResponseWriter, *http.Request) error) {
	s.access[pattern] = a
	guarded{s}.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// operation adds a route of the API: huma reads the input, writes the output and
// describes both. An error becomes its problem.
func operation[I, O any](s *server, a Access, op huma.Operation, f func(context.Context, *I) (*O, error)) {
	s.access[op.Method+" "+op.Path] = a
	if !a.Public {
		op.Security = []map[string][]string{{"token": {}}}
	}
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	problem := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")
	for _, status := range append(op.Errors, 500) {
		r := op.Responses[strconv.Itoa(status)]
		if r == nil {
			r = &huma.Response{Description: http.StatusText(status)}
			op.Responses[strconv.Itoa(status)] = r
		}
		r.Content = map[string]*huma.MediaType{"application/problem+json": {Schema: problem}}
	}
	op.Errors = nil
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, in)
		if err != nil {
			p := s.problemOf(err)
			note(ctx, p)
			p.RequestID = requestID(ctx)
			return nil, p
		}
		return out, nil
	})
}

// guarded is the mux as huma sees it: no route gets in without its entry in the
// table, and none answers before the table has been asked.
type guarded struct{ s *server }

func (g guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.s.mux.ServeHTTP(w, r) }

func (g guarded) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	a, ok := g.s.access[pattern]
	if !ok {
		panic("web: route without access: " + pattern)
	}
	g.s.routes = append(g.s.routes, Route{pattern, a})
	g.s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		noteRoute(r.Context(), pattern)
		who, err := g.s.admit(r, pattern, a)
		if who.ID != "" {
			noteActor(r.Context(), who.Actor)
		}
		if err != nil {
			g.s.fail(w, r, err)
			return
		}
		h(w, r.WithContext(context.WithValue(r.Context(), actorKey{}, who)))
	})
}

func (s *server) apiConfig() huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{Title: "sohoa", Version: cmp.Or(s.Version, "dev"),
				Description: "Takes in scanned dossiers and results, and says how much each unit has digitised. " +
					"Every error is application/problem+json with a stable code and a sentence in Vietnamese and English that says what to do."},
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token": {Type: "http", Scheme: "bearer", Description: "made by: sohoa token create"}},
			},
		},
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{s.ownProblems},
	}
}

// ownProblems replaces huma's error bodies, which quote the value that was sent,
// with ours, which do not.
func (s *server) ownProblems(ctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := problem("bad-request", nil)
	if m.Status >= 500 {
		p = problem("fault", errors.New(m.Title))
	}
	p.Status = m.Status
	var places []string
	for _, e := range m.Errors {
		places = append(places, strings.TrimSuffix(e.Location, "."))
	}
	p.Detail = strings.Join(places, ", ")
	note(ctx.Context(), p)
	p.RequestID = requestID(ctx.Context())
	return p, nil
}

func (s *server) openapi(w http.ResponseWriter, r *http.Request) error {
	b, err := s.api.OpenAPI().MarshalJSON()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
	// Whoever asked may have gone; there is nobody left to tell.
	w.Write(b)
	return nil
}

func (s *server) readyz(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		return problem("unavailable", err)
	}
	return writeText(w, "ready\n")
}

func writeText(w http.ResponseWriter, s string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(s)) // the client may be gone: nobody is left to tell
	return nil
}

func documentPath(id string) string { return "/api/v1/documents/" + id }

func unitOf(st dossier.Standing) dossier.UnitCode {
	if st.Record != nil {
		return st.Record.Slip.Unit
	}
	return st.Intake.Slip.Unit
}
