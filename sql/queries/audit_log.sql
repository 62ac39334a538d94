-- name: insert_audit_log
INSERT INTO audit_log (org_id, id, actor, action, subject, request_id, details)
SELECT i.org_id, i.id, i.actor, i.action, i.subject, i.request_id, i.details::jsonb
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
    AS i (org_id, id, actor, action, subject, request_id, details)

-- name: list_audit_log_descending
-- An application's: of itself, and of what belongs to it.
SELECT t.id, t.actor, t.action, t.subject, coalesce(t.details, '{}'), t.created_at, t.request_id FROM audit_log t
WHERE t.org_id = $1 AND t.id < $2 AND t.id >= $3
  AND ($5::text IS NULL OR t.actor = $5) AND ($6::text IS NULL OR t.action = $6) AND ($7::text IS NULL OR t.subject = $7)
  AND ($8::text IS NULL OR t.subject = $8 OR t.details ->> 'application' = $8)
ORDER BY t.id DESC LIMIT $4

-- name: list_audit_log_ascending
SELECT t.id, t.actor, t.action, t.subject, coalesce(t.details, '{}'), t.created_at, t.request_id FROM audit_log t
WHERE t.org_id = $1 AND t.id > $2 AND t.id <= $3
  AND ($5::text IS NULL OR t.actor = $5) AND ($6::text IS NULL OR t.action = $6) AND ($7::text IS NULL OR t.subject = $7)
  AND ($8::text IS NULL OR t.subject = $8 OR t.details ->> 'application' = $8)
ORDER BY t.id LIMIT $4
