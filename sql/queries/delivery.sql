-- The worker's side of the table delivery: what is due, payloads, outcomes. See docs/architecture.md, Workers.

-- name: list_backlogged_endpoints
-- Every endpoint of the shards that has a live delivery, by a loose index scan: one index probe an endpoint, however
-- many rows it has. With the time until its first is due.
WITH RECURSIVE found AS (
    SELECT first.shard, first.endpoint_id
    FROM unnest($1::int2[]) AS wanted (shard)
    CROSS JOIN LATERAL (SELECT d.shard, d.endpoint_id FROM delivery d WHERE d.shard = wanted.shard
                        ORDER BY d.shard, d.endpoint_id LIMIT 1) first
    UNION ALL
    SELECT later.shard, later.endpoint_id
    FROM found
    CROSS JOIN LATERAL (SELECT d.shard, d.endpoint_id FROM delivery d
                        WHERE d.shard = found.shard AND d.endpoint_id > found.endpoint_id
                        ORDER BY d.shard, d.endpoint_id LIMIT 1) later
)
SELECT found.shard, found.endpoint_id
FROM found

-- name: probe_endpoints
-- The first rows of some endpoints in the order of their due times, due or not: the first that is not due tells
-- when to look again. The watermark spares the dead index entries of what was done before.
SELECT d.app_id, d.endpoint_id, d.message_id, d.attempt, d.manual, d.run_id,
       (extract(epoch FROM d.due_at - clock_timestamp()) * 1000000)::int8, d.place
FROM unnest($1::int2[], $2::uuid[], $3::int4[], $4::timestamptz[]) AS wanted (shard, endpoint_id, count, watermark)
CROSS JOIN LATERAL (SELECT *, l.ctid AS place FROM delivery l
                    WHERE l.shard = wanted.shard AND l.endpoint_id = wanted.endpoint_id AND l.due_at >= wanted.watermark
                    ORDER BY l.shard, l.endpoint_id, l.due_at LIMIT wanted.count) d

-- name: probe_ordered_endpoints
-- The head of each ordered endpoint: the lowest number, due or not (I7). A row that was fanned out by a snapshot from before the
-- endpoint became ordered does not have the mark: it goes when nothing is left that has.
SELECT d.app_id, d.endpoint_id, d.message_id, d.attempt, d.manual, d.run_id,
       (extract(epoch FROM d.due_at - clock_timestamp()) * 1000000)::int8, d.place
FROM unnest($1::int2[], $2::uuid[]) AS wanted (shard, endpoint_id)
CROSS JOIN LATERAL (
    (SELECT *, l.ctid AS place FROM delivery l WHERE l.endpoint_id = wanted.endpoint_id AND l.ordered
     ORDER BY l.endpoint_id, l.run_id LIMIT 1)
    UNION ALL
    (SELECT *, l.ctid AS place FROM delivery l
     WHERE l.shard = wanted.shard AND l.endpoint_id = wanted.endpoint_id
       AND NOT EXISTS (SELECT 1 FROM delivery o WHERE o.endpoint_id = wanted.endpoint_id AND o.ordered)
     ORDER BY l.shard, l.endpoint_id, l.due_at LIMIT 1)
) d

-- name: load_payloads
-- In the order asked, until $3 bytes are reached; of the rest it is only said that there is more (last column).
SELECT p.id, CASE WHEN p.before < $3 THEN p.payload END, p.headers, p.raw, p.deliver_at, p.before >= $3
FROM (SELECT m.id, m.payload, m.headers, m.raw, m.deliver_at,
             coalesce(sum(octet_length(m.payload)) OVER (ORDER BY wanted.number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
      FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS wanted (app_id, id, number)
      CROSS JOIN LATERAL (SELECT * FROM message l WHERE l.app_id = wanted.app_id AND l.id = wanted.id OFFSET 0) m) p

-- name: load_endpoints
SELECT e.id, e.app_id, e.shard, e.version, e.url, e.disabled,
       e.deleted_at IS NOT NULL OR a.deleted_at IS NOT NULL, coalesce(e.rate_limit, a.rate_limit), e.headers, e.http2,
       e.ordered, e.filter, e.retry_schedule, e.timeout_s, e.failing_since,
       ARRAY(SELECT s.sealed FROM endpoint_secret s
             WHERE s.endpoint_id = e.id AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())
             ORDER BY s.expires_at DESC NULLS FIRST, s.created_at DESC),
       ARRAY(SELECT (extract(epoch FROM coalesce(s.expires_at, 'epoch')) * 1000000)::int8 FROM endpoint_secret s
             WHERE s.endpoint_id = e.id AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())
             ORDER BY s.expires_at DESC NULLS FIRST, s.created_at DESC)
