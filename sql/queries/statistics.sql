-- What the API counts. Attempts are read by the time in their ids, endpoint after endpoint: that is their index. What has no attempt in a
-- bucket has no row.

-- name: attempts_over_time_of_endpoint
-- The buckets begin at $4[1], $4[2] ...; the last ends before $3.
SELECT width_bucket(a.id, $4::uuid[]), count(*), count(*) FILTER (WHERE a.succeeded), count(DISTINCT a.message_id),
       count(*) FILTER (WHERE a.status_code < 100), count(*) FILTER (WHERE a.status_code BETWEEN 100 AND 199),
       count(*) FILTER (WHERE a.status_code BETWEEN 200 AND 299), count(*) FILTER (WHERE a.status_code BETWEEN 300 AND 399),
       count(*) FILTER (WHERE a.status_code BETWEEN 400 AND 499), count(*) FILTER (WHERE a.status_code >= 500),
       percentile_disc(0.5) WITHIN GROUP (ORDER BY a.duration_ms), percentile_disc(0.95) WITHIN GROUP (ORDER BY a.duration_ms),
       max(a.duration_ms)
FROM attempt a
WHERE a.app_id = $1 AND a.endpoint_id = $5 AND a.id >= $2 AND a.id < $3
GROUP BY 1

-- name: attempts_over_time_of_application
-- The same over all endpoints, deleted ones among them.
SELECT width_bucket(a.id, $4::uuid[]), count(*), count(*) FILTER (WHERE a.succeeded), count(DISTINCT a.message_id),
       count(*) FILTER (WHERE a.status_code < 100), count(*) FILTER (WHERE a.status_code BETWEEN 100 AND 199),
       count(*) FILTER (WHERE a.status_code BETWEEN 200 AND 299), count(*) FILTER (WHERE a.status_code BETWEEN 300 AND 399),
       count(*) FILTER (WHERE a.status_code BETWEEN 400 AND 499), count(*) FILTER (WHERE a.status_code >= 500),
       percentile_disc(0.5) WITHIN GROUP (ORDER BY a.duration_ms), percentile_disc(0.95) WITHIN GROUP (ORDER BY a.duration_ms),
       max(a.duration_ms)
FROM endpoint e
CROSS JOIN LATERAL (SELECT * FROM attempt t WHERE t.app_id = $1 AND t.endpoint_id = e.id AND t.id >= $2 AND t.id < $3 OFFSET 0) a
WHERE e.app_id = $1
GROUP BY 1

-- name: find_applications
-- Those of these ids and uids that there are.
SELECT p.id, p.uid FROM application p
WHERE p.org_id = $1 AND p.deleted_at IS NULL AND (p.id = ANY ($2::uuid[]) OR p.uid = ANY ($3::text[]))

-- name: count_message_destinations
-- How many deliveries of each application were first attempted at a time; of these applications, or of all ($2). At most $6, those with
-- the most first.
WITH counted AS MATERIALIZED (
    SELECT e.app_id, sum(first.attempts)::int8 AS destinations
    FROM endpoint e
    CROSS JOIN LATERAL (SELECT count(*) AS attempts FROM attempt a
                        WHERE a.app_id = e.app_id AND a.endpoint_id = e.id AND a.id >= $4 AND a.id < $5
                          AND a.attempt = 1 AND NOT a.manual) first
    WHERE e.org_id = $1 AND ($2 OR e.app_id = ANY ($3::uuid[]))
    GROUP BY e.app_id
)
SELECT p.id, p.uid, coalesce(c.destinations, 0)
FROM application p
LEFT JOIN counted c ON c.app_id = p.id
WHERE p.org_id = $1 AND p.deleted_at IS NULL AND ($2 OR p.id = ANY ($3::uuid[]))
ORDER BY 3 DESC, 1
LIMIT $6

-- name: count_subscriptions
-- How many endpoints, and of how many applications, name each event type; at most $2, the most named first. A null: those that take all.
SELECT n.event_type, count(*), count(DISTINCT e.app_id)
FROM endpoint e
LEFT JOIN LATERAL unnest(e.event_types) AS n (event_type) ON true
WHERE e.org_id = $1 AND e.deleted_at IS NULL
GROUP BY n.event_type
ORDER BY n.event_type IS NULL DESC, 2 DESC, 1
LIMIT $2
