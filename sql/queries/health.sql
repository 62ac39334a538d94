-- name: ping
SELECT 1::int4