FROM unnest($1::uuid[]) AS wanted (id)
JOIN endpoint e ON e.id = wanted.id
JOIN application a ON a.id = e.app_id

-- name: complete_plain_deliveries
-- complete_deliveries for deliveries of new messages that one of the first four attempts brought there, in a batch that was never tried
-- before: most of all. Of these nobody is told, and nothing else is to be looked up. Rows are met where they were seen last. One that
-- the answer leaves out has moved or is not the writer's any more: complete_deliveries knows.
WITH outcome AS MATERIALIZED (
    SELECT *
    FROM unnest($1::int2[], $2::int8[], $3::uuid[], $4::uuid[], $5::uuid[], $6::int8[], $7::int2[], $8::uuid[], $9::int2[], $10::int4[],
                $11::text[], $12::bytea[])
        AS o (shard, epoch, app_id, endpoint_id, message_id, run_id, attempt, attempt_id, status_code, duration_ms, url, response)
), logged AS (
    INSERT INTO attempt (app_id, message_id, id, endpoint_id, run_id, attempt, manual, succeeded, status_code, failure,
                         duration_ms, url, response)
    SELECT app_id, message_id, attempt_id, endpoint_id, run_id, attempt, false, true, status_code, 0, duration_ms, url, response
    FROM outcome
), fence AS MATERIALIZED (
    SELECT l.shard, l.epoch FROM shard_lease l
    WHERE l.shard = ANY (ARRAY(SELECT DISTINCT shard FROM outcome))
    ORDER BY l.shard
    FOR SHARE
)
DELETE FROM delivery d
WHERE d.ctid = ANY ($13::tid[])
  AND ((d.run_id, d.attempt) IN (SELECT run_id, attempt FROM outcome
                                 WHERE ((shard, epoch) IN (SELECT shard, epoch FROM fence)) IS TRUE)) IS TRUE
RETURNING d.run_id

