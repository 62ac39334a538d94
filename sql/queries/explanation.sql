-- What explains how it stands with a message at an endpoint.

-- name: explain_delivery
-- Whatever there is of the delivery $3 at the endpoint $2 of the application $1. What counts how many come before it stops at $4.
SELECT clock_timestamp(), d.attempt, d.due_at, e.ordered,
       CASE WHEN d.ordered THEN
           (SELECT count(*) FROM (SELECT FROM delivery b WHERE b.endpoint_id = e.id AND b.ordered AND b.run_id < d.run_id LIMIT $4) few)
       ELSE
           (SELECT count(*) FROM (SELECT FROM delivery b WHERE b.shard = d.shard AND b.endpoint_id = e.id AND b.due_at < d.due_at
                                  LIMIT $4) few)
       END,
       l.reason, l.attempts, a.succeeded, a.status_code,
       subscribes(e.event_types, e.event_type_patterns, NULL, m.event_type, NULL),
       subscribes(NULL, NULL, e.channels, m.event_type, m.channels),
       e.filter, CASE WHEN e.filter IS NOT NULL THEN m.payload END, m.raw,
       e.disabled, e.circuit_open_until, coalesce(e.rate_limit, p.rate_limit), e.created_at,
       coalesce((SELECT (t.details ->> 'disabled')::bool FROM audit_log t
                 WHERE t.org_id = e.org_id AND t.subject = $5 AND t.created_at <= $6 AND t.details ? 'disabled'
                 ORDER BY t.id DESC LIMIT 1), false)
FROM endpoint e
JOIN application p ON p.id = e.app_id
JOIN message m ON m.app_id = $1 AND m.id = $3
LEFT JOIN delivery d ON d.app_id = $1 AND d.endpoint_id = e.id AND d.message_id = $3
LEFT JOIN dead_letter l ON l.app_id = $1 AND l.endpoint_id = e.id AND l.message_id = $3
LEFT JOIN LATERAL (
    SELECT t.succeeded, t.status_code FROM attempt t
    WHERE t.app_id = $1 AND t.message_id = $3 AND t.endpoint_id = e.id
    ORDER BY t.id DESC LIMIT 1) a ON true
WHERE e.id = $2 AND e.app_id = $1 AND e.deleted_at IS NULL
