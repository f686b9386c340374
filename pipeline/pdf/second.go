package pdf

import (
	"context"
	"fmt"
)

// secondReader is PDFium.
type secondReader struct{}

func (r *secondReader) close() {}

func (d *document) picture(ctx context.Context, page, dpi int) ([]byte, error) {
	return nil, fmt.Errorf("no picture yet")
}
