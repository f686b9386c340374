//go:build !linux

package disk

import "os"

// tree is the store's folder, out of which no path leads.
type tree struct{ *os.Root }

func openTree(dir string) (*tree, error) {
	root, err := os.OpenRoot(dir)
	return &tree{root}, err
}

// unlink is Remove for what is no folder.
func (t *tree) unlink(name string) error { return t.Remove(name) }
