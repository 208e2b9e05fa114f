-- Rows by column, of whole weeks: one row of arrays for all that share the names in front.

-- name: reach
-- From when to when there are any; conversations and waits begin with touchpoints.
SELECT
    (SELECT occurred_at FROM touchpoints ORDER BY occurred_at LIMIT 1),
    (SELECT occurred_at FROM touchpoints WHERE occurred_at < 'infinity' ORDER BY occurred_at DESC LIMIT 1)

-- name: tables
-- Whether changes of the tables are marked: not by programs whose versions of the read models are from before that.
-- And which tables they are, and which files: others of the same names are not these, nor are these once everything
-- in them is another.
SELECT (
        SELECT count(*) FILTER (WHERE substring(version FROM '^[0-9]+')::integer >= 3) = count(*)
        FROM position
        WHERE name IN ('conversations', 'customers')
    ),
    pg_postmaster_start_time(), d.oid, string_agg((table_::oid, pg_relation_filenode(table_))::text, ' ')
FROM pg_database AS d
CROSS JOIN unnest(ARRAY['touchpoints', 'conversations', 'intervals', 'customer_tiers']::regclass[]) AS table_
WHERE datname = current_database()
GROUP BY d.oid

-- name: week
-- Joined before the rows of each week: an index finds them, and PostgreSQL need not guess how many weeks there are.
unnest(%(weeks)s::integer[]) AS wanted (week)
CROSS JOIN LATERAL (
    SELECT '2000-01-01 00:00+00'::timestamptz + week * interval '168 hours' AS begins,
        '2000-01-01 00:00+00'::timestamptz + (week + 1) * interval '168 hours' AS ends
) AS weeks

-- name: matter
hashtextextended(customer_id, hashtextextended(coalesce(topic, ''), 0))

-- name: touches
SELECT channel, direction = 'inbound' AS inbound, coalesce(outcome = 'abandoned', false) AS abandoned,
    handling_seconds IS NOT NULL AS timed,
    array_agg(occurred_at) AS at, array_agg(visible_from) AS visible_from, array_agg(visible_to) AS visible_to,
    array_agg(hashtextextended(customer_id, 0)) AS person, array_agg({matter}) AS matter,
    array_agg(coalesce(handling_seconds / greatest(concurrency, 1), 0)) AS handling_seconds
FROM {week}
CROSS JOIN LATERAL (SELECT * FROM touchpoints WHERE occurred_at >= begins AND occurred_at < ends) AS t
GROUP BY 1, 2, 3, 4

-- name: talks
SELECT channel, array_agg(started_at) AS at, array_agg(visible_from) AS visible_from,
    array_agg(visible_to) AS visible_to
FROM {week}
CROSS JOIN LATERAL (SELECT * FROM conversations WHERE started_at >= begins AND started_at < ends) AS c
GROUP BY channel

-- name: waits
-- The tier is the customer's when the wait began: only first responses are compared by it.
SELECT metric, channel,
    array_agg(started_at) AS at, array_agg(coalesce(ended_at, 'infinity')) AS ended_at,
    array_agg(visible_from) AS visible_from, array_agg(visible_to) AS visible_to,
    array_agg(hash_array_extended(ARRAY[topic, tier], 0)) AS stratum, array_agg({matter}) AS matter
FROM {week}
CROSS JOIN LATERAL (
    SELECT * FROM intervals
    WHERE metric IN ('first_response', 'first_response_any', 'resolution')
        AND started_at >= begins AND started_at < ends
) AS m
LEFT JOIN (
    SELECT customer_id AS held_by, valid_from, valid_to, tier FROM customer_tiers
) AS held ON metric = 'first_response' AND held_by = customer_id
    AND valid_from <= started_at AND valid_to > started_at
GROUP BY metric, channel
