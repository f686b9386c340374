-- Local accounts and the sessions of people who are signed in. Both dialects
-- have the same tables and columns.

-- +goose Up

CREATE TABLE account (
    id           TEXT PRIMARY KEY,
    login        TEXT NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    role         TEXT NOT NULL,
    unit         TEXT NOT NULL,
    hash         TEXT NOT NULL,
    must_change  INTEGER NOT NULL,
    disabled     INTEGER NOT NULL,
    failed       INTEGER NOT NULL,
    locked_until INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    last_login   INTEGER NOT NULL
) WITHOUT ROWID;

-- id is the hash of what the browser holds.
CREATE TABLE web_session (
    id      TEXT PRIMARY KEY,
    data    BLOB NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX web_session_expires ON web_session (expires);
