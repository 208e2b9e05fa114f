-- name: placed
-- Every customer who was served in the window or is in a tier at its end, with tier and cost quartile.
WITH costs AS (
    {costs}
), served AS MATERIALIZED (
    SELECT t.customer_id, count(*) AS touchpoints, {cost} AS cost,
        CASE WHEN count(DISTINCT c.currency) = 1 THEN min(c.currency) END AS currency
    FROM touchpoints AS t
    LEFT JOIN costs AS c
        ON c.channel = t.channel AND c.valid_from <= t.occurred_at AND c.valid_to > t.occurred_at
    WHERE t.occurred_at >= %(from)s AND t.occurred_at < %(to)s AND t.occurred_at <= %(as_of)s
        AND t.visible_from <= %(as_of)s AND t.visible_to > %(as_of)s
    GROUP BY t.customer_id
), cuts AS (
    -- Equal costs are in one quartile, so that quartiles need not be of one size.
    SELECT currency, percentile_disc(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY cost) AS at
    FROM served
    WHERE cost IS NOT NULL
    GROUP BY currency
), valued AS (
    SELECT customer_id, tier
    FROM customer_tiers
    -- A window does not contain its end, so that of a closed one a tier set at its end does not count.
    WHERE CASE WHEN %(to)s <= %(as_of)s THEN valid_from < %(to)s AND valid_to >= %(to)s
        ELSE valid_from <= %(as_of)s AND valid_to > %(as_of)s END
), placed AS (
    SELECT customer_id, tier, coalesce(touchpoints, 0) AS touchpoints, cost,
        CASE WHEN cost IS NOT NULL THEN currency END AS currency,
        CASE WHEN cost IS NOT NULL THEN at[1] < at[3] END AS costs_differ,
        CASE
            WHEN touchpoints IS NULL THEN 'unserved'
            WHEN cost IS NULL THEN 'unknown'
            ELSE (1 + (cost > at[1])::integer + (cost > at[2])::integer + (cost > at[3])::integer)::text
        END AS quartile
    FROM served
    FULL JOIN valued USING (customer_id)
    LEFT JOIN cuts USING (currency)
)

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
SELECT customer_id, tier, quartile, currency, touchpoints, cost, {mismatch} AS mismatch
FROM placed
WHERE (%(tier)s IS NULL OR coalesce(tier, 'none') = %(tier)s)
    AND (%(quartile)s IS NULL OR quartile = %(quartile)s)
    AND (%(after_customer)s IS NULL
        OR (-coalesce(cost, -1), customer_id) > (-coalesce(%(after_cost)s, -1), %(after_customer)s))
ORDER BY -coalesce(cost, -1), customer_id
LIMIT %(rows)s

-- name: mismatch
-- Service that does not fit the customer's value. Where a quarter of the customers and three quarters of them have one
-- cost, whoever is in the first quartile is not cheap but like the others.
CASE
    WHEN quartile = '4' AND tier IN ('low_contribution', 'negative') THEN 'more_than_value'
    WHEN quartile = '1' AND costs_differ AND tier IN ('most_valuable', 'most_growable') THEN 'less_than_value'
END
