-- +goose Up
CREATE TABLE applications (
  ref TEXT PRIMARY KEY,
  space TEXT NOT NULL,
  repository TEXT NOT NULL,
  branch TEXT NOT NULL,
  path TEXT NOT NULL,
  spec TEXT NOT NULL,
  stack TEXT NOT NULL,
  component TEXT NOT NULL,
  synced TEXT NOT NULL,
  failed TEXT NOT NULL,
  message TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  updated BIGINT NOT NULL
);
CREATE INDEX applications_repository ON applications (repository, branch);
CREATE INDEX applications_stack ON applications (stack);

CREATE TABLE application_revisions (
  id TEXT PRIMARY KEY,
  application TEXT NOT NULL,
  commit_id TEXT NOT NULL,
  mark TEXT NOT NULL,
  manifests TEXT NOT NULL,
  run TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL,
  message TEXT NOT NULL,
  created BIGINT NOT NULL
);
CREATE INDEX application_revisions_application ON application_revisions (application, id);

-- +goose Down
DROP TABLE application_revisions;
DROP TABLE applications;
