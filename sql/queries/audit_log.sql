-- name: insert_audit_log
INSERT INTO audit_log (org_id, id, actor, action, subject, details) VALUES ($1, $2, $3, $4, $5, $6)

-- name: list_audit_log_descending
SELECT t.id, t.actor, t.action, t.subject, coalesce(t.details, '{}'), t.created_at FROM audit_log t
WHERE t.org_id = $1 AND t.id < $2 AND t.id >= $3
  AND ($5::text IS NULL OR t.actor = $5) AND ($6::text IS NULL OR t.action = $6) AND ($7::text IS NULL OR t.subject = $7)
ORDER BY t.id DESC LIMIT $4

-- name: list_audit_log_ascending
SELECT t.id, t.actor, t.action, t.subject, coalesce(t.details, '{}'), t.created_at FROM audit_log t
WHERE t.org_id = $1 AND t.id > $2 AND t.id <= $3
  AND ($5::text IS NULL OR t.actor = $5) AND ($6::text IS NULL OR t.action = $6) AND ($7::text IS NULL OR t.subject = $7)
ORDER BY t.id LIMIT $4
