-- name: requests
WITH told AS (
    SELECT request_id, customer_id, kind, requested_at,
        CASE WHEN answered_at <= %(as_of)s THEN answered_at END AS answered_at,
        CASE
            WHEN fulfilled_at <= %(as_of)s THEN 'fulfilled'
            WHEN answered_at <= %(as_of)s THEN 'unfulfilled'
            ELSE 'open'
        END AS state,
        extract(epoch FROM least(answered_at, %(as_of)s) - requested_at)::float8 AS waited_seconds,
        complaint_id, promise_id, case_id, channel, topic, product, team, department, employee_id,
        array_remove(ARRAY[
            requested_by,
            CASE WHEN answered_at <= %(as_of)s THEN answered_by END,
            CASE WHEN fulfilled_at <= %(as_of)s AND fulfilled_by <> answered_by THEN fulfilled_by END
        ], NULL)::text[] AS events
    FROM support_requests
    WHERE requested_at >= %(from)s AND requested_at < %(to)s AND requested_at <= %(as_of)s
        AND (%(customers)s::text[] IS NULL OR customer_id = ANY (%(customers)s::text[]))
        AND (%(kind)s IS NULL OR kind = %(kind)s)
        AND (%(team)s IS NULL OR team = %(team)s)
        AND (%(department)s IS NULL OR department = %(department)s)
)
SELECT *
FROM told
WHERE (%(state)s IS NULL OR state = %(state)s)
    AND (%(after_time)s::timestamptz IS NULL
        OR (requested_at, request_id) > (%(after_time)s, %(after_request)s))
ORDER BY requested_at, request_id
LIMIT %(rows)s

-- name: kept_waiting
-- What each of some requests belongs to, and how much of its time lay within the request's.
WITH asked AS (
    SELECT *
    FROM unnest(
        %(requests)s::text[], %(of)s::text[], %(promises)s::text[], %(complaints)s::text[], %(cases)s::text[],
        %(begun)s::timestamptz[], %(ended)s::timestamptz[]
    ) AS request (request_id, customer_id, promise_id, complaint_id, case_id, begun, ended)
), belonging AS (
    SELECT request_id, begun, ended, 'promise' AS kind, p.promise_id AS id, made_at AS from_at,
        CASE WHEN settled_at <= %(as_of)s THEN settled_at END AS to_at, due_at
    FROM asked
    JOIN promises AS p ON p.promise_id = asked.promise_id
        AND visible_from <= %(as_of)s AND visible_to > %(as_of)s
    UNION ALL
    SELECT request_id, begun, ended, 'complaint', k.complaint_id, raised_at,
        CASE WHEN closed_at <= %(as_of)s THEN closed_at END, NULL
    FROM asked
    JOIN complaints AS k ON k.complaint_id = asked.complaint_id
        AND visible_from <= %(as_of)s AND visible_to > %(as_of)s
    UNION ALL
    SELECT request_id, begun, ended, 'case', t.case_id, i.started_at,
        CASE WHEN i.ended_at <= %(as_of)s THEN i.ended_at END, NULL
    FROM asked
    JOIN touchpoints AS t ON t.customer_id = asked.customer_id AND coalesce(t.case_id, '') = asked.case_id
        AND t.visible_from <= %(as_of)s AND t.visible_to > %(as_of)s
    JOIN intervals AS i ON i.metric = 'resolution'
        AND i.started_at = t.occurred_at AND i.started_by = t.event_id
        AND i.visible_from <= %(as_of)s AND i.visible_to > %(as_of)s
)
SELECT request_id, kind, id, from_at, to_at, due_at,
    greatest(0, extract(epoch FROM
        least(ended, to_at, %(as_of)s) - greatest(begun, from_at)))::float8 AS waited_seconds,
    CASE WHEN kind = 'promise' THEN greatest(0, extract(epoch FROM
        least(ended, to_at, %(as_of)s) - greatest(begun, due_at)))::float8 END AS late_seconds
FROM belonging
ORDER BY request_id, kind, id

-- name: measured
SELECT {dimensions}{identified},
    coalesce(answered_at <= %(as_of)s, false) AS ended,
    coalesce(fulfilled_at <= %(as_of)s, false) AS fulfilled,
    extract(epoch FROM least(answered_at, %(as_of)s) - requested_at)::float8 AS seconds
FROM support_requests
WHERE requested_at >= %(from)s AND requested_at < %(to)s AND requested_at <= %(as_of)s

-- name: times
WITH measured AS (
    {measured}
)
SELECT {names},
    count(*) AS requests,
    count(*) FILTER (WHERE ended) AS answered,
    count(*) FILTER (WHERE fulfilled) AS fulfilled,
    count(*) FILTER (WHERE NOT ended) AS open,
    array_agg(seconds) AS seconds,
    array_agg(ended) AS ended
FROM measured
GROUP BY {names}
ORDER BY {names}

-- name: behind_times
WITH measured AS (
    {measured}
)
SELECT 'request' AS thing, request_id AS key,
    ARRAY['requests', 'km_median_seconds', 'km_median_seconds_low', 'km_median_seconds_high']
    || CASE WHEN ended THEN ARRAY['answered', 'median_seconds', 'p90_seconds'] ELSE ARRAY['open'] END
    || CASE WHEN fulfilled THEN ARRAY['fulfilled'] ELSE '{}' END AS figures,
    CASE WHEN fulfilled THEN 'fulfilled' WHEN ended THEN 'unfulfilled' ELSE 'open' END AS state,
    requested_at AS started_at, CASE WHEN ended THEN answered_at END AS ended_at, seconds, NULL::float8 AS value,
    customer_id, request_id AS id, {names}, '{}'::jsonb AS details,
    ARRAY[requested_by, CASE WHEN ended THEN answered_by END, CASE WHEN fulfilled THEN fulfilled_by END] AS events
FROM measured
