-- A paper that an officer has said is no longer valid.

-- +goose Up
ALTER TABLE document ADD COLUMN revoked SMALLINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE document DROP COLUMN revoked;
