-- name: timeline
WITH wanted AS (
    SELECT * FROM timeline
    WHERE customer_id = ANY (%(ids)s)
        AND occurred_at <= %(as_of)s
        AND (%(after_time)s::timestamptz IS NULL OR (occurred_at, rank, event_id)
            > (%(after_time)s, %(after_rank)s, %(after_event)s::uuid))
    ORDER BY occurred_at, rank, event_id
    LIMIT %(rows)s
)
SELECT
    w.position, w.occurred_at, w.recorded_at, e.source, e.id, w.type, w.customer_id, w.channel, w.employee_id,
    w.rank, w.event_id, e.fingerprint, e.facts
FROM wanted AS w
JOIN ledger.events AS e ON e.position = w.position
ORDER BY w.occurred_at, w.rank, w.event_id
