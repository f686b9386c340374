-- filled is 0 until a new series has been counted over the dossiers that were
-- there before it. What is there now was counted from the first dossier on, but
-- for what a program added in between: counting it again does no harm.

-- +goose Up
ALTER TABLE series ADD COLUMN filled SMALLINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE series DROP COLUMN filled;
