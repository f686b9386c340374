package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sohoa/dossier"
	"sohoa/pipeline"
	"sohoa/pipeline/backfill"
	"sohoa/web"
)

// verdict is what a door answered about one file.
type verdict struct {
	File   string
	ID     string
	Record *dossier.Record
	Again  bool
	Reason dossier.Reason // where it was rejected
	Text   dossier.Text   // what went wrong and what to do, where something did
}

func (v verdict) stored() bool { return v.Record != nil }

// line is the verdict on one line for people.
func (v verdict) line() string {
	name := filepath.Base(v.File)
	switch {
	case v.stored():
		facts := []string{fmt.Sprintf("%d trang", v.Record.Verdict.Pages)}
		if d := v.Record.Verdict.MinDPI; d > 0 {
			facts = append(facts, fmt.Sprintf("%d dpi", d))
		}
		facts = append(facts, string(v.Record.Conforms))
		if v.Record.Verdict.LegalValue {
			facts = append(facts, "ký số, có giá trị pháp lý")
		} else if v.Record.Verdict.Signed {
			facts = append(facts, "ký số")
		}
		if v.Again {
			facts = append(facts, "đã có từ trước")
		}
		s := fmt.Sprintf("✔ %-34s %s  %s", name, strings.Join(facts, ", "), v.ID)
		for _, f := range v.Record.Verdict.Findings {
			s += "\n    ⚑ " + f.Flag.Text().VI
			if f.Page > 0 {
				s += fmt.Sprintf(" (trang %d)", f.Page)
			}
		}
		return s
	case v.Reason != "":
		return fmt.Sprintf("✘ %-34s %s\n    %s", name, v.Reason, v.Text.VI)
	default:
		return fmt.Sprintf("… %-34s %s", name, v.Text.VI)
	}
}

// client is the HTTP door of a server. It is a backfill.Door: what the server
// answers becomes the error, or the standing, that the pipeline of this process
// would have given.
type client struct {
	base  string
	token string
	http  *http.Client
}

