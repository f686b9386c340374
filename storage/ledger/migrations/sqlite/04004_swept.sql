-- For the janitor, which sweeps what was rejected long ago, in the order of ids.

-- +goose Up
DROP INDEX document_refused;
CREATE INDEX document_refused ON document (id) WHERE state = 'rejected' AND deleted = 0;

-- +goose Down
DROP INDEX document_refused;
CREATE INDEX document_refused ON document (received_at, id) WHERE state = 'rejected' AND same IS NOT NULL;
