-- name: notify_shard
SELECT pg_notify('posthorn_shard', $1)
