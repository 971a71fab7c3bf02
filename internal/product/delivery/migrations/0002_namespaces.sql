-- +goose Up
CREATE TABLE application_namespaces (
  cluster TEXT NOT NULL,
  namespace TEXT NOT NULL,
  space TEXT NOT NULL,
  claimed BIGINT NOT NULL,
  PRIMARY KEY (cluster, namespace)
);

-- +goose Down
DROP TABLE application_namespaces;
