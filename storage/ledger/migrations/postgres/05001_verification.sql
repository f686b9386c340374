-- Passes of verification and what they found: how far one is, so that it goes on
-- where it was broken off, and when the last one ended.

-- +goose Up

CREATE TABLE verification (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    deep        BIGINT NOT NULL,
    started_at  BIGINT NOT NULL,
    moved_at    BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL,
    stage       TEXT NOT NULL,
    done        TEXT NOT NULL,
    documents   BIGINT NOT NULL,
    objects     BIGINT NOT NULL,
    bytes       BIGINT NOT NULL,
    differences BIGINT NOT NULL
);
CREATE INDEX verification_name ON verification (name, started_at);

CREATE TABLE difference (
    verification TEXT NOT NULL,
    n            BIGINT NOT NULL,
    kind         TEXT NOT NULL,
    document     TEXT NOT NULL,
    object       TEXT NOT NULL,
    detail       TEXT NOT NULL,
    PRIMARY KEY (verification, n)
);

-- +goose Down
DROP TABLE difference;
DROP TABLE verification;
