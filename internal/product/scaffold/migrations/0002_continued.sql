-- +goose Up
-- Who continued a run, for whom it works from then on; and the commits at which it has read other repositories.
ALTER TABLE scaffold_tasks ADD COLUMN retry_principal TEXT NOT NULL DEFAULT '';
ALTER TABLE scaffold_tasks ADD COLUMN pins TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE scaffold_tasks DROP COLUMN pins;
ALTER TABLE scaffold_tasks DROP COLUMN retry_principal;
