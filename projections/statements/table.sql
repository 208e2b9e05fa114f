-- What customers were told, one row per statement.
CREATE TABLE statements (
    event_id      uuid PRIMARY KEY,
    statement_id  text NOT NULL,
    customer_id   text NOT NULL,
    occurred_at   timestamptz NOT NULL,
    claim_key     text COLLATE "C" NOT NULL,
    value         text COLLATE "C" NOT NULL,
    valid_until   timestamptz,             -- null: until the same channel tells something else
    channel       text COLLATE "C",
    topic         text,
    team          text,
    department    text,
    employee_id   text
);
CREATE INDEX statements_of_claim ON statements (claim_key, occurred_at);
