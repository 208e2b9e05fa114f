-- name: reaching
SELECT DISTINCT customer_id FROM touchpoints WHERE reaches AND customer_id = ANY (%(customers)s)

-- name: threads
SELECT {columns}
FROM unnest(%(customers)s, %(cases)s) AS wanted (customer_id, case_id)
JOIN touchpoints AS t ON t.customer_id = wanted.customer_id AND coalesce(t.case_id, '') = wanted.case_id

-- name: customers
SELECT {columns} FROM touchpoints AS t WHERE customer_id = ANY (%(customers)s)

-- name: relate
UPDATE touchpoints AS t
SET occurred_at = told.occurred_at, visible_to = told.visible_to, reaches = told.reaches
FROM unnest(
    %(customers)s::text[], %(cases)s::text[], %(event_ids)s::uuid[],
    %(occurred_at)s::timestamptz[], %(visible_to)s::timestamptz[], %(reaches)s::boolean[]
) AS told (customer_id, case_id, event_id, occurred_at, visible_to, reaches)
WHERE t.customer_id = told.customer_id AND coalesce(t.case_id, '') = told.case_id
    AND t.event_id = told.event_id
