-- name: duplicates
-- A contact: a customer asks for an answer. The same matter: the same topic, or the same case where no topic is given.
WITH contacts AS (
    SELECT customer_id, topic, case_id, occurred_at, event_id, touchpoint_id, channel,
        lag(channel) OVER matter AS first_channel,
        lag(occurred_at) OVER matter AS first_at,
        lag(event_id) OVER matter AS first_event_id,
        lag(touchpoint_id) OVER matter AS first_touchpoint_id
    FROM touchpoints
    WHERE direction = 'inbound' AND expects_reply AND coalesce(topic, case_id) IS NOT NULL
        AND occurred_at <= %(as_of)s AND occurred_at < %(to)s
        AND visible_from <= %(as_of)s AND visible_to > %(as_of)s
        AND customer_id = coalesce(%(customer_id)s, customer_id)
    WINDOW matter AS (
        PARTITION BY customer_id, topic, CASE WHEN topic IS NULL THEN case_id END
        ORDER BY occurred_at, event_id)
), elsewhere AS (
    SELECT contacts.*,
        -- Some wait of that customer, on that channel about that, had begun by the first contact and went on.
        EXISTS (
            SELECT FROM intervals AS i
            WHERE i.metric = 'next_reply'
                AND i.visible_from <= %(as_of)s AND i.visible_to > %(as_of)s
                AND i.customer_id = contacts.customer_id AND i.channel = first_channel
                AND coalesce(i.topic, '') = coalesce(contacts.topic, '')
                AND i.started_at <= first_at
                AND coalesce(i.ended_at, 'infinity') > contacts.occurred_at
        ) AS first_still_waiting
    FROM contacts
    WHERE first_channel <> channel AND occurred_at >= %(from)s
)
SELECT customer_id, topic, case_id,
    first_channel, first_at, first_touchpoint_id, first_event_id, first_still_waiting,
    channel AS second_channel, occurred_at AS second_at, touchpoint_id AS second_touchpoint_id,
    event_id AS second_event_id,
    extract(epoch FROM occurred_at - first_at)::float8 AS after_seconds
FROM elsewhere
WHERE first_still_waiting OR occurred_at <= first_at + interval '24 hours'

-- name: listed
SELECT *
FROM ({duplicates}) AS duplicates
WHERE first_channel = coalesce(%(first_channel)s, first_channel)
    AND second_channel = coalesce(%(second_channel)s, second_channel)
    AND (%(after_time)s::timestamptz IS NULL
        OR (second_at, second_event_id) > (%(after_time)s, %(after_event)s::uuid))
ORDER BY second_at, second_event_id
LIMIT %(rows)s

-- name: by_channels
SELECT first_channel, second_channel, count(*) AS duplicates, count(DISTINCT customer_id) AS customers,
    count(*) FILTER (WHERE first_still_waiting) AS first_still_waiting,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY after_seconds) AS after_median_seconds
FROM ({duplicates}) AS duplicates
GROUP BY first_channel, second_channel
ORDER BY duplicates DESC, first_channel, second_channel
