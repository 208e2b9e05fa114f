-- What is known of a person, %(ids)s being all their ids.

-- name: known
SELECT min(occurred_at) AS known_since, max(occurred_at) AS last_event_at, count(*) AS events
FROM timeline
WHERE customer_id = ANY (%(ids)s) AND occurred_at <= %(as_of)s

-- name: tiers
SELECT customer_id, tier, valid_from, CASE WHEN valid_to <= %(as_of)s THEN valid_to END AS valid_to,
    contribution::float8 AS contribution, currency
FROM customer_tiers
WHERE customer_id = ANY (%(ids)s) AND valid_from <= %(as_of)s AND valid_to > valid_from
ORDER BY valid_from, event_id

-- name: credit
SELECT DISTINCT ON (customer_id) customer_id, state, occurred_at AS since
FROM credit_changes
WHERE customer_id = ANY (%(ids)s) AND occurred_at <= %(as_of)s
ORDER BY customer_id, occurred_at DESC, event_id DESC

-- name: lapsed
-- The last lapse, unless something was bought after it.
SELECT occurred_at AS lapsed_at, reason
FROM lapses AS l
WHERE customer_id = ANY (%(ids)s) AND occurred_at <= %(as_of)s AND NOT EXISTS (
    SELECT FROM purchases AS p
    WHERE p.customer_id = ANY (%(ids)s)
        AND p.occurred_at > l.occurred_at AND p.occurred_at <= %(as_of)s
)
ORDER BY occurred_at DESC, event_id DESC
LIMIT 1

-- name: purchases
SELECT currency, count(*) AS n, sum(amount)::float8 AS amount,
    min(occurred_at) AS first_at, max(occurred_at) AS last_at
FROM purchases
WHERE customer_id = ANY (%(ids)s) AND occurred_at <= %(as_of)s
GROUP BY currency
ORDER BY currency

-- name: promises
SELECT judged.promise_id, judged.customer_id, channel, team, department, judged.employee_id, made_at, due_at,
    verdict,
    CASE verdict WHEN 'overdue' THEN extract(epoch FROM %(as_of)s - due_at)::float8 END AS late_seconds,
    e.fingerprint, e.facts
FROM ({judged}) AS judged
JOIN ledger.events AS e ON e.event_id = made_by
WHERE judged.customer_id = ANY (%(ids)s) AND verdict IN ('pending', 'overdue')
ORDER BY due_at, promise_id

-- name: waiting
-- Waits are found by the touchpoints that began them.
SELECT i.metric, i.conversation_id, i.customer_id, i.channel, i.topic, i.team, i.department, i.started_at,
    extract(epoch FROM %(as_of)s - i.started_at)::float8 AS waiting_seconds
FROM touchpoints AS t
JOIN intervals AS i ON i.metric IN ('next_reply', 'full_resolution')
    AND i.started_at = t.occurred_at AND i.started_by = t.event_id
WHERE t.customer_id = ANY (%(ids)s) AND t.occurred_at <= %(as_of)s
    AND t.visible_from <= %(as_of)s AND t.visible_to > %(as_of)s
    AND i.visible_from <= %(as_of)s AND i.visible_to > %(as_of)s
    AND (i.ended_at IS NULL OR i.ended_at > %(as_of)s)
ORDER BY i.started_at, i.metric DESC, i.conversation_id

-- name: employees
-- Everyone who is named in a touchpoint, a promise or a complaint.
WITH spoke AS (
    SELECT employee_id, team, department, channel, occurred_at
    FROM touchpoints
    WHERE customer_id = ANY (%(ids)s) AND occurred_at <= %(as_of)s
        AND visible_from <= %(as_of)s AND visible_to > %(as_of)s
    UNION ALL
    SELECT f.employee_id, f.team, f.department, f.channel, f.occurred_at
    FROM (SELECT DISTINCT promise_id FROM promises WHERE customer_id = ANY (%(ids)s)) AS p
    JOIN promise_facts AS f USING (promise_id)
    WHERE f.occurred_at <= %(as_of)s
    UNION ALL
    SELECT s.employee_id, s.team, s.department, s.channel, s.occurred_at
    FROM (SELECT DISTINCT complaint_id FROM complaints WHERE customer_id = ANY (%(ids)s)) AS k
    JOIN complaint_steps AS s USING (complaint_id)
    WHERE s.occurred_at <= %(as_of)s
)
SELECT employee_id,
    coalesce(array_agg(DISTINCT team ORDER BY team) FILTER (WHERE team IS NOT NULL), '{}') AS teams,
    coalesce(array_agg(DISTINCT department ORDER BY department) FILTER (WHERE department IS NOT NULL), '{}')
        AS departments,
    coalesce(array_agg(DISTINCT channel ORDER BY channel) FILTER (WHERE channel IS NOT NULL), '{}') AS channels,
    min(occurred_at) AS first_at, max(occurred_at) AS last_at, count(*) AS times
