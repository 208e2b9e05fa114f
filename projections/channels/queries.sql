-- name: channels
WITH per_customer AS (
    SELECT channel, customer_id,
        count(*) FILTER (WHERE direction = 'inbound') AS inbound,
        count(*) FILTER (WHERE direction = 'outbound') AS outbound,
        count(*) FILTER (WHERE outcome = 'abandoned') AS abandoned
    FROM touchpoints
    WHERE occurred_at >= %(from)s AND occurred_at < %(to)s AND occurred_at <= %(as_of)s
        AND visible_from <= %(as_of)s AND visible_to > %(as_of)s
    GROUP BY channel, customer_id
), contacts AS (
    SELECT channel, sum(inbound)::bigint AS touchpoints_in, sum(outbound)::bigint AS touchpoints_out,
        count(*) AS customers, sum(abandoned)::bigint AS abandoned
    FROM per_customer
    GROUP BY channel
), talks AS (
    SELECT channel, count(*) AS conversations
    FROM conversations
    WHERE started_at >= %(from)s AND started_at < %(to)s
        AND visible_from <= %(as_of)s AND visible_to > %(as_of)s
    GROUP BY channel
), measured AS MATERIALIZED (
    SELECT metric, channel, coalesce(ended_at <= %(as_of)s, false) AS ended,
        extract(epoch FROM least(ended_at, %(as_of)s) - started_at)::float8 AS seconds
    FROM intervals
    WHERE metric IN ('first_response', 'resolution')
        AND started_at >= %(from)s AND started_at < %(to)s
        AND visible_from <= %(as_of)s AND visible_to > %(as_of)s
), waits AS (
    SELECT metric, channel,
        count(*) FILTER (WHERE ended) AS answered,
        count(*) FILTER (WHERE NOT ended) AS waiting,
        percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY seconds)
            FILTER (WHERE ended) AS percentiles
    FROM measured
    GROUP BY metric, channel
), first_responses AS (
    SELECT channel, seconds, ended FROM measured WHERE metric = 'first_response'
), {kaplan_meier}, promised AS (
    SELECT channel, count(*) AS promises_due,
        count(*) FILTER (WHERE verdict = 'kept') AS kept,
        count(*) FILTER (WHERE verdict = 'kept_late') AS kept_late,
        count(*) FILTER (WHERE verdict = 'broken') AS broken,
        count(*) FILTER (WHERE verdict = 'overdue') AS overdue,
        count(*) FILTER (WHERE verdict = 'pending') AS pending,
        count(*) FILTER (WHERE verdict = 'withdrawn') AS withdrawn
    FROM ({judged}) AS judged
    GROUP BY channel
), complained AS (
    SELECT channel, count(*) AS complaints
    FROM complaints
    WHERE raised_at >= %(from)s AND raised_at < %(to)s
        AND visible_from <= %(as_of)s AND visible_to > %(as_of)s
    GROUP BY channel
), thought AS (
    SELECT channel, count(*) AS feedback_n, avg(score) AS feedback_mean
    FROM feedback
    WHERE occurred_at >= %(from)s AND occurred_at < %(to)s AND occurred_at <= %(as_of)s
        AND channel IS NOT NULL
    GROUP BY channel
), named AS (
    SELECT channel FROM contacts
    UNION SELECT channel FROM talks
    UNION SELECT channel FROM waits
    UNION SELECT channel FROM promised
    UNION SELECT channel FROM complained
    UNION SELECT channel FROM thought
)
SELECT channel,
    coalesce(touchpoints_in, 0) AS touchpoints_in,
    coalesce(touchpoints_out, 0) AS touchpoints_out,
    coalesce(customers, 0) AS customers,
    coalesce(conversations, 0) AS conversations,
    coalesce(response.answered, 0) AS answered,
    coalesce(response.waiting, 0) AS waiting,
    response.percentiles[1] AS first_response_median_seconds,
    response.percentiles[2] AS first_response_p90_seconds,
    km.median AS first_response_km_median_seconds,
    km.low AS first_response_km_median_seconds_low,
    km.high AS first_response_km_median_seconds_high,
    resolution.percentiles[1] AS resolution_median_seconds,
    coalesce(promises_due, 0) AS promises_due,
    coalesce(kept, 0) AS kept,
    coalesce(kept_late, 0) AS kept_late,
    coalesce(broken, 0) AS broken,
    coalesce(overdue, 0) AS overdue,
    coalesce(pending, 0) AS pending,
    coalesce(withdrawn, 0) AS withdrawn,
    kept::float8 / nullif(kept + kept_late + broken + overdue, 0) AS keep_rate,
    NULL::numeric AS cost,
    NULL::numeric AS cost_per_resolved,
    NULL::float8 AS first_contact_resolution,
    coalesce(abandoned, 0) AS abandoned,
    1000.0::float8 * coalesce(complaints, 0) / nullif(touchpoints_in + touchpoints_out, 0)
        AS complaints_per_1000,
    coalesce(feedback_n, 0) AS feedback_n,
    feedback_mean,
    NULL::float8 AS adjusted_first_response_median_seconds,
    NULL::boolean AS comparable,
    NULL::boolean AS reversed_by_adjustment
FROM named
LEFT JOIN contacts USING (channel)
LEFT JOIN talks USING (channel)
LEFT JOIN (SELECT * FROM waits WHERE metric = 'first_response') AS response USING (channel)
LEFT JOIN (SELECT * FROM waits WHERE metric = 'resolution') AS resolution USING (channel)
LEFT JOIN km USING (channel)
LEFT JOIN promised USING (channel)
LEFT JOIN complained USING (channel)
LEFT JOIN thought USING (channel)
ORDER BY channel
