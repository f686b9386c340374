-- The ledger's tables. Both dialects have the same tables and columns, so the
-- program's SQL is one text; types and storage parameters are what differs.
-- Instants are microseconds since 1970 (0: none), days are yyyymmdd (0: none).

-- +goose Up

-- A unit's states: a code may appear several times, with ranges of days that do
-- not overlap ([valid_from, valid_to), 0 is open).
CREATE TABLE unit (
    code       TEXT NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_to   INTEGER NOT NULL,
    name       TEXT NOT NULL,
    level      TEXT NOT NULL,
    parent     TEXT NOT NULL,
    successor  TEXT NOT NULL,
    PRIMARY KEY (code, valid_from)
) WITHOUT ROWID;

-- unsettled counts the changes that dossiers may not have followed yet.
CREATE TABLE procedure (
    code             TEXT PRIMARY KEY,
    name             TEXT NOT NULL,
    returns_document INTEGER NOT NULL,
    unsettled        INTEGER NOT NULL
) WITHOUT ROWID;

-- known is 0 for a dossier that documents name and the register does not: it
-- counts for nothing until the register names it.
CREATE TABLE dossier (
    code             TEXT PRIMARY KEY,
    known            INTEGER NOT NULL,
    unit             TEXT NOT NULL,
    procedure        TEXT NOT NULL,
    channel          INTEGER NOT NULL,
    status           TEXT NOT NULL,
    received_at      INTEGER NOT NULL,
    resolved_at      INTEGER NOT NULL,
    synced_at        INTEGER NOT NULL,
    personal_at      INTEGER NOT NULL,
    received_day     INTEGER NOT NULL,
    resolved_day     INTEGER NOT NULL,
    returns_document INTEGER NOT NULL,
    components       INTEGER NOT NULL,
    reused           INTEGER NOT NULL,
    personal         INTEGER NOT NULL,
    results          INTEGER NOT NULL,
    legal_results    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX dossier_received ON dossier (unit, received_day, code);
CREATE INDEX dossier_resolved ON dossier (unit, resolved_day, code);

-- A result in force, by folded number and unit; known as above.
CREATE TABLE result (
    unit            TEXT NOT NULL,
    number_key      TEXT NOT NULL,
    known           INTEGER NOT NULL,
    number          TEXT NOT NULL,
    authority_level TEXT NOT NULL,
    issued_on       INTEGER NOT NULL,
    valid_from      INTEGER NOT NULL,
    valid_to        INTEGER NOT NULL,
    revoked         INTEGER NOT NULL,
    name            TEXT NOT NULL,
    digitised       INTEGER NOT NULL,
    PRIMARY KEY (unit, number_key)
) WITHOUT ROWID;

-- A document from its reception on. same is the fingerprint by which the same
-- document is known again; it is NULL once it may come again (swept, deleted).
-- counts is 1 while the document is in force and has its file.
CREATE TABLE document (
    id          TEXT PRIMARY KEY,
    same        TEXT UNIQUE,
    state       TEXT NOT NULL,
    kind        TEXT NOT NULL,
    dossier     TEXT NOT NULL,
    unit        TEXT NOT NULL,
    number_key  TEXT NOT NULL,
    paper       TEXT NOT NULL,
    sha256      TEXT NOT NULL,
    replaces    TEXT NOT NULL,
    reuses      TEXT NOT NULL,
    replaced_by TEXT NOT NULL,
    deleted     INTEGER NOT NULL,
    counts      INTEGER NOT NULL,
    personal    INTEGER NOT NULL,
    legal       INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    job         INTEGER NOT NULL,
    fault       TEXT NOT NULL,
    intake      TEXT NOT NULL,
    verdict     TEXT NOT NULL
);
CREATE INDEX document_dossier ON document (dossier, received_at) WHERE dossier <> '';
CREATE INDEX document_result ON document (unit, number_key) WHERE number_key <> '';
CREATE INDEX document_replaces ON document (replaces) WHERE replaces <> '';
CREATE INDEX document_reuses ON document (reuses) WHERE reuses <> '';
CREATE INDEX document_open ON document (state, received_at) WHERE state IN ('pending', 'faulted');

-- The tallies. A row is a unit and a period: a day (20240830), a month (202408)
-- or a year (2024), so that a sum over any period reads few rows. Numerator and
-- denominator of a series stand in the columns n<slot> and d<slot>; the program
-- adds columns when it counts more than there are.
CREATE TABLE series (
    name TEXT PRIMARY KEY,
    slot INTEGER NOT NULL UNIQUE
);
CREATE TABLE counter (
    unit   TEXT NOT NULL,
    period INTEGER NOT NULL,
    n0 INTEGER, d0 INTEGER, n1 INTEGER, d1 INTEGER, n2 INTEGER, d2 INTEGER, n3 INTEGER, d3 INTEGER,
    n4 INTEGER, d4 INTEGER, n5 INTEGER, d5 INTEGER, n6 INTEGER, d6 INTEGER, n7 INTEGER, d7 INTEGER,
    n8 INTEGER, d8 INTEGER, n9 INTEGER, d9 INTEGER, n10 INTEGER, d10 INTEGER, n11 INTEGER, d11 INTEGER,
    n12 INTEGER, d12 INTEGER, n13 INTEGER, d13 INTEGER, n14 INTEGER, d14 INTEGER, n15 INTEGER, d15 INTEGER,
    n16 INTEGER, d16 INTEGER, n17 INTEGER, d17 INTEGER, n18 INTEGER, d18 INTEGER, n19 INTEGER, d19 INTEGER,
    n20 INTEGER, d20 INTEGER, n21 INTEGER, d21 INTEGER, n22 INTEGER, d22 INTEGER, n23 INTEGER, d23 INTEGER,
    n24 INTEGER, d24 INTEGER, n25 INTEGER, d25 INTEGER,
    PRIMARY KEY (unit, period)
) WITHOUT ROWID;

CREATE TABLE target (
    indicator TEXT NOT NULL,
    unit      TEXT NOT NULL,
    year      INTEGER NOT NULL,
    value     TEXT NOT NULL,
    PRIMARY KEY (indicator, unit, year)
);
CREATE TABLE indicator_value (
    period TEXT NOT NULL,
    line   INTEGER NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (period, line)
);
CREATE TABLE portal (
    period      TEXT NOT NULL,
    unit        TEXT NOT NULL,
    indicator   TEXT NOT NULL,
    numerator   INTEGER NOT NULL,
    denominator INTEGER NOT NULL,
    PRIMARY KEY (period, unit, indicator)
);
CREATE TABLE closing (
    id        TEXT PRIMARY KEY,
    period    TEXT NOT NULL,
    unit      TEXT NOT NULL,
    closed_at INTEGER NOT NULL,
    closed_by TEXT NOT NULL,
    sha256    TEXT NOT NULL,
    content   TEXT NOT NULL
);
CREATE INDEX closing_period ON closing (period, closed_at);
CREATE TABLE token (
    id         TEXT PRIMARY KEY,
    secret     TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    unit       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL
);
-- What happened to a document after its verdict: a deletion by order, another
-- opinion on its signature.
CREATE TABLE event (
    document TEXT NOT NULL,
    at       INTEGER NOT NULL,
    type     TEXT NOT NULL,
    by_whom  TEXT NOT NULL,
    detail   TEXT NOT NULL,
    PRIMARY KEY (document, at, type)
);

-- +goose Down
DROP TABLE event;
DROP TABLE token;
DROP TABLE closing;
DROP TABLE portal;
DROP TABLE indicator_value;
DROP TABLE target;
DROP TABLE counter;
DROP TABLE series;
DROP TABLE document;
DROP TABLE result;
DROP TABLE dossier;
DROP TABLE procedure;
DROP TABLE unit;
