package pipeline

import (
	"context"
	"fmt"
	"io"
	"path"

	"sohoa/dossier"
	"sohoa/storage"
)

// Rebuild enters everything the archive holds into the ledger: the register
// files in the order in which they were imported, then every record and refusal.
// What the ledger already has changes nothing, so it can be broken off and
// started again. A document that was only received, without a verdict, is not
// brought back: its sender was told to ask again.
func (p *Pipeline) Rebuild(ctx context.Context, importRegister func(kind, name string, body io.Reader) error, progress func(documents int64)) error {
	for info, err := range p.Store.List(ctx, "register/") {
		if err != nil {
			return err
		}
		if err := p.rebuildRegister(ctx, info.Key, importRegister); err != nil {
			return fmt.Errorf("%s: %w", info.Key, err)
		}
	}
	var n int64
	for _, root := range []storage.Key{"dossiers/", "results/"} {
		// In order of keys, so within a dossier in order of time: what a document
		// replaces comes before it.
		for info, err := range p.Store.List(ctx, root) {
			if err != nil {
				return err
			}
			switch path.Base(string(info.Key)) {
			case recordName:
				var rec dossier.Record
				if err = p.readJSON(ctx, info.Key, &rec); err == nil {
					err = p.Ledger.Settle(ctx, rec)
				}
			case refusalName:
				var ref dossier.Refusal
				if err = p.readJSON(ctx, info.Key, &ref); err == nil {
					err = p.Ledger.Refuse(ctx, ref)
				}
			case tombstoneName:
				// After a record that a crash left beside it: the tombstone has the last word.
				var stone dossier.Tombstone
				if err = p.readJSON(ctx, info.Key, &stone); err == nil {
					err = p.Ledger.Delete(ctx, stone)
				}
			default:
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", info.Key, err)
			}
			if n++; progress != nil {
				progress(n)
			}
		}
	}
	return nil
}

func (p *Pipeline) rebuildRegister(ctx context.Context, key storage.Key, importRegister func(kind, name string, body io.Reader) error) error {
	body, info, err := p.Store.Open(ctx, key)
	if err != nil {
		return err
	}
	defer body.Close()
	return importRegister(info.Meta["register"], path.Base(string(key)), body)
}
