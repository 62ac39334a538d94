-- The ingest side: a batch of submitted messages becomes messages and deliveries. See docs/architecture.md, Ingest.

-- name: accept_messages
-- One batch, ids ascending. A message counts where its application is found and it wins all of its idempotency keys (kind 0: the
-- header, 1: eventId), or holds them already: then it is a retry of a batch whose commit was in doubt. One that wins only one of two
-- raises PH001. Who visibly can't win doesn't try, so that this is left to races.
-- Connections of the hot path have no hash joins: sets are compared by hashed subplans, which `IN (...) IS TRUE` can't be pulled out of.
-- A message tells the revision of the schema that it was held to (0: none). Where its event type enforces another one by now, it is
-- left alone with its keys: status 4.
-- Answers a row a message (delivery false; status 0 unknown application, 1 accepted, 2 a key is taken, 3 accepted by the earlier try,
-- 4 another schema is enforced) and a row a delivery (delivery true; numbers ascending with the messages' ids; the last columns: its turn is decided in
-- the table; where its row lies).
WITH input AS MATERIALIZED (
    SELECT i.number, i.id, i.event_type, string_to_array(i.channels, ',') AS channels, i.event_id, i.key, i.body_hash,
           string_to_array(i.tags, ',') AS tags, i.headers, i.raw, i.deliver_at,
           coalesce((SELECT a.id FROM application a WHERE a.id = i.app_id AND a.org_id = i.org_id AND a.deleted_at IS NULL),
                    (SELECT a.id FROM application a WHERE a.uid = i.app_uid AND a.org_id = i.org_id AND a.deleted_at IS NULL)) AS app_id,
           i.schema_revision = coalesce((SELECT t.schema_revision FROM event_type t
                                         WHERE t.org_id = i.org_id AND t.name = i.event_type
                                           AND t.enforce_schema AND NOT t.archived AND t.deleted_at IS NULL), 0) AS checked
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[],
                $12::text[], $13::text[], $14::bool[], $15::timestamptz[], $16::int8[])
        WITH ORDINALITY AS i (org_id, app_id, app_uid, id, event_type, channels, event_id, key, body_hash, tags, headers, raw,
                              deliver_at, schema_revision, number)
), wanted AS MATERIALIZED (
    SELECT k.app_id, k.kind, k.key, k.id, k.body_hash,
           EXISTS (SELECT 1 FROM idempotency_key h WHERE h.app_id = k.app_id AND h.kind = k.kind AND h.key = k.key
                   AND h.message_id <> k.id AND h.expires_at > clock_timestamp()) AS taken
    FROM (SELECT app_id, 0::int2 AS kind, key, id, body_hash FROM input WHERE key IS NOT NULL AND checked
          UNION ALL
          SELECT app_id, 1::int2, event_id, id, body_hash FROM input WHERE event_id IS NOT NULL AND checked) k
    WHERE k.app_id IS NOT NULL
), hopeless AS MATERIALIZED (
    SELECT id FROM wanted WHERE taken
), won AS (
    INSERT INTO idempotency_key AS k (app_id, kind, key, message_id, body_hash, expires_at)
    SELECT DISTINCT ON (w.app_id, w.kind, w.key)
           w.app_id, w.kind, w.key, w.id, w.body_hash, clock_timestamp() + $11::float8 * interval '1 second'
    FROM wanted w
    WHERE (w.id IN (SELECT id FROM hopeless)) IS NOT TRUE
    ORDER BY w.app_id, w.kind, w.key, w.id
    ON CONFLICT (app_id, kind, key) DO UPDATE
        SET message_id = excluded.message_id, body_hash = excluded.body_hash, expires_at = excluded.expires_at
        WHERE k.message_id = excluded.message_id OR k.expires_at <= clock_timestamp()
    RETURNING k.kind, k.message_id
), claimed AS MATERIALIZED (
    SELECT i.*, i.key IS NOT NULL AND (i.id IN (SELECT message_id FROM won WHERE kind = 0)) IS TRUE AS has_key,
           i.event_id IS NOT NULL AND (i.id IN (SELECT message_id FROM won WHERE kind = 1)) IS TRUE AS has_event_id
    FROM input i
), decided AS MATERIALIZED (
    SELECT c.*, CASE WHEN NOT c.checked THEN 4::int2  -- first: the application may be made for a message that is right
                     WHEN c.app_id IS NULL THEN 0::int2
                     WHEN (c.key IS NULL OR c.has_key) AND (c.event_id IS NULL OR c.has_event_id) THEN 1::int2
                     WHEN c.has_key OR c.has_event_id THEN refuse_partial_win(c.id)
                     ELSE 2::int2 END AS status
    FROM claimed c
), inserted AS (
    INSERT INTO message (app_id, id, event_type, channels, event_id, payload, tags, headers, raw, deliver_at)
    SELECT d.app_id, d.id, d.event_type, d.channels, d.event_id, ($10::bytea[])[d.number], d.tags, d.headers, d.raw, d.deliver_at
    FROM decided d
    WHERE d.status = 1
    ON CONFLICT DO NOTHING
    RETURNING app_id, id, event_type, channels, deliver_at
), ordered_endpoints AS MATERIALIZED (
    -- Held until the commit: whoever numbers deliveries of one of these next sees ours (I7).
    SELECT e.id FROM endpoint e
    WHERE e.app_id = ANY (ARRAY(SELECT DISTINCT d.app_id FROM decided d WHERE d.status = 1)) AND e.ordered AND e.deleted_at IS NULL
    ORDER BY e.id
    FOR NO KEY UPDATE
), fanned_out AS (
    INSERT INTO delivery (app_id, endpoint_id, message_id, shard, ordered, due_at)
    SELECT m.app_id, e.id, m.id, e.shard, e.ordered, greatest(clock_timestamp(), m.deliver_at)
    FROM inserted m
    CROSS JOIN LATERAL subscribed_endpoints(m.app_id, m.event_type, m.channels) e
    WHERE (SELECT count(*) FROM ordered_endpoints) >= 0  -- locks before it numbers
    ORDER BY m.id
    RETURNING app_id, endpoint_id, message_id, shard, run_id, ordered OR due_at > clock_timestamp() AS from_table, ctid AS place
)
SELECT false, d.id, CASE WHEN d.status = 1 AND (d.id IN (SELECT id FROM inserted)) IS NOT TRUE THEN 3::int2 ELSE d.status END,
       NULL::uuid, NULL::uuid, NULL::int2, NULL::int8, NULL::bool, NULL::tid
