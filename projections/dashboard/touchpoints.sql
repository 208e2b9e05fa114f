CREATE OR REPLACE VIEW dashboard.touchpoints AS
SELECT event_id, touchpoint_id, customer_id, case_id, occurred_at, channel, direction, handled_by,
    expects_reply, outcome, topic, team, department, employee_id, product, moment, stage,
    duration_seconds, handling_seconds, concurrency
FROM read.touchpoints
WHERE visible_from <= now() AND visible_to > now() AND occurred_at <= now();
COMMENT ON VIEW dashboard.touchpoints IS 'One row for each touchpoint that has happened by now, as it was last corrected.';
COMMENT ON COLUMN dashboard.touchpoints.event_id IS 'Id of the event that said it';
COMMENT ON COLUMN dashboard.touchpoints.touchpoint_id IS 'Id of the touchpoint';
COMMENT ON COLUMN dashboard.touchpoints.customer_id IS 'Opaque id of the customer';
COMMENT ON COLUMN dashboard.touchpoints.case_id IS 'The channel''s own conversation, ticket or order';
COMMENT ON COLUMN dashboard.touchpoints.occurred_at IS 'When it happened';
COMMENT ON COLUMN dashboard.touchpoints.channel IS 'Channel';
COMMENT ON COLUMN dashboard.touchpoints.direction IS 'inbound or outbound';
COMMENT ON COLUMN dashboard.touchpoints.handled_by IS 'human, bot or system';
COMMENT ON COLUMN dashboard.touchpoints.expects_reply IS 'Whether the customer waits for an answer';
COMMENT ON COLUMN dashboard.touchpoints.outcome IS 'resolved, unresolved, abandoned, transferred or informed; null: not said';
COMMENT ON COLUMN dashboard.touchpoints.topic IS 'Topic as the channel said it';
COMMENT ON COLUMN dashboard.touchpoints.team IS 'Team';
COMMENT ON COLUMN dashboard.touchpoints.department IS 'Department';
COMMENT ON COLUMN dashboard.touchpoints.employee_id IS 'Who acted for the organisation';
COMMENT ON COLUMN dashboard.touchpoints.product IS 'Product';
COMMENT ON COLUMN dashboard.touchpoints.moment IS 'Kind of touchpoint, a moment of truth';
COMMENT ON COLUMN dashboard.touchpoints.stage IS 'pre_sale, sale or after_sale';
COMMENT ON COLUMN dashboard.touchpoints.duration_seconds IS 'How long it took';
COMMENT ON COLUMN dashboard.touchpoints.handling_seconds IS 'How long somebody worked on it';
COMMENT ON COLUMN dashboard.touchpoints.concurrency IS 'How many conversations were handled at once';

CREATE OR REPLACE VIEW dashboard.touchpoint_versions AS
SELECT event_id, touchpoint_id, customer_id, case_id, occurred_at, channel, direction, handled_by,
    expects_reply, outcome, topic, team, department, employee_id, product, moment, stage,
    duration_seconds, handling_seconds, concurrency,
    visible_from, visible_to
FROM read.touchpoints
WHERE isfinite(occurred_at);
COMMENT ON VIEW dashboard.touchpoint_versions IS 'One row for each record of a touchpoint, the original and every correction.';
COMMENT ON COLUMN dashboard.touchpoint_versions.event_id IS 'Id of the event that said it';
COMMENT ON COLUMN dashboard.touchpoint_versions.touchpoint_id IS 'Id of the touchpoint';
COMMENT ON COLUMN dashboard.touchpoint_versions.customer_id IS 'Opaque id of the customer';
COMMENT ON COLUMN dashboard.touchpoint_versions.case_id IS 'The channel''s own conversation, ticket or order';
COMMENT ON COLUMN dashboard.touchpoint_versions.occurred_at IS 'When it happened';
COMMENT ON COLUMN dashboard.touchpoint_versions.channel IS 'Channel';
COMMENT ON COLUMN dashboard.touchpoint_versions.direction IS 'inbound or outbound';
COMMENT ON COLUMN dashboard.touchpoint_versions.handled_by IS 'human, bot or system';
COMMENT ON COLUMN dashboard.touchpoint_versions.expects_reply IS 'Whether the customer waits for an answer';
COMMENT ON COLUMN dashboard.touchpoint_versions.outcome IS 'resolved, unresolved, abandoned, transferred or informed; null: not said';
COMMENT ON COLUMN dashboard.touchpoint_versions.topic IS 'Topic as the channel said it';
COMMENT ON COLUMN dashboard.touchpoint_versions.team IS 'Team';
COMMENT ON COLUMN dashboard.touchpoint_versions.department IS 'Department';
COMMENT ON COLUMN dashboard.touchpoint_versions.employee_id IS 'Who acted for the organisation';
COMMENT ON COLUMN dashboard.touchpoint_versions.product IS 'Product';
COMMENT ON COLUMN dashboard.touchpoint_versions.moment IS 'Kind of touchpoint, a moment of truth';
COMMENT ON COLUMN dashboard.touchpoint_versions.stage IS 'pre_sale, sale or after_sale';
COMMENT ON COLUMN dashboard.touchpoint_versions.duration_seconds IS 'How long it took';
COMMENT ON COLUMN dashboard.touchpoint_versions.handling_seconds IS 'How long somebody worked on it';
COMMENT ON COLUMN dashboard.touchpoint_versions.concurrency IS 'How many conversations were handled at once';
COMMENT ON COLUMN dashboard.touchpoint_versions.visible_from IS 'The row holds as of every instant T with visible_from <= T < visible_to';
COMMENT ON COLUMN dashboard.touchpoint_versions.visible_to IS 'See visible_from; infinity: until further notice';
