-- Changes of endpoints that the owners of their shards must know before they count as made (I6).

-- name: record_endpoint_changes
-- Locked in the order in which ingest locks ordered endpoints.
WITH locked AS MATERIALIZED (
    SELECT id FROM endpoint WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
), changed AS (
    UPDATE endpoint e SET version = version + 1 FROM locked WHERE e.id = locked.id RETURNING e.id, e.shard, e.version
)
INSERT INTO endpoint_change (endpoint_id, shard, version)
SELECT id, shard, version FROM changed ORDER BY id
ON CONFLICT (endpoint_id) DO UPDATE
    SET version = excluded.version, changed_at = clock_timestamp(), acked_version = NULL, acked_epoch = NULL
RETURNING shard, endpoint_id

-- name: notify_endpoint_changes
SELECT pg_notify('posthorn_endpoint', '')

-- name: unacknowledged_changes
-- For the owner: changes of its shards that it has not acknowledged at its epoch.
SELECT c.endpoint_id, c.shard, c.version
FROM unnest($1::int2[], $2::int8[]) AS held (shard, epoch)
JOIN endpoint_change c ON c.shard = held.shard
WHERE c.acked_version IS DISTINCT FROM c.version OR c.acked_epoch IS DISTINCT FROM held.epoch

-- name: acknowledge_changes
UPDATE endpoint_change c SET acked_version = a.version, acked_epoch = a.epoch
FROM unnest($1::uuid[], $2::int8[], $3::int8[]) AS a (endpoint_id, version, epoch)
WHERE c.endpoint_id = a.endpoint_id AND c.version = a.version

-- name: pending_acknowledgements
-- For who waits: each endpoint's current owner, and whether it has acknowledged the newest version at its present epoch.
SELECT c.endpoint_id, l.process_id, p.counter,
       (c.acked_version = c.version AND c.acked_epoch = l.epoch) IS TRUE
FROM endpoint_change c
JOIN shard_lease l ON l.shard = c.shard
LEFT JOIN process p ON p.id = l.process_id
WHERE c.endpoint_id = ANY ($1::uuid[])
