-- +goose Up
CREATE TABLE oidc_keys (
  id       TEXT PRIMARY KEY,       -- the kid: RFC 7638's thumbprint
  number   BIGINT NOT NULL UNIQUE, -- counts up; the highest signs
  public   TEXT NOT NULL,          -- the key as verifiers read it (RFC 7517)
  sealed   BLOB NOT NULL,          -- the private half; empty once it is replaced
  created  BIGINT NOT NULL,
  replaced BIGINT NOT NULL         -- 0 while it signs
);

-- +goose Down
DROP TABLE oidc_keys;
