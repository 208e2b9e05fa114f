-- name: listed
SELECT complaint_id, customer_id, channel, severity, topic, product, team, department, raised_at,
    CASE WHEN closed_at <= %(as_of)s THEN closed_at END AS closed_at,
    CASE WHEN closed_at <= %(as_of)s THEN outcome END AS outcome,
    CASE WHEN first_closed_at <= %(as_of)s THEN first_closed_at END AS first_closed_at,
    reopened_at,
    reopened
FROM complaints
WHERE visible_from <= %(as_of)s AND visible_to > %(as_of)s
    AND raised_at >= %(from)s AND raised_at < %(to)s
    AND (%(complaints)s::text[] IS NULL OR complaint_id = ANY (%(complaints)s::text[]))
    AND channel = coalesce(%(channel)s, channel)
    AND customer_id = coalesce(%(customer_id)s, customer_id)
    AND severity = coalesce(%(severity)s, severity)
    AND (%(after_time)s::timestamptz IS NULL
        OR (raised_at, complaint_id) > (%(after_time)s, %(after_complaint)s))
    AND (%(open)s IS NULL OR (closed_at IS NULL OR closed_at > %(as_of)s) = %(open)s)
ORDER BY raised_at, complaint_id
LIMIT %(rows)s

-- name: complaints
WITH listed AS (
    {listed}
)
SELECT listed.*, s.steps, s.last_step_at
FROM listed
CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(type, n) AS steps, max(last_at) AS last_step_at
    FROM (
        SELECT type, count(*) AS n, max(occurred_at) AS last_at
        FROM complaint_steps
        WHERE complaint_id = listed.complaint_id AND occurred_at <= %(as_of)s
        GROUP BY type
    ) AS counted
) AS s
ORDER BY raised_at, complaint_id

-- name: candidates
SELECT complaint_id, customer_id, raised_at
FROM ({listed}) AS listed
ORDER BY raised_at, complaint_id

-- name: steps
SELECT position, occurred_at, recorded_at, event_id, type, channel, employee_id, team, department,
    data
FROM complaint_steps
WHERE complaint_id = %(complaint_id)s AND occurred_at <= %(as_of)s
ORDER BY occurred_at, rank, event_id

-- name: whose
SELECT customer_id FROM complaints WHERE complaint_id = %(complaint_id)s LIMIT 1
