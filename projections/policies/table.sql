-- The rules that service is judged by: one row per published version, nothing is ever replaced.
--
-- In force at an instant t, as of T, is of the versions with valid_from <= t and published_at <= T the one
-- with the greatest (valid_from, published_at, event_id). So a version published later changes nothing that
-- happened before its valid_from, whenever it arrives.

CREATE TABLE calendars (
    event_id      uuid PRIMARY KEY,
    calendar_id   text NOT NULL,
    published_at  timestamptz NOT NULL,
    valid_from    timestamptz NOT NULL,
    timezone      text NOT NULL,
    weekly        jsonb NOT NULL,        -- [{"weekday": 1-7, "from": "09:00", "to": "18:00"}]
    holidays      jsonb NOT NULL         -- ["2026-12-25"]
);

CREATE TABLE service_levels (
    event_id          uuid PRIMARY KEY,
    service_level_id  text NOT NULL,
    published_at      timestamptz NOT NULL,
    valid_from        timestamptz NOT NULL,
    metric            text NOT NULL,
    channel           text,              -- null: on any channel, and so with topic, tier and severity
    topic             text,
    tier              text,
    severity          text,
    target_seconds    double precision NOT NULL,
    clock             text NOT NULL,     -- business or calendar
    calendar_id       text
);

CREATE TABLE channel_costs (
    event_id          uuid PRIMARY KEY,
    channel           text NOT NULL,
    published_at      timestamptz NOT NULL,
    valid_from        timestamptz NOT NULL,
    cost_per_minute   numeric,
    cost_per_contact  numeric,
    currency          text NOT NULL
);

CREATE TABLE authority_limits (
    event_id      uuid PRIMARY KEY,
    role          text NOT NULL,
    published_at  timestamptz NOT NULL,
    valid_from    timestamptz NOT NULL,
    max_value     numeric NOT NULL,
    currency      text NOT NULL
);

CREATE TABLE moments (
    event_id      uuid PRIMARY KEY,
    moment        text NOT NULL,
    published_at  timestamptz NOT NULL,
    valid_from    timestamptz NOT NULL,
    importance    text NOT NULL          -- key or standard
);