FROM spoke
WHERE employee_id IS NOT NULL
GROUP BY employee_id
ORDER BY last_at DESC, employee_id

-- name: touchpoints
-- MATERIALIZED: theirs first, then the last of these. Going back in time until five of theirs have come by takes
-- as long as they have been away.
WITH theirs AS MATERIALIZED (
    SELECT event_id, touchpoint_id, customer_id, occurred_at, channel, direction, handled_by, topic, outcome,
        employee_id, team, department
    FROM touchpoints
    WHERE customer_id = ANY (%(ids)s) AND occurred_at <= %(as_of)s
        AND visible_from <= %(as_of)s AND visible_to > %(as_of)s
)
SELECT touchpoint_id, customer_id, occurred_at, channel, direction, handled_by, topic, outcome, employee_id,
    team, department
FROM theirs
ORDER BY occurred_at DESC, direction = 'outbound' DESC, event_id DESC
LIMIT %(shown)s

-- name: feedback
WITH theirs AS MATERIALIZED (
    SELECT event_id
    FROM timeline
    WHERE customer_id = ANY (%(ids)s) AND occurred_at <= %(as_of)s AND type = 'feedback.given.v1'
)
SELECT f.feedback_id, f.customer_id, f.occurred_at AS given_at, f.channel, f.kind, f.instrument, f.score,
    f.scale_min, f.scale_max, f.touchpoint_id, f.complaint_id, f.promise_id
FROM theirs
JOIN feedback AS f USING (event_id)
ORDER BY f.occurred_at DESC, event_id DESC
LIMIT %(shown)s

-- name: cost
-- Per channel, and together where the channel is null.
WITH costs AS (
    {costs}
)
SELECT t.channel, count(*) AS touchpoints,
    coalesce(sum(t.handling_seconds / greatest(t.concurrency, 1)), 0)::float8 AS handling_seconds, {cost} AS cost,
    CASE WHEN bool_and(c.event_id IS NOT NULL) AND count(DISTINCT c.currency) = 1 THEN min(c.currency) END
        AS currency
FROM touchpoints AS t
LEFT JOIN costs AS c
    ON c.channel = t.channel AND c.valid_from <= t.occurred_at AND c.valid_to > t.occurred_at
WHERE t.customer_id = ANY (%(ids)s) AND t.occurred_at <= %(as_of)s
    AND t.visible_from <= %(as_of)s AND t.visible_to > %(as_of)s
GROUP BY GROUPING SETS ((t.channel), ())
ORDER BY t.channel

-- name: statements
-- What they were told that still holds: until the time given, or until the same channel tells them something else.
WITH theirs AS MATERIALIZED (
    SELECT event_id
    FROM timeline
    WHERE customer_id = ANY (%(ids)s) AND occurred_at <= %(as_of)s AND type = 'statement.made.v1'
), told AS (
    SELECT s.statement_id, s.event_id, s.customer_id, s.claim_key, s.value, s.channel, s.employee_id,
        s.occurred_at AS told_at, s.valid_until,
        coalesce(s.valid_until,
            lead(s.occurred_at) OVER (PARTITION BY s.claim_key, s.channel ORDER BY s.occurred_at, s.event_id),
            'infinity') AS holds_until
    FROM theirs
    JOIN statements AS s USING (event_id)
)
SELECT statement_id, customer_id, claim_key, value, told_at, valid_until, channel, employee_id
FROM told
WHERE holds_until > %(as_of)s
ORDER BY told_at DESC, event_id DESC
