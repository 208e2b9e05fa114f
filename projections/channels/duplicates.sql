-- name: duplicates
-- A contact: a customer asks for an answer. The same matter: the same topic, or the same case where no topic is given.
-- A customer is a person here: who asks twice may have been taken for two.
WITH merged AS (
    SELECT *
    FROM unnest(%(merged_ids)s::text[], %(persons)s::text[]) AS merged (customer_id, person)
), contacts AS (
    SELECT customer_id, coalesce(person, customer_id) AS person,
        topic, case_id, occurred_at, event_id, touchpoint_id, channel,
        lag(customer_id) OVER matter AS first_customer_id,
        lag(case_id) OVER matter AS first_case_id,
        lag(channel) OVER matter AS first_channel,
        lag(occurred_at) OVER matter AS first_at,
        lag(event_id) OVER matter AS first_event_id,
        lag(touchpoint_id) OVER matter AS first_touchpoint_id
    FROM touchpoints
    LEFT JOIN merged USING (customer_id)
    WHERE direction = 'inbound' AND expects_reply AND coalesce(topic, case_id) IS NOT NULL
        AND occurred_at <= %(as_of)s AND occurred_at < %(to)s
        AND visible_from <= %(as_of)s AND visible_to > %(as_of)s
        AND (%(customer_id)s IS NULL OR customer_id = %(customer_id)s OR person = %(person)s)
    WINDOW matter AS (
        PARTITION BY coalesce(person, customer_id), topic, CASE WHEN topic IS NULL THEN case_id END
        ORDER BY occurred_at, event_id)
), elsewhere AS (
    SELECT *
    FROM contacts
    WHERE first_channel <> channel AND occurred_at >= %(from)s
), begun AS (
    -- The conversation of the first contact: its case, or the episode that began last by then.
    SELECT DISTINCT ON (e.event_id) e.event_id, first_at, e.occurred_at, conversation_id
    FROM elsewhere AS e
    JOIN conversations AS c ON c.customer_id = first_customer_id AND c.started_at <= first_at
        AND coalesce(c.case_id, '') = coalesce(first_case_id, '')
        AND c.visible_from <= %(as_of)s AND c.visible_to > %(as_of)s
    ORDER BY e.event_id, c.started_at DESC
), still_waiting AS (
    -- Some wait in it had begun by the first contact and went on. It may be that of an earlier touchpoint, on another
    -- channel or about something else: what is unanswered waits together.
    SELECT event_id
    FROM begun
    JOIN intervals AS i USING (conversation_id)
    WHERE i.metric = 'next_reply'
        AND i.visible_from <= %(as_of)s AND i.visible_to > %(as_of)s
        AND i.started_at <= first_at AND coalesce(i.ended_at, 'infinity') > occurred_at
), told AS MATERIALIZED (  -- looked at twice, worked out once
    SELECT *, event_id IN (SELECT event_id FROM still_waiting) AS first_still_waiting
    FROM elsewhere
)
SELECT customer_id, person, topic, case_id, first_customer_id,
    first_channel, first_at, first_touchpoint_id, first_event_id, first_still_waiting,
    channel AS second_channel, occurred_at AS second_at, touchpoint_id AS second_touchpoint_id,
    event_id AS second_event_id,
    extract(epoch FROM occurred_at - first_at)::float8 AS after_seconds
FROM told
WHERE first_still_waiting OR occurred_at <= first_at + interval '24 hours'

-- name: listed
SELECT customer_id, topic, case_id,
    first_customer_id, first_channel, first_at, first_touchpoint_id, first_event_id, first_still_waiting,
    second_channel, second_at, second_touchpoint_id, second_event_id, after_seconds
FROM ({duplicates}) AS duplicates
WHERE first_channel = coalesce(%(first_channel)s, first_channel)
    AND second_channel = coalesce(%(second_channel)s, second_channel)
    AND (%(after_time)s::timestamptz IS NULL
        OR (second_at, second_event_id) > (%(after_time)s, %(after_event)s::uuid))
ORDER BY second_at, second_event_id
LIMIT %(rows)s

-- name: by_channels
SELECT first_channel, second_channel, count(*) AS duplicates, count(DISTINCT person) AS customers,
    count(*) FILTER (WHERE first_still_waiting) AS first_still_waiting,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY after_seconds) AS after_median_seconds
FROM ({duplicates}) AS duplicates
GROUP BY first_channel, second_channel
ORDER BY duplicates DESC, first_channel, second_channel
