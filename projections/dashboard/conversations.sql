CREATE OR REPLACE VIEW dashboard.conversations AS
SELECT conversation_id, customer_id, case_id, started_at, opened_by, channel, topic, team, department
FROM read.conversations
WHERE visible_from <= now() AND visible_to > now();
COMMENT ON VIEW dashboard.conversations IS 'One row for each conversation that has begun by now.';
COMMENT ON COLUMN dashboard.conversations.conversation_id IS 'Id of the conversation';
COMMENT ON COLUMN dashboard.conversations.customer_id IS 'Opaque id of the customer';
COMMENT ON COLUMN dashboard.conversations.case_id IS 'The channel''s own conversation, ticket or order; null: an episode of touchpoints without one';
COMMENT ON COLUMN dashboard.conversations.started_at IS 'When the first touchpoint happened';
COMMENT ON COLUMN dashboard.conversations.opened_by IS 'Id of the event that opened it';
COMMENT ON COLUMN dashboard.conversations.channel IS 'Channel on which it was opened';
COMMENT ON COLUMN dashboard.conversations.topic IS 'Topic of the touchpoint that opened it';
COMMENT ON COLUMN dashboard.conversations.team IS 'Team, likewise';
COMMENT ON COLUMN dashboard.conversations.department IS 'Department, likewise';

CREATE OR REPLACE VIEW dashboard.conversation_versions AS
SELECT conversation_id, customer_id, case_id, started_at, opened_by, channel, topic, team, department,
    visible_from, visible_to
FROM read.conversations;
COMMENT ON VIEW dashboard.conversation_versions IS 'One row for each stretch of time during which a conversation was seen like this.';
COMMENT ON COLUMN dashboard.conversation_versions.conversation_id IS 'Id of the conversation';
COMMENT ON COLUMN dashboard.conversation_versions.customer_id IS 'Opaque id of the customer';
COMMENT ON COLUMN dashboard.conversation_versions.case_id IS 'The channel''s own conversation, ticket or order; null: an episode of touchpoints without one';
COMMENT ON COLUMN dashboard.conversation_versions.started_at IS 'When the first touchpoint happened';
COMMENT ON COLUMN dashboard.conversation_versions.opened_by IS 'Id of the event that opened it';
COMMENT ON COLUMN dashboard.conversation_versions.channel IS 'Channel on which it was opened';
COMMENT ON COLUMN dashboard.conversation_versions.topic IS 'Topic of the touchpoint that opened it';
COMMENT ON COLUMN dashboard.conversation_versions.team IS 'Team, likewise';
COMMENT ON COLUMN dashboard.conversation_versions.department IS 'Department, likewise';
COMMENT ON COLUMN dashboard.conversation_versions.visible_from IS 'The row holds as of every instant T with visible_from <= T < visible_to';
COMMENT ON COLUMN dashboard.conversation_versions.visible_to IS 'See visible_from; infinity: until further notice';
