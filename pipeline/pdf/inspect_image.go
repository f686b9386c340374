package pdf

import (
	"context"
	"fmt"

	"sohoa/dossier"
)

func (d *document) inspectImage(ctx context.Context, q wireQuestion) (dossier.Verdict, error) {
	return dossier.Verdict{}, fmt.Errorf("images are not judged yet")
}
