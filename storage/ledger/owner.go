package ledger

import (
	"context"

	"sohoa/dossier"
)

// DocumentsOfOwner returns the stored documents of an owner that are in force,
// neither replaced, revoked nor deleted and with bytes of their own, the latest first, at
// most limit.
func (l *Ledger) DocumentsOfOwner(ctx context.Context, owner string, limit int) ([]dossier.Standing, error) {
	if owner == "" {
		return nil, nil
	}
	return l.standings(ctx, `owner = $1 AND owner IS NOT NULL AND state = 'stored' AND replaced_by = '' AND revoked = 0 AND deleted = 0 AND reuses = ''
		ORDER BY received_at DESC, id LIMIT $2`, owner, limit)
}
