package pdf

import (
	"maps"
	"slices"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// activeKind names something in a PDF that acts or carries another file.
type activeKind string

const (
	activeScript activeKind = "JavaScript"
	activeLaunch activeKind = "Launch"
	activeRemote activeKind = "GoToR"
	activeSubmit activeKind = "SubmitForm"
	activeFile   activeKind = "EmbeddedFile"
	activeXFA    activeKind = "XFA"
	activeMedia  activeKind = "RichMedia"
)

// actionKinds are the action types that count; GoTo, URI, Named and the like
// only move the reader.
var actionKinds = map[string]activeKind{
	"JavaScript": activeScript, "Launch": activeLaunch, "GoToR": activeRemote, "GoToE": activeRemote,
	"SubmitForm": activeSubmit, "ImportData": activeSubmit,
	"Rendition": activeMedia, "Movie": activeMedia, "Sound": activeMedia, "RichMediaExecute": activeMedia,
}

var annotKinds = map[string]activeKind{
	"RichMedia": activeMedia, "Movie": activeMedia, "Sound": activeMedia, "Screen": activeMedia, "3D": activeMedia,
	"FileAttachment": activeFile,
}

// activeContent looks at every object by its number, those inside object streams
// too: whoever follows references from the catalog only misses what a viewer
// reaches by other ways.
func activeContent(src *model.Context) []activeKind {
	found := map[activeKind]bool{}
	for num := range src.Table {
		o, err := src.Dereference(*types.NewIndirectRef(num, 0))
		if err != nil {
			continue
		}
		activeIn(src, o, found, 0)
	}
	return slices.Sorted(maps.Keys(found))
}

func activeIn(src *model.Context, o types.Object, found map[activeKind]bool, depth int) {
	if depth > 32 {
		return
	}
	switch v := o.(type) {
	case types.StreamDict:
		activeIn(src, v.Dict, found, depth)
	case types.Array:
		for _, e := range v {
			activeIn(src, e, found, depth+1)
		}
	case types.Dict:
		if k, ok := actionKinds[lookName(src, v["S"])]; ok {
			found[k] = true
		}
		if k, ok := annotKinds[lookName(src, v["Subtype"])]; ok {
			found[k] = true
		}
		if js, ok := v["JS"]; ok && script(src, v, js) {
			found[activeScript] = true
		}
		if x, ok := v["XFA"]; ok && look(src, x) != nil {
			found[activeXFA] = true
		}
		// A file specification; a resource may be called EF.
		if lookDict(src, v["EF"]) != nil && (v["F"] != nil || v["UF"] != nil || lookName(src, v["Type"]) != "") || lookName(src, v["Type"]) == "EmbeddedFile" {
			found[activeFile] = true
		}
		for _, e := range v {
			activeIn(src, e, found, depth+1)
		}
	}
}

// script reports whether the JS entry of a dictionary is a script: a resource,
// such as a font, may be called JS.
func script(src *model.Context, d types.Dict, js types.Object) bool {
	switch look(src, js).(type) {
	case types.StringLiteral, types.HexLiteral:
		return true
	case types.StreamDict:
		return d["S"] != nil || lookName(src, d["Type"]) == "Action"
	}
	return false
}
