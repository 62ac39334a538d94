-- Which process owns which shard. See docs/architecture.md, Ownership.

-- name: register_process
INSERT INTO process (id, worker, host) VALUES ($1, $2, $3)

-- name: renew_process
UPDATE process SET counter = counter + 1, seen_at = clock_timestamp() WHERE id = $1 RETURNING counter

-- name: unregister_process
DELETE FROM process WHERE id = $1

-- name: read_processes
SELECT id, counter, worker FROM process

-- name: read_leases
SELECT shard, epoch, process_id FROM shard_lease ORDER BY shard

-- name: take_shards
-- Only where the epoch is still the one that was judged, and a dead owner's counter too: its row is locked, so that its renewal
-- either comes first, and is seen, or waits for us and then sees the loss. What is the taker's already is taken again: it did not hear of
-- the first time. Rows in order of shard: no deadlock.
WITH judged AS MATERIALIZED (
    SELECT p.id FROM process p
    WHERE EXISTS (SELECT 1 FROM unnest($4::uuid[], $5::int8[]) AS j (id, counter) WHERE j.id = p.id AND j.counter = p.counter)
    ORDER BY p.id
    FOR SHARE
), wanted AS MATERIALIZED (
    SELECT l.shard FROM unnest($2::int2[], $3::int8[]) AS w (shard, epoch)
    JOIN shard_lease l ON l.shard = w.shard AND l.epoch = w.epoch
    WHERE l.process_id IS NULL
       OR l.process_id = $1
       OR l.process_id IN (SELECT id FROM judged)
       OR NOT EXISTS (SELECT 1 FROM process p WHERE p.id = l.process_id)
    ORDER BY l.shard
    FOR UPDATE OF l
)
UPDATE shard_lease l SET epoch = l.epoch + 1, process_id = $1
FROM wanted WHERE l.shard = wanted.shard
RETURNING l.shard, l.epoch

-- name: forget_other_processes
-- For a process that is alone at its database: nobody else's lease has to be waited for.
WITH gone AS (DELETE FROM process WHERE id <> $1)
UPDATE shard_lease SET process_id = NULL WHERE process_id <> $1

-- name: release_shards
UPDATE shard_lease l SET process_id = NULL
FROM unnest($2::int2[], $3::int8[]) AS w (shard, epoch)
WHERE l.shard = w.shard AND l.epoch = w.epoch AND l.process_id = $1
RETURNING l.shard

-- name: database_time
SELECT clock_timestamp()
