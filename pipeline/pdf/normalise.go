package pdf

import (
	"context"

	"sohoa/dossier"
)

// normalise writes the archival copy.
func (d *document) normalise(ctx context.Context, q wireQuestion, out string, label Label) (Copy, error) {
	if !d.judged {
		// A fresh child has not seen it.
		if _, err := d.inspect(ctx, q); err != nil {
			return Copy{}, err
		}
	}
	if d.signed {
		return Copy{}, ErrSigned
	}
	return Copy{Conforms: dossier.AsOriginal}, nil
}
