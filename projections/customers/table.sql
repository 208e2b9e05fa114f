-- What is known of customers beside their conversations.

-- A customer's tier at an instant t is that of the row with valid_from <= t < valid_to; none before the first.
-- Of several at one instant the greatest event_id counts, the others hold for no time. Whoever changes rows says since
-- which day (projections/days.py): programs keep in memory what is told by tier.
CREATE TABLE customer_tiers (
    event_id      uuid NOT NULL,
    customer_id   text NOT NULL,
    valid_from    timestamptz NOT NULL,
    valid_to      timestamptz NOT NULL,
    tier          text NOT NULL,
    contribution  numeric,
    currency      text,
    PRIMARY KEY (customer_id, event_id)
);

-- In these a row is an event, and nothing is ever replaced: as of T, those with occurred_at <= T count.

CREATE TABLE purchases (
    event_id     uuid PRIMARY KEY,
    customer_id  text NOT NULL,
    occurred_at  timestamptz NOT NULL,
    order_id     text NOT NULL,
    amount       numeric,
    currency     text,
    campaign_id  text,
    channel      text,
    product      text
);
CREATE INDEX purchases_of_customer ON purchases (customer_id, occurred_at);

-- The customer is lost, as far as anybody knows, until a later purchase.
CREATE TABLE lapses (
    event_id     uuid PRIMARY KEY,
    customer_id  text NOT NULL,
    occurred_at  timestamptz NOT NULL,
    reason       text
);
CREATE INDEX lapses_of_customer ON lapses (customer_id, occurred_at);

-- The last one says how it stands.
CREATE TABLE credit_changes (
    event_id     uuid PRIMARY KEY,
    customer_id  text NOT NULL,
    occurred_at  timestamptz NOT NULL,
    state        text NOT NULL               -- frozen or released
);
CREATE INDEX credit_changes_of_customer ON credit_changes (customer_id, occurred_at);

-- Two ids are one person from the event that says so (merged) until the one that takes it back.
CREATE TABLE merges (
    event_id            uuid PRIMARY KEY,
    customer_id         text NOT NULL,
    merged_customer_id  text NOT NULL,
    occurred_at         timestamptz NOT NULL,
    rank                smallint NOT NULL,
    merged              boolean NOT NULL,    -- false: unmerged
    position            bigint NOT NULL,
    recorded_at         timestamptz NOT NULL
);
CREATE INDEX merges_of_customer ON merges (customer_id);
CREATE INDEX merges_into_customer ON merges (merged_customer_id);
