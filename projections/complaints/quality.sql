-- name: complaints
WITH raised AS MATERIALIZED (
    SELECT complaint_id, c.customer_id, raised_at, channel, topic, team, department, severity,
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
    SELECT complaint_id, raised.customer_id, raised_at, closed_at, outcome, {dimensions}
    FROM raised
    {held}
    {planned}
)

-- name: listed
{complaints}
SELECT complaint_id, customer_id, raised_at, {names} FROM grouped

-- name: times
{complaints}, waits AS (
    SELECT {names}, step,
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
        ('acknowledge', acknowledged_at, %(as_of)s),
        ('apologize', apologized_at, owed_until),
        ('amend', amended_at, owed_until),
        ('anticipate', anticipated_at, owed_until)
    ) AS each (step, at, observed_until)
), {kaplan_meier}
SELECT {names}, step, median, low, high FROM km

-- name: held
LEFT JOIN (SELECT customer_id, valid_from, valid_to, tier FROM customer_tiers) AS held
    ON held.customer_id = raised.customer_id
    AND held.valid_from <= raised_at AND held.valid_to > raised_at

-- name: planned
LEFT JOIN LATERAL (
    SELECT data->>'root_cause' AS root_cause, data->>'origin' AS origin
    FROM complaint_steps AS s
    WHERE s.complaint_id = raised.complaint_id AND s.type = 'complaint.prevention_planned.v1'
        AND s.occurred_at <= %(as_of)s
    ORDER BY s.occurred_at, s.rank, s.event_id
    LIMIT 1
) AS planned ON true
