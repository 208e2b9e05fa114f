-- name: timeline
-- Of each id the first rows behind the former page, from the index alone; of these the first of all.
WITH wanted AS (
    SELECT of_one.* FROM unnest(%(ids)s::text[]) AS identity (customer_id)
    CROSS JOIN LATERAL (
        SELECT customer_id, occurred_at, rank, event_id, position FROM timeline
        WHERE customer_id = identity.customer_id
            AND occurred_at <= %(as_of)s
            AND (occurred_at, rank, event_id)
                > (%(after_time)s::timestamptz, %(after_rank)s::smallint, %(after_event)s::uuid)
        ORDER BY occurred_at, rank, event_id
        LIMIT %(rows)s
    ) AS of_one
    ORDER BY occurred_at, rank, event_id
    LIMIT %(rows)s
)
SELECT
    w.position, w.occurred_at, e.recorded_at, e.source, e.id, e.type, w.customer_id, w.rank, w.event_id,
    e.fingerprint, e.facts
FROM wanted AS w
JOIN ledger.events AS e ON e.position = w.position
ORDER BY w.occurred_at, w.rank, w.event_id
