CREATE OR REPLACE VIEW dashboard.promises AS
SELECT promise_id, customer_id, channel, topic, team, department, employee_id, aspect, claim_key,
    promised_value,
    CASE WHEN settled_at <= now() THEN observed_value END AS observed_value,
    complaint_id, made_at, due_at,
    CASE WHEN settled_at <= now() THEN settled_at END AS settled_at,
    CASE WHEN settled_at <= now() THEN verdict WHEN due_at < now() THEN 'overdue' ELSE 'pending' END
        AS verdict,
    made_by,
    CASE WHEN settled_at <= now() THEN settled_by END AS settled_by,
    CASE WHEN settled_at <= now() AND verdict = 'kept_late' THEN extract(epoch FROM settled_at - due_at)::float8
        WHEN coalesce(settled_at > now(), true) AND due_at < now() THEN extract(epoch FROM now() - due_at)::float8
    END AS late_seconds
FROM read.promises
WHERE visible_from <= now() AND visible_to > now();
COMMENT ON VIEW dashboard.promises IS 'One row for each promise made by now, with its verdict now.';
COMMENT ON COLUMN dashboard.promises.promise_id IS 'Id of the promise';
COMMENT ON COLUMN dashboard.promises.customer_id IS 'Opaque id of the customer';
COMMENT ON COLUMN dashboard.promises.channel IS 'Channel on which it was made';
COMMENT ON COLUMN dashboard.promises.topic IS 'Topic as the channel said it';
COMMENT ON COLUMN dashboard.promises.team IS 'Team, of whoever promised';
COMMENT ON COLUMN dashboard.promises.department IS 'Department, of whoever promised';
COMMENT ON COLUMN dashboard.promises.employee_id IS 'Who promised';
COMMENT ON COLUMN dashboard.promises.aspect IS 'advertised, delivered or serviced';
COMMENT ON COLUMN dashboard.promises.claim_key IS 'What is claimed, to be compared with other promises and statements';
COMMENT ON COLUMN dashboard.promises.promised_value IS 'The value promised';
COMMENT ON COLUMN dashboard.promises.observed_value IS 'The value delivered; null until it is kept';
COMMENT ON COLUMN dashboard.promises.complaint_id IS 'The complaint it belongs to';
COMMENT ON COLUMN dashboard.promises.made_at IS 'When it was made';
COMMENT ON COLUMN dashboard.promises.due_at IS 'When it is due, as the customer last consented';
COMMENT ON COLUMN dashboard.promises.settled_at IS 'When it was kept, broken or withdrawn; null: not yet';
COMMENT ON COLUMN dashboard.promises.verdict IS 'kept, kept_late, broken (declared), overdue, pending or withdrawn';
COMMENT ON COLUMN dashboard.promises.made_by IS 'Id of the event that made it';
COMMENT ON COLUMN dashboard.promises.settled_by IS 'Id of the event that settled it';
COMMENT ON COLUMN dashboard.promises.late_seconds IS 'kept_late: from due to kept; overdue: from due until now; null otherwise';

CREATE OR REPLACE VIEW dashboard.promise_versions AS
SELECT promise_id, customer_id, channel, topic, team, department, employee_id, aspect, claim_key,
    promised_value,
    observed_value, complaint_id, made_at, due_at, settled_at, verdict, made_by, settled_by,
    visible_from, visible_to
FROM read.promises;
COMMENT ON VIEW dashboard.promise_versions IS 'One row for each stretch of time during which a promise stood unchanged. As of T its verdict counts if settled_at <= T; before that it is overdue if due_at < T, else pending.';
COMMENT ON COLUMN dashboard.promise_versions.promise_id IS 'Id of the promise';
COMMENT ON COLUMN dashboard.promise_versions.customer_id IS 'Opaque id of the customer';
COMMENT ON COLUMN dashboard.promise_versions.channel IS 'Channel on which it was made';
COMMENT ON COLUMN dashboard.promise_versions.topic IS 'Topic as the channel said it';
COMMENT ON COLUMN dashboard.promise_versions.team IS 'Team, of whoever promised';
COMMENT ON COLUMN dashboard.promise_versions.department IS 'Department, of whoever promised';
COMMENT ON COLUMN dashboard.promise_versions.employee_id IS 'Who promised';
COMMENT ON COLUMN dashboard.promise_versions.aspect IS 'advertised, delivered or serviced';
COMMENT ON COLUMN dashboard.promise_versions.claim_key IS 'What is claimed, to be compared with other promises and statements';
COMMENT ON COLUMN dashboard.promise_versions.promised_value IS 'The value promised';
COMMENT ON COLUMN dashboard.promise_versions.observed_value IS 'The value delivered; null until it is kept';
COMMENT ON COLUMN dashboard.promise_versions.complaint_id IS 'The complaint it belongs to';
COMMENT ON COLUMN dashboard.promise_versions.made_at IS 'When it was made';
COMMENT ON COLUMN dashboard.promise_versions.due_at IS 'When it is due, as the customer last consented';
COMMENT ON COLUMN dashboard.promise_versions.settled_at IS 'When it was kept, broken or withdrawn; null: not yet';
COMMENT ON COLUMN dashboard.promise_versions.verdict IS 'What settled_at makes of it: kept, kept_late, broken or withdrawn; null: nothing settles it';
COMMENT ON COLUMN dashboard.promise_versions.made_by IS 'Id of the event that made it';
COMMENT ON COLUMN dashboard.promise_versions.settled_by IS 'Id of the event that settled it';
COMMENT ON COLUMN dashboard.promise_versions.visible_from IS 'The row holds as of every instant T with visible_from <= T < visible_to';
COMMENT ON COLUMN dashboard.promise_versions.visible_to IS 'See visible_from; infinity: until further notice';
