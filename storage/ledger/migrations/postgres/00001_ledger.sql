-- The ledger's tables. Both dialects have the same tables and columns, so the
-- program's SQL is one text; types and storage parameters are what differs.
-- Instants are microseconds since 1970 (0: none), days are yyyymmdd (0: none).

-- +goose Up

-- A unit's states: a code may appear several times, with ranges of days that do
-- not overlap ([valid_from, valid_to), 0 is open).
CREATE TABLE unit (
    code       TEXT COLLATE "C" NOT NULL,
    valid_from BIGINT NOT NULL,
    valid_to   BIGINT NOT NULL,
    name       TEXT NOT NULL,
    level      TEXT NOT NULL,
    parent     TEXT COLLATE "C" NOT NULL,
    successor  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (code, valid_from)
);

-- unsettled counts the changes that dossiers may not have followed yet.
CREATE TABLE procedure (
    code             TEXT COLLATE "C" PRIMARY KEY,
    name             TEXT NOT NULL,
    returns_document SMALLINT NOT NULL,
    unsettled        SMALLINT NOT NULL
);

-- known is 0 for a dossier that documents name and the register does not: it
-- counts for nothing until the register names it.
CREATE TABLE dossier (
    code             TEXT COLLATE "C" PRIMARY KEY,
    known            SMALLINT NOT NULL,
    unit             TEXT COLLATE "C" NOT NULL,
    procedure        TEXT COLLATE "C" NOT NULL,
    channel          SMALLINT NOT NULL,
    status           TEXT NOT NULL,
    received_at      BIGINT NOT NULL,
    resolved_at      BIGINT NOT NULL,
    synced_at        BIGINT NOT NULL,
    personal_at      BIGINT NOT NULL,
    received_day     BIGINT NOT NULL,
    resolved_day     BIGINT NOT NULL,
    returns_document SMALLINT NOT NULL,
    components       BIGINT NOT NULL,
    reused           BIGINT NOT NULL,
    personal         BIGINT NOT NULL,
    results          BIGINT NOT NULL,
    legal_results    BIGINT NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX dossier_received ON dossier (unit, received_day, code);
CREATE INDEX dossier_resolved ON dossier (unit, resolved_day, code);

-- A result in force, by folded number and unit; known as above.
CREATE TABLE result (
    unit            TEXT COLLATE "C" NOT NULL,
    number_key      TEXT COLLATE "C" NOT NULL,
    known           SMALLINT NOT NULL,
    number          TEXT NOT NULL,
    authority_level TEXT NOT NULL,
    issued_on       BIGINT NOT NULL,
    valid_from      BIGINT NOT NULL,
    valid_to        BIGINT NOT NULL,
    revoked         SMALLINT NOT NULL,
    name            TEXT NOT NULL,
    digitised       SMALLINT NOT NULL,
    PRIMARY KEY (unit, number_key)
);

-- A document from its reception on. same is the fingerprint by which the same
-- document is known again; it is NULL once it may come again (swept, deleted).
-- counts is 1 while the document is in force and has its file.
CREATE TABLE document (
    id          TEXT COLLATE "C" PRIMARY KEY,
    same        TEXT COLLATE "C" UNIQUE,
    state       TEXT NOT NULL,
    kind        TEXT NOT NULL,
    dossier     TEXT COLLATE "C" NOT NULL,
    unit        TEXT COLLATE "C" NOT NULL,
    number_key  TEXT COLLATE "C" NOT NULL,
    paper       TEXT NOT NULL,
    sha256      TEXT NOT NULL,
    replaces    TEXT COLLATE "C" NOT NULL,
    reuses      TEXT COLLATE "C" NOT NULL,
    replaced_by TEXT COLLATE "C" NOT NULL,
    deleted     SMALLINT NOT NULL,
    counts      SMALLINT NOT NULL,
    personal    SMALLINT NOT NULL,
    legal       SMALLINT NOT NULL,
    received_at BIGINT NOT NULL,
    job         BIGINT NOT NULL,
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
    name TEXT COLLATE "C" PRIMARY KEY,
    slot BIGINT NOT NULL UNIQUE
);
CREATE TABLE counter (
    unit   TEXT COLLATE "C" NOT NULL,
    period BIGINT NOT NULL,
    n0 INTEGER, d0 INTEGER, n1 INTEGER, d1 INTEGER, n2 INTEGER, d2 INTEGER, n3 INTEGER, d3 INTEGER,
    n4 INTEGER, d4 INTEGER, n5 INTEGER, d5 INTEGER, n6 INTEGER, d6 INTEGER, n7 INTEGER, d7 INTEGER,
    n8 INTEGER, d8 INTEGER, n9 INTEGER, d9 INTEGER, n10 INTEGER, d10 INTEGER, n11 INTEGER, d11 INTEGER,
    n12 INTEGER, d12 INTEGER, n13 INTEGER, d13 INTEGER, n14 INTEGER, d14 INTEGER, n15 INTEGER, d15 INTEGER,
    n16 INTEGER, d16 INTEGER, n17 INTEGER, d17 INTEGER, n18 INTEGER, d18 INTEGER, n19 INTEGER, d19 INTEGER,
    n20 INTEGER, d20 INTEGER, n21 INTEGER, d21 INTEGER, n22 INTEGER, d22 INTEGER, n23 INTEGER, d23 INTEGER,
    n24 INTEGER, d24 INTEGER, n25 INTEGER, d25 INTEGER,
    PRIMARY KEY (unit, period)
) WITH (fillfactor = 70);

CREATE TABLE target (
    indicator TEXT NOT NULL,
    unit      TEXT COLLATE "C" NOT NULL,
    year      BIGINT NOT NULL,
    value     TEXT NOT NULL,
    PRIMARY KEY (indicator, unit, year)
);
CREATE TABLE indicator_value (
    period TEXT NOT NULL,
    line   BIGINT NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (period, line)
);
CREATE TABLE portal (
    period      TEXT NOT NULL,
    unit        TEXT COLLATE "C" NOT NULL,
    indicator   TEXT NOT NULL,
    numerator   BIGINT NOT NULL,
    denominator BIGINT NOT NULL,
    PRIMARY KEY (period, unit, indicator)
);
CREATE TABLE closing (
    id        TEXT COLLATE "C" PRIMARY KEY,
    period    TEXT NOT NULL,
    unit      TEXT COLLATE "C" NOT NULL,
    closed_at BIGINT NOT NULL,
    closed_by TEXT NOT NULL,
    sha256    TEXT NOT NULL,
    content   TEXT NOT NULL
);
CREATE INDEX closing_period ON closing (period, closed_at);
CREATE TABLE token (
    id         TEXT COLLATE "C" PRIMARY KEY,
    secret     TEXT COLLATE "C" NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    unit       TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL
);
-- What happened to a document after its verdict: a deletion by order, another
-- opinion on its signature.
CREATE TABLE event (
    document TEXT COLLATE "C" NOT NULL,
    at       BIGINT NOT NULL,
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
