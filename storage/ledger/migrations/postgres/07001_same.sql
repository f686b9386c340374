-- A document that comes again is looked for among those of its dossier, by its
-- digest. Its fingerprint, in an index that is in no order, is entered for one more
-- day: so long the program before this one, which looks for that, goes on beside it.

-- +goose Up
CREATE INDEX document_same ON document (dossier, sha256);
DROP INDEX document_dossier;
INSERT INTO place (task, place, at) SELECT 'fingerprints', '', (CAST(EXTRACT(EPOCH FROM now()) AS BIGINT) + 86400) * 1000000 WHERE EXISTS (SELECT 1 FROM document);

-- +goose Down
DELETE FROM place WHERE task = 'fingerprints';
CREATE INDEX document_dossier ON document (dossier, received_at) WHERE dossier <> '';
DROP INDEX document_same;
