-- What counts, and which of it. Of promises, complaints and feedback figures and their explanation share it. Touchpoints,
-- conversations and waits are counted over columns, by the same rules once more: that both find the same is held by
-- tests/projections/test_explaining.py, which recomputes figures from what explains them.

-- name: touched
touchpoints AS t
LEFT JOIN costs AS c ON c.channel = t.channel AND c.valid_from <= occurred_at AND c.valid_to > occurred_at
WHERE occurred_at >= %(from)s AND occurred_at < %(to)s AND occurred_at <= %(as_of)s
    AND visible_from <= %(as_of)s AND visible_to > %(as_of)s

-- name: talked
conversations
WHERE started_at >= %(from)s AND started_at < %(to)s
    AND visible_from <= %(as_of)s AND visible_to > %(as_of)s

-- name: measured
SELECT metric, channel, customer_id, topic, started_at, ended_at, started_by, ended_by, conversation_id,
    coalesce(ended_at <= %(as_of)s, false) AS ended,
    extract(epoch FROM least(ended_at, %(as_of)s) - started_at)::float8 AS seconds
FROM intervals
WHERE metric IN ('first_response', 'first_response_any', 'resolution')
    AND started_at >= %(from)s AND started_at < %(to)s
    AND visible_from <= %(as_of)s AND visible_to > %(as_of)s

-- name: helped
-- Whether the customer of the wait m, which is one for a resolution, had to come back about the same topic.
m.ended AND NOT EXISTS (
    SELECT FROM touchpoints AS t
    WHERE t.customer_id = m.customer_id AND coalesce(t.topic, '') = coalesce(m.topic, '')
        AND t.direction = 'inbound'
        AND t.occurred_at > m.started_at AND t.occurred_at <= m.ended_at + interval '7 days'
        AND t.occurred_at <= %(as_of)s
        AND t.visible_from <= %(as_of)s AND t.visible_to > %(as_of)s
)

-- name: tiered
LEFT JOIN customer_tiers AS held ON held.customer_id = m.customer_id
    AND held.valid_from <= started_at AND held.valid_to > started_at

-- name: complained
complaints
WHERE raised_at >= %(from)s AND raised_at < %(to)s
    AND visible_from <= %(as_of)s AND visible_to > %(as_of)s

-- name: thought
feedback
WHERE occurred_at >= %(from)s AND occurred_at < %(to)s AND occurred_at <= %(as_of)s
    AND channel IS NOT NULL

-- name: rates
SELECT event_id::text, channel, ARRAY[valid_from, valid_to] AS in_force
FROM ({costs}) AS costs

-- name: thought_by_channel
SELECT channel, array_agg(hashtextextended(customer_id, 0)) AS people, count(*) AS feedback_n,
    avg(score) AS feedback_mean,
    avg((score - scale_min) / (scale_max - scale_min)) FILTER (WHERE scale_max > scale_min) AS feedback_share
FROM {thought}
GROUP BY channel

