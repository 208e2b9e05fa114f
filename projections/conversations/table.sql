-- Touchpoints, the conversations they form, and how long customers waited in them.
--
-- A row with visible_from and visible_to holds as of every instant T with visible_from <= T < visible_to,
-- and the time it ended counts once ended_at <= T: so a question about any instant is a plain WHERE.
--
-- Whoever changes rows says on which days they lie (projections/days.py): programs keep them in memory.

-- Every version of every touchpoint: the record and its corrections, each a whole record.
CREATE TABLE touchpoints (
    event_id          uuid NOT NULL,
    touchpoint_id     text NOT NULL,
    customer_id       text NOT NULL,
    case_id           text,
    occurred_at       timestamptz NOT NULL,  -- infinity: a correction without a time, its record not known yet
    keeps_time        boolean NOT NULL,      -- a correction that leaves the time as recorded
    corrects          boolean NOT NULL,
    visible_from      timestamptz NOT NULL,
    visible_to        timestamptz NOT NULL,
    -- Its effect may reach beyond its own case: a correction, or a reply to a touchpoint elsewhere.
    reaches           boolean NOT NULL,
    direction         text NOT NULL,
    channel           text NOT NULL,
    handled_by        text NOT NULL,
    expects_reply     boolean NOT NULL,
    in_reply_to       text,
    outcome           text,
    topic             text,
    team              text,
    department        text,
    employee_id       text,
    product           text,
    moment            text,
    stage             text,
    duration_seconds  double precision,
    handling_seconds  double precision,
    concurrency       integer NOT NULL
);
-- Each index is dear: this one finds threads and keeps an event from being taken twice.
CREATE UNIQUE INDEX touchpoints_of_thread
    ON touchpoints (customer_id, coalesce(case_id, ''), event_id);
CREATE INDEX touchpoints_reaching ON touchpoints (customer_id) WHERE reaches;
CREATE INDEX touchpoints_by_time ON touchpoints (occurred_at)
    INCLUDE (channel, direction, customer_id, outcome, topic, handling_seconds, concurrency,
        visible_from, visible_to);

-- A conversation belongs to the touchpoint that opened it: to its channel, topic, team.
CREATE TABLE conversations (
    conversation_id  text NOT NULL,
    visible_from     timestamptz NOT NULL,
    visible_to       timestamptz NOT NULL,
    customer_id      text NOT NULL,
    case_id          text,
    started_at       timestamptz NOT NULL,
    opened_by        uuid NOT NULL,
    channel          text NOT NULL,
    topic            text,
    team             text,
    department       text,
    PRIMARY KEY (started_at, conversation_id, visible_from) INCLUDE (channel, visible_to)
);

-- Half-open [started_at, ended_at), from the touchpoint that waited to the one that ended the wait.
-- Not ended: still waiting. channel, topic, team, department are those of the touchpoint that waited.
CREATE TABLE intervals (
    metric               text NOT NULL,
    started_by           uuid NOT NULL,
    visible_from         timestamptz NOT NULL,
    visible_to           timestamptz NOT NULL,
    conversation_id      text NOT NULL,
    customer_id          text NOT NULL,
    started_at           timestamptz NOT NULL,
    ended_at             timestamptz,
    ended_by             uuid,
    channel              text NOT NULL,
    topic                text,
    team                 text,
    department           text,
    answered_team        text,
    answered_department  text,
    employee_id          text,               -- who ended the wait
    PRIMARY KEY (metric, started_at, started_by, visible_from)
        INCLUDE (channel, ended_at, visible_to, customer_id, topic)
);
