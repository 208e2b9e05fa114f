-- name: explain
WITH things AS (
    {things}
), wanted AS (
    SELECT *
    FROM things
    WHERE {group}
        AND (%(figure)s::text IS NULL OR %(figure)s = ANY (figures))
        AND (%(after_time)s::timestamptz IS NULL
            OR (started_at, kind, key) > (%(after_time)s, %(after_kind)s, %(after_key)s))
    ORDER BY started_at, kind, key
    LIMIT %(rows)s
)
SELECT kind, figures, state, started_at, ended_at, seconds, value, customer_id, id,
    jsonb_build_object({shown}) AS "group", details, found.events, key
FROM wanted
CROSS JOIN LATERAL (
    SELECT coalesce(
            jsonb_agg(
                jsonb_build_object('position', e.position, 'source', e.source, 'id', e.id,
                    'event_id', replace(e.event_id::text, '-', ''), 'type', e.type)
                ORDER BY e.occurred_at, e.position),
            '[]') AS events
    FROM ledger.events AS e
    WHERE e.event_id = ANY (wanted.events)
) AS found
ORDER BY started_at, kind, key
