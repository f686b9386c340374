package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sohoa/dossier"
)

// WaitingScan is a scan in the tray of a hot folder: it could not be filed by
// itself. Name is what somebody called the file, which may be personal.
type WaitingScan struct {
	ID   string           `json:"id" doc:"names it as long as it waits"`
	Unit dossier.UnitCode `json:"unit"`
	Name string           `json:"name"`
	Kind dossier.Kind     `json:"kind" doc:"as its folder says; component where it says nothing"`
	Size int64            `json:"size"`
	Time time.Time        `json:"time"`
}

// ErrNotWaiting: there is no such scan in a tray, or somebody else is filing it.
var ErrNotWaiting = errors.New("web: no such scan in the tray")

// Tray is where scans wait to be filed by hand. What is said of one that is not
// there is ErrNotWaiting.
type Tray interface {
	// Waiting lists the scans of the units, the oldest first.
	Waiting(ctx context.Context, units []dossier.UnitCode) ([]WaitingScan, error)
	Look(ctx context.Context, id string) (WaitingScan, error)
	// Picture draws a page, from 1, as PNG; ErrNotWaiting where it has no such page,
	// a *dossier.Rejection where it cannot be shown.
	Picture(ctx context.Context, id string, page, dpi int) ([]byte, error)
	// File hands the scan in as the slip says and waits for its verdict; its errors
	// are those of Pipeline.Receive. Stored and rejected scans leave the tray.
	File(ctx context.Context, id string, slip dossier.Slip) (dossier.Standing, error)
	// Discard takes the scan out of the tray; it is kept among the rejected.
	Discard(ctx context.Context, id string) error
}

func (s *server) routeTray() {
	errs := []int{400, 401, 403, 404}
	operation(s, maySend, huma.Operation{OperationID: "listTray", Method: "GET", Path: "/api/v1/tray",
		Summary: "Scans of hot folders that wait to be filed by hand", Tags: []string{"tray"}, Errors: errs}, s.getTray)
	operation(s, maySend, huma.Operation{OperationID: "pictureOfTray", Method: "GET", Path: "/api/v1/tray/{id}/pages/{page}",
		Summary: "A page of a waiting scan, as PNG", Tags: []string{"tray"}, Errors: append([]int{422}, errs...),
		Responses: map[string]*huma.Response{"200": {Content: map[string]*huma.MediaType{"image/png": {}}}}}, s.getTrayPicture)
	operation(s, maySend, huma.Operation{OperationID: "fileFromTray", Method: "POST", Path: "/api/v1/tray/{id}/file",
		Summary: "File a waiting scan: say which dossier's paper it is", Tags: []string{"tray"}, DefaultStatus: 201,
		Description: "Answers as sending a document does. It leaves the tray with its verdict: stored, or rejected. 202: no verdict yet; file it again to see.",
		Errors:      append([]int{409, 422, 503}, errs...)}, s.fileFromTray)
	operation(s, maySend, huma.Operation{OperationID: "discardFromTray", Method: "POST", Path: "/api/v1/tray/{id}/discard",
		Summary: "Take a scan out of the tray that belongs to no dossier; it is kept in the folder rejected/", Tags: []string{"tray"}, DefaultStatus: 204,
		Errors: errs}, s.discardFromTray)
}

type trayOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         []WaitingScan
}

func (s *server) getTray(ctx context.Context, _ *struct{}) (*trayOutput, error) {
	list, err := s.waitingFor(ctx)
	return &trayOutput{CacheControl: "no-store", Body: list}, err
}

// waitingFor lists what waits for the actor of ctx, never nil.
func (s *server) waitingFor(ctx context.Context) ([]WaitingScan, error) {
	if s.Tray == nil {
		return nil, problem("not-wired", nil)
	}
	who := actorOf(ctx)
	units := make([]dossier.UnitCode, 0, len(who.units))
	for u := range who.units {
		units = append(units, u)
	}
	slices.Sort(units)
	list, err := s.Tray.Waiting(ctx, units)
	if err != nil {
		return nil, err
	}
	if list == nil {
		list = []WaitingScan{}
	}
	return list, s.audit(ctx, dossier.ActList, who.Unit, "tray")
}

