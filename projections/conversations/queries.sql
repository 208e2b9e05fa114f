-- name: judged_waits
-- Common table expressions; the last is `judged`: every wait that began in the window, as it stood at as_of.
levels AS (
    SELECT *
    FROM unnest(
        %(weights)s::integer[], %(channels)s::text[], %(topics)s::text[], %(tiers)s::text[],
        %(valid_from)s::float8[], %(valid_to)s::float8[],
        %(targets)s::float8[], %(clocks)s::text[], %(calendars)s::text[], %(level_ids)s::uuid[]
    ) AS level (
        weight, channel, topic, tier, valid_from, valid_to, target_seconds, clock, calendar_id, event_id
    )
), hours AS (
    SELECT *
    FROM (VALUES {calendars}) AS worked_out (calendar_id, known_from, opens, closes, worked)
), begun AS MATERIALIZED (
    SELECT {dimensions},
        coalesce(ended_at <= %(as_of)s, false) AS ended,
        extract(epoch FROM started_at)::float8 AS started,
        extract(epoch FROM least(ended_at, %(as_of)s) - started_at)::float8 AS seconds,
        -- What a service level is chosen by; the last is the stretch in which no level changes.
        ARRAY[channel, topic, tier, width_bucket(
            extract(epoch FROM started_at)::float8, %(changes)s::float8[])::text] AS about
    FROM intervals
    LEFT JOIN (
        SELECT customer_id AS tiered, event_id AS tiered_by, valid_from, valid_to, tier FROM customer_tiers
    ) AS held ON tiered = customer_id AND held.valid_from <= started_at AND held.valid_to > started_at
    WHERE metric = %(metric)s
        AND visible_from <= %(as_of)s AND visible_to > %(as_of)s
        AND started_at >= %(from)s AND started_at < %(to)s
        AND channel = coalesce(%(channel)s, channel)
), agreed AS (
    SELECT about, level.target_seconds, level.clock, level.calendar_id, level.event_id AS agreed_by
    FROM (SELECT about, min(started) AS started FROM begun GROUP BY about) AS different
    CROSS JOIN LATERAL (
        SELECT *
        FROM levels
        WHERE coalesce(channel, about[1]) = about[1]
            AND (topic IS NULL OR topic = about[2]) AND (tier IS NULL OR tier = about[3])
            AND valid_from <= started AND valid_to > started
        ORDER BY weight DESC
        LIMIT 1
    ) AS level
), waits AS MATERIALIZED (
    SELECT begun.*, clock, target_seconds, agreed_by, calendar_id,
        CASE WHEN started >= known_from THEN
            -- Business seconds since the calendar begins, at the end less at the beginning.
            CASE width_bucket(started + seconds, opens) WHEN 0 THEN 0 ELSE
                worked[width_bucket(started + seconds, opens)]
                + least(started + seconds, closes[width_bucket(started + seconds, opens)])
                - opens[width_bucket(started + seconds, opens)] END
            - CASE width_bucket(started, opens) WHEN 0 THEN 0 ELSE
                worked[width_bucket(started, opens)]
                + least(started, closes[width_bucket(started, opens)])
                - opens[width_bucket(started, opens)] END
        END AS business_seconds
    FROM begun
    LEFT JOIN agreed USING (about)
    LEFT JOIN hours USING (calendar_id)
), judged AS (
    SELECT waits.*,
        CASE
            WHEN CASE clock WHEN 'business' THEN business_seconds ELSE seconds END > target_seconds
                THEN false
            WHEN ended AND CASE clock WHEN 'business' THEN business_seconds ELSE seconds END
                <= target_seconds THEN true
        END AS within_target
    FROM waits
)

-- name: response_times
WITH {judged_waits}
SELECT {names}, %(metric)s::text AS metric,
    count(*) FILTER (WHERE ended) AS answered,
    count(*) FILTER (WHERE NOT ended) AS waiting,
    array_agg(seconds) AS seconds,
    array_agg(ended) AS ended,
    coalesce(array_agg(business_seconds) FILTER (WHERE business_seconds IS NOT NULL), '{}') AS business_seconds,
    coalesce(array_agg(ended) FILTER (WHERE business_seconds IS NOT NULL), '{}') AS business_ended,
    count(within_target) AS judged,
    count(*) FILTER (WHERE within_target)::float8 / nullif(count(within_target), 0) AS within_target
FROM judged
GROUP BY {names}
ORDER BY {names}

-- name: behind_response_times
WITH {judged_waits}, known_calendars AS (
    SELECT calendar_id, array_agg(event_id) AS published_by
    FROM calendars
    WHERE published_at <= %(as_of)s
    GROUP BY calendar_id
)
SELECT 'interval' AS thing, started_by::text AS key,
    CASE WHEN ended THEN ARRAY['answered', 'median_seconds', 'p90_seconds', 'p99_seconds']
        ELSE ARRAY['waiting'] END
    || ARRAY['km_median_seconds', 'km_median_seconds_low', 'km_median_seconds_high']
    || CASE WHEN ended AND business_seconds IS NOT NULL
        THEN ARRAY['business_median_seconds', 'business_p90_seconds', 'business_p99_seconds']
        ELSE '{}' END
    || CASE WHEN business_seconds IS NOT NULL
        THEN ARRAY['business_km_median_seconds', 'business_km_median_seconds_low',
            'business_km_median_seconds_high']
        ELSE '{}' END
    || CASE WHEN within_target IS NOT NULL THEN ARRAY['judged', 'within_target'] ELSE '{}' END
        AS figures,
    CASE WHEN ended THEN 'answered' ELSE 'waiting' END AS state,
    started_at, CASE WHEN ended THEN ended_at END AS ended_at, seconds, NULL::float8 AS value,
    customer_id, conversation_id AS id,
    {names},
    jsonb_build_object('metric', %(metric)s::text, 'business_seconds', business_seconds,
        'target_seconds', target_seconds, 'clock', clock, 'within_target', within_target) AS details,
    ARRAY[started_by, CASE WHEN ended THEN ended_by END, tiered_by, agreed_by]
    || CASE WHEN clock = 'business' THEN published_by END AS events
FROM judged
LEFT JOIN known_calendars USING (calendar_id)

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

-- name: first_wait
SELECT min(started_at) FROM intervals WHERE metric = %(metric)s AND started_at >= %(from)s
