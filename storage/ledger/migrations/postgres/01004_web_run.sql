-- What runs, and how far it is: workers and backfills tell it themselves, every
-- few seconds.

-- +goose Up
CREATE TABLE run (
    id         TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    host       TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL,
    slots      BIGINT NOT NULL,
    done       BIGINT NOT NULL,
    total      BIGINT NOT NULL,
    failed     BIGINT NOT NULL,
    waiting    TEXT NOT NULL
);

-- +goose Down
DROP TABLE run;
