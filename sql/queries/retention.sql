-- What keeps the tables from growing for ever. The database's clock decides, in every statement.

-- name: try_lock_retention
SELECT pg_try_advisory_lock(8071002)

-- name: unlock_retention
SELECT pg_advisory_unlock(8071002)

-- name: make_partitions
-- Ahead and behind now, in seconds.
SELECT make_partitions(clock_timestamp() - $1 * interval '1 second', clock_timestamp() + $2 * interval '1 second')

-- name: list_old_partitions
-- Those of message and attempt that hold nothing younger than $1 seconds, the oldest first.
SELECT parent.relname, child.relname
FROM pg_class parent
JOIN pg_inherits link ON link.inhparent = parent.oid
JOIN pg_class child ON child.oid = link.inhrelid
WHERE parent.oid IN ('message'::regclass, 'attempt'::regclass)
  AND partition_end(child.oid::regclass) <= uuid_v7_floor(clock_timestamp() - $1 * interval '1 second')
ORDER BY child.relname

-- name: drop_partition
-- False if it holds a message that is still live or a dead letter.
SELECT drop_partition($1, $2, $3)

-- name: delete_old_dead_letters
DELETE FROM dead_letter
WHERE ctid = ANY (ARRAY(SELECT l.ctid FROM dead_letter l
                        WHERE l.ended_at < clock_timestamp() - $1 * interval '1 second'
                        LIMIT $2 FOR UPDATE SKIP LOCKED))

-- name: delete_expired_idempotency_keys
DELETE FROM idempotency_key
WHERE ctid = ANY (ARRAY(SELECT k.ctid FROM idempotency_key k
                        WHERE k.expires_at < clock_timestamp()
                        ORDER BY k.expires_at LIMIT $1 FOR UPDATE SKIP LOCKED))

-- name: delete_old_endpoint_changes
DELETE FROM endpoint_change
WHERE changed_at < clock_timestamp() - $1 * interval '1 second' AND acked_version >= version

-- name: delete_old_processes
DELETE FROM process p
WHERE p.seen_at < clock_timestamp() - $1 * interval '1 second'
  AND NOT EXISTS (SELECT 1 FROM shard_lease l WHERE l.process_id = p.id)

-- name: delete_old_replay_jobs
DELETE FROM replay_job
WHERE state <> 'running' AND updated_at < clock_timestamp() - $1 * interval '1 second'
