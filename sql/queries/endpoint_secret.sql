-- Signing keys, sealed. One is current (expires_at null), the others sign until they expire.

-- name: load_current_secret
SELECT sealed FROM endpoint_secret WHERE endpoint_id = $1 AND expires_at IS NULL

-- name: insert_endpoint_secret
INSERT INTO endpoint_secret (endpoint_id, id, sealed) VALUES ($1, $2, $3)

-- name: remove_expired_secrets
DELETE FROM endpoint_secret WHERE endpoint_id = $1 AND expires_at <= clock_timestamp()

-- name: count_old_secrets
SELECT count(*) FROM endpoint_secret WHERE endpoint_id = $1 AND expires_at IS NOT NULL

-- name: expire_current_secret
UPDATE endpoint_secret SET expires_at = clock_timestamp() + $2 * interval '1 second'
WHERE endpoint_id = $1 AND expires_at IS NULL

-- name: tell_of_secret_rotation
SELECT tell_of_endpoint(e, 'endpoint.secret.rotated') FROM endpoint e WHERE e.id = $1

-- name: remove_current_secret
DELETE FROM endpoint_secret WHERE endpoint_id = $1 AND expires_at IS NULL
