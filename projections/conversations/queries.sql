-- name: response_times
WITH waits AS (
    SELECT {dimensions},
        coalesce(ended_at <= %(as_of)s, false) AS ended,
        extract(epoch FROM least(ended_at, %(as_of)s) - started_at)::float8 AS seconds
    FROM intervals
    WHERE metric = %(metric)s
        AND visible_from <= %(as_of)s AND visible_to > %(as_of)s
        AND started_at >= %(from)s AND started_at < %(to)s
        AND channel = coalesce(%(channel)s, channel)
), figures AS (
    SELECT {names},
        count(*) FILTER (WHERE ended) AS answered,
        count(*) FILTER (WHERE NOT ended) AS waiting,
        percentile_cont(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY seconds)
            FILTER (WHERE ended) AS percentiles
    FROM waits
    GROUP BY {names}
), {kaplan_meier}
SELECT {shown}, %(metric)s AS metric, answered, waiting,
    percentiles[1] AS median_seconds, percentiles[2] AS p90_seconds, percentiles[3] AS p99_seconds,
    km.median AS km_median_seconds, km.low AS km_median_seconds_low, km.high AS km_median_seconds_high
FROM figures
-- Arrays are equal where both have a null, so that groups whose name is not known find each other.
LEFT JOIN km ON ARRAY[{shown}] = ARRAY[{found}]
ORDER BY {shown}

-- name: waiting
SELECT conversation_id, customer_id, channel, topic, team, department, started_at,
    extract(epoch FROM %(as_of)s - started_at)::float8 AS waiting_seconds,
    started_by AS event_id
FROM intervals
WHERE metric = %(metric)s
    AND visible_from <= %(as_of)s AND visible_to > %(as_of)s
    AND (ended_at IS NULL OR ended_at > %(as_of)s)
    AND channel = coalesce(%(channel)s, channel)
    AND (%(after_time)s::timestamptz IS NULL
        OR (started_at, started_by) > (%(after_time)s, %(after_event)s::uuid))
ORDER BY started_at, started_by
LIMIT %(rows)s
