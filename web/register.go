package web

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"sohoa/dossier"
)

// importKinds are the files of the register that the API takes.
var importKinds = []string{"units", "procedures", "dossiers", "results", "indicators", "portal"}

type importInput struct {
	Kind        string `path:"kind" enum:"units,procedures,dossiers,results,indicators,portal"`
	Disposition string `header:"Content-Disposition" doc:"attachment; filename*=UTF-8''dossiers.csv : named in the rows that are wrong"`

	w http.ResponseWriter
	r *http.Request
}

func (in *importInput) Resolve(ctx huma.Context) []error {
	in.r, in.w = humago.Unwrap(ctx)
	return nil
}

type importOutput struct{ Body ImportReport }

// UnitBody is a unit of the tree.
type UnitBody struct {
	Code      dossier.UnitCode `json:"code"`
	Name      string           `json:"name"`
	Level     dossier.Level    `json:"level"`
	Parent    dossier.UnitCode `json:"parent,omitempty"`
	ValidFrom dossier.Date     `json:"valid_from,omitzero"`
	ValidTo   dossier.Date     `json:"valid_to,omitzero"`
	Successor dossier.UnitCode `json:"successor,omitempty"`
}

type unitsOutput struct{ Body []UnitBody }

func (s *server) routeRegister() {
	operation(s, mayFeed, huma.Operation{OperationID: "import", Method: "POST", Path: "/api/v1/import/{kind}",
		Summary: "Import a file of the register (CSV or XLSX)", Tags: []string{"register"},
		Description: "Good rows go in, bad ones come back by row and column. The same file again changes nothing.",
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"text/csv": {Schema: &huma.Schema{Type: "string", Format: "binary"}},
			"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}},
		Errors: []int{400, 401, 403, 413, 422, 503}}, s.importFile)
	operation(s, anyRole, huma.Operation{OperationID: "listUnits", Method: "GET", Path: "/api/v1/units",
		Summary: "The units of all times", Tags: []string{"register"}, Errors: []int{401}}, s.listUnits)
}

func (s *server) importFile(ctx context.Context, in *importInput) (*importOutput, error) {
	if s.Importer == nil {
		return nil, problem("not-wired", nil)
	}
	if !slices.Contains(importKinds, in.Kind) {
		return nil, problem("not-found", nil)
	}
	name, err := fileName(in.Disposition)
	if err != nil {
		return nil, err
	}
	if name == "" {
		name = in.Kind
	}
	if in.r.ContentLength > s.MaxImport {
		return nil, problem("too-large", nil)
	}
	body := s.moving(in.w, http.MaxBytesReader(in.w, in.r.Body, s.MaxImport))
	rep, err := s.Importer.Import(ctx, in.Kind, name, body)
	if err != nil {
		if p := body.problem(); p != nil {
			return nil, p
		}
		return nil, err
	}
	if err := s.audit(ctx, dossier.ActImport, actorOf(ctx).Unit, in.Kind); err != nil {
		return nil, err
	}
	if rep.Bad == nil {
		rep.Bad = []dossier.RowError{}
	}
	return &importOutput{rep}, nil
}

func (s *server) listUnits(ctx context.Context, _ *struct{}) (*unitsOutput, error) {
	tree, err := s.trees.get(ctx)
	if err != nil {
		return nil, err
	}
	out := &unitsOutput{Body: make([]UnitBody, 0, len(tree.units))}
	for _, u := range tree.units {
		out.Body = append(out.Body, UnitBody(u))
	}
	return out, nil
}
