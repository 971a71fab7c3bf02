-- +goose Up
ALTER TABLE application_revisions ADD COLUMN way TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE application_revisions DROP COLUMN way;