func newClient(base, token string) (*client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return nil, usage("--server: not a URL such as http://127.0.0.1:8080")
	}
	return &client{strings.TrimRight(base, "/"), token, &http.Client{Timeout: 10 * time.Minute,
		// A page that leads elsewhere (to sign in, say) is an answer, not a way to follow.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// serverProblem is what the server says went wrong; a code that serverErrors does
// not know is a fault.
type serverProblem web.Problem

func (p *serverProblem) Error() string {
	if p.MessageVI == "" {
		return fmt.Sprintf("the server answered %d", p.Status)
	}
	return fmt.Sprintf("the server answered %d: %s / %s", p.Status, p.MessageVI, p.MessageEN)
}

// Submit puts one document and waits a while for its verdict.
func (c *client) Submit(ctx context.Context, slip dossier.Slip, body io.ReadSeeker, size int64) (dossier.Standing, error) {
	query := url.Values{}
	for k, v := range map[string]string{"paper": string(slip.Paper), "procedure": slip.Procedure, "replaces": slip.Replaces, "reuses": slip.Reuses,
		"issued_on": day(slip.IssuedOn), "valid_from": day(slip.ValidFrom), "valid_to": day(slip.ValidTo)} {
		if v != "" {
			query.Set(k, v)
		}
	}
	path := "/api/v1/results/documents"
	if slip.Kind != dossier.ResultInForce {
		path = "/api/v1/dossiers/" + url.PathEscape(string(slip.Dossier)) + "/documents"
		query.Set("kind", string(slip.Kind))
	}
	var content io.Reader = http.NoBody
	if size > 0 {
		content = io.NopCloser(body) // the file stays the caller's
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, c.base+path+"?"+query.Encode(), content)
	if err != nil {
		return dossier.Standing{}, err
	}
	req.ContentLength = size
	if slip.FileName != "" {
		req.Header.Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(slip.FileName))
	}
	req.Header.Set("Prefer", "wait=20")
	for k, v := range map[string]string{"Sohoa-Name": slip.Name, "Sohoa-Owner-Id": slip.OwnerID, "Sohoa-Number": slip.Number, "Sohoa-Abstract": slip.Abstract,
		"Sohoa-Issued-By": slip.IssuedBy, "Sohoa-Signed-By": slip.SignedBy, "Sohoa-Scope": slip.Scope, "Sohoa-Door": string(slip.Door)} {
		if v != "" {
			req.Header.Set(k, url.PathEscape(v))
		}
	}
	if slip.Kind == dossier.ResultInForce {
		req.Header.Set("Sohoa-Unit", string(slip.Unit))
	}
	return c.standing(req)
}

// Standing asks where a document stands, waiting a while for its verdict.
func (c *client) Standing(ctx context.Context, id string) (dossier.Standing, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/api/v1/documents/"+url.PathEscape(id), nil)
	if err != nil {
		return dossier.Standing{}, err
	}
	req.Header.Set("Prefer", "wait=20")
	return c.standing(req)
}

// Replay puts a document in the failure inbox back into the queue.
func (c *client) Replay(ctx context.Context, id string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/inbox/replay", strings.NewReader(url.Values{"id": {id}}.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a, err := c.do(req)
	if err != nil {
		return err
	}
	if a.status != http.StatusSeeOther {
		return a.problem()
	}
	return nil
}

// tell tells the server's operations page how far a run is.
func (c *client) tell(ctx context.Context, r dossier.Run) error {
	b, err := json.Marshal(web.RunBody{Host: r.Host, StartedAt: r.StartedAt, Done: r.Done, Total: r.Total, Failed: r.Failed, Ended: !r.EndedAt.IsZero()})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, c.base+"/api/v1/runs/"+r.ID, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	a, err := c.do(req)
	if err != nil {
		return err
	}
	if a.status != http.StatusNoContent {
		return a.problem()
	}
	return nil
}

// errNoDossier: the server knows no such dossier and has no paper of it.
var errNoDossier = errors.New("unknown dossier")

// dossier asks what the server has of a dossier.
func (c *client) dossier(ctx context.Context, code dossier.Code) (d web.DossierBody, err error) {
	err = c.get(ctx, "/api/v1/dossiers/"+url.PathEscape(string(code)), &d)
	return d, err
}

// knownUnit asks whether the server has the unit; dossier.ErrUnknownUnit where not.
func (c *client) knownUnit(ctx context.Context, unit dossier.UnitCode) (bool, error) {
	var units []struct{ Code dossier.UnitCode }
	if err := c.get(ctx, "/api/v1/units", &units); err != nil {
		return false, err
	}
	for _, u := range units {
		if u.Code == unit {
			return true, nil
		}
	}
	return false, dossier.ErrUnknownUnit
}

// reusable asks which papers of an owner need not be scanned again.
func (c *client) reusable(ctx context.Context, owner string) (list []web.ReusableBody, err error) {
	err = c.get(ctx, "/api/v1/reusable", &list, "Sohoa-Owner-Id", owner)
	return list, err
}

func (c *client) get(ctx context.Context, path string, to any, header ...string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	a, err := c.do(req)
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return a.known()
	}
	return json.Unmarshal(a.body, to)
}

func day(d dossier.Date) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func (c *client) do(req *http.Request) (answer, error) {
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var at *url.Error
		if errors.As(err, &at) {
			err = fmt.Errorf("the server cannot be reached: %w", at.Err) // the address has a dossier's code in it
		}
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	return answer{resp.StatusCode, resp.Header, b}, err
}

// problem is the answer as an error.
func (a answer) problem() *serverProblem {
	p := &serverProblem{}
	if err := json.Unmarshal(a.body, p); err != nil {
		p = &serverProblem{}
	}
	p.Status = a.status
	return p
}

