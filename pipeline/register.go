package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sohoa/dossier"
	"sohoa/storage"
)

// KeepRegister puts an imported register file into the archive, as it was
// imported, so that the ledger can be rebuilt from the archive alone. forget
// takes it out again, for a file that turned out to change nothing. The objects
// of register/ sort in the order in which they were imported.
func (p *Pipeline) KeepRegister(ctx context.Context, kind, ext string, file *storage.Temp) (forget func() error, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("new id: %w", err)
	}
	at := p.Now().UTC()
	key := storage.Key(fmt.Sprintf("register/%04d/%02d/%s%s", at.Year(), at.Month(), id, ext))
	err = p.Store.Put(ctx, key, file, storage.Info{Size: file.Size(), SHA256: file.SHA256(),
		ContentType: "application/octet-stream", Meta: map[string]string{"register": kind, "imported-at": at.Format(time.RFC3339)}})
	if err != nil {
		return nil, fmt.Errorf("keep the register file: %w", err)
	}
	return func() error { return p.Store.Delete(context.WithoutCancel(ctx), key) }, nil
}

// KeepTarget puts a target into the archive among the registers, in whose order
// it is brought back.
func (p *Pipeline) KeepTarget(ctx context.Context, target any) error {
	b, err := json.Marshal(target)
	if err != nil {
		return fmt.Errorf("keep the target: %w", err)
	}
	temp, err := storage.Spool(p.SpoolDir, bytes.NewReader(append(b, '\n')), 0)
	if err != nil {
		return fmt.Errorf("keep the target: %w", err)
	}
	defer temp.Close()
	_, err = p.KeepRegister(ctx, KindTarget, ".json", temp)
	return err
}

// ClosingKey is where the figures of a closed period lie.
func ClosingKey(period, id string) storage.Key {
	return storage.Key("closings/" + period + "/" + id + ".json")
}

// KeepClosing puts the figures of a closed period into the archive, where they
// outlive the ledger. by is an account, a token or cli. The same bytes under the
// same id succeed.
func (p *Pipeline) KeepClosing(ctx context.Context, period, id string, unit dossier.UnitCode, by string, content []byte, digest dossier.Digest) error {
	err := p.Store.Put(ctx, ClosingKey(period, id), bytes.NewReader(content), storage.Info{Size: int64(len(content)), SHA256: string(digest),
		ContentType: "application/json", Meta: map[string]string{"period": period, "unit": string(unit), "closed-by": by}})
	if err != nil {
		return fmt.Errorf("keep the closed period: %w", err)
	}
	return nil
}
