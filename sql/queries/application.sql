-- Applications, by their organization. Deleted ones are met by nobody but the owner of their deliveries.

-- name: find_application
SELECT id FROM application WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL

-- name: find_application_by_uid
SELECT id FROM application WHERE org_id = $1 AND uid = $2 AND deleted_at IS NULL

-- name: load_application
SELECT id, uid, name, rate_limit, metadata, created_at, updated_at
FROM application WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL

-- name: load_application_for_update
SELECT id, uid, name, rate_limit, metadata, created_at, updated_at
FROM application WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL AND NOT operational
FOR NO KEY UPDATE

-- name: list_applications_ascending
SELECT id, uid, name, rate_limit, metadata, created_at, updated_at
FROM application WHERE org_id = $1 AND deleted_at IS NULL AND NOT operational AND id > $2
ORDER BY id LIMIT $3

-- name: list_applications_descending
SELECT id, uid, name, rate_limit, metadata, created_at, updated_at
FROM application WHERE org_id = $1 AND deleted_at IS NULL AND NOT operational AND id < $2
ORDER BY id DESC LIMIT $3

-- name: insert_application
INSERT INTO application (org_id, id, uid, name, rate_limit, metadata, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, now(), now())
RETURNING id, uid, name, rate_limit, metadata, created_at, updated_at

-- name: update_application
UPDATE application SET uid = $3, name = $4, rate_limit = $5, metadata = $6, updated_at = clock_timestamp()
WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL
RETURNING id, uid, name, rate_limit, metadata, created_at, updated_at

-- name: delete_application
UPDATE application SET deleted_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL AND NOT operational

-- name: make_operational_application
INSERT INTO application (org_id, id, uid, name, operational) VALUES ($1, $2, $3, 'Operational webhooks', true)
ON CONFLICT DO NOTHING

-- name: lock_application
-- Keeps it from being deleted until the end of the transaction.
SELECT id FROM application WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL FOR SHARE
