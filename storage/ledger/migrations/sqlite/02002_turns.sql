-- When it is a unit's turn in the bulk queue, in microseconds of the queue's own
-- time: see turn.go.

-- +goose Up
CREATE TABLE turn (
    unit TEXT PRIMARY KEY,
    next INTEGER NOT NULL
);

-- +goose Down
DROP TABLE turn;
