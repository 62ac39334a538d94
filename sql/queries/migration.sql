-- name: server_version
SELECT current_setting('server_version_num')::int4, current_setting('server_version')

-- name: lock_migrations
SELECT pg_advisory_lock(8071001)

-- name: unlock_migrations
SELECT pg_advisory_unlock(8071001)

-- name: newest_migration
SELECT coalesce(max(number), 0)::int4 FROM schema_migration

-- name: is_delivery_key_newest
-- Of its indexes: see the schema.
SELECT indexrelid = 'delivery_pkey'::regclass FROM pg_index WHERE indrelid = 'delivery'::regclass ORDER BY indexrelid DESC LIMIT 1

-- name: record_migration
INSERT INTO schema_migration (number, name) VALUES ($1, $2)
