-- +goose Up
CREATE TABLE application_namespaces (
  cluster TEXT NOT NULL,
  namespace TEXT NOT NULL,
  space TEXT NOT NULL,
  claimed BIGINT NOT NULL,
  PRIMARY KEY (cluster, namespace)
);

CREATE TABLE application_places (
  application TEXT NOT NULL,
  cluster TEXT NOT NULL,
  namespace TEXT NOT NULL,
  claimed BIGINT NOT NULL,
  PRIMARY KEY (application, cluster, namespace)
);
CREATE INDEX application_places_namespace ON application_places (cluster, namespace);

-- +goose Down
DROP TABLE application_places;
DROP TABLE application_namespaces;
