-- A customer's tier at an instant t is that of the row with valid_from <= t < valid_to; none before the first.
-- Of several at one instant the greatest event_id counts, the others hold for no time.
CREATE TABLE customer_tiers (
    event_id     uuid NOT NULL,
    customer_id  text NOT NULL,
    valid_from   timestamptz NOT NULL,
    valid_to     timestamptz NOT NULL,
    tier         text NOT NULL,
    PRIMARY KEY (customer_id, event_id)
);
