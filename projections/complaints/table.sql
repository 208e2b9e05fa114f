-- Complaints and every step of their recovery.

-- One row per event of a complaint, with the type's own fields in `data` (nothing personal). What
-- happened by T is WHERE occurred_at <= T, what was known by T is WHERE recorded_at <= T.
CREATE TABLE complaint_steps (
    event_id      uuid PRIMARY KEY,
    complaint_id  text NOT NULL,
    customer_id   text NOT NULL,
    type          text NOT NULL,
    occurred_at   timestamptz NOT NULL,
    rank          smallint NOT NULL,
    channel       text,
    topic         text,
    product       text,
    team          text,
    department    text,
    employee_id   text,
    case_id       text,
    severity      text,              -- raised
    outcome       text,              -- closed
    data          jsonb NOT NULL,
    position      bigint NOT NULL,
    recorded_at   timestamptz NOT NULL
);
CREATE INDEX complaint_steps_of_complaint ON complaint_steps (complaint_id, occurred_at, rank, event_id);

-- A row holds as of every instant T with visible_from <= T < visible_to; there the complaint is closed
-- once closed_at <= T. Reopening begins a new row, and the closing before it stays in the old one.
CREATE TABLE complaints (
    complaint_id     text NOT NULL,
    visible_from     timestamptz NOT NULL,
    visible_to       timestamptz NOT NULL,
    customer_id      text NOT NULL,
    channel          text NOT NULL,
    severity         text NOT NULL,
    topic            text,
    product          text,
    team             text,
    department       text,
    raised_at        timestamptz NOT NULL,
    raised_by        uuid NOT NULL,
    closed_at        timestamptz,
    closed_by        uuid,
    outcome          text,
    first_closed_at  timestamptz,
    reopened_at      timestamptz,
    reopened         integer NOT NULL,
    PRIMARY KEY (complaint_id, visible_from)
);
CREATE INDEX complaints_by_time ON complaints (raised_at) INCLUDE (channel, visible_from, visible_to);
CREATE INDEX complaints_of_customer ON complaints (customer_id, raised_at);
-- Whether what was planned against keeps coming back: by root cause, and by who says that it came back.
CREATE INDEX complaint_steps_by_root_cause ON complaint_steps ((data->>'root_cause'))
    WHERE type = 'complaint.prevention_planned.v1';
CREATE INDEX complaint_steps_repeating ON complaint_steps ((data->>'repeat_of'))
    WHERE data ? 'repeat_of';
