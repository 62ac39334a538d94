-- Dead letters are listed and walked by their messages' ids, then by endpoint. The filter is $1 to $7 everywhere:
-- organization, application, endpoint, event types, reason, and the messages' ids from $6 (included) to $7 (not included).

-- name: list_dead_letters_descending
SELECT l.app_id, l.endpoint_id, l.message_id, l.event_type, l.reason, l.attempts, l.ended_at
FROM dead_letter l
WHERE l.org_id = $1 AND ($2::uuid IS NULL OR l.app_id = $2) AND ($3::uuid IS NULL OR l.endpoint_id = $3)
  AND ($4::text[] IS NULL OR l.event_type = ANY ($4)) AND ($5::int2 IS NULL OR l.reason = $5)
  AND l.message_id >= $6 AND l.message_id < $7
  AND (l.message_id, l.endpoint_id) < ($8, $9)
ORDER BY l.message_id DESC, l.endpoint_id DESC LIMIT $10

-- name: list_dead_letters_ascending
SELECT l.app_id, l.endpoint_id, l.message_id, l.event_type, l.reason, l.attempts, l.ended_at
FROM dead_letter l
WHERE l.org_id = $1 AND ($2::uuid IS NULL OR l.app_id = $2) AND ($3::uuid IS NULL OR l.endpoint_id = $3)
  AND ($4::text[] IS NULL OR l.event_type = ANY ($4)) AND ($5::int2 IS NULL OR l.reason = $5)
  AND l.message_id >= $6 AND l.message_id < $7
  AND (l.message_id, l.endpoint_id) > ($8, $9)
ORDER BY l.message_id, l.endpoint_id LIMIT $10

-- name: find_dead_letter
SELECT l.app_id, l.endpoint_id, l.message_id, l.event_type, l.reason, l.attempts, l.ended_at
FROM dead_letter l
WHERE l.org_id = $1 AND ($2::uuid IS NULL OR l.app_id = $2) AND l.message_id = $3 AND l.endpoint_id = $4

-- name: discard_dead_letter
DELETE FROM dead_letter l WHERE l.org_id = $1 AND l.app_id = $2 AND l.message_id = $3 AND l.endpoint_id = $4

-- name: discard_dead_letters
-- A batch of $8. What someone else replays or discards at this moment is left to him.
WITH doomed AS MATERIALIZED (
    SELECT l.app_id, l.endpoint_id, l.message_id
    FROM dead_letter l
    WHERE l.org_id = $1 AND ($2::uuid IS NULL OR l.app_id = $2) AND ($3::uuid IS NULL OR l.endpoint_id = $3)
      AND ($4::text[] IS NULL OR l.event_type = ANY ($4)) AND ($5::int2 IS NULL OR l.reason = $5)
      AND l.message_id >= $6 AND l.message_id < $7
    ORDER BY l.message_id, l.endpoint_id LIMIT $8
    FOR UPDATE SKIP LOCKED
)
DELETE FROM dead_letter l USING doomed d
WHERE l.app_id = d.app_id AND l.endpoint_id = d.endpoint_id AND l.message_id = d.message_id
