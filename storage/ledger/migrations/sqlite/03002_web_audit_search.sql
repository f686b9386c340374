-- The audit log is searched by day, by who and by what, the latest first.

-- +goose Up

CREATE INDEX audit_at ON audit (at, seq);
CREATE INDEX audit_action ON audit (action, at, seq);
DROP INDEX audit_actor;
CREATE INDEX audit_actor ON audit (actor, at, seq);
DROP INDEX audit_object;
CREATE INDEX audit_object ON audit (object, at, seq);
