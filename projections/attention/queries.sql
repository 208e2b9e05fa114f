-- name: priority
coalesce(array_position(%(tiers)s::text[], held.tier), 1 + cardinality(%(tiers)s::text[]))

-- name: held
-- Every tier held at the instant. MATERIALIZED: it is joined with more than the server expects.
held AS MATERIALIZED (
    SELECT customer_id, tier FROM customer_tiers WHERE valid_from <= %(as_of)s AND valid_to > %(as_of)s
)

-- name: promises
WITH {held}
SELECT {priority} AS priority, promise_id, customer_id, channel, topic, team, employee_id, due_at,
    made_by, due_by, tier
FROM promises
LEFT JOIN held USING (customer_id)
WHERE visible_from <= %(as_of)s AND visible_to > %(as_of)s
    AND due_at >= %(since)s AND due_at <= %(until)s AND (settled_at IS NULL OR settled_at > %(as_of)s)
    AND channel = coalesce(%(channel)s, channel)
    AND {priority} = ANY (%(priorities)s)

-- name: waits
-- MATERIALIZED: what says whose they are is in the index, and few of them are of these priorities.
WITH {held}, waiting AS MATERIALIZED (
    SELECT metric, started_at, started_by, visible_from, customer_id
    FROM intervals
    WHERE metric IN ('first_response', 'next_reply')
        AND visible_from <= %(as_of)s AND visible_to > %(as_of)s
        AND (ended_at IS NULL OR ended_at > %(as_of)s)
        AND channel = coalesce(%(channel)s, channel)
), theirs AS MATERIALIZED (
    SELECT {priority} AS priority, waiting.*, held.tier
    FROM waiting
    LEFT JOIN held USING (customer_id)
    WHERE {priority} = ANY (%(priorities)s)
)
SELECT priority, i.conversation_id, i.customer_id, i.metric, i.channel, i.topic, i.team, i.started_at, i.started_by,
    then_held.tier AS tier_then, theirs.tier
FROM theirs
JOIN intervals AS i USING (metric, started_at, started_by, visible_from)
LEFT JOIN customer_tiers AS then_held ON then_held.customer_id = i.customer_id
    AND then_held.valid_from <= i.started_at AND then_held.valid_to > i.started_at
ORDER BY i.metric

-- name: complaints
-- Those open, and those upheld and closed for which no prevention was planned. A regulated one does not stand back.
WITH {held}, needing AS MATERIALIZED (
    SELECT c.complaint_id, c.customer_id, raised_at, c.channel, c.topic, c.team, held.tier,
        coalesce(closed_at <= %(as_of)s, false) AS closed,
        CASE WHEN raised.data->>'jurisdiction' <> '' THEN 1 ELSE {priority} END AS priority
    FROM complaints AS c
    JOIN complaint_steps AS raised ON raised.event_id = c.raised_by
    LEFT JOIN held ON held.customer_id = c.customer_id
    WHERE visible_from <= %(as_of)s AND visible_to > %(as_of)s
        AND c.channel = coalesce(%(channel)s, c.channel)
        AND (closed_at IS NULL OR closed_at > %(as_of)s OR c.outcome IN ('upheld', 'partly_upheld'))
)
SELECT complaint_id, customer_id, raised_at, channel, topic, team, tier, priority
FROM needing
WHERE priority = ANY (%(priorities)s)
    AND NOT (closed AND EXISTS (
        SELECT FROM complaint_steps AS s
        WHERE s.complaint_id = needing.complaint_id AND s.type = 'complaint.prevention_planned.v1'
            AND s.occurred_at <= %(as_of)s
    ))

-- name: acting
-- Whoever acted in each of some complaints last is the one to ask.
SELECT DISTINCT ON (complaint_id) complaint_id, team, employee_id
FROM complaint_steps
WHERE complaint_id = ANY (%(complaints)s::text[]) AND occurred_at <= %(as_of)s AND employee_id IS NOT NULL
ORDER BY complaint_id, occurred_at DESC, rank DESC, event_id DESC
