-- name: raised
SELECT complaint_id, customer_id, raised_at, channel, severity, topic, product, team, department
FROM complaints
WHERE visible_from <= %(as_of)s AND visible_to > %(as_of)s
    AND raised_at >= %(from)s AND raised_at < %(to)s
ORDER BY raised_at, complaint_id

-- name: followed
-- Whether the customer of each complaint bought again and lapsed afterwards, within the time of following. A complaint is
-- asked about once for each id of the person.
SELECT asked.complaint_id,
    asked.raised_at + make_interval(hours => 24 * %(days)s) <= %(as_of)s AS followed,
    bool_or(EXISTS (
        SELECT FROM purchases AS p
        WHERE p.customer_id = asked.customer_id AND p.occurred_at > asked.raised_at
            AND p.occurred_at <= least(asked.raised_at + make_interval(hours => 24 * %(days)s), %(as_of)s)
    )) AS repurchased,
    bool_or(EXISTS (
        SELECT FROM lapses AS l
        WHERE l.customer_id = asked.customer_id AND l.occurred_at > asked.raised_at
            AND l.occurred_at <= least(asked.raised_at + make_interval(hours => 24 * %(days)s), %(as_of)s)
    )) AS lapsed
FROM unnest(%(complaints)s::text[], %(customers)s::text[], %(raised)s::timestamptz[])
    AS asked (complaint_id, customer_id, raised_at)
GROUP BY asked.complaint_id, asked.raised_at
