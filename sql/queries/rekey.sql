-- Re-sealing everything that is sealed under the master key: in order of ids, so that a run can go on where another ended.

-- name: try_lock_rekey
-- One at a time; held by the session.
SELECT pg_try_advisory_lock(8071010)

-- name: lock_sealed_secrets
SELECT id, endpoint_id, sealed FROM endpoint_secret WHERE id > $1 ORDER BY id LIMIT $2 FOR UPDATE

-- name: replace_sealed_secrets
UPDATE endpoint_secret s SET sealed = r.sealed
FROM unnest($1::uuid[], $2::bytea[]) AS r (id, sealed) WHERE s.id = r.id

-- name: lock_sealed_headers
-- Of deleted endpoints too: nothing is left under the old key.
SELECT id, id, headers FROM endpoint WHERE headers IS NOT NULL AND id > $1 ORDER BY id LIMIT $2 FOR NO KEY UPDATE

-- name: replace_sealed_headers
UPDATE endpoint e SET headers = r.sealed
FROM unnest($1::uuid[], $2::bytea[]) AS r (id, sealed) WHERE e.id = r.id
