-- name: complaints
WITH raised AS MATERIALIZED (
    SELECT complaint_id, c.customer_id, raised_at, raised_by, channel, topic, team, department, severity,
        CASE WHEN closed_at <= %(as_of)s THEN closed_at END AS closed_at,
        CASE WHEN closed_at <= %(as_of)s THEN outcome END AS outcome
    FROM complaints AS c
    WHERE visible_from <= %(as_of)s AND visible_to > %(as_of)s
        AND raised_at >= %(from)s AND raised_at < %(to)s
), taken AS MATERIALIZED (
    -- When each of the four was first done, and what prevention was planned first.
    SELECT complaint_id,
        min(occurred_at) FILTER (WHERE type = 'complaint.acknowledged.v1'
            AND data->>'handled_by' = 'human') AS acknowledged_at,
        min(occurred_at) FILTER (WHERE type = 'complaint.apologized.v1') AS apologized_at,
        min(occurred_at) FILTER (WHERE type IN (
            'complaint.amends_offered.v1', 'complaint.amends_delivered.v1')) AS amended_at,
        min(occurred_at) FILTER (WHERE type = 'complaint.prevention_planned.v1') AS anticipated_at
    FROM complaint_steps AS s
    JOIN raised USING (complaint_id)
    WHERE occurred_at <= %(as_of)s
        AND type IN ('complaint.acknowledged.v1', 'complaint.apologized.v1', 'complaint.amends_offered.v1',
            'complaint.amends_delivered.v1', 'complaint.prevention_planned.v1')
    GROUP BY complaint_id
), grouped AS MATERIALIZED (
    SELECT complaint_id, raised.customer_id, raised_at, raised_by, closed_at, outcome, {dimensions}{grouped_by}
    FROM raised
    {held}
    {planned}
)

-- name: listed
{complaints}
SELECT complaint_id, customer_id, raised_at, raised_by, {names}{grouped_by} FROM grouped

-- name: times
{complaints}, waits AS (
    {waits}
)
SELECT {names},
    array_agg(seconds) FILTER (WHERE step = 'acknowledge') AS acknowledge_seconds,
    array_agg(ended) FILTER (WHERE step = 'acknowledge') AS acknowledge_ended,
    array_agg(seconds) FILTER (WHERE step = 'apologize') AS apologize_seconds,
    array_agg(ended) FILTER (WHERE step = 'apologize') AS apologize_ended,
    array_agg(seconds) FILTER (WHERE step = 'amend') AS amend_seconds,
    array_agg(ended) FILTER (WHERE step = 'amend') AS amend_ended,
    array_agg(seconds) FILTER (WHERE step = 'anticipate') AS anticipate_seconds,
    array_agg(ended) FILTER (WHERE step = 'anticipate') AS anticipate_ended
FROM waits
GROUP BY {names}

-- name: waits
SELECT {names}{identified}, step,
    extract(epoch FROM coalesce(at, observed_until) - raised_at)::float8 AS seconds,
    at IS NOT NULL AS ended
FROM grouped
LEFT JOIN taken USING (complaint_id)
CROSS JOIN LATERAL (
    -- Of a complaint that was rejected or withdrawn nothing more is owed after its closing, but for the answer
    -- that it was heard.
    SELECT CASE WHEN outcome IN ('rejected', 'withdrawn') THEN closed_at ELSE %(as_of)s END AS owed_until
) AS owed
CROSS JOIN LATERAL (VALUES
    ('acknowledge', acknowledged_at, %(as_of)s, ARRAY['complaint.acknowledged.v1']),
    ('apologize', apologized_at, owed_until, ARRAY['complaint.apologized.v1']),
    ('amend', amended_at, owed_until, ARRAY['complaint.amends_offered.v1', 'complaint.amends_delivered.v1']),
    ('anticipate', anticipated_at, owed_until, ARRAY['complaint.prevention_planned.v1'])
) AS each (step, at, observed_until, types)

-- name: behind
{complaints}, waits AS (
    {waits}
)
{worked_out}
UNION ALL
SELECT 'interval', complaint_id || ' ' || step,
    ARRAY[step || '_km_median_seconds', step || '_km_median_seconds_low', step || '_km_median_seconds_high'],
    CASE WHEN ended THEN 'done' ELSE 'waiting' END,
    raised_at, at, seconds, NULL, customer_id, complaint_id, {names}, jsonb_build_object('step', step),
    ARRAY[raised_by] || ARRAY(
        SELECT s.event_id
        FROM complaint_steps AS s
        WHERE s.complaint_id = waits.complaint_id AND s.occurred_at = at AND s.type = ANY (types)
    )
FROM waits

-- name: held
LEFT JOIN (
    SELECT customer_id, event_id AS tiered_by, valid_from, valid_to, tier FROM customer_tiers
) AS held
    ON held.customer_id = raised.customer_id
    AND held.valid_from <= raised_at AND held.valid_to > raised_at

-- name: planned
LEFT JOIN LATERAL (
    SELECT data->>'root_cause' AS root_cause, data->>'origin' AS origin, event_id AS planned_by
    FROM complaint_steps AS s
    WHERE s.complaint_id = raised.complaint_id AND s.type = 'complaint.prevention_planned.v1'
        AND s.occurred_at <= %(as_of)s
    ORDER BY s.occurred_at, s.rank, s.event_id
    LIMIT 1
) AS planned ON true
