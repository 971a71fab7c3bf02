-- +goose Up
CREATE TABLE server_setup (
  step TEXT PRIMARY KEY,
  done BIGINT NOT NULL
);

-- The server whose data folder belongs to this database.
CREATE TABLE server_home (
  one    INTEGER PRIMARY KEY,
  server TEXT NOT NULL
);

-- +goose Down
DROP TABLE server_home;
DROP TABLE server_setup;
