-- +goose Up
CREATE TABLE secrets (
  space TEXT NOT NULL,
  name TEXT NOT NULL,
  sealed BLOB NOT NULL,
  checksum TEXT NOT NULL,
  shared INTEGER NOT NULL,   -- 1 for what the spaces below are given too
  platform INTEGER NOT NULL, -- 1 for what no run is given
  actor TEXT NOT NULL,
  updated BIGINT NOT NULL,
  PRIMARY KEY (space, name)
);

-- +goose Down
DROP TABLE secrets;
