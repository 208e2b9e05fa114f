-- The ledger: one append-only table of events in one gapless order, and what the intake keeps beside it.
-- Identifiers are compared and sorted byte by byte (COLLATE "C"): the same on every server, and cheaper.

CREATE SCHEMA intake;
CREATE SCHEMA read AUTHORIZATION servicetrail_writer;

-- Columns of fixed width stand first: no padding between them, and they are found without a walk.
CREATE TABLE ledger.events (
    position            bigint PRIMARY KEY,
    originator_version  bigint NOT NULL,
    occurred_at         timestamptz NOT NULL,
    recorded_at         timestamptz NOT NULL,
    event_id            uuid NOT NULL CONSTRAINT event_recorded_once UNIQUE,
    shard               smallint NOT NULL,
    time_assumed        boolean NOT NULL,
    originator_id       text COLLATE "C" NOT NULL,
    type                text COLLATE "C" NOT NULL,
    source              text COLLATE "C" NOT NULL,
    id                  text COLLATE "C" NOT NULL,
    fingerprint         bytea NOT NULL,
    facts               bytea NOT NULL,
    customer_id         text COLLATE "C",
    correlation_id      text COLLATE "C",
    causation_id        text COLLATE "C",
    sequence            bigint,
    personal            bytea,
    CONSTRAINT one_event_per_version UNIQUE (originator_id, originator_version)
);
-- Ciphertext does not compress.
ALTER TABLE ledger.events ALTER COLUMN personal SET STORAGE EXTERNAL;
CREATE INDEX events_of_customer ON ledger.events (customer_id, position) WHERE customer_id IS NOT NULL;
CREATE INDEX events_with_sequence ON ledger.events (source, sequence) WHERE sequence IS NOT NULL;

-- One row: where the ledger ends. Its row lock is the one short lock of every append.
CREATE TABLE ledger.head (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position     bigint NOT NULL DEFAULT 0,
    recorded_at  timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 10);
INSERT INTO ledger.head DEFAULT VALUES;

CREATE TABLE ledger.tracking (
    application_name  text COLLATE "C" PRIMARY KEY,
    notification_id   bigint NOT NULL
);

-- What applications of the eventsourcing library keep per aggregate outside the ledger's order.
CREATE TABLE ledger.snapshots (
    purpose             text COLLATE "C" NOT NULL,
    originator_id       text COLLATE "C" NOT NULL,
    originator_version  bigint NOT NULL,
    topic               text COLLATE "C" NOT NULL,
    state               bytea NOT NULL,
    PRIMARY KEY (purpose, originator_id, originator_version)
);

-- Data keys, one per subject ("customer:<id>", or "intake" for inputs whose customer is not known),
-- wrapped by the master key. A destroyed key keeps its row, so that nobody makes a second one by accident.
CREATE TABLE ledger.keys (
    subject       text COLLATE "C" PRIMARY KEY,
    wrapped       bytea,
    master_key    text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    destroyed_at  timestamptz,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);

-- Every schema that facts were ever written with, so that they can be read without this program.
CREATE TABLE ledger.schemas (
    fingerprint  bytea PRIMARY KEY,
    type         text COLLATE "C" NOT NULL,
    definition   text NOT NULL
);

-- Inputs that did not simply become an event, byte for byte and encrypted.
CREATE TABLE intake.kept (
    kept_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state          text NOT NULL CHECK (state IN ('parked', 'settled', 'conflict', 'rejected')),
    event_id       uuid NOT NULL,
    source         text COLLATE "C" NOT NULL,
    id             text COLLATE "C" NOT NULL,
    type           text COLLATE "C",
    customer_id    text COLLATE "C",
    originator_id  text COLLATE "C",
    waits_for      text COLLATE "C",
    reason         text NOT NULL,
    message        text NOT NULL,
    path           text,
    sequence       bigint,
    origin         jsonb NOT NULL,
    key_subject    text COLLATE "C" NOT NULL,
    sealed         bytea NOT NULL,
    first_seen     timestamptz NOT NULL,
    last_seen      timestamptz NOT NULL,
    attempts       integer NOT NULL DEFAULT 1,
    position       bigint
);
CREATE UNIQUE INDEX parked_once ON intake.kept (event_id) WHERE state = 'parked';
CREATE INDEX parked_by_stream ON intake.kept (originator_id) WHERE state = 'parked';
CREATE INDEX kept_by_event ON intake.kept (event_id);
CREATE INDEX kept_by_source ON intake.kept (source, first_seen);

CREATE TABLE intake.duplicates (
    event_id    uuid PRIMARY KEY,
    source      text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    seen        bigint NOT NULL,
    first_seen  timestamptz NOT NULL,
    last_seen   timestamptz NOT NULL
);

-- What came through the door: one row per batch and source. When parked inputs settle, a row with the
-- time of their receipt moves them (parked -1, appended +1), so that sums hold for any period.
CREATE TABLE intake.tally (
    received_at  timestamptz NOT NULL,
    source       text COLLATE "C" NOT NULL,
    received     bigint NOT NULL,
    appended     bigint NOT NULL,
    duplicate    bigint NOT NULL,
    conflict     bigint NOT NULL,
    parked       bigint NOT NULL,
    rejected     bigint NOT NULL
);
CREATE INDEX tally_by_time ON intake.tally (received_at);

-- Moves the head over the rows that one statement has appended, and refuses rows that do not
-- follow it without a gap, or whose time is before the head's or in the future. It runs as the
-- owner: the program may lock the head but not write it, so that no mistake of the program can
-- leave a gap or hand out a position twice.
CREATE FUNCTION ledger.move_head() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    appended record;
BEGIN
    SELECT count(*) AS events, min(position) AS first, max(position) AS last,
           min(recorded_at) AS earliest, max(recorded_at) AS latest
    INTO appended FROM new_events;
    IF appended.events = 0 THEN
        RETURN NULL;
    END IF;
    UPDATE ledger.head SET position = appended.last, recorded_at = appended.latest
    WHERE position = appended.first - 1
      AND appended.last - appended.first + 1 = appended.events
      AND appended.earliest = appended.latest
      -- A minute, because a clock may be set back while we write.
      AND appended.latest BETWEEN recorded_at AND greatest(recorded_at, clock_timestamp() + interval '1 min');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'events must follow the head of the ledger: % events at positions % to %, recorded at % to %',
            appended.events, appended.first, appended.last, appended.earliest, appended.latest
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER gapless AFTER INSERT ON ledger.events
    REFERENCING NEW TABLE AS new_events
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.move_head();

CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % on %.% is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger.events
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger.events
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
-- ALWAYS: also in a session that calls itself a replica (session_replication_role).
ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER gapless;
ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER append_only_truncate;

GRANT USAGE ON SCHEMA ledger, intake TO servicetrail_writer;
GRANT SELECT ON ledger.migrations TO servicetrail_writer;
GRANT SELECT, INSERT ON ledger.events, ledger.schemas, ledger.snapshots TO servicetrail_writer;
-- A row lock asks for the right to update some column; this one can only hold true.
GRANT SELECT, UPDATE (only_row) ON ledger.head TO servicetrail_writer;
GRANT SELECT, INSERT, UPDATE ON ledger.tracking, ledger.keys TO servicetrail_writer;
GRANT SELECT, INSERT, UPDATE ON intake.kept, intake.duplicates TO servicetrail_writer;
GRANT SELECT, INSERT ON intake.tally TO servicetrail_writer;
