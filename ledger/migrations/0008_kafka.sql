-- Somebody has looked at what was rejected up to an input, of one topic or (null) of all: it counts no
-- more for the share of rejected records above which consumers stop. Only ever added to.
CREATE TABLE intake.looks (
    look_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT now(),
    who      text NOT NULL,
    topic    text COLLATE "C",
    up_to    bigint NOT NULL
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON intake.looks
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON intake.looks
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
ALTER TABLE intake.looks ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE intake.looks ENABLE ALWAYS TRIGGER append_only_truncate;

CREATE INDEX rejected_by_offset ON intake.kept (
    (origin ->> 'topic'), ((origin ->> 'partition')::integer), ((origin ->> 'offset')::bigint)
) WHERE state = 'rejected' AND origin ->> 'topic' IS NOT NULL;

-- In which election's time the record before a position was written. An end of a log that was lost
-- and written anew is of a later one, by which brokers tell that it is not what was read.
ALTER TABLE ledger.tracking ADD COLUMN leader_epoch integer;

-- Which schemas the numbers of a schema registry stand for, for as long as it does not answer.
CREATE TABLE ledger.registry_numbers (
    registry     text COLLATE "C" NOT NULL,
    number       integer NOT NULL,
    fingerprint  bytea NOT NULL REFERENCES ledger.schemas,
    PRIMARY KEY (registry, number)
);

GRANT SELECT, INSERT ON intake.looks TO servicetrail_writer;
GRANT SELECT, INSERT, UPDATE ON ledger.registry_numbers TO servicetrail_writer;
