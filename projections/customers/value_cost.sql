-- name: placed
-- Every person who was served in the window or is in a tier at its end, with tier and cost quartile. A person goes by
-- the least of their ids.
WITH costs AS (
    {costs}
), same AS MATERIALIZED (
    SELECT * FROM unnest(%(ids)s::text[], %(persons)s::text[]) AS merged (id, person)
), served AS MATERIALIZED (
    SELECT coalesce(person, t.customer_id) AS person, count(*) AS touchpoints, {cost} AS cost,
        CASE WHEN count(DISTINCT c.currency) = 1 THEN min(c.currency) END AS currency
    FROM {touched}
    GROUP BY 1
), cuts AS (
    -- Equal costs are in one quartile, so that quartiles need not be of one size.
    SELECT currency, percentile_disc(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY cost) AS at
    FROM served
    WHERE cost IS NOT NULL
    GROUP BY currency
), valued AS (
    -- Of a person in several tiers the one set last counts.
    SELECT DISTINCT ON (coalesce(person, customer_id))
        coalesce(person, customer_id) AS person, tier, customer_id, event_id, valid_from
    FROM customer_tiers
    LEFT JOIN same ON id = customer_id
    -- A window does not contain its end, so that of a closed one a tier set at its end does not count.
    WHERE CASE WHEN %(to)s <= %(as_of)s THEN valid_from < %(to)s AND valid_to >= %(to)s
        ELSE valid_from <= %(as_of)s AND valid_to > %(as_of)s END
    ORDER BY 1, valid_from DESC, event_id DESC
), placed AS (
    SELECT person, tier, coalesce(touchpoints, 0) AS touchpoints, cost,
        CASE WHEN cost IS NOT NULL THEN currency END AS currency,
        CASE WHEN cost IS NOT NULL THEN at[1] < at[3] END AS costs_differ,
        CASE
            WHEN touchpoints IS NULL THEN 'unserved'
            WHEN cost IS NULL THEN 'unknown'
            ELSE (1 + (cost > at[1])::integer + (cost > at[2])::integer + (cost > at[3])::integer)::text
        END AS quartile
    FROM served
    FULL JOIN valued USING (person)
    LEFT JOIN cuts USING (currency)
)

-- name: touched
touchpoints AS t
LEFT JOIN costs AS c
    ON c.channel = t.channel AND c.valid_from <= t.occurred_at AND c.valid_to > t.occurred_at
LEFT JOIN same ON id = t.customer_id
WHERE t.occurred_at >= %(from)s AND t.occurred_at < %(to)s AND t.occurred_at <= %(as_of)s
    AND t.visible_from <= %(as_of)s AND t.visible_to > %(as_of)s

-- name: cells
{placed}
SELECT tier, quartile, currency, count(*) AS customers, sum(touchpoints)::bigint AS touchpoints,
    round(sum(cost)::numeric, 4)::float8 AS cost, min(cost) AS lowest_cost, max(cost) AS highest_cost,
    {mismatch} AS mismatch
FROM placed
GROUP BY tier, quartile, currency, costs_differ
ORDER BY array_position(%(tiers)s::text[], tier), currency, quartile

-- name: customers
{placed}
SELECT person AS customer_id, tier, quartile, currency, touchpoints, cost, {mismatch} AS mismatch
FROM placed
WHERE (%(tier)s IS NULL OR coalesce(tier, 'none') = %(tier)s)
    AND (%(quartile)s IS NULL OR quartile = %(quartile)s)
    AND (%(after_customer)s IS NULL
        OR (-coalesce(cost, -1), person) > (-coalesce(%(after_cost)s, -1), %(after_customer)s))
ORDER BY -coalesce(cost, -1), person
LIMIT %(rows)s

-- name: mismatch
-- Service that does not fit the customer's value. Where a quarter of the customers and three quarters of them have one
-- cost, whoever is in the first quartile is not cheap but like the others.
CASE
    WHEN quartile = '4' AND tier IN ('low_contribution', 'negative') THEN 'more_than_value'
    WHEN quartile = '1' AND costs_differ AND tier IN ('most_valuable', 'most_growable') THEN 'less_than_value'
END

-- name: behind
-- The touchpoints that were counted, and the tiers that put people into their cells.
{placed}, touched AS (
    SELECT coalesce(person, t.customer_id) AS person, t.event_id, t.touchpoint_id, t.customer_id, t.occurred_at,
        t.channel, t.handling_seconds, t.concurrency, c.event_id AS costed_by,
        {cost_of_one} AS cost
    FROM {touched}
)
SELECT 'touchpoint' AS thing, event_id::text AS key,
    ARRAY['customers', 'touchpoints']
    || CASE WHEN placed.cost IS NOT NULL THEN ARRAY['cost', 'lowest_cost', 'highest_cost'] ELSE '{}' END AS figures,
    NULL AS state, occurred_at AS started_at, NULL::timestamptz AS ended_at, handling_seconds AS seconds,
    touched.cost AS value, customer_id, touchpoint_id AS id, tier, quartile, currency, person,
    jsonb_build_object('channel', channel, 'concurrency', concurrency) AS details, ARRAY[event_id, costed_by] AS events
FROM touched
JOIN placed USING (person)
UNION ALL
SELECT 'tier', event_id::text, ARRAY['customers'], valued.tier, valid_from, NULL, NULL, NULL,
    customer_id, customer_id, valued.tier, quartile, currency, person, '{}', ARRAY[event_id]
FROM valued
JOIN placed USING (person)
