-- Changes of many endpoints of one application at once. They also go through record_endpoint_changes (endpoint_change.sql).

-- name: lock_endpoints_for_bulk
-- By ids and uids ($2, $3), or all ($4) that name an event type ($5) and are disabled or not ($6). In the order of ids, as everybody
-- locks them.
SELECT e.id, e.uid, e.event_types, e.channels, e.disabled, e.disabled_reason, e.rate_limit
FROM endpoint e
WHERE e.app_id = $1 AND e.deleted_at IS NULL
  AND ($4 OR e.id = ANY ($2::uuid[]) OR e.uid = ANY ($3::text[]))
  AND ($5::text IS NULL OR $5 = ANY (e.event_types)) AND ($6::bool IS NULL OR e.disabled = $6)
ORDER BY e.id LIMIT $7
FOR NO KEY UPDATE

-- name: update_endpoints
-- As update_endpoint. Lists are separated by commas, which are in no name.
UPDATE endpoint e
SET event_types = string_to_array(c.event_types, ','), channels = string_to_array(c.channels, ','), disabled = c.disabled,
    disabled_reason = c.disabled_reason, rate_limit = c.rate_limit, updated_at = clock_timestamp(),
    failing_since = CASE WHEN e.disabled AND NOT c.disabled THEN NULL ELSE e.failing_since END,
    failing = e.failing AND NOT (e.disabled AND NOT c.disabled)
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bool[], $6::text[], $7::int4[])
    AS c (id, event_types, channels, disabled, disabled_reason, rate_limit)
WHERE e.app_id = $1 AND e.id = c.id
