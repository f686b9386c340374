package pipeline_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline"
	"sohoa/storage"
)

// schemas are those of docs/schema, by the name of the file they describe.
var schemas = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	out := map[string]*jsonschema.Schema{}
	for name, file := range map[string]string{"record.json": "record-1", "rejected.json": "rejected-1", "tombstone.json": "tombstone-1", "event-": "event-1", "slip-": "slip-1"} {
		s, err := c.Compile(filepath.Join(schemaDir, file+".json"))
		if err != nil {
			return nil, err
		}
		out[name] = s
	}
	return out, nil
})

const schemaDir = "../docs/schema"

// schemaOf is the schema of an object's file name, or nil where it has none.
func schemaOf(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	all, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"event-", "slip-"} {
		if strings.HasPrefix(name, prefix) {
			name = prefix
		}
	}
	return all[name]
}

// wantValid holds every JSON file of the archive's documents against its schema;
// every test's house is looked through at its end.
func wantValid(t testing.TB, s storage.Store) (checked int) {
	t.Helper()
	for _, root := range []storage.Key{"dossiers/", "results/"} {
		for info, err := range s.List(context.Background(), root) {
			if err != nil {
				t.Fatal(err)
			}
			if path.Ext(string(info.Key)) != ".json" {
				continue
			}
			schema := schemaOf(t, path.Base(string(info.Key)))
			if schema == nil {
				t.Errorf("%s has no schema", info.Key)
				continue
			}
			body, _, err := s.Open(context.Background(), info.Key)
			if err != nil {
				t.Fatal(err)
			}
			v, err := jsonschema.UnmarshalJSON(body)
			body.Close()
			if err == nil {
				err = schema.Validate(v)
			}
			if err != nil {
				t.Errorf("%s: %v", info.Key, err)
			}
			checked++
		}
	}
	return checked
}

// TestEveryVerdictFitsItsSchema sends the whole corpus, and lets everything
// happen that can.
func TestEveryVerdictFitsItsSchema(t *testing.T) {
	r := newRig(t, rigOptions{})
	defer r.work(t)()
	root := filepath.Join(testneed.Root(t), "testdata")
	var sent []dossier.Standing
	for _, dir := range []string{"accept", "flag/*", "reject/*"} {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.*"))
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		for _, f := range files {
			if st, err := os.Stat(f); err != nil || st.IsDir() || st.Size() > 2<<20 {
				continue // size says nothing about a record
			}
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			s := slip(dossier.Component, known, "")
			if len(sent)%2 == 1 {
				s.Kind = dossier.ResultKind
			}
			s.FileName = filepath.Base(f)
			st, err := r.pipe.Receive(t.Context(), s, strings.NewReader(string(b)), pipeline.ReceiveOptions{})
			if err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			sent = append(sent, st)
		}
	}
	stored := 0
	for _, st := range sent {
		switch got := r.verdict(t, st); got.State {
		case dossier.Stored:
			stored++
		case dossier.Faulted:
			t.Errorf("%s: %s", st.Intake.Slip.FileName, got.Fault)
		}
	}
	checked := wantValid(t, r.store)
	t.Logf("%d documents, %d stored, %d files held against their schemas", len(sent), stored, checked)
	if checked < 40 || stored < 20 {
		t.Errorf("too few: %d documents, %d stored, %d checked", len(sent), stored, checked)
	}
}

