-- What is said of a paper, as it was corrected after its verdict; papers are found
-- by the owner that is said today.

-- +goose Up
ALTER TABLE document ADD COLUMN amended TEXT NOT NULL DEFAULT '';
DROP INDEX document_owner;
ALTER TABLE document DROP COLUMN owner;
ALTER TABLE document ADD COLUMN owner TEXT GENERATED ALWAYS AS (CASE WHEN amended <> '' THEN CAST(amended AS jsonb) ->> 'owner_id' WHEN intake LIKE '{%' THEN CAST(intake AS jsonb) -> 'slip' ->> 'owner_id' END) STORED;
CREATE INDEX document_owner ON document (owner, received_at) WHERE owner IS NOT NULL;

-- +goose Down
DROP INDEX document_owner;
ALTER TABLE document DROP COLUMN owner;
ALTER TABLE document ADD COLUMN owner TEXT GENERATED ALWAYS AS (CASE WHEN intake LIKE '{%' THEN CAST(intake AS jsonb) -> 'slip' ->> 'owner_id' END) STORED;
CREATE INDEX document_owner ON document (owner, received_at) WHERE owner IS NOT NULL;
ALTER TABLE document DROP COLUMN amended;
