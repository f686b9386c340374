-- For the janitor, which sweeps what was rejected long ago.

-- +goose Up
CREATE INDEX document_refused ON document (received_at, id) WHERE state = 'rejected' AND same IS NOT NULL;

-- +goose Down
DROP INDEX document_refused;