-- name: channels
-- What was counted over columns, and beside it what has few rows.
WITH costs AS (
    {costs}
), spent AS (
    SELECT parts.channel, {cost} AS cost
    FROM jsonb_to_recordset(%(spent)s) AS parts (
        channel text, costed_by uuid, contacts float8, handling_seconds float8
    )
    LEFT JOIN costs AS c ON c.event_id = costed_by
    GROUP BY parts.channel
), counted AS (
    SELECT *
    FROM jsonb_to_recordset(%(counted)s) AS figures (
        channel text, touchpoints_in bigint, touchpoints_out bigint, customers bigint, abandoned bigint,
        handling_minutes float8, conversations bigint, answered bigint, waiting bigint,
        first_response_median_seconds float8, first_response_p90_seconds float8, first_response_p99_seconds float8,
        first_response_km_median_seconds float8, first_response_km_median_seconds_low float8,
        first_response_km_median_seconds_high float8, answered_any bigint, first_response_any_median_seconds float8,
        resolved bigint, unresolved bigint, resolution_median_seconds float8, helped_at_once bigint,
        gave_feedback bigint, feedback_n bigint, feedback_mean float8, feedback_share float8, adjusted_first_response_median_seconds float8, comparable boolean,
        reversed_by_adjustment boolean
    )
), judged AS (
    SELECT channel, verdict, count(*) AS many
    FROM ({judged}) AS judged
    GROUP BY channel, verdict
), promised AS (
    SELECT channel, sum(many)::bigint AS promises_due,
        coalesce(sum(many) FILTER (WHERE verdict = 'kept'), 0)::bigint AS kept,
        coalesce(sum(many) FILTER (WHERE verdict = 'kept_late'), 0)::bigint AS kept_late,
        coalesce(sum(many) FILTER (WHERE verdict = 'broken'), 0)::bigint AS broken,
        coalesce(sum(many) FILTER (WHERE verdict = 'overdue'), 0)::bigint AS overdue,
        coalesce(sum(many) FILTER (WHERE verdict = 'pending'), 0)::bigint AS pending,
        coalesce(sum(many) FILTER (WHERE verdict = 'withdrawn'), 0)::bigint AS withdrawn
    FROM judged
    GROUP BY channel
), complained AS (
    SELECT channel, count(*) AS complaints
    FROM {complained}
    GROUP BY channel
), named AS (
    SELECT channel FROM counted
    UNION SELECT channel FROM promised
    UNION SELECT channel FROM complained
)
SELECT channel,
    coalesce(touchpoints_in, 0) AS touchpoints_in,
    coalesce(touchpoints_out, 0) AS touchpoints_out,
    coalesce(customers, 0) AS customers,
    handling_minutes,
    coalesce(conversations, 0) AS conversations,
    coalesce(answered, 0) AS answered,
    coalesce(waiting, 0) AS waiting,
    first_response_median_seconds,
    first_response_p90_seconds,
    first_response_p99_seconds,
    first_response_km_median_seconds,
    first_response_km_median_seconds_low,
    first_response_km_median_seconds_high,
    coalesce(answered_any, 0) AS answered_any,
    first_response_any_median_seconds,
    resolution_median_seconds,
    coalesce(promises_due, 0) AS promises_due,
    coalesce(kept, 0) AS kept,
    coalesce(kept_late, 0) AS kept_late,
    coalesce(broken, 0) AS broken,
    coalesce(overdue, 0) AS overdue,
    coalesce(pending, 0) AS pending,
    coalesce(withdrawn, 0) AS withdrawn,
    kept::float8 / nullif(kept + kept_late + broken + overdue, 0) AS keep_rate,
    cost,
    cost / nullif(resolved, 0) AS cost_per_resolved,
    coalesce(helped_at_once, 0)::float8 / nullif(resolved + unresolved, 0) AS first_contact_resolution,
    coalesce(abandoned, 0) AS abandoned,
    1000.0::float8 * coalesce(complaints, 0) / nullif(touchpoints_in + touchpoints_out, 0)
        AS complaints_per_1000,
    coalesce(feedback_n, 0) AS feedback_n,
    feedback_mean,
    feedback_share,
    coalesce(gave_feedback, 0)::float8 / customers AS feedback_response_rate,
    adjusted_first_response_median_seconds,
    CASE WHEN (SELECT bool_or(comparable IS NOT NULL) FROM counted) THEN coalesce(comparable, false) END AS comparable,
    reversed_by_adjustment
FROM named
LEFT JOIN counted USING (channel)
LEFT JOIN spent USING (channel)
LEFT JOIN promised USING (channel)
LEFT JOIN complained USING (channel)
ORDER BY channel

-- name: behind_channels
WITH costs AS (
    {costs}
), touched AS NOT MATERIALIZED (
    SELECT t.*, c.event_id AS costed_by, c.currency,
        {cost_of_one} AS cost
    FROM {touched}
), measured AS NOT MATERIALIZED (
    {measured}
), helped_at_once AS MATERIALIZED (
    -- All of them together: looking for each one by itself takes a hundred times as long.
    SELECT started_by
    FROM measured AS m
    WHERE metric = 'resolution' AND started_at < %(before)s AND {helped}
)
SELECT 'touchpoint' AS thing, event_id::text AS key,
    ARRAY[CASE direction WHEN 'inbound' THEN 'touchpoints_in' ELSE 'touchpoints_out' END,
        'customers', 'cost', 'cost_per_resolved', 'complaints_per_1000', 'feedback_response_rate']
    || CASE WHEN outcome = 'abandoned' THEN ARRAY['abandoned'] ELSE '{}' END
    || CASE WHEN handling_seconds IS NOT NULL THEN ARRAY['handling_minutes'] ELSE '{}' END AS figures,
    outcome AS state, occurred_at AS started_at, NULL::timestamptz AS ended_at,
    handling_seconds AS seconds, cost AS value,
    customer_id, touchpoint_id AS id, channel, topic, NULL AS tier,
    jsonb_build_object('direction', direction, 'concurrency', concurrency, 'currency', currency)
        AS details,
    ARRAY[event_id, costed_by] AS events
