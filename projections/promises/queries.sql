-- name: judged
SELECT promise_id, customer_id, channel, made_at, due_at, topic, team, department, employee_id, aspect,
    claim_key, promised_value, complaint_id, made_by,
    CASE WHEN settled_at <= %(as_of)s THEN settled_at END AS settled_at,
    CASE WHEN settled_at <= %(as_of)s THEN settled_by END AS settled_by,
    CASE WHEN settled_at <= %(as_of)s THEN observed_value END AS observed_value,
    CASE
        WHEN settled_at <= %(as_of)s THEN verdict
        WHEN due_at < %(as_of)s THEN 'overdue'
        ELSE 'pending'
    END AS verdict
FROM promises
WHERE visible_from <= %(as_of)s AND visible_to > %(as_of)s
    AND due_at >= %(from)s AND due_at < %(to)s

-- name: promises
SELECT promise_id, customer_id, channel, made_at, due_at, settled_at, verdict,
    CASE verdict
        WHEN 'kept_late' THEN extract(epoch FROM settled_at - due_at)::float8
        WHEN 'overdue' THEN extract(epoch FROM %(as_of)s - due_at)::float8
    END AS late_seconds
FROM ({judged}) AS judged
WHERE channel = coalesce(%(channel)s, channel)
    AND customer_id = coalesce(%(customer_id)s, customer_id)
    AND verdict = coalesce(%(verdict)s, verdict)
    AND (%(after_time)s::timestamptz IS NULL
        OR (due_at, promise_id) > (%(after_time)s, %(after_promise)s))
ORDER BY due_at, promise_id
LIMIT %(rows)s