-- name: complete_deliveries
-- One batch of outcomes. An outcome counts only where the shard's epoch is still the writer's (read FOR SHARE, so that a
-- take-over waits for us or we see it) and run and attempt are still the ones it is about. The attempt is logged in any case (I10).
-- verdict: 0 delivered, 1 retry after delay_ms, 2 dead letter, 3 cancelled, 4 only logged
WITH outcome AS MATERIALIZED (
    SELECT *
    FROM unnest($1::int2[], $2::int8[], $3::uuid[], $4::uuid[], $5::uuid[], $6::int8[], $7::int2[], $8::int2[], $9::int2[],
                $10::int8[]) WITH ORDINALITY
        AS o (shard, epoch, app_id, endpoint_id, message_id, run_id, attempt, verdict, reason, delay_ms, number)
), logged AS (
    INSERT INTO attempt (app_id, message_id, id, endpoint_id, run_id, attempt, manual, succeeded, status_code, failure,
                         duration_ms, url, response)
    SELECT * FROM unnest($11::uuid[], $12::uuid[], $13::uuid[], $14::uuid[], $15::int8[], $16::int2[], $17::bool[], $18::bool[],
                         $19::int2[], $20::int2[], $21::int4[], $22::text[], $23::bytea[])
    ON CONFLICT DO NOTHING
), fence AS MATERIALIZED (
    SELECT l.shard, l.epoch FROM shard_lease l
    WHERE l.shard = ANY (ARRAY(SELECT DISTINCT shard FROM outcome))
    ORDER BY l.shard
    FOR SHARE
), target AS MATERIALIZED (
    -- The rows that count, found by their key one by one. A join would be planned the other way round, as a walk through all of the table,
    -- once that was analysed while it was empty; so rows are changed by their places, which nobody but the shard's owner moves. Compared as
    -- a row, the key is met by the index that begins with all of it; by its parts, an index that holds only one of them costs the same.
    SELECT o.number, o.verdict, o.reason, o.delay_ms, o.run_id, d.place
    FROM outcome o
    CROSS JOIN LATERAL (SELECT l.ctid AS place FROM delivery l
                        WHERE (l.app_id, l.endpoint_id, l.message_id) >= (o.app_id, o.endpoint_id, o.message_id)
                          AND (l.app_id, l.endpoint_id, l.message_id) <= (o.app_id, o.endpoint_id, o.message_id)
                          AND l.run_id = o.run_id AND l.attempt = o.attempt
                        OFFSET 0) d
    WHERE ((o.shard, o.epoch) IN (SELECT shard, epoch FROM fence)) IS TRUE
), removed AS (
    DELETE FROM delivery d
    WHERE d.ctid = ANY (ARRAY(SELECT place FROM target WHERE verdict IN (0, 2, 3)))
    RETURNING array_position(ARRAY(SELECT run_id FROM target), d.run_id) AS at,
              d.app_id, d.endpoint_id, d.message_id, d.run_id, d.attempt, d.manual
), ended AS MATERIALIZED (
    SELECT (ARRAY(SELECT number FROM target))[r.at] AS number, (ARRAY(SELECT verdict FROM target))[r.at] AS verdict,
           (ARRAY(SELECT reason FROM target))[r.at] AS reason, r.app_id, r.endpoint_id, r.message_id, r.run_id, r.attempt, r.manual
    FROM removed r
), moved AS (
    UPDATE delivery d
    SET attempt = d.attempt + 1,
        due_at = clock_timestamp() + (ARRAY(SELECT delay_ms FROM target))[array_position(ARRAY(SELECT run_id FROM target), d.run_id)]
                                     * interval '1 millisecond'
    WHERE d.ctid = ANY (ARRAY(SELECT place FROM target WHERE verdict = 1))
    RETURNING array_position(ARRAY(SELECT run_id FROM target), d.run_id) AS at,
              (extract(epoch FROM d.due_at - clock_timestamp()) * 1000000)::int8 AS due_in_us,
              d.app_id, d.endpoint_id, d.message_id, d.run_id, d.attempt - 1 AS attempt
), retried AS MATERIALIZED (
    SELECT (ARRAY(SELECT number FROM target))[m.at] AS number, m.due_in_us, m.app_id, m.endpoint_id, m.message_id, m.run_id, m.attempt
    FROM moved m
), dead AS (
    INSERT INTO dead_letter (app_id, endpoint_id, message_id, org_id, event_type, reason, attempts, run_id, ended_at)
    SELECT b.app_id, b.endpoint_id, b.message_id, e.org_id, coalesce(m.event_type, ''), b.reason, b.attempt, b.run_id,
           clock_timestamp()
    FROM ended b
    CROSS JOIN LATERAL (SELECT l.org_id FROM endpoint l WHERE l.id = b.endpoint_id OFFSET 0) e
    LEFT JOIN LATERAL (SELECT l.event_type FROM message l WHERE l.app_id = b.app_id AND l.id = b.message_id OFFSET 0) m ON true
    WHERE b.verdict = 2
    ON CONFLICT (app_id, endpoint_id, message_id) DO UPDATE
        SET reason = excluded.reason, attempts = excluded.attempts, run_id = excluded.run_id, ended_at = excluded.ended_at
), recovered AS (
    -- A replay that was brought to its end leaves no older dead letter behind.
    DELETE FROM dead_letter l
    WHERE l.ctid = ANY (ARRAY(SELECT o.place FROM ended b
                              CROSS JOIN LATERAL (SELECT i.ctid AS place FROM dead_letter i
                                                  WHERE i.app_id = b.app_id AND i.endpoint_id = b.endpoint_id AND i.message_id = b.message_id
                                                  OFFSET 0) o
                              WHERE b.manual AND b.verdict IN (0, 3)))
), worth_telling AS (
    -- The fourth failure, the last one, and the success after either; after the last one it is a replay's, whose dead letter went when it
    -- was made.
    SELECT 'message.attempt.failing' AS event, app_id, endpoint_id, message_id, run_id, NULL::int2 AS reason FROM retried WHERE attempt = 4
    UNION ALL
    SELECT 'message.attempt.exhausted', app_id, endpoint_id, message_id, run_id, reason FROM ended WHERE verdict = 2
    UNION ALL
    SELECT 'message.attempt.recovered', app_id, endpoint_id, message_id, run_id, NULL FROM ended b
    WHERE verdict = 0
      AND (attempt > 4
           OR manual AND (SELECT NOT a.succeeded FROM attempt a
                          WHERE a.app_id = b.app_id AND a.message_id = b.message_id AND a.endpoint_id = b.endpoint_id
                            AND a.run_id <> b.run_id
                          ORDER BY a.id DESC LIMIT 1))
), with_attempt AS MATERIALIZED (
    -- A barrier: the planner would tell first and look at what is worth telling later, where that is the cheaper way round.
    SELECT w.*, ($13::uuid[])[w.at] AS attempt_id, ($19::int2[])[w.at] AS status_code
    FROM (SELECT *, array_position($15::int8[], run_id) AS at FROM worth_telling) w
    WHERE w.at IS NOT NULL
)
SELECT number, 0::int8 FROM ended
UNION ALL
SELECT number, greatest(due_in_us, 0) FROM retried
UNION ALL
SELECT 0, 0 FROM with_attempt w  -- operational webhooks; no rows
WHERE NOT tell_of_attempt(w.event, w.app_id, w.endpoint_id, w.message_id, w.attempt_id, w.status_code, w.reason)

