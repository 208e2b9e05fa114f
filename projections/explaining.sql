-- name: explain
WITH things AS (
    {things}
), wanted AS (
    SELECT *
    FROM things
    WHERE {group}
        AND (%(figure)s::text IS NULL OR %(figure)s = ANY (figures))
        AND started_at < %(before)s
        AND (%(after_time)s::timestamptz IS NULL
            OR (started_at, thing, key) > (%(after_time)s, %(after_kind)s, %(after_key)s))
    ORDER BY started_at, thing, key
    LIMIT %(rows)s
)
SELECT thing AS kind, figures, state, started_at, ended_at, seconds, value, customer_id, id,
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
ORDER BY started_at, thing, key

-- name: worked_out
-- Things that were worked out in Python, with the columns that the others have.
SELECT thing, key, figures, state, started_at, ended_at, seconds, value, customer_id, id, {groups}, details, events
FROM jsonb_to_recordset(%(worked_out)s::jsonb) AS told (
    thing text, key text, figures text[], state text, started_at timestamptz, ended_at timestamptz, seconds float8,
    value float8, customer_id text, id text, {columns}, details jsonb, events uuid[]
)
