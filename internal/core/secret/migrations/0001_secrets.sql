-- +goose Up
CREATE TABLE secrets (
  space TEXT NOT NULL,
  name TEXT NOT NULL,
  sealed BLOB NOT NULL,
  checksum TEXT NOT NULL,
  actor TEXT NOT NULL,
  updated BIGINT NOT NULL,
  PRIMARY KEY (space, name)
);

-- +goose Down
DROP TABLE secrets;
