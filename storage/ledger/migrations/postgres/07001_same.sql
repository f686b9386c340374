-- A document that comes again is looked for among those of its dossier, by its
-- digest. Its fingerprint, in an index that is in no order, is entered for one more
-- day: so long the program before this one, which looks for that, goes on beside it.
--
-- It goes on while the index is built, too, and no lock is taken that it could be
-- in the way of; so each statement stands for itself. What was broken off begins anew.

-- +goose NO TRANSACTION
-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS document_same;
CREATE INDEX CONCURRENTLY document_same ON document (dossier, sha256);
DROP INDEX CONCURRENTLY IF EXISTS document_dossier;
INSERT INTO place (task, place, at) SELECT 'fingerprints', '', (CAST(EXTRACT(EPOCH FROM now()) AS BIGINT) + 86400) * 1000000 WHERE EXISTS (SELECT 1 FROM document)
    ON CONFLICT (task) DO UPDATE SET at = excluded.at;

-- +goose Down
DELETE FROM place WHERE task = 'fingerprints';
DROP INDEX CONCURRENTLY IF EXISTS document_dossier;
CREATE INDEX CONCURRENTLY document_dossier ON document (dossier, received_at) WHERE dossier <> '';
DROP INDEX CONCURRENTLY IF EXISTS document_same;
