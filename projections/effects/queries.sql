-- name: raised
SELECT complaint_id, customer_id, raised_at, raised_by, channel, severity, topic, product, team, department
FROM complaints
WHERE visible_from <= %(as_of)s AND visible_to > %(as_of)s
    AND raised_at >= %(from)s AND raised_at < %(to)s
ORDER BY raised_at, complaint_id

-- name: followed
-- By which events the customer of each complaint bought again and lapsed afterwards, within the time of following: the
-- first of each id of the person, for each of which a complaint is asked about once.
SELECT asked.complaint_id,
    asked.raised_at + make_interval(hours => 24 * %(days)s) <= %(as_of)s AS followed,
    array_agg(bought_by) FILTER (WHERE bought_by IS NOT NULL) AS bought_by,
    array_agg(lapsed_by) FILTER (WHERE lapsed_by IS NOT NULL) AS lapsed_by
FROM unnest(%(complaints)s::text[], %(customers)s::text[], %(raised)s::timestamptz[])
    AS asked (complaint_id, customer_id, raised_at)
LEFT JOIN LATERAL (
    SELECT event_id::text AS bought_by
    FROM purchases AS p
    WHERE p.customer_id = asked.customer_id AND p.occurred_at > asked.raised_at
        AND p.occurred_at <= least(asked.raised_at + make_interval(hours => 24 * %(days)s), %(as_of)s)
    ORDER BY p.occurred_at, event_id
    LIMIT 1
) AS bought ON true
LEFT JOIN LATERAL (
    SELECT event_id::text AS lapsed_by
    FROM lapses AS l
    WHERE l.customer_id = asked.customer_id AND l.occurred_at > asked.raised_at
        AND l.occurred_at <= least(asked.raised_at + make_interval(hours => 24 * %(days)s), %(as_of)s)
    ORDER BY l.occurred_at, event_id
    LIMIT 1
) AS lost ON true
GROUP BY asked.complaint_id, asked.raised_at
