-- Replays: new runs of deliveries that had ended. The order of locks is job, endpoints by id, dead letters.

-- name: insert_replay_job
INSERT INTO replay_job (id, org_id, app_id, endpoint_id, kind, event_types, reason, since, until, rate_limit, channel, tag, message_status)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
RETURNING id, app_id, endpoint_id, kind, state, event_types, reason, since, until, rate_limit, replayed, created_at, updated_at,
          channel, tag, message_status

-- name: find_replay_job
SELECT j.id, j.app_id, j.endpoint_id, j.kind, j.state, j.event_types, j.reason, j.since, j.until, j.rate_limit, j.replayed,
       j.created_at, j.updated_at, j.channel, j.tag, j.message_status
FROM replay_job j
WHERE j.org_id = $1 AND ($2::uuid IS NULL OR j.app_id = $2) AND j.id = $3

-- name: list_replay_jobs_descending
SELECT j.id, j.app_id, j.endpoint_id, j.kind, j.state, j.event_types, j.reason, j.since, j.until, j.rate_limit, j.replayed,
       j.created_at, j.updated_at, j.channel, j.tag, j.message_status
FROM replay_job j
WHERE j.org_id = $1 AND ($2::uuid IS NULL OR j.app_id = $2) AND j.id < $3
  AND ($5::text IS NULL OR j.kind = $5) AND ($6::text IS NULL OR j.state = $6)
ORDER BY j.id DESC LIMIT $4

-- name: list_replay_jobs_ascending
SELECT j.id, j.app_id, j.endpoint_id, j.kind, j.state, j.event_types, j.reason, j.since, j.until, j.rate_limit, j.replayed,
       j.created_at, j.updated_at, j.channel, j.tag, j.message_status
FROM replay_job j
WHERE j.org_id = $1 AND ($2::uuid IS NULL OR j.app_id = $2) AND j.id > $3
  AND ($5::text IS NULL OR j.kind = $5) AND ($6::text IS NULL OR j.state = $6)
ORDER BY j.id LIMIT $4

-- name: cancel_replay_job
UPDATE replay_job SET state = 'cancelled', updated_at = clock_timestamp()
WHERE org_id = $1 AND ($2::uuid IS NULL OR app_id = $2) AND id = $3 AND state = 'running'

-- name: claim_replay_job
-- The job that has waited longest for its next step; nobody else's while the transaction lasts. A time to resume at that is
-- further away than any pause was set by a clock that jumped.
SELECT j.id, j.org_id, j.app_id, j.endpoint_id, j.event_types, j.reason, j.since, j.until, j.rate_limit, j.before_run,
       j.cursor_message, j.cursor_endpoint, j.crowded, j.kind, j.channel, j.tag, j.message_status
FROM replay_job j
WHERE j.state = 'running'
  AND (j.resume_at <= clock_timestamp() OR j.resume_at > clock_timestamp() + interval '1 minute')
ORDER BY j.resume_at LIMIT 1
FOR UPDATE SKIP LOCKED

-- name: next_replay_candidates
-- The filter as in dead_letter.sql; then the cursor, the job's first run, endpoints to pass over, and how many.
-- The messages are looked up one by one: a join would be planned as one of all messages.
SELECT l.app_id, l.endpoint_id, l.message_id,
       (SELECT m.payload IS NOT NULL FROM message m WHERE m.app_id = l.app_id AND m.id = l.message_id) IS TRUE
FROM dead_letter l
WHERE l.org_id = $1 AND ($2::uuid IS NULL OR l.app_id = $2) AND ($3::uuid IS NULL OR l.endpoint_id = $3)
  AND ($4::text[] IS NULL OR l.event_type = ANY ($4)) AND ($5::int2 IS NULL OR l.reason = $5)
  AND l.message_id >= $6 AND l.message_id < $7
  AND (l.message_id, l.endpoint_id) > ($8, $9)
  AND l.run_id < $10 AND l.endpoint_id <> ALL ($11::uuid[])
ORDER BY l.message_id, l.endpoint_id LIMIT $12