// waitingScan returns a scan of the tray that the actor reaches.
func (s *server) waitingScan(ctx context.Context, id string) (WaitingScan, error) {
	if s.Tray == nil {
		return WaitingScan{}, problem("not-wired", nil)
	}
	w, err := s.Tray.Look(ctx, id)
	if err != nil {
		return w, err
	}
	return w, within(ctx, w.Unit)
}

type trayPictureInput struct {
	ID   string `path:"id"`
	Page int    `path:"page" minimum:"1"`
	DPI  int    `query:"dpi" minimum:"24" maximum:"200" default:"72"`
}

type pictureOutput struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}

func (s *server) getTrayPicture(ctx context.Context, in *trayPictureInput) (*pictureOutput, error) {
	w, err := s.waitingScan(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.audit(ctx, dossier.ActSee, w.Unit, in.ID); err != nil {
		return nil, err
	}
	b, err := s.Tray.Picture(ctx, in.ID, in.Page, in.DPI)
	return &pictureOutput{ContentType: "image/png", CacheControl: "private, max-age=300", Body: b}, err
}

// FilingBody is what a person says of a scan in the tray.
type FilingBody struct {
	Dossier   string `json:"dossier,omitempty" doc:"code of the dossier; empty for a result in force, which has unit and number" maxLength:"200"`
	Kind      string `json:"kind" enum:"component,result,result-in-force"`
	Unit      string `json:"unit,omitempty" doc:"of a result in force" maxLength:"200"`
	Paper     string `json:"paper,omitempty" maxLength:"200"`
	Name      string `json:"name,omitempty"`
	Number    string `json:"number,omitempty" doc:"symbol-number of a result"`
	OwnerID   string `json:"owner_id,omitempty"`
	IssuedOn  string `json:"issued_on,omitempty" doc:"yyyy-mm-dd"`
	ValidFrom string `json:"valid_from,omitempty" doc:"yyyy-mm-dd"`
	ValidTo   string `json:"valid_to,omitempty" doc:"yyyy-mm-dd, the first day on which it is no longer in force"`
	Replaces  string `json:"replaces,omitempty" doc:"id of the document this is a better scan of"`
}

type filingInput struct {
	ID   string `path:"id"`
	Body FilingBody
}

// filingWait is how long an answer waits for the verdict.
const filingWait = 30 * time.Second

func (s *server) fileFromTray(ctx context.Context, in *filingInput) (*sendOutput, error) {
	st, err := s.fileScan(ctx, in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	out := &sendOutput{}
	return out, out.verdict(st, http.StatusCreated)
}

// fileScan hands a scan of the tray in as a person says.
func (s *server) fileScan(ctx context.Context, id string, b FilingBody) (dossier.Standing, error) {
	if _, err := s.waitingScan(ctx, id); err != nil {
		return dossier.Standing{}, err
	}
	slip, err := s.filing(ctx, b)
	if err != nil {
		return dossier.Standing{}, err
	}
	wctx, cancel := context.WithTimeout(ctx, filingWait)
	defer cancel()
	st, err := s.Tray.File(wctx, id, slip)
	if err != nil {
		return st, err
	}
	return st, s.auditSent(ctx, slip, st.Intake.ID)
}

// filing is the slip that a person filled in: what PUT has in its path, query
// and headers.
func (s *server) filing(ctx context.Context, b FilingBody) (slip dossier.Slip, err error) {
	if b.Kind == string(dossier.ResultInForce) {
		slip, err = s.resultSlip(ctx, b.Unit)
	} else {
		slip, err = s.dossierSlip(ctx, b.Dossier, b.Kind)
	}
	if err != nil {
		return slip, err
	}
	return s.slip(ctx, slip, &SendInput{OwnerID: b.OwnerID, NameHeader: url.PathEscape(b.Name), NumberHeader: url.PathEscape(b.Number),
		Paper: b.Paper, IssuedOn: b.IssuedOn, ValidFrom: b.ValidFrom, ValidTo: b.ValidTo, Replaces: b.Replaces})
}

type discardInput struct {
	ID string `path:"id"`
}

func (s *server) discardFromTray(ctx context.Context, in *discardInput) (*struct{}, error) {
	return nil, s.discardScan(ctx, in.ID)
}

func (s *server) discardScan(ctx context.Context, id string) error {
	w, err := s.waitingScan(ctx, id)
	if err != nil {
		return err
	}
	if err := s.audit(ctx, dossier.ActDiscard, w.Unit, id); err != nil {
		return err
	}
	return s.Tray.Discard(ctx, id)
}
