-- Who did what: append-only, each entry hashed together with the one before.
-- audit_head is the last entry's place and hash; whoever appends locks it.

-- +goose Up

CREATE TABLE audit (
    seq    BIGINT PRIMARY KEY,
    at     BIGINT NOT NULL,
    actor  TEXT NOT NULL,
    role   TEXT NOT NULL,
    unit   TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    source TEXT NOT NULL,
    hash   TEXT NOT NULL
);
CREATE INDEX audit_object ON audit (object, seq);
CREATE INDEX audit_actor ON audit (actor, seq);

CREATE TABLE audit_head (
    one  INTEGER PRIMARY KEY,
    seq  BIGINT NOT NULL,
    hash TEXT NOT NULL
);
INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, '');
