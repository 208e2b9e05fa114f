-- Rows by column, of days that follow each other: one row of arrays for all that share the names in front.

-- name: reach
-- From when to when there are any; conversations and waits begin with touchpoints.
SELECT
    (SELECT occurred_at FROM touchpoints ORDER BY occurred_at LIMIT 1),
    (SELECT occurred_at FROM touchpoints WHERE occurred_at < 'infinity' ORDER BY occurred_at DESC LIMIT 1)

-- name: next
-- When the first of them is, in some days; likewise.
SELECT min(occurred_at) FROM touchpoints WHERE occurred_at >= %(begins)s AND occurred_at < %(ends)s

-- name: matter
hashtextextended(customer_id, hashtextextended(coalesce(topic, ''), 0))

-- name: touches
SELECT channel, direction = 'inbound' AS inbound, coalesce(outcome = 'abandoned', false) AS abandoned,
    handling_seconds IS NOT NULL AS timed,
    array_agg(occurred_at) AS at, array_agg(visible_from) AS visible_from, array_agg(visible_to) AS visible_to,
    array_agg(hashtextextended(customer_id, 0)) AS person, array_agg({matter}) AS matter,
    array_agg(coalesce(handling_seconds / greatest(concurrency, 1), 0)) AS handling_seconds
FROM touchpoints
WHERE occurred_at >= %(begins)s AND occurred_at < %(ends)s
GROUP BY 1, 2, 3, 4

-- name: talks
SELECT channel, array_agg(started_at) AS at, array_agg(visible_from) AS visible_from,
    array_agg(visible_to) AS visible_to
FROM conversations
WHERE started_at >= %(begins)s AND started_at < %(ends)s
GROUP BY channel

-- name: waits
-- The tier is the customer's when the wait began: only first responses are compared by it, and nobody's is looked up
-- for others.
SELECT metric, channel,
    array_agg(started_at) AS at, array_agg(coalesce(ended_at, 'infinity')) AS ended_at,
    array_agg(visible_from) AS visible_from, array_agg(visible_to) AS visible_to,
    array_agg(hash_array_extended(ARRAY[topic, tier], 0)) AS stratum, array_agg({matter}) AS matter
FROM intervals
LEFT JOIN (
    SELECT customer_id AS held_by, valid_from, valid_to, tier FROM customer_tiers
) AS held ON held_by = CASE WHEN metric = 'first_response' THEN customer_id END
    AND valid_from <= started_at AND valid_to > started_at
WHERE metric IN ('first_response', 'first_response_any', 'resolution')
    AND started_at >= %(begins)s AND started_at < %(ends)s
GROUP BY metric, channel
