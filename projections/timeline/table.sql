-- The order of everything that happened with a customer. What an event says stays in the ledger. Its position stands in
-- the index, so that a page of a timeline is read from there alone.
CREATE TABLE timeline (
    customer_id  text NOT NULL,
    occurred_at  timestamptz NOT NULL,
    rank         smallint NOT NULL,
    event_id     uuid NOT NULL,
    type         text NOT NULL,
    position     bigint NOT NULL,
    PRIMARY KEY (customer_id, occurred_at, rank, event_id) INCLUDE (position)
);
