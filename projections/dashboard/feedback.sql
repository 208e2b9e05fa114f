CREATE OR REPLACE VIEW dashboard.feedback AS
SELECT event_id, feedback_id, customer_id, occurred_at, channel, kind, instrument, score, scale_min,
    scale_max, touchpoint_id, complaint_id, promise_id, campaign_id, topic, team, department, employee_id,
    (score - scale_min) / nullif(scale_max - scale_min, 0) AS score_share
FROM read.feedback
WHERE occurred_at <= now();
COMMENT ON VIEW dashboard.feedback IS 'One row for each feedback given by now.';
COMMENT ON COLUMN dashboard.feedback.event_id IS 'Id of the event';
COMMENT ON COLUMN dashboard.feedback.feedback_id IS 'Id of the feedback';
COMMENT ON COLUMN dashboard.feedback.customer_id IS 'Opaque id of the customer';
COMMENT ON COLUMN dashboard.feedback.occurred_at IS 'When it was given';
COMMENT ON COLUMN dashboard.feedback.channel IS 'Channel; null: not said';
COMMENT ON COLUMN dashboard.feedback.kind IS 'explicit or implicit';
COMMENT ON COLUMN dashboard.feedback.instrument IS 'csat, nps, ces, sincerity, open or other';
COMMENT ON COLUMN dashboard.feedback.score IS 'Score as given, on the scale from scale_min to scale_max';
COMMENT ON COLUMN dashboard.feedback.scale_min IS 'Lowest score possible';
COMMENT ON COLUMN dashboard.feedback.scale_max IS 'Highest score possible';
COMMENT ON COLUMN dashboard.feedback.touchpoint_id IS 'The touchpoint it is about';
COMMENT ON COLUMN dashboard.feedback.complaint_id IS 'The complaint it is about';
COMMENT ON COLUMN dashboard.feedback.promise_id IS 'The promise it is about';
COMMENT ON COLUMN dashboard.feedback.campaign_id IS 'The campaign it is about';
COMMENT ON COLUMN dashboard.feedback.topic IS 'Topic as the channel said it';
COMMENT ON COLUMN dashboard.feedback.team IS 'Team';
COMMENT ON COLUMN dashboard.feedback.department IS 'Department';
COMMENT ON COLUMN dashboard.feedback.employee_id IS 'Whom it is about';
COMMENT ON COLUMN dashboard.feedback.score_share IS 'The score as a share of its scale, from 0 to 1, so that scales can be compared; null without a scale';
