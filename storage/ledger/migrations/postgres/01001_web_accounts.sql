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
    must_change  SMALLINT NOT NULL,
    disabled     SMALLINT NOT NULL,
    failed       INTEGER NOT NULL,
    locked_until BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    last_login   BIGINT NOT NULL
);

-- id is the hash of what the browser holds.
CREATE TABLE web_session (
    id      TEXT PRIMARY KEY,
    data    BYTEA NOT NULL,
    expires BIGINT NOT NULL
);

CREATE INDEX web_session_expires ON web_session (expires);
