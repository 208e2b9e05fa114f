-- Promises and what became of them.

-- What was said about promises, one row per event.
CREATE TABLE promise_facts (
    event_id            uuid PRIMARY KEY,
    promise_id          text NOT NULL,
    customer_id         text NOT NULL,
    type                text NOT NULL,
    occurred_at         timestamptz NOT NULL,
    rank                smallint NOT NULL,
    due_at              timestamptz,       -- made, revised
    customer_consented  boolean,           -- revised, withdrawn
    channel             text,
    topic               text,
    team                text,
    department          text,
    employee_id         text,
    aspect              text,              -- made
    claim_key           text,              -- made
    promised_value      text,              -- made
    observed_value      text,              -- kept
    complaint_id        text,              -- made
    -- made: weighed against each of these, it is below, meets or is above it; null: not weighed
    industry_standard   text,
    competitor          text,
    customer_need       text,
    internal_resources  text,
    differentiator      text               -- made: what makes up for being below the competitor
);
CREATE INDEX promise_facts_of_promise ON promise_facts (promise_id);

-- A row holds as of every instant T with visible_from <= T < visible_to. There the promise is due at
-- due_at; once settled_at <= T its verdict counts, before that it is pending until due_at, then overdue.
CREATE TABLE promises (
    promise_id          text NOT NULL,
    visible_from        timestamptz NOT NULL,
    visible_to          timestamptz NOT NULL,
    customer_id         text NOT NULL,
    channel             text NOT NULL,
    made_at             timestamptz NOT NULL,
    made_by             uuid NOT NULL,
    due_at              timestamptz NOT NULL,
    due_by              uuid NOT NULL,     -- the event that set the due time in force
    settled_at          timestamptz,
    settled_by          uuid,
    verdict             text CHECK (verdict IN ('kept', 'kept_late', 'broken', 'withdrawn')),
    topic               text,
    team                text,
    department          text,
    employee_id         text,
    aspect              text,
    claim_key           text,
    promised_value      text,
    observed_value      text,
    complaint_id        text,
    industry_standard   text,
    competitor          text,
    customer_need       text,
    internal_resources  text,
    differentiator      text,
    PRIMARY KEY (promise_id, visible_from)
);
CREATE INDEX promises_by_due ON promises (due_at)
    INCLUDE (channel, settled_at, verdict, visible_from, visible_to);
CREATE INDEX promises_of_customer ON promises (customer_id, made_at);
