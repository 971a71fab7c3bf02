-- +goose Up
CREATE TABLE integrations (
  name TEXT PRIMARY KEY, -- NAMESPACE/NAME
  space TEXT NOT NULL,
  spec TEXT NOT NULL,
  version TEXT NOT NULL, -- digest of space and spec
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  health TEXT NOT NULL, -- JSON
  looked BIGINT NOT NULL,
  since BIGINT NOT NULL
);

-- +goose Down
DROP TABLE integrations;
