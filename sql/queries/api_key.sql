-- name: find_api_key
-- By its hash; revoked ones are not found.
SELECT id, app_id, name, scopes, created_at, expires_at, org_id
FROM api_key WHERE hash = $1 AND revoked_at IS NULL

-- name: load_api_key
SELECT id, app_id, name, scopes, created_at, expires_at, org_id
FROM api_key WHERE org_id = $1 AND id = $2 AND revoked_at IS NULL

-- name: list_api_keys_ascending
SELECT id, app_id, name, scopes, created_at, expires_at, org_id
FROM api_key WHERE org_id = $1 AND revoked_at IS NULL AND id > $2
ORDER BY id LIMIT $3

-- name: list_api_keys_descending
SELECT id, app_id, name, scopes, created_at, expires_at, org_id
FROM api_key WHERE org_id = $1 AND revoked_at IS NULL AND id < $2
ORDER BY id DESC LIMIT $3

-- name: insert_api_key
INSERT INTO api_key (org_id, id, app_id, name, hash, scopes, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id, app_id, name, scopes, created_at, expires_at, org_id

-- name: revoke_api_key
UPDATE api_key SET revoked_at = clock_timestamp() WHERE org_id = $1 AND id = $2 AND revoked_at IS NULL
