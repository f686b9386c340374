package web

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sohoa/dossier"
)

// Owners finds what was digitised of an owner before.
type Owners interface {
	// DocumentsOfOwner returns the stored documents of an owner that are in
	// force, the latest first.
	DocumentsOfOwner(ctx context.Context, owner string, limit int) ([]dossier.Standing, error)
}

// maxReusable is how many papers are offered: more than that nobody reads.
const maxReusable = 30

type reusableInput struct {
	OwnerID string `header:"Sohoa-Owner-Id" required:"true" doc:"12 digits of a citizen, 10 or 13 of an enterprise"`
}

// ReusableBody is a paper that can be taken over instead of being scanned again.
type ReusableBody struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Kind        dossier.Kind      `json:"kind"`
	Paper       dossier.PaperCode `json:"paper,omitempty"`
	Unit        dossier.UnitCode  `json:"unit"`
	Pages       int               `json:"pages"`
	IssuedOn    dossier.Date      `json:"issued_on,omitzero"`
	ValidTo     dossier.Date      `json:"valid_to,omitzero"`
	DigitisedOn dossier.Date      `json:"digitised_on"`
}

type reusableOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         []ReusableBody
}

func (s *server) routeReuse() {
	operation(s, mayReuse, huma.Operation{OperationID: "listReusable", Method: "GET", Path: "/api/v1/reusable",
		Summary: "An owner's papers that are digitised and still valid", Tags: []string{"documents"},
		Description: "To take one over, send PUT …/documents with reuses=<id>, the same Sohoa-Owner-Id and an empty body.",
		Errors:      []int{400, 401, 403}}, s.getReusable)
}

// getReusable lists papers whatever unit digitised them: reuse across units is
// what it is for. The bytes stay where they are; only who reaches the unit, or
// has taken the paper over, can open them.
func (s *server) getReusable(ctx context.Context, in *reusableInput) (*reusableOutput, error) {
	if s.Owners == nil {
		return nil, problem("not-wired", nil)
	}
	owner, err := ownerID(in.OwnerID)
	if err != nil {
		return nil, err
	}
	if owner == "" {
		return nil, badValue("Sohoa-Owner-Id")
	}
	if err := s.audit(ctx, dossier.ActAsk, actorOf(ctx).Unit, ""); err != nil {
		return nil, err
	}
	list, err := s.Owners.DocumentsOfOwner(ctx, owner, maxReusable)
	if err != nil {
		return nil, err
	}
	out := &reusableOutput{CacheControl: "no-store", Body: []ReusableBody{}}
	for _, st := range list {
		if st.Record == nil || !valid(st.Slip(), s.Now()) {
			continue
		}
		slip := st.Slip()
		out.Body = append(out.Body, ReusableBody{ID: st.Record.ID, Name: paperName(slip, "vi"), Kind: slip.Kind, Paper: slip.Paper, Unit: slip.Unit,
			Pages: st.Record.Verdict.Pages, IssuedOn: slip.IssuedOn, ValidTo: slip.ValidTo, DigitisedOn: dossier.DateOf(st.Record.ReceivedAt)})
	}
	return out, nil
}

// valid reports whether what the paper says of its validity holds today. One
// that says nothing is taken as valid; whether it suits, the clerk decides.
func valid(s dossier.Slip, now time.Time) bool {
	today := dossier.DateOf(now)
	return (s.ValidFrom == 0 || s.ValidFrom <= today) && (s.ValidTo == 0 || today < s.ValidTo)
}
