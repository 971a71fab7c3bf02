-- +goose Up
CREATE TABLE node_objects (
    node       TEXT    NOT NULL,
    object_key TEXT    NOT NULL,
    owner      TEXT    NOT NULL,
    uid        TEXT    NOT NULL,
    generation BIGINT  NOT NULL,
    manifest   TEXT    NOT NULL,
    sealed     INTEGER NOT NULL,
    created    BIGINT  NOT NULL,
    updated    BIGINT  NOT NULL,
    restarted  BIGINT  NOT NULL,
    PRIMARY KEY (node, object_key)
);

CREATE TABLE node_revisions (
    node       TEXT    NOT NULL,
    deployment TEXT    NOT NULL,
    hash       TEXT    NOT NULL,
    uid        TEXT    NOT NULL,
    revision   BIGINT  NOT NULL,
    replicas   INTEGER NOT NULL,
    template   TEXT    NOT NULL,
    created    BIGINT  NOT NULL,
    PRIMARY KEY (node, deployment, hash)
);

-- +goose Down
DROP TABLE node_revisions;
DROP TABLE node_objects;
