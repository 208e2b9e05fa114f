CREATE OR REPLACE VIEW dashboard.response_times AS
SELECT metric, conversation_id, intervals.customer_id, held.tier, channel, topic, team AS asked_team,
    department AS asked_department,
    CASE WHEN ended_at <= now() THEN answered_team END AS answered_team,
    CASE WHEN ended_at <= now() THEN answered_department END AS answered_department,
    CASE WHEN ended_at <= now() THEN employee_id END AS employee_id,
    started_at,
    CASE WHEN ended_at <= now() THEN ended_at END AS ended_at,
    started_by,
    CASE WHEN ended_at <= now() THEN ended_by END AS ended_by,
    CASE WHEN ended_at <= now() THEN extract(epoch FROM ended_at - started_at)::float8 END AS seconds,
    CASE WHEN ended_at <= now() THEN NULL ELSE extract(epoch FROM now() - started_at)::float8 END
        AS waiting_seconds
FROM read.intervals
LEFT JOIN read.customer_tiers AS held
    ON held.customer_id = intervals.customer_id
    AND held.valid_from <= started_at AND held.valid_to > started_at
WHERE visible_from <= now() AND visible_to > now();
COMMENT ON VIEW dashboard.response_times IS 'One row for each wait that has begun by now, for each metric. Whoever still waits is a row too: leave them out and every median is too low.';
COMMENT ON COLUMN dashboard.response_times.metric IS 'first_response (by a human), first_response_any, next_reply, resolution or full_resolution';
COMMENT ON COLUMN dashboard.response_times.conversation_id IS 'Id of the conversation';
COMMENT ON COLUMN dashboard.response_times.customer_id IS 'Opaque id of the customer';
COMMENT ON COLUMN dashboard.response_times.tier IS 'The customer''s tier when the wait began; null: none yet';
COMMENT ON COLUMN dashboard.response_times.channel IS 'Channel of the touchpoint that waits';
COMMENT ON COLUMN dashboard.response_times.topic IS 'Topic of the touchpoint that waits';
COMMENT ON COLUMN dashboard.response_times.asked_team IS 'Team that was asked';
COMMENT ON COLUMN dashboard.response_times.asked_department IS 'Department that was asked';
COMMENT ON COLUMN dashboard.response_times.answered_team IS 'Team that ended the wait; null while waiting, or not said';
COMMENT ON COLUMN dashboard.response_times.answered_department IS 'Department that ended the wait, likewise';
COMMENT ON COLUMN dashboard.response_times.employee_id IS 'Who ended the wait, likewise';
COMMENT ON COLUMN dashboard.response_times.started_at IS 'When the wait began';
COMMENT ON COLUMN dashboard.response_times.ended_at IS 'When it ended; null while waiting';
COMMENT ON COLUMN dashboard.response_times.started_by IS 'Id of the event that began it';
COMMENT ON COLUMN dashboard.response_times.ended_by IS 'Id of the event that ended it; null while waiting';
COMMENT ON COLUMN dashboard.response_times.seconds IS 'Elapsed time of an ended wait; null while waiting';
COMMENT ON COLUMN dashboard.response_times.waiting_seconds IS 'Elapsed time until now of a wait that goes on; null once ended';

CREATE OR REPLACE VIEW dashboard.response_time_versions AS
SELECT metric, conversation_id, intervals.customer_id, held.tier, channel, topic, team AS asked_team,
    department AS asked_department,
    answered_team, answered_department, employee_id, started_at, ended_at, started_by, ended_by,
    visible_from, visible_to
FROM read.intervals
LEFT JOIN read.customer_tiers AS held
    ON held.customer_id = intervals.customer_id
    AND held.valid_from <= started_at AND held.valid_to > started_at;
COMMENT ON VIEW dashboard.response_time_versions IS 'One row for each stretch of time during which a wait was seen like this. As of T the wait has ended if ended_at <= T.';
COMMENT ON COLUMN dashboard.response_time_versions.metric IS 'first_response (by a human), first_response_any, next_reply, resolution or full_resolution';
COMMENT ON COLUMN dashboard.response_time_versions.conversation_id IS 'Id of the conversation';
COMMENT ON COLUMN dashboard.response_time_versions.customer_id IS 'Opaque id of the customer';
COMMENT ON COLUMN dashboard.response_time_versions.tier IS 'The customer''s tier when the wait began; null: none yet';
COMMENT ON COLUMN dashboard.response_time_versions.channel IS 'Channel of the touchpoint that waits';
COMMENT ON COLUMN dashboard.response_time_versions.topic IS 'Topic of the touchpoint that waits';
COMMENT ON COLUMN dashboard.response_time_versions.asked_team IS 'Team that was asked';
COMMENT ON COLUMN dashboard.response_time_versions.asked_department IS 'Department that was asked';
COMMENT ON COLUMN dashboard.response_time_versions.answered_team IS 'Team that ended the wait; null while waiting, or not said';
COMMENT ON COLUMN dashboard.response_time_versions.answered_department IS 'Department that ended the wait, likewise';
COMMENT ON COLUMN dashboard.response_time_versions.employee_id IS 'Who ended the wait, likewise';
COMMENT ON COLUMN dashboard.response_time_versions.started_at IS 'When the wait began';
COMMENT ON COLUMN dashboard.response_time_versions.ended_at IS 'When it ended; null while waiting';
COMMENT ON COLUMN dashboard.response_time_versions.started_by IS 'Id of the event that began it';
COMMENT ON COLUMN dashboard.response_time_versions.ended_by IS 'Id of the event that ended it; null while waiting';
COMMENT ON COLUMN dashboard.response_time_versions.visible_from IS 'The row holds as of every instant T with visible_from <= T < visible_to';
COMMENT ON COLUMN dashboard.response_time_versions.visible_to IS 'See visible_from; infinity: until further notice';
