-- The processes that share this file, each from its first beat until it has gone or was forgotten.

CREATE TABLE nodes (
    id TEXT NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL,                -- of its newest beat
    applied INTEGER NOT NULL                -- all that it was told after this beat, it has applied
) WITHOUT ROWID;
