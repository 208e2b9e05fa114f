-- name: followed
-- Each complaint with the person who made it, and by which events that person bought again and lapsed afterwards,
-- within the time of following: the first of each of their ids.
WITH merged AS MATERIALIZED (
    SELECT *
    FROM unnest(%(merged_ids)s::text[], %(persons)s::text[]) AS merged (customer_id, person)
), raised AS MATERIALIZED (
    SELECT complaint_id, customer_id, raised_at, raised_by, channel, severity, topic, product, team, department,
        coalesce(person, customer_id) AS person,
        raised_at + make_interval(hours => 24 * %(days)s) AS followed_until
    FROM complaints
    LEFT JOIN merged USING (customer_id)
    WHERE visible_from <= %(as_of)s AND visible_to > %(as_of)s
        AND raised_at >= %(from)s AND raised_at < %(to)s
), identities AS (
    SELECT complaint_id, coalesce(merged.customer_id, raised.customer_id) AS customer_id, raised_at,
        least(followed_until, %(as_of)s) AS until
    FROM raised
    LEFT JOIN merged USING (person)
), after AS MATERIALIZED (
    SELECT complaint_id,
        array_agg(bought_by) FILTER (WHERE bought_by IS NOT NULL) AS bought_by,
        array_agg(lapsed_by) FILTER (WHERE lapsed_by IS NOT NULL) AS lapsed_by
    FROM identities AS i
    LEFT JOIN LATERAL (
        SELECT event_id::text AS bought_by
        FROM purchases AS p
        WHERE p.customer_id = i.customer_id AND p.occurred_at > raised_at AND p.occurred_at <= until
        ORDER BY p.occurred_at, event_id
        LIMIT 1
    ) AS bought ON true
    LEFT JOIN LATERAL (
        SELECT event_id::text AS lapsed_by
        FROM lapses AS l
        WHERE l.customer_id = i.customer_id AND l.occurred_at > raised_at AND l.occurred_at <= until
        ORDER BY l.occurred_at, event_id
        LIMIT 1
    ) AS lost ON true
    GROUP BY complaint_id
)
SELECT complaint_id, customer_id, raised_at, person, followed_until <= %(as_of)s AS followed, {told}
FROM raised
JOIN after USING (complaint_id)
ORDER BY raised_at, complaint_id