FROM touched
UNION ALL
SELECT 'conversation', opened_by::text, ARRAY['conversations'], NULL, started_at, NULL, NULL, NULL,
    customer_id, conversation_id, channel, topic, NULL, '{}', ARRAY[opened_by]
FROM {talked}
UNION ALL
SELECT 'interval', 'first_response ' || started_by,
    CASE WHEN ended
        THEN ARRAY['answered', 'first_response_median_seconds', 'first_response_p90_seconds',
            'first_response_p99_seconds']
        ELSE ARRAY['waiting'] END
    || ARRAY['first_response_km_median_seconds', 'first_response_km_median_seconds_low',
        'first_response_km_median_seconds_high', 'adjusted_first_response_median_seconds',
        'comparable', 'reversed_by_adjustment'],
    CASE WHEN ended THEN 'answered' ELSE 'waiting' END,
    started_at, CASE WHEN ended THEN ended_at END, seconds, NULL,
    m.customer_id, conversation_id, channel, topic, tier, jsonb_build_object('metric', metric),
    ARRAY[started_by, CASE WHEN ended THEN ended_by END, held.event_id]
FROM measured AS m
{tiered}
WHERE metric = 'first_response'
UNION ALL
SELECT 'interval', 'first_response_any ' || started_by,
    ARRAY['answered_any', 'first_response_any_median_seconds'], 'answered',
    started_at, ended_at, seconds, NULL,
    customer_id, conversation_id, channel, topic, NULL, jsonb_build_object('metric', metric),
    ARRAY[started_by, ended_by]
FROM measured
WHERE metric = 'first_response_any' AND ended
UNION ALL
SELECT 'interval', 'resolution ' || started_by,
    ARRAY['first_contact_resolution']
    || CASE WHEN ended THEN ARRAY['resolution_median_seconds', 'cost_per_resolved'] ELSE '{}' END,
    CASE WHEN started_by IN (SELECT started_by FROM helped_at_once) THEN 'resolved_at_once' WHEN ended THEN 'resolved' ELSE 'waiting' END,
    started_at, CASE WHEN ended THEN ended_at END, seconds, NULL,
    customer_id, conversation_id, channel, topic, NULL, jsonb_build_object('metric', metric),
    ARRAY[started_by, CASE WHEN ended THEN ended_by END]
FROM measured AS m
WHERE metric = 'resolution'
UNION ALL
SELECT 'promise', promise_id,
    ARRAY['promises_due', verdict]
    || CASE WHEN verdict IN ('kept', 'kept_late', 'broken', 'overdue')
        THEN ARRAY['keep_rate'] ELSE '{}' END,
    verdict, made_at, settled_at, NULL, NULL, customer_id, promise_id, channel, topic, NULL,
    jsonb_build_object('due_at', due_at), ARRAY[made_by, due_by, settled_by]
FROM ({judged}) AS judged
UNION ALL
SELECT 'complaint', complaint_id, ARRAY['complaints_per_1000'], NULL, raised_at, NULL, NULL, NULL,
    customer_id, complaint_id, channel, topic, NULL, jsonb_build_object('severity', severity),
    ARRAY[raised_by]
FROM {complained}
UNION ALL
SELECT 'feedback', event_id::text,
    ARRAY['feedback_n'] || CASE WHEN score IS NOT NULL THEN ARRAY['feedback_mean'] ELSE '{}' END
    || CASE WHEN score IS NOT NULL AND scale_max > scale_min THEN ARRAY['feedback_share'] ELSE '{}' END
    || CASE WHEN (channel, customer_id) IN (SELECT channel, customer_id FROM touched)
        THEN ARRAY['feedback_response_rate'] ELSE '{}' END,
    instrument, occurred_at, NULL, NULL, score, customer_id, feedback_id, channel, topic, NULL,
    jsonb_build_object('scale_min', scale_min, 'scale_max', scale_max), ARRAY[event_id]
FROM {thought}
