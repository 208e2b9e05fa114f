-- Everything that happened with a customer, in order. What an event says stays in the ledger.
CREATE TABLE timeline (
    customer_id  text NOT NULL,
    occurred_at  timestamptz NOT NULL,
    rank         smallint NOT NULL,
    event_id     uuid NOT NULL,
    type         text NOT NULL,
    channel      text,
    employee_id  text,
    position     bigint NOT NULL,
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (customer_id, occurred_at, rank, event_id)
);
