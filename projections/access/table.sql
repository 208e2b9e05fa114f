-- Who looked, and who did what: one row per event.
CREATE TABLE access_log (
    event_id     uuid PRIMARY KEY,
    position     bigint NOT NULL,
    occurred_at  timestamptz NOT NULL,
    who          text NOT NULL,
    role         text,
    token_id     text,
    via          text NOT NULL,
    action       text NOT NULL,
    question     text,
    kind         text,
    ids          jsonb NOT NULL,
    customer_id  text,
    details      text
);
CREATE INDEX access_log_by_time ON access_log (occurred_at, event_id);
CREATE INDEX access_log_of_customer ON access_log (customer_id, occurred_at);
CREATE INDEX access_log_of_customers ON access_log USING gin (ids) WHERE customer_id IS NULL AND kind = 'customer';
