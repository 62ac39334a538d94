-- Endpoints, by their application. Changes also go through record_endpoint_changes (endpoint_change.sql).

-- name: find_endpoint
SELECT id FROM endpoint WHERE app_id = $1 AND id = $2 AND deleted_at IS NULL

-- name: find_endpoint_by_uid
SELECT id FROM endpoint WHERE app_id = $1 AND uid = $2 AND deleted_at IS NULL

-- name: load_endpoint
SELECT id, uid, url, description, event_types, channels, disabled, disabled_reason, rate_limit, headers, metadata, http2,
       ordered, filter, retry_schedule, timeout_s, created_at, updated_at
FROM endpoint WHERE app_id = $1 AND id = $2 AND deleted_at IS NULL

-- name: load_endpoint_for_update
SELECT id, uid, url, description, event_types, channels, disabled, disabled_reason, rate_limit, headers, metadata, http2,
       ordered, filter, retry_schedule, timeout_s, created_at, updated_at
FROM endpoint WHERE app_id = $1 AND id = $2 AND deleted_at IS NULL
FOR NO KEY UPDATE

-- name: list_endpoints_ascending
SELECT id, uid, url, description, event_types, channels, disabled, disabled_reason, rate_limit, headers, metadata, http2,
       ordered, filter, retry_schedule, timeout_s, created_at, updated_at
FROM endpoint WHERE app_id = $1 AND deleted_at IS NULL AND id > $2
ORDER BY id LIMIT $3

-- name: list_endpoints_descending
SELECT id, uid, url, description, event_types, channels, disabled, disabled_reason, rate_limit, headers, metadata, http2,
       ordered, filter, retry_schedule, timeout_s, created_at, updated_at
FROM endpoint WHERE app_id = $1 AND deleted_at IS NULL AND id < $2
ORDER BY id DESC LIMIT $3

-- name: insert_endpoint
INSERT INTO endpoint (app_id, id, uid, url, description, event_types, channels, disabled, disabled_reason, rate_limit,
                      headers, metadata, http2, ordered, filter, retry_schedule, timeout_s, org_id, shard, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, now(), now())
RETURNING id, uid, url, description, event_types, channels, disabled, disabled_reason, rate_limit, headers, metadata,
          http2, ordered, filter, retry_schedule, timeout_s, created_at, updated_at

-- name: update_endpoint
-- Enabling what was disabled starts a new row of failures.
UPDATE endpoint
SET uid = $3, url = $4, description = $5, event_types = $6, channels = $7, disabled = $8, disabled_reason = $9,
    rate_limit = $10, headers = $11, metadata = $12, http2 = $13, ordered = $14, filter = $15, retry_schedule = $16, timeout_s = $17,
    updated_at = clock_timestamp(),
    failing_since = CASE WHEN disabled AND NOT $8 THEN NULL ELSE failing_since END,
    failing = failing AND NOT (disabled AND NOT $8)
WHERE app_id = $1 AND id = $2 AND deleted_at IS NULL
RETURNING id, uid, url, description, event_types, channels, disabled, disabled_reason, rate_limit, headers, metadata,
          http2, ordered, filter, retry_schedule, timeout_s, created_at, updated_at

-- name: mark_deliveries_ordered
UPDATE delivery SET ordered = $3 WHERE app_id = $1 AND endpoint_id = $2 AND ordered IS DISTINCT FROM $3

-- name: delete_endpoint
UPDATE endpoint SET deleted_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE app_id = $1 AND id = $2 AND deleted_at IS NULL

-- name: delete_endpoints_of_application
-- Locked in the order in which ingest locks ordered endpoints.
WITH locked AS MATERIALIZED (
    SELECT id FROM endpoint WHERE app_id = $1 AND deleted_at IS NULL ORDER BY id FOR NO KEY UPDATE
)
UPDATE endpoint e SET deleted_at = clock_timestamp(), updated_at = clock_timestamp()
FROM locked
WHERE e.id = locked.id
RETURNING e.id

-- name: list_endpoint_ids_of_application
SELECT id FROM endpoint WHERE app_id = $1 AND deleted_at IS NULL ORDER BY id
