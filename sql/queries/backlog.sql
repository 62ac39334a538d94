-- Endpoints for which more is waiting than the organization wants to know of.

-- name: watch_backlogs
-- Of the shards $1: notes at which endpoints $2 or more deliveries are due, and where less than half of that is left. What is due is found as in
-- list_backlogged_endpoints; at most $2 rows of an endpoint are looked at.
-- Only for organizations that want to know: where there is none, nothing is looked at.
WITH RECURSIVE audience AS MATERIALIZED (
    SELECT a.org_id FROM application a
    WHERE a.operational
      AND EXISTS (SELECT 1 FROM subscribed_endpoints(a.id, 'backlog.threshold', NULL))
), found AS (
    SELECT first.shard, first.endpoint_id
    FROM unnest($1::int2[]) AS wanted (shard)
    CROSS JOIN LATERAL (SELECT d.shard, d.endpoint_id FROM delivery d WHERE d.shard = wanted.shard
                        ORDER BY d.shard, d.endpoint_id LIMIT 1) first
    WHERE EXISTS (SELECT 1 FROM audience)
    UNION ALL
    SELECT later.shard, later.endpoint_id
    FROM found
    CROSS JOIN LATERAL (SELECT d.shard, d.endpoint_id FROM delivery d
                        WHERE d.shard = found.shard AND d.endpoint_id > found.endpoint_id
                        ORDER BY d.shard, d.endpoint_id LIMIT 1) later
), crossed AS MATERIALIZED (
    SELECT f.endpoint_id FROM found f
    JOIN endpoint e ON e.id = f.endpoint_id AND e.org_id IN (SELECT org_id FROM audience)
    WHERE EXISTS (SELECT 1 FROM delivery d WHERE d.shard = f.shard AND d.endpoint_id = f.endpoint_id AND d.due_at <= clock_timestamp()
                  ORDER BY d.shard, d.endpoint_id, d.due_at OFFSET $2 - 1 LIMIT 1)
), locked AS MATERIALIZED (
    -- In the order in which everybody locks them; who is busy is looked at the next time.
    SELECT e.id FROM endpoint e
    WHERE e.id IN (SELECT endpoint_id FROM crossed UNION ALL SELECT b.id FROM endpoint b WHERE b.backlog_threshold IS NOT NULL AND b.shard = ANY ($1))
    ORDER BY e.id
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE endpoint e SET backlog_threshold = CASE WHEN e.backlog_threshold IS NULL THEN $2::int4 END
FROM locked
WHERE e.id = locked.id
  AND (e.backlog_threshold IS NULL
       OR NOT EXISTS (SELECT 1 FROM delivery d WHERE d.shard = e.shard AND d.endpoint_id = e.id AND d.due_at <= clock_timestamp()
                      ORDER BY d.shard, d.endpoint_id, d.due_at OFFSET $2 / 2 LIMIT 1))
