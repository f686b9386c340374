package pipeline

import (
	"context"
	"fmt"
	"iter"
	"path"
	"strings"

	"sohoa/storage"
)

// roots hold the documents, a folder each.
var roots = []storage.Key{"dossiers/", "results/"}

// folder is a document's folder as the archive has it.
type folder struct {
	key     storage.Key
	objects map[string]storage.Info // by name; what lies deeper, which is not ours, by its path
}

// id is the document's.
func (f folder) id() string { return path.Base(string(f.key)) }

// has reports whether an object of that name is there.
func (f folder) has(name string) bool {
	_, ok := f.objects[name]
	return ok
}

// folders yields the documents' folders below a root in the order of their keys,
// so within a dossier in the order of time. The listing is in that order too, so
// only one folder is held in memory.
func (p *Pipeline) folders(ctx context.Context, root storage.Key) iter.Seq2[folder, error] {
	return func(yield func(folder, error) bool) {
		var f folder
		for info, err := range p.Store.List(ctx, root) {
			if err != nil {
				yield(folder{}, fmt.Errorf("list the archive: %w", err))
				return
			}
			name, document := groupOf(info.Key)
			if document == "" {
				continue // no part of an archive
			}
			if key := storage.Key(name); key != f.key {
				if f.key != "" && !yield(f, nil) {
					return
				}
				f = folder{key: key, objects: map[string]storage.Info{}}
			}
			f.objects[strings.TrimPrefix(string(info.Key), name+"/")] = info
		}
		if f.key != "" {
			yield(f, nil)
		}
	}
}
