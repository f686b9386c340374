-- Passes of verification and what they found: how far one is, so that it goes on
-- where it was broken off, and when the last one ended.

-- +goose Up

CREATE TABLE verification (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    deep        INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    moved_at    INTEGER NOT NULL,
    ended_at    INTEGER NOT NULL,
    stage       TEXT NOT NULL,
    done        TEXT NOT NULL,
    documents   INTEGER NOT NULL,
    objects     INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    differences INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX verification_name ON verification (name, started_at);

CREATE TABLE difference (
    verification TEXT NOT NULL,
    n            INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    document     TEXT NOT NULL,
    object       TEXT NOT NULL,
    detail       TEXT NOT NULL,
    PRIMARY KEY (verification, n)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE difference;
DROP TABLE verification;
