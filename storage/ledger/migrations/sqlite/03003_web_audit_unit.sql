-- An officer of a small unit finds its entries among everybody's.

-- +goose Up

CREATE INDEX audit_unit ON audit (unit, at, seq);