// TestRecordHoldsAllMetadata: everything by which a digitised paper is identified
// stands in record.json.
func TestRecordHoldsAllMetadata(t *testing.T) {
	r := newRig(t, rigOptions{})
	defer r.work(t)()
	s := dossier.Slip{Kind: dossier.ResultKind, Dossier: known, Number: "12/GP-UBND", Paper: "KQ1", Name: "Giấy phép xây dựng",
		FileName: "giấy phép.pdf", OwnerID: "079099001234", IssuedOn: 20240805, IssuedBy: "UBND huyện Trần Đề", SignedBy: "Trần Văn B",
		ValidFrom: 20240806, ValidTo: 20290806, Scope: "toàn tỉnh", Abstract: "về việc cấp phép", By: "account:1", Door: dossier.DoorWeb}
	st := r.verdict(t, r.send(t, s, file(t, "accept/scan-a5-colour.pdf")))
	signed := r.verdict(t, r.send(t, slip(dossier.ResultKind, "H51.10-240801-0002", ""), file(t, "accept/signed-rsa-pades.pdf")))
	read := func(st dossier.Standing) map[string]any {
		body, _, err := r.store.Open(t.Context(), pipeline.Folder(st.Intake)+"/record.json")
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		var m map[string]any
		if err := json.NewDecoder(body).Decode(&m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	at := func(m map[string]any, place string) any {
		var v any = m
		for part := range strings.SplitSeq(place, ".") {
			switch x := v.(type) {
			case map[string]any:
				v = x[part]
			case []any:
				v = x[0].(map[string]any)[part]
			}
		}
		return v
	}
	rec := read(st)
	for place, want := range map[string]any{
		"slip.name": s.Name, "slip.paper": "KQ1", "slip.dossier": string(known), "slip.procedure": "1.000001", "slip.unit": "H51.10",
		"slip.owner_id": s.OwnerID, "slip.number": s.Number, "slip.issued_on": "2024-08-05", "slip.issued_by": s.IssuedBy, "slip.signed_by": s.SignedBy,
		"slip.valid_from": "2024-08-06", "slip.valid_to": "2029-08-06", "slip.scope": s.Scope, "slip.abstract": s.Abstract, "slip.kind": "result",
		"slip.by": "account:1", "slip.door": "web", "slip.file_name": s.FileName, "received_at": "2024-08-29T01:00:00Z",
		"original.media_type": "application/pdf", "original.size": float64(st.Intake.Original.Size), "original.sha256": string(st.Intake.Original.SHA256),
		"verdict.pages": float64(st.Record.Verdict.Pages), "verdict.min_dpi": float64(st.Record.Verdict.MinDPI), "verdict.colour": "colour",
		"verdict.signed": false, "archive.sha256": string(st.Record.Archive.SHA256), "conforms": "pdfa-2b",
		"events.type": "ingestion", "events.at": "2024-08-29T01:00:00Z", "tool": "sohoa test",
	} {
		if got := at(rec, place); got != want || got == "" || got == float64(0) {
			t.Errorf("%s is %v, want %v", place, got, want)
		}
	}
	rec = read(signed)
	for place, want := range map[string]any{"verdict.signed": true, "verdict.legal_value": true, "verdict.signatures.intact": true, "conforms": "original", "archive": nil} {
		if got := at(rec, place); got != want {
			t.Errorf("signed: %s is %v, want %v", place, got, want)
		}
	}
	if at(rec, "verdict.signatures.signer") == "" {
		t.Error("no signer")
	}
}

// TestSchemasNameEveryField: what the program can write and what the schema
// names are the same.
func TestSchemasNameEveryField(t *testing.T) {
	for file, v := range map[string]any{"record-1": dossier.Record{}, "rejected-1": dossier.Refusal{}, "tombstone-1": dossier.Tombstone{}, "event-1": dossier.Later{}, "slip-1": dossier.Amended{}} {
		b, err := os.ReadFile(filepath.Join(schemaDir, file+".json"))
		if err != nil {
			t.Fatal(err)
		}
		type object struct {
			Properties map[string]json.RawMessage `json:"properties"`
			Defs       map[string]object          `json:"$defs"`
		}
		var s object
		if err := json.Unmarshal(b, &s); err != nil {
			t.Fatal(err)
		}
		if file == "rejected-1" {
			var reason struct{ Enum []dossier.Reason }
			if err := json.Unmarshal(s.Properties["reason"], &reason); err != nil || !slices.Equal(reason.Enum, dossier.Reasons()) {
				t.Errorf("the schema knows the reasons %v (%v), the program %v", reason.Enum, err, dossier.Reasons())
			}
		}
		want := map[string][]string{}
		fields(reflect.TypeOf(v), "", want)
		got := map[string][]string{"": slices.Sorted(maps.Keys(s.Properties))}
		if file == "event-1" { // its own fields are those of an event and three more
			got[""] = slices.Sorted(slices.Values(append(got[""], slices.Collect(maps.Keys(s.Defs["event"].Properties))...)))
			delete(s.Defs, "event")
		}
		for name, d := range s.Defs {
			if len(d.Properties) > 0 {
				got[name] = slices.Sorted(maps.Keys(d.Properties))
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s names\n%v\nthe program writes\n%v", file, got, want)
		}
	}
}

// fields collects the names a type is written with, by the type's name in lower
// case; the outermost has none.
func fields(typ reflect.Type, name string, out map[string][]string) {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || typ.PkgPath() != "sohoa/dossier" {
		return
	}
	for _, f := range reflect.VisibleFields(typ) {
		if f.Anonymous || len(f.Index) > 1 && !f.IsExported() {
			continue
		}
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "-" {
			continue
		}
		out[name] = append(out[name], tag)
		inner := f.Type
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if _, seen := out[strings.ToLower(inner.Name())]; !seen {
			fields(inner, strings.ToLower(inner.Name()), out)
		}
	}
	slices.Sort(out[name])
}
