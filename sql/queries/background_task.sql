-- Background tasks other than replays (replay_job.sql): they are done when they are stored.

-- name: insert_background_task
-- In the place of what is older than the organization's latest $5 - 1.
WITH old AS (
    DELETE FROM background_task t
    WHERE t.org_id = $1 AND t.id <= (SELECT o.id FROM background_task o WHERE o.org_id = $1 ORDER BY o.id DESC OFFSET $5 - 1 LIMIT 1)
)
INSERT INTO background_task (org_id, id, task, data) VALUES ($1, $2, $3, $4)

-- name: find_background_task
SELECT t.id, t.task, t.data FROM background_task t WHERE t.org_id = $1 AND t.id = $2

-- name: list_background_tasks_descending
SELECT t.id, t.task, t.data FROM background_task t
WHERE t.org_id = $1 AND t.id < $2 AND ($4::text IS NULL OR t.task = $4)
ORDER BY t.id DESC LIMIT $3

-- name: list_background_tasks_ascending
SELECT t.id, t.task, t.data FROM background_task t
WHERE t.org_id = $1 AND t.id > $2 AND ($4::text IS NULL OR t.task = $4)
ORDER BY t.id LIMIT $3
