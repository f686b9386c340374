-- How far long tasks have come that can be broken off.

-- +goose Up
CREATE TABLE place (
    task  TEXT PRIMARY KEY,
    place TEXT NOT NULL,
    at    INTEGER NOT NULL
);

-- +goose Down
DROP TABLE place;
