-- Papers by their owner, so that what was digitised once can be used again.

-- +goose Up

ALTER TABLE document ADD COLUMN owner TEXT GENERATED ALWAYS AS (CASE WHEN intake LIKE '{%' THEN CAST(intake AS jsonb) -> 'slip' ->> 'owner_id' END) STORED;
CREATE INDEX document_owner ON document (owner, received_at) WHERE owner IS NOT NULL;
