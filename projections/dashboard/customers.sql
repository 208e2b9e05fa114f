CREATE OR REPLACE VIEW dashboard.customer_tiers AS
SELECT event_id, customer_id, tier, valid_from, valid_to
FROM read.customer_tiers
WHERE valid_from <= now() AND valid_from < valid_to;
COMMENT ON VIEW dashboard.customer_tiers IS 'One row for each stretch of time during which a customer was in a tier.';
COMMENT ON COLUMN dashboard.customer_tiers.event_id IS 'Id of the event that said so';
COMMENT ON COLUMN dashboard.customer_tiers.customer_id IS 'Opaque id of the customer';
COMMENT ON COLUMN dashboard.customer_tiers.tier IS 'most_valuable, most_growable, low_contribution or negative';
COMMENT ON COLUMN dashboard.customer_tiers.valid_from IS 'From when';
COMMENT ON COLUMN dashboard.customer_tiers.valid_to IS 'Until when; infinity: until further notice';