-- name: end_deliveries_of_endpoint
-- A disabled endpoint's deliveries become dead letters (reason $5), a deleted one's are cancelled (reason null); not those that
-- are being attempted ($6), and at most $7 a time. Fenced like an outcome.
WITH fence AS MATERIALIZED (
    SELECT 1 FROM shard_lease WHERE shard = $1 AND epoch = $2 FOR SHARE
), chosen AS MATERIALIZED (
    SELECT d.app_id, d.endpoint_id, d.message_id
    FROM delivery d
    WHERE d.shard = $1 AND d.endpoint_id = $4 AND d.app_id = $3 AND d.message_id <> ALL ($6::uuid[]) AND EXISTS (SELECT 1 FROM fence)
    ORDER BY d.shard, d.endpoint_id, d.due_at
    LIMIT $7
), ended AS (
    DELETE FROM delivery d USING chosen c
    WHERE d.app_id = c.app_id AND d.endpoint_id = c.endpoint_id AND d.message_id = c.message_id
    RETURNING d.app_id, d.endpoint_id, d.message_id, d.run_id, d.attempt
), dead AS (
    INSERT INTO dead_letter (app_id, endpoint_id, message_id, org_id, event_type, reason, attempts, run_id, ended_at)
    SELECT b.app_id, b.endpoint_id, b.message_id, e.org_id, coalesce(m.event_type, ''), $5, b.attempt - 1, b.run_id, clock_timestamp()
    FROM ended b
    CROSS JOIN LATERAL (SELECT l.org_id FROM endpoint l WHERE l.id = b.endpoint_id OFFSET 0) e
    LEFT JOIN LATERAL (SELECT l.event_type FROM message l WHERE l.app_id = b.app_id AND l.id = b.message_id OFFSET 0) m ON true
    WHERE $5::int2 IS NOT NULL
    ON CONFLICT (app_id, endpoint_id, message_id) DO UPDATE
        SET reason = excluded.reason, attempts = excluded.attempts, run_id = excluded.run_id, ended_at = excluded.ended_at
)
SELECT count(*)::int8 FROM ended

-- name: mark_endpoints_failing
-- This and the next two lock endpoints in the order in which everybody does.
WITH locked AS MATERIALIZED (
    SELECT id FROM endpoint WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
)
UPDATE endpoint e SET failing_since = clock_timestamp()
FROM locked
WHERE e.id = locked.id AND e.failing_since IS NULL AND NOT e.disabled

-- name: mark_endpoints_recovered
WITH locked AS MATERIALIZED (
    SELECT id FROM endpoint WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
)
UPDATE endpoint e SET failing_since = NULL, failing = false
FROM locked
WHERE e.id = locked.id AND e.failing_since IS NOT NULL

-- name: mark_circuits
WITH locked AS MATERIALIZED (
    SELECT id FROM endpoint WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
)
UPDATE endpoint e
SET circuit_open_until = c.until, failing = e.failing OR (c.until IS NOT NULL AND e.failing_since IS NOT NULL AND NOT e.disabled)
FROM unnest($1::uuid[], $2::timestamptz[]) AS c (id, until)
JOIN locked ON locked.id = c.id
WHERE e.id = c.id

-- name: disable_endpoint
-- By a worker: gone (410), or failing for too long; the latter is judged once more by the row itself.
UPDATE endpoint SET disabled = true, disabled_reason = $2, updated_at = clock_timestamp()
WHERE id = $1 AND NOT disabled AND deleted_at IS NULL
  AND ($3::float8 IS NULL OR failing_since < clock_timestamp() - $3 * interval '1 second')
RETURNING org_id, app_id, updated_at
