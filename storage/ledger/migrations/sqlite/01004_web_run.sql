-- What runs, and how far it is: workers and backfills tell it themselves, every
-- few seconds.

-- +goose Up
CREATE TABLE run (
    id         TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    host       TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    slots      INTEGER NOT NULL,
    done       INTEGER NOT NULL,
    total      INTEGER NOT NULL,
    failed     INTEGER NOT NULL,
    waiting    TEXT NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE run;
