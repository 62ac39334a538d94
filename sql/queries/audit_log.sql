-- name: insert_audit_log
INSERT INTO audit_log (org_id, id, actor, action, subject, details) VALUES ($1, $2, $3, $4, $5, $6)
