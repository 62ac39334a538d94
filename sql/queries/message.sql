-- What the API shows of messages, and of their deliveries. A list has a statement for either direction, so that both
-- walk the primary key; its bounds are ids, which also choose the partitions.

-- name: message_window_descending
-- The last id of the next $4 rows; none if there are fewer.
SELECT m.id FROM message m
WHERE m.app_id = $1 AND m.id < $2 AND m.id >= $3
ORDER BY m.id DESC OFFSET $4 - 1 LIMIT 1

-- name: message_window_ascending
SELECT m.id FROM message m
WHERE m.app_id = $1 AND m.id > $2 AND m.id <= $3
ORDER BY m.id OFFSET $4 - 1 LIMIT 1

-- name: list_messages_descending
SELECT m.id, m.event_type, m.channels, m.event_id, m.payload IS NULL, CASE WHEN $7 THEN m.payload END, m.tags, m.deliver_at,
       m.raw
FROM message m
WHERE m.app_id = $1 AND m.id < $2 AND m.id >= $3
  AND ($5::text[] IS NULL OR m.event_type = ANY ($5)) AND ($6::text IS NULL OR $6 = ANY (m.channels))
  AND ($8::text IS NULL OR $8 = ANY (m.tags))
ORDER BY m.id DESC LIMIT $4

-- name: list_messages_ascending
SELECT m.id, m.event_type, m.channels, m.event_id, m.payload IS NULL, CASE WHEN $7 THEN m.payload END, m.tags, m.deliver_at,
       m.raw
FROM message m
WHERE m.app_id = $1 AND m.id > $2 AND m.id <= $3
  AND ($5::text[] IS NULL OR m.event_type = ANY ($5)) AND ($6::text IS NULL OR $6 = ANY (m.channels))
  AND ($8::text IS NULL OR $8 = ANY (m.tags))
ORDER BY m.id LIMIT $4

-- name: find_message
SELECT m.id, m.event_type, m.channels, m.event_id, m.payload IS NULL, CASE WHEN $3 THEN m.payload END, m.tags, m.deliver_at,
       m.raw
FROM message m
WHERE m.app_id = $1 AND m.id = $2

-- name: find_message_by_event_id
-- An eventId is unique only for as long as its idempotency key lives: the newest is meant.
SELECT m.id, m.event_type, m.channels, m.event_id, m.payload IS NULL, CASE WHEN $3 THEN m.payload END, m.tags, m.deliver_at,
       m.raw
FROM message m
WHERE m.app_id = $1 AND m.event_id = $2
ORDER BY m.id DESC LIMIT 1

-- name: read_message_payloads
SELECT m.id, m.payload FROM message m WHERE m.app_id = $1 AND m.id = ANY ($2::uuid[])

-- name: has_subscriber
-- Whether a message of this type and these channels would be fanned out to anybody.
SELECT EXISTS (SELECT 1 FROM subscribed_endpoints($1, $2, $3))

-- name: insert_unsent_message
INSERT INTO message (app_id, id, event_type, payload) VALUES ($1, $2, $3, $4)

-- name: expunge_message
UPDATE message SET payload = NULL, headers = NULL WHERE app_id = $1 AND id = $2 AND payload IS NOT NULL

-- name: delivery_states
-- How it stands with each of these messages at each endpoint; none where they never met. Live: 3 until the first attempt has
-- ended, then 1, as while it waits for its deliverAt; a dead letter: 2; else what the last attempt came to.
SELECT wanted.endpoint_id, wanted.message_id,
       (CASE WHEN d.attempt = 1 AND d.due_at <= clock_timestamp() THEN 3 WHEN d.attempt >= 1 THEN 1 WHEN l.run_id IS NOT NULL THEN 2
             WHEN a.succeeded THEN 0 ELSE 2 END)::int2,
       CASE WHEN d.attempt > 1 OR d.due_at > clock_timestamp() THEN d.due_at END
FROM unnest($2::uuid[], $3::uuid[]) AS wanted (endpoint_id, message_id)
LEFT JOIN delivery d
  ON d.app_id = $1 AND d.endpoint_id = wanted.endpoint_id AND d.message_id = wanted.message_id
LEFT JOIN dead_letter l
  ON l.app_id = $1 AND l.endpoint_id = wanted.endpoint_id AND l.message_id = wanted.message_id
LEFT JOIN LATERAL (
    SELECT t.succeeded FROM attempt t
    WHERE t.app_id = $1 AND t.message_id = wanted.message_id AND t.endpoint_id = wanted.endpoint_id
    ORDER BY t.id DESC LIMIT 1) a ON true
WHERE d.attempt IS NOT NULL OR l.run_id IS NOT NULL OR a.succeeded IS NOT NULL

-- name: list_message_destinations
-- The endpoints that a message was or will be sent to: from $3 on ($4: downwards), $5 of them. One message's are few.
SELECT e.id, e.uid, e.url, e.description, e.event_types, e.channels, e.disabled, e.rate_limit, e.created_at, e.updated_at
FROM (SELECT a.endpoint_id AS id FROM attempt a WHERE a.app_id = $1 AND a.message_id = $2
      UNION
      SELECT l.endpoint_id FROM dead_letter l WHERE l.app_id = $1 AND l.message_id = $2
      UNION
      SELECT d.endpoint_id FROM endpoint o
      JOIN delivery d ON d.app_id = $1 AND d.endpoint_id = o.id AND d.message_id = $2
      WHERE o.app_id = $1 AND o.deleted_at IS NULL) reached
JOIN endpoint e ON e.id = reached.id
WHERE CASE WHEN $4 THEN e.id < $3 ELSE e.id > $3 END
ORDER BY CASE WHEN $4 THEN e.id END DESC, e.id
LIMIT $5

-- name: endpoint_stats
-- Each message of the endpoint with an id in [$3, $4) is counted once, by the state it is in now.
WITH live AS MATERIALIZED (
    SELECT d.message_id, d.attempt FROM delivery d
    WHERE d.app_id = $1 AND d.endpoint_id = $2 AND d.message_id >= $3 AND d.message_id < $4
), dead AS MATERIALIZED (
    SELECT l.message_id FROM dead_letter l
    WHERE l.app_id = $1 AND l.endpoint_id = $2 AND l.message_id >= $3 AND l.message_id < $4
), attempted AS MATERIALIZED (
    SELECT DISTINCT ON (a.message_id) a.message_id, a.succeeded FROM attempt a
    WHERE a.app_id = $1 AND a.endpoint_id = $2 AND a.id >= $3 AND a.message_id >= $3 AND a.message_id < $4
    ORDER BY a.message_id, a.id DESC
), ended AS (
    SELECT a.succeeded FROM attempted a
    WHERE NOT EXISTS (SELECT 1 FROM live WHERE live.message_id = a.message_id)
      AND NOT EXISTS (SELECT 1 FROM dead WHERE dead.message_id = a.message_id)
)
SELECT (SELECT count(*) FROM ended WHERE succeeded),
       (SELECT count(*) FROM live WHERE attempt > 1),
       (SELECT count(*) FROM ended WHERE NOT succeeded)
           + (SELECT count(*) FROM dead WHERE NOT EXISTS (SELECT 1 FROM live WHERE live.message_id = dead.message_id)),
       (SELECT count(*) FROM live WHERE attempt = 1)
