package pipeline

import (
	"context"
	"fmt"
	"iter"
	"path"

	"sohoa/storage"
)

// roots hold the documents, a folder each.
var roots = []storage.Key{"dossiers/", "results/"}

// folder is a document's folder as the archive has it.
type folder struct {
	key     storage.Key
	objects map[string]storage.Info // by name
}

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
			dir, name := path.Split(string(info.Key))
			if key := storage.Key(path.Clean(dir)); key != f.key {
				if f.key != "" && !yield(f, nil) {
					return
				}
				f = folder{key: key, objects: map[string]storage.Info{}}
			}
			f.objects[name] = info
		}
		if f.key != "" {
			yield(f, nil)
		}
	}
}
