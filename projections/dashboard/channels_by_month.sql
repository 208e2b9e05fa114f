CREATE OR REPLACE VIEW dashboard.channels_by_month AS
WITH contacts AS (
    SELECT channel, (date_trunc('month', occurred_at, 'UTC') AT TIME ZONE 'UTC')::date AS month,
        count(*) FILTER (WHERE direction = 'inbound') AS touchpoints_in,
        count(*) FILTER (WHERE direction = 'outbound') AS touchpoints_out,
        count(DISTINCT customer_id) AS customers,
        count(*) FILTER (WHERE outcome = 'abandoned') AS abandoned,
        sum(handling_seconds / greatest(concurrency, 1)) / 60 AS handling_minutes
    FROM dashboard.touchpoints
    GROUP BY 1, 2
), talks AS (
    SELECT channel, (date_trunc('month', started_at, 'UTC') AT TIME ZONE 'UTC')::date AS month, count(*) AS conversations
    FROM dashboard.conversations
    GROUP BY 1, 2
), waits AS (
    SELECT channel, (date_trunc('month', started_at, 'UTC') AT TIME ZONE 'UTC')::date AS month,
        count(seconds) AS answered, count(waiting_seconds) AS waiting,
        percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY seconds) AS percentiles
    FROM dashboard.response_times
    WHERE metric = 'first_response'
    GROUP BY 1, 2
), promised AS (
    SELECT channel, (date_trunc('month', due_at, 'UTC') AT TIME ZONE 'UTC')::date AS month, count(*) AS promises_due,
        count(*) FILTER (WHERE verdict = 'kept') AS kept,
        count(*) FILTER (WHERE verdict = 'kept_late') AS kept_late,
        count(*) FILTER (WHERE verdict = 'broken') AS broken,
        count(*) FILTER (WHERE verdict = 'overdue') AS overdue,
        count(*) FILTER (WHERE verdict = 'pending') AS pending,
        count(*) FILTER (WHERE verdict = 'withdrawn') AS withdrawn
    FROM dashboard.promises
    GROUP BY 1, 2
), complained AS (
    SELECT channel, (date_trunc('month', raised_at, 'UTC') AT TIME ZONE 'UTC')::date AS month, count(*) AS complaints
    FROM dashboard.complaints
    GROUP BY 1, 2
), thought AS (
    SELECT channel, (date_trunc('month', occurred_at, 'UTC') AT TIME ZONE 'UTC')::date AS month, count(*) AS feedback_n, avg(score) AS feedback_mean
    FROM dashboard.feedback
    WHERE channel IS NOT NULL
    GROUP BY 1, 2
), named AS (
    SELECT channel, month FROM contacts
    UNION SELECT channel, month FROM talks
    UNION SELECT channel, month FROM waits
    UNION SELECT channel, month FROM promised
    UNION SELECT channel, month FROM complained
    UNION SELECT channel, month FROM thought
)
SELECT month, channel,
    coalesce(touchpoints_in, 0) AS touchpoints_in,
    coalesce(touchpoints_out, 0) AS touchpoints_out,
    coalesce(customers, 0) AS customers,
    coalesce(abandoned, 0) AS abandoned,
    handling_minutes,
    coalesce(conversations, 0) AS conversations,
    coalesce(answered, 0) AS answered,
    coalesce(waiting, 0) AS waiting,
    percentiles[1] AS first_response_median_seconds,
    percentiles[2] AS first_response_p90_seconds,
    coalesce(promises_due, 0) AS promises_due,
    coalesce(kept, 0) AS kept,
    coalesce(kept_late, 0) AS kept_late,
    coalesce(broken, 0) AS broken,
    coalesce(overdue, 0) AS overdue,
    coalesce(pending, 0) AS pending,
    coalesce(withdrawn, 0) AS withdrawn,
    kept::float8 / nullif(kept + kept_late + broken + overdue, 0) AS keep_rate,
    coalesce(complaints, 0) AS complaints,
    1000.0::float8 * coalesce(complaints, 0) / nullif(touchpoints_in + touchpoints_out, 0)
        AS complaints_per_1000,
    coalesce(feedback_n, 0) AS feedback_n,
    feedback_mean
FROM named
LEFT JOIN contacts USING (channel, month)
LEFT JOIN talks USING (channel, month)
LEFT JOIN waits USING (channel, month)
LEFT JOIN promised USING (channel, month)
LEFT JOIN complained USING (channel, month)
LEFT JOIN thought USING (channel, month);
COMMENT ON VIEW dashboard.channels_by_month IS 'One row for each channel and month (UTC) in which it had anything to show, as of now: the same figures as GET /channels?from=...&to=... gives for that month.';
COMMENT ON COLUMN dashboard.channels_by_month.month IS 'First day of the month, in UTC';
COMMENT ON COLUMN dashboard.channels_by_month.channel IS 'Channel';
COMMENT ON COLUMN dashboard.channels_by_month.touchpoints_in IS 'Inbound touchpoints';
COMMENT ON COLUMN dashboard.channels_by_month.touchpoints_out IS 'Outbound touchpoints';
COMMENT ON COLUMN dashboard.channels_by_month.customers IS 'Different customers with a touchpoint';
COMMENT ON COLUMN dashboard.channels_by_month.abandoned IS 'Touchpoints that were abandoned';
COMMENT ON COLUMN dashboard.channels_by_month.handling_minutes IS 'Minutes of handling, each divided by the conversations handled at once; null where no touchpoint names any';
COMMENT ON COLUMN dashboard.channels_by_month.conversations IS 'Conversations opened';
COMMENT ON COLUMN dashboard.channels_by_month.answered IS 'Waits for a first response by a human that began in the month and have ended';
COMMENT ON COLUMN dashboard.channels_by_month.waiting IS 'Those that have not';
COMMENT ON COLUMN dashboard.channels_by_month.first_response_median_seconds IS 'Median over the answered ones; it leaves out those still waiting';
COMMENT ON COLUMN dashboard.channels_by_month.first_response_p90_seconds IS '90th percentile, likewise';
COMMENT ON COLUMN dashboard.channels_by_month.promises_due IS 'Promises due in the month';
COMMENT ON COLUMN dashboard.channels_by_month.kept IS 'Of these kept in time';
COMMENT ON COLUMN dashboard.channels_by_month.kept_late IS 'Kept too late';
COMMENT ON COLUMN dashboard.channels_by_month.broken IS 'Declared broken';
COMMENT ON COLUMN dashboard.channels_by_month.overdue IS 'Overdue now';
COMMENT ON COLUMN dashboard.channels_by_month.pending IS 'Not due yet';
COMMENT ON COLUMN dashboard.channels_by_month.withdrawn IS 'Taken back in time';
COMMENT ON COLUMN dashboard.channels_by_month.keep_rate IS 'kept / (kept + kept_late + broken + overdue); null if none was judged';
COMMENT ON COLUMN dashboard.channels_by_month.complaints IS 'Complaints raised';
COMMENT ON COLUMN dashboard.channels_by_month.complaints_per_1000 IS 'Complaints per 1,000 touchpoints; null without touchpoints';
COMMENT ON COLUMN dashboard.channels_by_month.feedback_n IS 'Feedback given';
COMMENT ON COLUMN dashboard.channels_by_month.feedback_mean IS 'Mean of the scores as given';