FROM decided d
UNION ALL
SELECT true, f.message_id, NULL, f.app_id, f.endpoint_id, f.shard, f.run_id, f.from_table, f.place
FROM fanned_out f

-- name: accept_plain_messages
-- accept_messages for messages that have no idempotency key and whose batch was never tried before: most of all. Nothing can be taken, and
-- nothing be there already; a shorter statement is begun sooner, and an insertion without ON CONFLICT costs less.
-- Answers a row a message that is not accepted (delivery false, status 0 or 4) and a row a delivery, as accept_messages does.
WITH input AS MATERIALIZED (
    SELECT i.*,
           coalesce((SELECT a.id FROM application a WHERE a.id = i.named_app_id AND a.org_id = i.org_id AND a.deleted_at IS NULL),
                    (SELECT a.id FROM application a WHERE a.uid = i.app_uid AND a.org_id = i.org_id AND a.deleted_at IS NULL)) AS app_id,
           -- Whether anything is enforced is asked once, and what, only then.
           i.schema_revision = CASE WHEN EXISTS (SELECT 1 FROM event_type WHERE enforce_schema AND NOT archived AND deleted_at IS NULL)
                                    THEN coalesce((SELECT t.schema_revision FROM event_type t
                                                   WHERE t.org_id = i.org_id AND t.name = i.event_type
                                                     AND t.enforce_schema AND NOT t.archived AND t.deleted_at IS NULL), 0)
                                    ELSE 0 END AS checked
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::bytea[], $8::text[], $9::text[], $10::bool[],
                $11::timestamptz[], $12::int8[])
        AS i (org_id, named_app_id, app_uid, id, event_type, channels, payload, tags, headers, raw, deliver_at, schema_revision)
), inserted AS (
    INSERT INTO message (app_id, id, event_type, channels, payload, tags, headers, raw, deliver_at)
    SELECT i.app_id, i.id, i.event_type, string_to_array(i.channels, ','), i.payload, string_to_array(i.tags, ','), i.headers, i.raw,
           i.deliver_at
    FROM input i
    WHERE i.app_id IS NOT NULL AND i.checked
    RETURNING app_id, id, event_type, channels, deliver_at
), ordered_endpoints AS MATERIALIZED (
    -- As in accept_messages; whether any endpoint is ordered is asked first.
    SELECT e.id FROM endpoint e
    WHERE e.app_id = ANY (ARRAY(SELECT DISTINCT i.app_id FROM input i
                                WHERE i.checked AND EXISTS (SELECT 1 FROM endpoint WHERE ordered AND deleted_at IS NULL)))
      AND e.ordered AND e.deleted_at IS NULL
    ORDER BY e.id
    FOR NO KEY UPDATE
), fanned_out AS (
    INSERT INTO delivery (app_id, endpoint_id, message_id, shard, ordered, due_at)
    SELECT m.app_id, e.id, m.id, e.shard, e.ordered, greatest(clock_timestamp(), m.deliver_at)
    FROM inserted m
    CROSS JOIN LATERAL subscribed_endpoints(m.app_id, m.event_type, m.channels) e
    WHERE (SELECT count(*) FROM ordered_endpoints) >= 0
    ORDER BY m.id
    RETURNING app_id, endpoint_id, message_id, shard, run_id, ordered OR due_at > clock_timestamp() AS from_table, ctid AS place
)
SELECT false, i.id, CASE WHEN i.checked THEN 0::int2 ELSE 4::int2 END, NULL::uuid, NULL::uuid, NULL::int2, NULL::int8, NULL::bool, NULL::tid
FROM input i
WHERE i.app_id IS NULL OR NOT i.checked
UNION ALL
SELECT true, f.message_id, NULL, f.app_id, f.endpoint_id, f.shard, f.run_id, f.from_table, f.place
FROM fanned_out f

-- name: find_key_holders
-- Who holds each of these idempotency keys (unexpired), and what was submitted then. A statement of its own: the one that lost a key doesn't
-- see a winner that committed while it ran.
SELECT w.number, h.message_id, h.body_hash
FROM (SELECT i.number, i.kind, i.key,
             coalesce((SELECT a.id FROM application a WHERE a.id = i.app_id AND a.org_id = i.org_id AND a.deleted_at IS NULL),
                      (SELECT a.id FROM application a WHERE a.uid = i.app_uid AND a.org_id = i.org_id AND a.deleted_at IS NULL)) AS app_id
      FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int2[], $5::text[])
          WITH ORDINALITY AS i (org_id, app_id, app_uid, kind, key, number)) w
JOIN idempotency_key h ON h.app_id = w.app_id AND h.kind = w.kind AND h.key = w.key AND h.expires_at > clock_timestamp()
