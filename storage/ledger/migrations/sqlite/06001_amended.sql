-- What is said of a paper, as it was corrected after its verdict; papers are found
-- by the owner that is said today.

-- +goose Up
ALTER TABLE document ADD COLUMN amended TEXT NOT NULL DEFAULT '';
DROP INDEX document_owner;
ALTER TABLE document DROP COLUMN owner;
ALTER TABLE document ADD COLUMN owner TEXT GENERATED ALWAYS AS (CASE WHEN amended <> '' THEN json_extract(amended, '$.owner_id') WHEN json_valid(intake) THEN json_extract(intake, '$.slip.owner_id') END) VIRTUAL;
CREATE INDEX document_owner ON document (owner, received_at) WHERE owner IS NOT NULL;

-- +goose Down
DROP INDEX document_owner;
ALTER TABLE document DROP COLUMN owner;
ALTER TABLE document ADD COLUMN owner TEXT GENERATED ALWAYS AS (CASE WHEN json_valid(intake) THEN json_extract(intake, '$.slip.owner_id') END) VIRTUAL;
CREATE INDEX document_owner ON document (owner, received_at) WHERE owner IS NOT NULL;
ALTER TABLE document DROP COLUMN amended;
