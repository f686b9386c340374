package backfill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"sohoa/dossier"
	"sohoa/pipeline"
)

// Local is the door of this process: its own pipeline, whose workers must run.
type Local struct {
	Pipeline *pipeline.Pipeline
	// Again puts a document in the failure inbox back into the queue; may be nil.
	Again func(ctx context.Context, id string) error
}

// Submit hands the document to the pipeline and waits for its verdict. What is
// there already is corrected where the slip says otherwise.
func (l Local) Submit(ctx context.Context, slip dossier.Slip, body io.ReadSeeker, _ int64) (dossier.Standing, error) {
	st, err := l.Pipeline.Receive(ctx, slip, body, pipeline.ReceiveOptions{})
	if errors.Is(err, pipeline.ErrSlip) {
		return st, fmt.Errorf("%w: %w", ErrSlip, err)
	}
	if err != nil {
		return st, err
	}
	again := st.Again
	if st.State == dossier.Pending {
		if st, err = l.Pipeline.Wait(ctx, st.Intake.ID, time.Minute); err != nil {
			return st, err
		}
		st.Again = again
	}
	if again && st.Correctable() {
		st.Corrected, err = l.Pipeline.Amend(ctx, st.Intake.ID, slip)
	}
	return st, err
}

// Standing answers where a document stands.
func (l Local) Standing(ctx context.Context, id string) (dossier.Standing, error) {
	return l.Pipeline.Standing(ctx, id)
}

// Replay puts a document in the failure inbox back into the queue.
func (l Local) Replay(ctx context.Context, id string) error {
	if l.Again == nil {
		return errors.ErrUnsupported
	}
	return l.Again(ctx, id)
}
