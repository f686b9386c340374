-- What happened to a document, as the event beside its record states it.

-- +goose Up
ALTER TABLE event ADD COLUMN role TEXT NOT NULL DEFAULT '';
ALTER TABLE event ADD COLUMN tool TEXT NOT NULL DEFAULT '';
ALTER TABLE event ADD COLUMN outcome TEXT NOT NULL DEFAULT '';
ALTER TABLE event ADD COLUMN order_number TEXT NOT NULL DEFAULT '';
ALTER TABLE event ADD COLUMN reason TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE event DROP COLUMN role;
ALTER TABLE event DROP COLUMN tool;
ALTER TABLE event DROP COLUMN outcome;
ALTER TABLE event DROP COLUMN order_number;
ALTER TABLE event DROP COLUMN reason;
