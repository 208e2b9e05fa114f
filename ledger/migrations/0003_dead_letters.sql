-- What people do about kept inputs: redrive, repair, discard; and every step of it on record.

-- `outcome` is what the account counts the input as, so that an input can leave the list of what is
-- open without leaving the account. `attempts` is how many receipts are counted there.
-- `became` is the event that a redriven input is in the ledger as, `repairs` the first of the inputs
-- that this one is a repaired version of.
-- `queue_change` numbers, under the ledger's lock, whatever changes a queue of parked inputs.
ALTER TABLE intake.kept
    ADD COLUMN outcome text,
    ADD COLUMN became uuid,
    ADD COLUMN repairs bigint REFERENCES intake.kept,
    ADD COLUMN queue_change bigint,
    DROP CONSTRAINT kept_state_check;
UPDATE intake.kept
SET outcome = CASE state WHEN 'settled' THEN 'appended' ELSE state END,
    queue_change = CASE state WHEN 'parked' THEN kept_id END;
ALTER TABLE intake.kept
    ALTER COLUMN outcome SET NOT NULL,
    ADD CONSTRAINT kept_state_check CHECK (
        (state IN ('parked', 'conflict', 'rejected') AND outcome = state)
        OR (state = 'settled' AND outcome = 'appended')
        OR (state = 'redriven' AND outcome IN ('appended', 'duplicate', 'conflict', 'rejected'))
        OR (state = 'discarded' AND outcome IN ('conflict', 'rejected'))
    ),
    ADD CONSTRAINT parked_in_a_queue CHECK (state <> 'parked' OR queue_change IS NOT NULL);

CREATE SEQUENCE intake.queue_changes;
SELECT setval('intake.queue_changes', (SELECT coalesce(max(kept_id), 0) + 1 FROM intake.kept));

CREATE INDEX kept_by_queue_change ON intake.kept (queue_change) WHERE queue_change IS NOT NULL;
CREATE INDEX kept_open ON intake.kept (kept_id) WHERE state IN ('parked', 'conflict', 'rejected');
CREATE INDEX kept_by_became ON intake.kept (became) WHERE became IS NOT NULL;
CREATE INDEX kept_by_repairs ON intake.kept (repairs) WHERE repairs IS NOT NULL;

-- What happened to a kept input after it was first received; only ever added to.
CREATE TABLE intake.steps (
    step_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kept_id   bigint NOT NULL REFERENCES intake.kept,
    at        timestamptz NOT NULL,
    step      text NOT NULL
        CHECK (step IN ('received', 'redriven', 'repaired', 'refused', 'discarded', 'revealed')),
    outcome   text,
    reason    text,
    path      text,
    position  bigint,
    who       text,
    remark    text
);
CREATE INDEX steps_of_kept ON intake.steps (kept_id, step_id);

-- When the receipts between the first and the last came was not written down until now.
INSERT INTO intake.steps (kept_id, at, step, outcome, reason)
SELECT kept_id, last_seen, 'received', outcome, reason
FROM intake.kept, generate_series(2, attempts);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON intake.steps
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON intake.steps
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
ALTER TABLE intake.steps ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE intake.steps ENABLE ALWAYS TRIGGER append_only_truncate;

GRANT SELECT, INSERT ON intake.steps TO servicetrail_writer;
GRANT USAGE ON SEQUENCE intake.queue_changes TO servicetrail_writer;
