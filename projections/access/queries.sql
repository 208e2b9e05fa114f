-- name: access_log
SELECT position, event_id, occurred_at, who, role, token_id, via, action, question, kind, ids, customer_id, details
FROM access_log
WHERE occurred_at >= %(from)s AND occurred_at < %(to)s AND occurred_at <= %(as_of)s
    AND (%(customers)s::text[] IS NULL OR customer_id = ANY (%(customers)s::text[])
        -- What was about several customers at once names each of them.
        OR (customer_id IS NULL AND kind = 'customer' AND ids ?| %(customers)s::text[]))
    AND (%(who)s IS NULL OR who = %(who)s)
    AND (%(action)s IS NULL OR action = %(action)s)
    AND (%(after_time)s::timestamptz IS NULL
        OR (occurred_at, event_id) < (%(after_time)s::timestamptz, %(after_event)s::uuid))
ORDER BY occurred_at DESC, event_id DESC
LIMIT %(rows)s
