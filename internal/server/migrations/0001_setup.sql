-- +goose Up
CREATE TABLE server_setup (
  step TEXT PRIMARY KEY,
  done BIGINT NOT NULL
);

-- +goose Down
DROP TABLE server_setup;