-- name: next_messages_to_replay
-- The next $6 messages of the application behind the cursor $3, made from $4 on and before $5, and whether the endpoint is to get each: it is
-- subscribed to it, the payload is there, and nothing of it is live; of the missing ones ($7) nothing was ever made of it either. By event types,
-- channel, tag, and how it ended ($11, as in delivery_states). With what its payload filter asks for.
WITH looked_at AS MATERIALIZED (
    SELECT m.id, m.event_type, m.channels, m.tags, m.raw, m.deliver_at, m.payload IS NOT NULL AS has_payload
    FROM message m
    WHERE m.app_id = $1 AND m.id > $3 AND m.id >= $4 AND m.id < $5
    ORDER BY m.id LIMIT $6
), judged AS MATERIALIZED (
    SELECT w.id, w.raw, w.deliver_at, e.filter,
           (w.has_payload AND ($8::text[] IS NULL OR w.event_type = ANY ($8))
            AND ($9::text IS NULL OR $9 = ANY (w.channels)) AND ($10::text IS NULL OR $10 = ANY (w.tags))
            AND subscribes(e.event_types, e.event_type_patterns, e.channels, w.event_type, w.channels)
            AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.app_id = $1 AND d.endpoint_id = e.id AND d.message_id = w.id)
            AND NOT ($7 AND (EXISTS (SELECT 1 FROM dead_letter l WHERE l.app_id = $1 AND l.endpoint_id = e.id AND l.message_id = w.id)
                             OR ended.status IS NOT NULL))
            AND ($11::int2 IS NULL
                 OR coalesce((SELECT 2 FROM dead_letter l WHERE l.app_id = $1 AND l.endpoint_id = e.id AND l.message_id = w.id), ended.status) = $11)
           ) IS TRUE AS wanted
    FROM looked_at w
    JOIN endpoint e ON e.id = $2
    CROSS JOIN LATERAL (SELECT (SELECT CASE WHEN a.succeeded THEN 0 ELSE 2 END FROM attempt a
                                WHERE a.app_id = $1 AND a.message_id = w.id AND a.endpoint_id = e.id
                                ORDER BY a.id DESC LIMIT 1) AS status) ended
)
SELECT j.id, j.wanted AND NOT (j.raw AND j.filter IS NOT NULL), CASE WHEN j.wanted THEN j.filter END,
       CASE WHEN j.wanted AND j.filter IS NOT NULL THEN (SELECT m.payload FROM message m WHERE m.app_id = $1 AND m.id = j.id) END,
       j.deliver_at
FROM judged j
ORDER BY j.id

-- name: lock_replay_endpoints
-- Locked as ingest locks ordered endpoints: numbers of the order are drawn by one at a time (I7). With the number of
-- replayed deliveries that are still live, counted up to $2.
SELECT e.id, e.shard, e.ordered, e.disabled, e.deleted_at IS NOT NULL OR a.deleted_at IS NOT NULL,
       (SELECT count(*) FROM (SELECT 1 FROM delivery d WHERE d.endpoint_id = e.id AND d.manual LIMIT $2) live),
       e.filter IS NOT NULL
FROM endpoint e
JOIN application a ON a.id = e.app_id
WHERE e.id = ANY ($1::uuid[])
ORDER BY e.id
FOR NO KEY UPDATE OF e

-- name: replay_dead_letters
-- Dead letters become live deliveries again, as new runs at the end of their endpoints' order. Only what is still
-- a dead letter of a run before $6 counts.
WITH chosen AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int2[], $5::bool[])
        AS c (app_id, endpoint_id, message_id, shard, ordered)
), revived AS (
    DELETE FROM dead_letter l USING chosen c
    WHERE l.app_id = c.app_id AND l.endpoint_id = c.endpoint_id AND l.message_id = c.message_id AND l.run_id < $6
    RETURNING c.app_id, c.endpoint_id, c.message_id, c.shard, c.ordered
)
INSERT INTO delivery (app_id, endpoint_id, message_id, shard, manual, ordered, due_at)
SELECT r.app_id, r.endpoint_id, r.message_id, r.shard, true, r.ordered, clock_timestamp()
FROM revived r
ORDER BY r.message_id, r.endpoint_id
ON CONFLICT DO NOTHING

-- name: replay_messages
-- New runs of messages at the end of the endpoint's order, and no older dead letters of them. Their deliverAt ($6) holds.
WITH unwanted AS (
    DELETE FROM dead_letter l WHERE l.app_id = $1 AND l.endpoint_id = $2 AND l.message_id = ANY ($3::uuid[])
)
INSERT INTO delivery (app_id, endpoint_id, message_id, shard, manual, ordered, due_at)
SELECT $1, $2, c.id, $4, true, $5, greatest(clock_timestamp(), c.deliver_at)
FROM unnest($3::uuid[], $6::timestamptz[]) AS c (id, deliver_at)
ORDER BY c.id
ON CONFLICT DO NOTHING

-- name: mark_undeliverable
UPDATE dead_letter l SET reason = $4
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS c (app_id, endpoint_id, message_id)
WHERE l.app_id = c.app_id AND l.endpoint_id = c.endpoint_id AND l.message_id = c.message_id AND l.reason <> $4

-- name: advance_replay_job
UPDATE replay_job
SET state = $2, cursor_message = $3, cursor_endpoint = $4, crowded = $5, replayed = replayed + $6,
    resume_at = clock_timestamp() + $7 * interval '1 millisecond', updated_at = clock_timestamp()
WHERE id = $1

-- name: time_to_next_replay_step
-- Milliseconds until a running job may go on; null without one.
SELECT (extract(epoch FROM min(j.resume_at) - clock_timestamp()) * 1000)::int8
FROM replay_job j
WHERE j.state = 'running'

-- name: resend_delivery
-- A new run, or an earlier next attempt where one is waiting; an ordered endpoint's waiting delivery keeps its place and time.
WITH unwanted AS (
    DELETE FROM dead_letter l WHERE l.app_id = $1 AND l.endpoint_id = $2 AND l.message_id = $3
)
INSERT INTO delivery (app_id, endpoint_id, message_id, shard, manual, ordered, due_at)
VALUES ($1, $2, $3, $4, true, $5, clock_timestamp())
ON CONFLICT (app_id, endpoint_id, message_id) DO UPDATE SET due_at = clock_timestamp()
    WHERE NOT delivery.ordered AND delivery.due_at > clock_timestamp()
