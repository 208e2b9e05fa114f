-- What the back office was asked for, and how long the front waited for it.

-- One row per event.
CREATE TABLE support_facts (
    event_id      uuid PRIMARY KEY,
    request_id    text NOT NULL,
    customer_id   text NOT NULL,
    type          text NOT NULL,
    occurred_at   timestamptz NOT NULL,
    rank          smallint NOT NULL,
    kind          text,                -- requested, and so all below but the last
    complaint_id  text,
    promise_id    text,
    case_id       text,
    channel       text,
    topic         text,
    product       text,
    team          text,
    department    text,
    employee_id   text,
    fulfilled     boolean              -- answered
);
CREATE INDEX support_facts_of_request ON support_facts (request_id);

-- As of T there are the requests with requested_at <= T; they are answered once answered_at <= T, and fulfilled
-- once fulfilled_at <= T. The first answer ends the waiting, and a later one may still fulfil the request.
CREATE TABLE support_requests (
    request_id    text PRIMARY KEY,
    customer_id   text NOT NULL,
    kind          text NOT NULL,
    requested_at  timestamptz NOT NULL,
    requested_by  uuid NOT NULL,
    answered_at   timestamptz,
    answered_by   uuid,
    fulfilled_at  timestamptz,
    fulfilled_by  uuid,
    complaint_id  text,
    promise_id    text,
    case_id       text,
    channel       text,
    topic         text,
    product       text,
    team          text,
    department    text,
    employee_id   text
);
CREATE INDEX support_requests_by_time ON support_requests (requested_at);
CREATE INDEX support_requests_of_customer ON support_requests (customer_id, requested_at);
