-- subject is who the account is at the single sign-on, as a hash; empty: a local
-- account. A session of another epoch than the account's has ended.

-- +goose Up
ALTER TABLE account ADD COLUMN subject TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX account_subject ON account (subject) WHERE subject <> '';
CREATE INDEX account_unit ON account (unit, login);

-- +goose Down
DROP INDEX account_unit;
DROP INDEX account_subject;
ALTER TABLE account DROP COLUMN epoch;
ALTER TABLE account DROP COLUMN subject;
