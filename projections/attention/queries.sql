-- name: promises
SELECT promise_id, promises.customer_id, channel, topic, team, employee_id, due_at, made_by, due_by, tier
FROM promises
LEFT JOIN customer_tiers AS held ON held.customer_id = promises.customer_id
    AND held.valid_from <= %(as_of)s AND held.valid_to > %(as_of)s
WHERE visible_from <= %(as_of)s AND visible_to > %(as_of)s
    AND due_at <= %(until)s AND (settled_at IS NULL OR settled_at > %(as_of)s)
    AND channel = coalesce(%(channel)s, channel)

-- name: waits
SELECT conversation_id, intervals.customer_id, metric, channel, topic, team, started_at, started_by,
    then_held.tier AS tier_then, held.tier
FROM intervals
LEFT JOIN customer_tiers AS held ON held.customer_id = intervals.customer_id
    AND held.valid_from <= %(as_of)s AND held.valid_to > %(as_of)s
LEFT JOIN customer_tiers AS then_held ON then_held.customer_id = intervals.customer_id
    AND then_held.valid_from <= started_at AND then_held.valid_to > started_at
WHERE metric IN ('first_response', 'next_reply')
    AND visible_from <= %(as_of)s AND visible_to > %(as_of)s
    AND (ended_at IS NULL OR ended_at > %(as_of)s)
    AND channel = coalesce(%(channel)s, channel)

-- name: complaints
-- Those open, and those upheld and closed for which no prevention was planned.
SELECT complaint_id, c.customer_id, raised_at, channel, topic, coalesce(last.team, c.team) AS team,
    last.employee_id, tier
FROM complaints AS c
LEFT JOIN customer_tiers AS held ON held.customer_id = c.customer_id
    AND held.valid_from <= %(as_of)s AND held.valid_to > %(as_of)s
LEFT JOIN LATERAL (
    -- Whoever acted in it last is the one to ask.
    SELECT s.team, s.employee_id
    FROM complaint_steps AS s
    WHERE s.complaint_id = c.complaint_id AND s.occurred_at <= %(as_of)s AND s.employee_id IS NOT NULL
    ORDER BY s.occurred_at DESC, s.rank DESC, s.event_id DESC
    LIMIT 1
) AS last ON true
WHERE visible_from <= %(as_of)s AND visible_to > %(as_of)s
    AND channel = coalesce(%(channel)s, channel)
    AND (closed_at IS NULL OR closed_at > %(as_of)s
        OR outcome IN ('upheld', 'partly_upheld') AND NOT EXISTS (
            SELECT FROM complaint_steps AS s
            WHERE s.complaint_id = c.complaint_id AND s.type = 'complaint.prevention_planned.v1'
                AND s.occurred_at <= %(as_of)s
        ))
