-- What the API shows of attempts. Their messages are looked up one by one, by a subquery that can't become a hash of them all.

-- name: attempt_window_descending
-- The last id of the endpoint's next $5 attempts; none if there are fewer.
SELECT a.id FROM attempt a
WHERE a.app_id = $1 AND a.endpoint_id = $2 AND a.id < $3 AND a.id >= $4
ORDER BY a.id DESC OFFSET $5 - 1 LIMIT 1

-- name: attempt_window_ascending
SELECT a.id FROM attempt a
WHERE a.app_id = $1 AND a.endpoint_id = $2 AND a.id > $3 AND a.id <= $4
ORDER BY a.id OFFSET $5 - 1 LIMIT 1

-- name: list_attempts_of_endpoint_descending
SELECT a.id, a.message_id, a.endpoint_id, a.manual, a.succeeded, a.status_code, a.duration_ms, a.url,
       CASE WHEN $11 THEN a.response END
FROM attempt a
WHERE a.app_id = $1 AND a.endpoint_id = $2 AND a.id < $3 AND a.id >= $4
  AND ($6::bool IS NULL OR a.succeeded = $6)
  AND ($7::int2 IS NULL OR a.status_code BETWEEN $7 AND $8)
  AND (($9::text[] IS NULL AND $10::text IS NULL)
       OR (SELECT ($9 IS NULL OR m.event_type = ANY ($9)) AND ($10 IS NULL OR $10 = ANY (m.channels))
           FROM message m WHERE m.app_id = a.app_id AND m.id = a.message_id))
ORDER BY a.id DESC LIMIT $5

-- name: list_attempts_of_endpoint_ascending
SELECT a.id, a.message_id, a.endpoint_id, a.manual, a.succeeded, a.status_code, a.duration_ms, a.url,
       CASE WHEN $11 THEN a.response END
FROM attempt a
WHERE a.app_id = $1 AND a.endpoint_id = $2 AND a.id > $3 AND a.id <= $4
  AND ($6::bool IS NULL OR a.succeeded = $6)
  AND ($7::int2 IS NULL OR a.status_code BETWEEN $7 AND $8)
  AND (($9::text[] IS NULL AND $10::text IS NULL)
       OR (SELECT ($9 IS NULL OR m.event_type = ANY ($9)) AND ($10 IS NULL OR $10 = ANY (m.channels))
           FROM message m WHERE m.app_id = a.app_id AND m.id = a.message_id))
ORDER BY a.id LIMIT $5

-- name: list_attempts_of_message_descending
SELECT a.id, a.message_id, a.endpoint_id, a.manual, a.succeeded, a.status_code, a.duration_ms, a.url,
       CASE WHEN $9 THEN a.response END
FROM attempt a
WHERE a.app_id = $1 AND a.message_id = $2 AND a.id < $3 AND a.id >= $4
  AND ($6::bool IS NULL OR a.succeeded = $6)
  AND ($7::int2 IS NULL OR a.status_code BETWEEN $7 AND $8)
  AND ($10::uuid IS NULL OR a.endpoint_id = $10)
ORDER BY a.id DESC LIMIT $5

-- name: list_attempts_of_message_ascending
SELECT a.id, a.message_id, a.endpoint_id, a.manual, a.succeeded, a.status_code, a.duration_ms, a.url,
       CASE WHEN $9 THEN a.response END
FROM attempt a
WHERE a.app_id = $1 AND a.message_id = $2 AND a.id > $3 AND a.id <= $4
  AND ($6::bool IS NULL OR a.succeeded = $6)
  AND ($7::int2 IS NULL OR a.status_code BETWEEN $7 AND $8)
  AND ($10::uuid IS NULL OR a.endpoint_id = $10)
ORDER BY a.id LIMIT $5

-- name: find_attempt
SELECT a.id, a.message_id, a.endpoint_id, a.manual, a.succeeded, a.status_code, a.duration_ms, a.url, a.response
FROM attempt a
WHERE a.app_id = $1 AND a.message_id = $2 AND a.id = $3

-- name: expunge_attempt
UPDATE attempt SET response = NULL WHERE app_id = $1 AND message_id = $2 AND id = $3
