-- Under which master key each running process seals. See docs/master-key.md.

-- name: renew_sealer
INSERT INTO sealer (id, host, fingerprint) VALUES ($1, $2, $3)
ON CONFLICT (id) DO UPDATE SET counter = sealer.counter + 1, seen_at = clock_timestamp()

-- name: remove_sealer
DELETE FROM sealer WHERE id = $1

-- name: forget_sealers
-- Of processes that were killed. One that still runs comes back with its next renewal.
DELETE FROM sealer WHERE seen_at < clock_timestamp() - interval '1 day'

-- name: list_sealers
SELECT id, host, fingerprint, counter FROM sealer
