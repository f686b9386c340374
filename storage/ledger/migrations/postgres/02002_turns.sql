-- When it is a unit's turn in the bulk queue, in microseconds of the queue's own
-- time: see turn.go.

-- +goose Up
CREATE TABLE turn (
    unit TEXT COLLATE "C" PRIMARY KEY,
    next BIGINT NOT NULL
);

-- +goose Down
DROP TABLE turn;
