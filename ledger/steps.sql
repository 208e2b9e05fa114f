-- name: record
INSERT INTO intake.steps (kept_id, at, step, outcome, reason, path, position, who, remark) VALUES %s

-- name: steps_of
SELECT at, step, outcome, reason, path, position, who, remark
FROM intake.steps
WHERE kept_id = %(kept_id)s
ORDER BY step_id

-- name: times_received
SELECT kept_id, array_agg(at ORDER BY step_id DESC)
FROM intake.steps
WHERE kept_id = ANY (%(kept_ids)s::bigint[]) AND step = 'received'
GROUP BY kept_id
