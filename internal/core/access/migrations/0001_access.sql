-- +goose Up
CREATE TABLE access_generation (
  id INTEGER PRIMARY KEY,
  n  BIGINT NOT NULL
);
INSERT INTO access_generation (id, n) VALUES (1, 0);

CREATE TABLE access_spaces (
  name        TEXT PRIMARY KEY,
  parent      TEXT NOT NULL,
  description TEXT NOT NULL,
  declared    TEXT NOT NULL,
  apart       INTEGER NOT NULL -- 1: what is in the spaces above can't be used in it
);

CREATE TABLE access_roles (
  name        TEXT PRIMARY KEY,
  declared    TEXT NOT NULL,
  description TEXT NOT NULL,
  permissions TEXT NOT NULL
);

CREATE TABLE access_bindings (
  ref      TEXT PRIMARY KEY,
  role     TEXT NOT NULL,
  space    TEXT NOT NULL,
  subjects TEXT NOT NULL,
  declared TEXT NOT NULL
);

CREATE TABLE access_groups (
  ref      TEXT PRIMARY KEY,
  declared TEXT NOT NULL
);

-- One row for each membership that a User's or Group's document (the source) declares.
CREATE TABLE access_memberships (
  source    TEXT NOT NULL,
  member    TEXT NOT NULL,
  group_ref TEXT NOT NULL,
  declared  TEXT NOT NULL,
  nested    INTEGER NOT NULL, -- 1 when the member is itself a group
  PRIMARY KEY (source, member, group_ref)
);
CREATE INDEX access_memberships_member ON access_memberships (member);
CREATE INDEX access_memberships_nested ON access_memberships (nested) WHERE nested = 1;
-- Where deleted spaces were: what was in them still bears their names.
CREATE TABLE access_former_spaces (
  name   TEXT PRIMARY KEY,
  parent TEXT NOT NULL
);

