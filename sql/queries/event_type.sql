-- Event types, by their organization and name. Archived ones are hidden from lists; deleted ones (expunged) are gone.

-- name: load_event_type
SELECT id, name, description, archived, deprecated, feature_flag, schemas, enforce_schema, created_at, updated_at
FROM event_type WHERE org_id = $1 AND name = $2 AND deleted_at IS NULL

-- name: load_event_type_for_update
SELECT id, name, description, archived, deprecated, feature_flag, schemas, enforce_schema, created_at, updated_at
FROM event_type WHERE org_id = $1 AND name = $2 AND deleted_at IS NULL
FOR NO KEY UPDATE

-- name: list_event_types_ascending
SELECT id, name, description, archived, deprecated, feature_flag, CASE WHEN $4 THEN schemas END, enforce_schema, created_at, updated_at
FROM event_type WHERE org_id = $1 AND deleted_at IS NULL AND name > $2 AND ($5 OR NOT archived)
ORDER BY name LIMIT $3

-- name: list_event_types_descending
SELECT id, name, description, archived, deprecated, feature_flag, CASE WHEN $4 THEN schemas END, enforce_schema, created_at, updated_at
FROM event_type WHERE org_id = $1 AND deleted_at IS NULL AND name < $2 AND ($5 OR NOT archived)
ORDER BY name DESC LIMIT $3

-- name: insert_event_type
INSERT INTO event_type (org_id, id, name, description, archived, deprecated, feature_flag, schemas, enforce_schema,
                        created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now(), now())
RETURNING id, name, description, archived, deprecated, feature_flag, schemas, enforce_schema, created_at, updated_at

-- name: update_event_type
UPDATE event_type SET description = $3, archived = $4, deprecated = $5, feature_flag = $6, schemas = $7, enforce_schema = $8,
                      schema_revision = CASE WHEN (archived, schemas, enforce_schema) IS DISTINCT FROM ($4, $7, $8)
                                             THEN nextval('schema_revision') ELSE schema_revision END,
                      updated_at = clock_timestamp()
WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL
RETURNING id, name, description, archived, deprecated, feature_flag, schemas, enforce_schema, created_at, updated_at

-- name: expunge_event_type
UPDATE event_type SET deleted_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE org_id = $1 AND name = $2 AND deleted_at IS NULL

-- name: list_enforced_event_types
SELECT name, schema_revision FROM event_type
WHERE org_id = $1 AND name = ANY ($2) AND enforce_schema AND NOT archived AND deleted_at IS NULL

-- name: load_enforced_schemas
SELECT schema_revision, schemas FROM event_type
WHERE org_id = $1 AND name = $2 AND enforce_schema AND NOT archived AND deleted_at IS NULL

-- name: lock_event_types
-- In the order of their names, as whoever changes several does.
SELECT id, name, archived FROM event_type WHERE org_id = $1 AND deleted_at IS NULL
ORDER BY name
FOR NO KEY UPDATE

-- name: archive_event_types
UPDATE event_type SET archived = true, schema_revision = nextval('schema_revision'), updated_at = clock_timestamp()
WHERE org_id = $1 AND id = ANY ($2) AND deleted_at IS NULL
