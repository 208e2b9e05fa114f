-- name: steps
-- Only what the rules ask for: there may be a hundred thousand of them.
SELECT event_id, complaint_id, type, occurred_at, rank, channel, topic, severity, outcome, data::text
FROM complaint_steps
WHERE complaint_id = ANY (%(complaints)s::text[]) AND occurred_at <= %(as_of)s

-- name: known
-- Which steps are known of each complaint, told briefly, and its customer's tier when it was raised. An event never
-- changes, and if one of its id is recorded elsewhere, or once more after a restore, it is at another time.
WITH known AS (
    SELECT complaint_id, encode(sha256(string_agg(
        uuid_send(event_id) || timestamptz_send(recorded_at), '' ORDER BY occurred_at, rank, event_id)), 'hex') AS steps
    FROM complaint_steps
    WHERE complaint_id = ANY (%(complaints)s::text[]) AND occurred_at <= %(as_of)s
    GROUP BY complaint_id
)
SELECT complaint_id, steps, tier
FROM known
JOIN complaints AS c USING (complaint_id)
LEFT JOIN customer_tiers AS t ON t.customer_id = c.customer_id
    AND t.valid_from <= raised_at AND t.valid_to > raised_at
WHERE visible_from <= %(as_of)s AND visible_to > %(as_of)s

-- name: tiers
SELECT wanted.complaint_id, t.tier
FROM unnest(%(complaints)s::text[], %(customers)s::text[], %(raised)s::timestamptz[])
    AS wanted (complaint_id, customer_id, raised_at)
JOIN customer_tiers AS t ON t.customer_id = wanted.customer_id
    AND t.valid_from <= wanted.raised_at AND t.valid_to > wanted.raised_at

-- name: further
-- What may have come back to any of these complaints after a prevention was planned for it, and so much later at most.
WITH plans AS MATERIALIZED (
    SELECT data->>'root_cause' AS root_cause, min(occurred_at) AS first_at, max(occurred_at) + %(after)s AS until
    FROM complaint_steps
    WHERE complaint_id = ANY (%(complaints)s::text[])
        AND type = 'complaint.prevention_planned.v1' AND occurred_at <= %(as_of)s
    GROUP BY root_cause
)
SELECT 'root_cause', root_cause, raised_at, complaint_id, raised_by, plan.event_id
FROM plans
JOIN complaint_steps AS plan ON plan.data->>'root_cause' = root_cause
JOIN complaints USING (complaint_id)
WHERE plan.type = 'complaint.prevention_planned.v1' AND plan.occurred_at <= %(as_of)s
    AND raised_at > %(since)s AND raised_at > first_at AND raised_at <= until
    AND visible_from <= %(as_of)s AND visible_to > %(as_of)s
UNION ALL
SELECT 'repeat_of', data->>'repeat_of', occurred_at, complaint_id, event_id, event_id
FROM complaint_steps
WHERE data ? 'repeat_of' AND data->>'repeat_of' = ANY (%(complaints)s::text[])
    AND occurred_at > %(since)s AND occurred_at <= %(as_of)s