// standing asks and reads the answer about a document.
func (c *client) standing(req *http.Request) (dossier.Standing, error) {
	a, err := c.do(req)
	if err != nil {
		return dossier.Standing{}, err
	}
	switch a.status {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted:
		return standingOf(a.body)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		seconds, _ := strconv.Atoi(a.header.Get("Retry-After")) // none: at once, which is then a second
		return dossier.Standing{}, &backfill.Busy{After: time.Duration(seconds) * time.Second}
	}
	p := a.problem()
	text := dossier.Text{VI: p.MessageVI, EN: p.MessageEN}
	st := dossier.Standing{Intake: dossier.Intake{ID: p.Document}}
	switch {
	case p.Reason.Valid() && p.Document != "":
		st.State, st.Refusal = dossier.Refused, &dossier.Refusal{ID: p.Document, Reason: p.Reason, Message: text}
		return st, nil
	case p.Reason.Valid():
		return st, &dossier.Rejection{Reason: p.Reason}
	case p.Code == "faulted":
		st.State = dossier.Faulted
		return st, nil
	}
	return st, a.known()
}

// known is the answer as an error of this program, where it has one for it.
func (a answer) known() error {
	p := a.problem()
	if ours, ok := serverErrors[p.Code]; ok {
		return fmt.Errorf("%w: %w", ours, p)
	}
	return p
}

// serverErrors are the problems that this program has an error of its own for.
var serverErrors = map[string]error{
	"unknown-unit":     dossier.ErrUnknownUnit,
	"unknown-dossier":  errNoDossier,
	"unknown-document": dossier.ErrUnknownDocument,
	"paper-taken":      dossier.ErrPaperTaken,
	"not-replaceable":  dossier.ErrNotReplaceable,
	"bad-value":        backfill.ErrSlip,
	"bad-request":      backfill.ErrSlip,
	"out-of-scope":     backfill.ErrOutOfScope,
	"signed-out":       backfill.ErrDenied,
	"not-allowed":      backfill.ErrDenied,
}

// standingOf reads the body of an answer about a document.
func standingOf(b []byte) (dossier.Standing, error) {
	var d web.Document
	if err := json.Unmarshal(b, &d); err != nil {
		return dossier.Standing{}, fmt.Errorf("the server's answer is no document: %w", err)
	}
	return d.Standing(), nil
}

// send puts one file and waits for its verdict, asking again as long as the
// server says that it is still at work.
func (c *client) send(ctx context.Context, slip dossier.Slip, file string) (verdict, error) {
	v := verdict{File: file}
	f, err := os.Open(file)
	if err != nil {
		return v, usage("%w", err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return v, err
	}
	slip.FileName = filepath.Base(file)
	var st dossier.Standing
	for again := false; ; {
		if st.Intake.ID != "" {
			st, err = c.Standing(ctx, st.Intake.ID)
		} else if _, err = f.Seek(0, io.SeekStart); err == nil {
			st, err = c.Submit(ctx, slip, f, size)
			again = st.Again
		}
		st.Again = again
		var busy *backfill.Busy
		if !errors.As(err, &busy) && (err != nil || st.State != dossier.Pending) {
			break
		}
		wait := time.Second
		if busy != nil {
			wait = min(max(busy.After, wait), time.Minute)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return v, ctx.Err()
		}
	}
	return v.concluded(st, err)
}

// concluded is the verdict with what became of the file.
func (v verdict) concluded(st dossier.Standing, err error) (verdict, error) {
	var rej *dossier.Rejection
	switch {
	case errors.As(err, &rej):
		v.Reason, v.Text = rej.Reason, rej.Text()
		return v, nil
	case errors.Is(err, dossier.ErrUnknownUnit), errors.Is(err, dossier.ErrPaperTaken), errors.Is(err, dossier.ErrUnknownDocument),
		errors.Is(err, dossier.ErrNotReplaceable), errors.Is(err, pipeline.ErrSlip), errors.Is(err, backfill.ErrSlip):
		return v, usage("%s: %w", v.File, err)
	case err != nil:
		return v, err
	}
	v.ID, v.Again = st.Intake.ID, st.Again
	switch {
	case st.Deleted:
		return v, fmt.Errorf("%s: deleted by order meanwhile", v.File)
	case st.State == dossier.Stored:
		v.Record = st.Record
	case st.State == dossier.Refused:
		v.Reason, v.Text = st.Refusal.Reason, st.Refusal.Message
	default:
		return v, fmt.Errorf("%s: not processed, it waits in the failure inbox: %s", v.File, cmp.Or(st.Fault, "see the inbox"))
	}
	return v, nil
}
