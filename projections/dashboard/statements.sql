CREATE OR REPLACE VIEW dashboard.statements AS
SELECT event_id, statement_id, customer_id, occurred_at, claim_key, value, valid_until, channel, topic, team,
    department, employee_id
FROM read.statements
WHERE occurred_at <= now();
COMMENT ON VIEW dashboard.statements IS 'One row for each thing that a customer was told by now.';
COMMENT ON COLUMN dashboard.statements.event_id IS 'Id of the event';
COMMENT ON COLUMN dashboard.statements.statement_id IS 'Id of the statement';
COMMENT ON COLUMN dashboard.statements.customer_id IS 'Opaque id of the customer';
COMMENT ON COLUMN dashboard.statements.occurred_at IS 'When it was made';
COMMENT ON COLUMN dashboard.statements.claim_key IS 'What is claimed, such as price:SKU-1';
COMMENT ON COLUMN dashboard.statements.value IS 'What was said of it';
COMMENT ON COLUMN dashboard.statements.valid_until IS 'Until when it holds; null: until the channel says otherwise';
COMMENT ON COLUMN dashboard.statements.channel IS 'Channel; null: not said';
COMMENT ON COLUMN dashboard.statements.topic IS 'Topic as the channel said it';
COMMENT ON COLUMN dashboard.statements.team IS 'Team';
COMMENT ON COLUMN dashboard.statements.department IS 'Department';
COMMENT ON COLUMN dashboard.statements.employee_id IS 'Who said it';
