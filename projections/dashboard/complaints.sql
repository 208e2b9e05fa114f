CREATE OR REPLACE VIEW dashboard.complaints AS
SELECT complaint_id, customer_id, channel, severity, topic, product, team, department, raised_at,
    CASE WHEN closed_at <= now() THEN closed_at END AS closed_at,
    CASE WHEN closed_at <= now() THEN outcome END AS outcome,
    CASE WHEN first_closed_at <= now() THEN first_closed_at END AS first_closed_at,
    reopened_at, reopened, raised_by,
    CASE WHEN closed_at <= now() THEN closed_by END AS closed_by,
    coalesce(closed_at > now(), true) AS open
FROM read.complaints
WHERE visible_from <= now() AND visible_to > now();
COMMENT ON VIEW dashboard.complaints IS 'One row for each complaint raised by now. How it was recovered is judged by the program: ask GET /complaints.';
COMMENT ON COLUMN dashboard.complaints.complaint_id IS 'Id of the complaint';
COMMENT ON COLUMN dashboard.complaints.customer_id IS 'Opaque id of the customer';
COMMENT ON COLUMN dashboard.complaints.channel IS 'Channel on which it was raised';
COMMENT ON COLUMN dashboard.complaints.severity IS 'low, normal, high or critical';
COMMENT ON COLUMN dashboard.complaints.topic IS 'Topic';
COMMENT ON COLUMN dashboard.complaints.product IS 'Product';
COMMENT ON COLUMN dashboard.complaints.team IS 'Team, as raised';
COMMENT ON COLUMN dashboard.complaints.department IS 'Department, as raised';
COMMENT ON COLUMN dashboard.complaints.raised_at IS 'When it was raised';
COMMENT ON COLUMN dashboard.complaints.closed_at IS 'When it was closed for good, so far; null while open';
COMMENT ON COLUMN dashboard.complaints.outcome IS 'upheld, partly_upheld, rejected or withdrawn; null while open';
COMMENT ON COLUMN dashboard.complaints.first_closed_at IS 'When it was closed for the first time; null: never';
COMMENT ON COLUMN dashboard.complaints.reopened_at IS 'When it was last reopened; null: never';
COMMENT ON COLUMN dashboard.complaints.reopened IS 'How often it was reopened';
COMMENT ON COLUMN dashboard.complaints.raised_by IS 'Id of the event that raised it';
COMMENT ON COLUMN dashboard.complaints.closed_by IS 'Id of the event that closed it; null while open';
COMMENT ON COLUMN dashboard.complaints.open IS 'Whether it is open now';

CREATE OR REPLACE VIEW dashboard.complaint_versions AS
SELECT complaint_id, customer_id, channel, severity, topic, product, team, department, raised_at,
    closed_at, outcome, first_closed_at, reopened_at, reopened, raised_by, closed_by, visible_from, visible_to
FROM read.complaints;
COMMENT ON VIEW dashboard.complaint_versions IS 'One row for each stretch of time during which a complaint stood unchanged. As of T it is closed if closed_at <= T.';
COMMENT ON COLUMN dashboard.complaint_versions.complaint_id IS 'Id of the complaint';
COMMENT ON COLUMN dashboard.complaint_versions.customer_id IS 'Opaque id of the customer';
COMMENT ON COLUMN dashboard.complaint_versions.channel IS 'Channel on which it was raised';
COMMENT ON COLUMN dashboard.complaint_versions.severity IS 'low, normal, high or critical';
COMMENT ON COLUMN dashboard.complaint_versions.topic IS 'Topic';
COMMENT ON COLUMN dashboard.complaint_versions.product IS 'Product';
COMMENT ON COLUMN dashboard.complaint_versions.team IS 'Team, as raised';
COMMENT ON COLUMN dashboard.complaint_versions.department IS 'Department, as raised';
COMMENT ON COLUMN dashboard.complaint_versions.raised_at IS 'When it was raised';
COMMENT ON COLUMN dashboard.complaint_versions.closed_at IS 'When it was closed for good, so far; null while open';
COMMENT ON COLUMN dashboard.complaint_versions.outcome IS 'upheld, partly_upheld, rejected or withdrawn; null while open';
COMMENT ON COLUMN dashboard.complaint_versions.first_closed_at IS 'When it was closed for the first time; null: never';
COMMENT ON COLUMN dashboard.complaint_versions.reopened_at IS 'When it was last reopened; null: never';
COMMENT ON COLUMN dashboard.complaint_versions.reopened IS 'How often it was reopened';
COMMENT ON COLUMN dashboard.complaint_versions.raised_by IS 'Id of the event that raised it';
COMMENT ON COLUMN dashboard.complaint_versions.closed_by IS 'Id of the event that closed it; null while open';
COMMENT ON COLUMN dashboard.complaint_versions.visible_from IS 'The row holds as of every instant T with visible_from <= T < visible_to';
COMMENT ON COLUMN dashboard.complaint_versions.visible_to IS 'See visible_from; infinity: until further notice';

CREATE OR REPLACE VIEW dashboard.complaint_steps AS
SELECT complaint_id, customer_id, event_id, type, occurred_at, channel, topic, team, department, employee_id
FROM read.complaint_steps
WHERE occurred_at <= now();
COMMENT ON VIEW dashboard.complaint_steps IS 'One row for each step of a complaint that has happened by now, the first one (raised) included.';
COMMENT ON COLUMN dashboard.complaint_steps.complaint_id IS 'Id of the complaint';
COMMENT ON COLUMN dashboard.complaint_steps.customer_id IS 'Opaque id of the customer';
COMMENT ON COLUMN dashboard.complaint_steps.event_id IS 'Id of the event';
COMMENT ON COLUMN dashboard.complaint_steps.type IS 'Event type, such as complaint.apologized.v1';
COMMENT ON COLUMN dashboard.complaint_steps.occurred_at IS 'When it happened';
COMMENT ON COLUMN dashboard.complaint_steps.channel IS 'Channel';
COMMENT ON COLUMN dashboard.complaint_steps.topic IS 'Topic as the channel said it';
COMMENT ON COLUMN dashboard.complaint_steps.team IS 'Team';
COMMENT ON COLUMN dashboard.complaint_steps.department IS 'Department';
COMMENT ON COLUMN dashboard.complaint_steps.employee_id IS 'Who acted';
