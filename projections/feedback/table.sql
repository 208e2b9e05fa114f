-- What customers said, or showed, that they think.
CREATE TABLE feedback (
    event_id       uuid PRIMARY KEY,
    feedback_id    text NOT NULL,
    customer_id    text NOT NULL,
    occurred_at    timestamptz NOT NULL,
    channel        text,
    kind           text NOT NULL,
    instrument     text NOT NULL,
    score          double precision,
    scale_min      double precision,
    scale_max      double precision,
    touchpoint_id  text,
    complaint_id   text,
    promise_id     text,
    campaign_id    text,
    topic          text,
    team           text,
    department     text,
    employee_id    text
);
CREATE INDEX feedback_by_time ON feedback (occurred_at) INCLUDE (channel, score);
