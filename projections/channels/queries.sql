-- name: channels
WITH costs AS (
    {costs}
), per_customer AS MATERIALIZED (
    SELECT t.channel, t.customer_id, c.event_id AS costed_by,
        count(*) FILTER (WHERE direction = 'inbound') AS inbound,
        count(*) FILTER (WHERE direction = 'outbound') AS outbound,
        count(*) FILTER (WHERE outcome = 'abandoned') AS abandoned,
        count(*) AS contacts,
        sum(handling_seconds / greatest(concurrency, 1)) AS handling_seconds
    FROM touchpoints AS t
    LEFT JOIN costs AS c
        ON c.channel = t.channel AND c.valid_from <= occurred_at AND c.valid_to > occurred_at
    WHERE occurred_at >= %(from)s AND occurred_at < %(to)s AND occurred_at <= %(as_of)s
        AND visible_from <= %(as_of)s AND visible_to > %(as_of)s
    GROUP BY t.channel, t.customer_id, c.event_id
), spent AS (
    -- Null where a touchpoint has no cost in force, or not all have it in one currency.
    SELECT per_version.channel,
        CASE WHEN bool_and(c.event_id IS NOT NULL) AND count(DISTINCT c.currency) = 1
            THEN sum(contacts * coalesce(cost_per_contact, 0)
                + coalesce(handling_seconds, 0) / 60 * coalesce(cost_per_minute, 0)) END AS cost
    FROM (
        SELECT channel, costed_by, sum(contacts)::float8 AS contacts,
            sum(handling_seconds) AS handling_seconds
        FROM per_customer
        GROUP BY channel, costed_by
    ) AS per_version
    LEFT JOIN costs AS c ON c.event_id = costed_by
    GROUP BY per_version.channel
), contacts AS (
    SELECT channel, sum(inbound)::bigint AS touchpoints_in, sum(outbound)::bigint AS touchpoints_out,
        count(DISTINCT customer_id) AS customers, sum(abandoned)::bigint AS abandoned
    FROM per_customer
    GROUP BY channel
), talks AS (
    SELECT channel, count(*) AS conversations
    FROM conversations
    WHERE started_at >= %(from)s AND started_at < %(to)s
        AND visible_from <= %(as_of)s AND visible_to > %(as_of)s
    GROUP BY channel
), measured AS MATERIALIZED (
    SELECT metric, channel, customer_id, topic, started_at, ended_at,
        coalesce(ended_at <= %(as_of)s, false) AS ended,
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
), {kaplan_meier}, strata_named AS MATERIALIZED (
    SELECT channel, ARRAY[topic, tier] AS about, seconds, ended
    FROM measured
    LEFT JOIN customer_tiers AS t ON t.customer_id = measured.customer_id
        AND t.valid_from <= started_at AND t.valid_to > started_at
    WHERE metric = 'first_response'
), mix AS MATERIALIZED (
    SELECT about, row_number() OVER (ORDER BY about) AS stratum,
        count(*) / sum(count(*)) OVER ()::float8 AS share
    FROM strata_named
    GROUP BY about
), cells AS (
    SELECT channel, about, count(*) FILTER (WHERE ended) >= 30 AS enough
    FROM strata_named
    GROUP BY channel, about
), comparability AS (
    -- As many as to say something of the channel in every stratum of the mix.
    SELECT channel, bool_and(enough) AND count(*) = (SELECT count(*) FROM mix) AS comparable
    FROM cells
    GROUP BY channel
), strata AS (
    SELECT channel, stratum, seconds, ended
    FROM strata_named
    JOIN mix USING (about)
    WHERE channel IN (SELECT channel FROM comparability WHERE comparable)
), {standardised}, compared AS (
    SELECT channel, comparable, km.median AS crude, adjusted.median AS adjusted
    FROM comparability
    LEFT JOIN km USING (channel)
    LEFT JOIN adjusted USING (channel)
), ranked AS (
    SELECT channel, comparable, adjusted,
        CASE WHEN comparable THEN EXISTS (
            SELECT FROM compared AS other
            WHERE sign(one.crude - other.crude) * sign(one.adjusted - other.adjusted) < 0
        ) END AS reversed
    FROM compared AS one
), helped_at_once AS (
    SELECT channel, count(*) AS helped
    FROM measured AS m
    WHERE metric = 'resolution' AND ended AND NOT EXISTS (
        SELECT FROM touchpoints AS t
        WHERE t.customer_id = m.customer_id AND coalesce(t.topic, '') = coalesce(m.topic, '')
            AND t.direction = 'inbound'
            AND t.occurred_at > m.started_at AND t.occurred_at <= m.ended_at + interval '7 days'
            AND t.occurred_at <= %(as_of)s
            AND t.visible_from <= %(as_of)s AND t.visible_to > %(as_of)s
    )
    GROUP BY channel
), promised AS (
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
    cost,
    cost / nullif(resolution.answered, 0) AS cost_per_resolved,
    coalesce(helped, 0)::float8 / nullif(resolution.answered + resolution.waiting, 0)
        AS first_contact_resolution,
    coalesce(abandoned, 0) AS abandoned,
    1000.0::float8 * coalesce(complaints, 0) / nullif(touchpoints_in + touchpoints_out, 0)
        AS complaints_per_1000,
    coalesce(feedback_n, 0) AS feedback_n,
    feedback_mean,
    ranked.adjusted AS adjusted_first_response_median_seconds,
    CASE WHEN EXISTS (SELECT FROM mix) THEN coalesce(ranked.comparable, false) END AS comparable,
    ranked.reversed AS reversed_by_adjustment
FROM named
LEFT JOIN contacts USING (channel)
LEFT JOIN talks USING (channel)
LEFT JOIN (SELECT * FROM waits WHERE metric = 'first_response') AS response USING (channel)
LEFT JOIN (SELECT * FROM waits WHERE metric = 'resolution') AS resolution USING (channel)
LEFT JOIN km USING (channel)
LEFT JOIN spent USING (channel)
LEFT JOIN ranked USING (channel)
LEFT JOIN helped_at_once USING (channel)
LEFT JOIN promised USING (channel)
LEFT JOIN complained USING (channel)
LEFT JOIN thought USING (channel)
ORDER BY channel
