-- name: reached
-- All ids that a customer was ever reached from. UNION, not UNION ALL: each id is gone to once, so circles end.
WITH RECURSIVE reached (customer_id) AS (
    SELECT %(customer_id)s
    UNION
    SELECT next.customer_id
    FROM reached
    CROSS JOIN LATERAL (
        SELECT merged_customer_id AS customer_id FROM merges WHERE customer_id = reached.customer_id
        UNION ALL
        SELECT customer_id FROM merges WHERE merged_customer_id = reached.customer_id
    ) AS next
)
-- name: ever
{reached}
SELECT customer_id FROM reached

-- name: merges
-- By an array, for which the index is used: for a join PostgreSQL, which cannot know how few ids are reached, reads all.
{reached}
SELECT event_id, customer_id, merged_customer_id, occurred_at, rank, merged
FROM merges
WHERE customer_id = ANY (ARRAY(SELECT customer_id FROM reached)) AND occurred_at <= %(as_of)s

-- name: all_merges
SELECT event_id, customer_id, merged_customer_id, occurred_at, rank, merged
FROM merges
WHERE occurred_at <= %(as_of)s
