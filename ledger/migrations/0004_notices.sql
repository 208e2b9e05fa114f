-- What those who published over Kafka are still to be told: written in the transaction that refuses
-- their record, taken away once it stands in the topic that they read. `name` is the same however
-- often it is told.
CREATE TABLE intake.notices (
    notice_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           uuid NOT NULL DEFAULT gen_random_uuid(),
    kept_id        bigint NOT NULL REFERENCES intake.kept,
    at             timestamptz NOT NULL,
    outcome        text NOT NULL CHECK (outcome IN ('conflict', 'rejected')),
    reason         text NOT NULL,
    message        text NOT NULL,
    path           text,
    topic          text COLLATE "C" NOT NULL,
    partition      integer NOT NULL,
    record_offset  bigint NOT NULL
);
CREATE INDEX notices_of_topic ON intake.notices (topic, notice_id);

GRANT SELECT, INSERT, DELETE ON intake.notices TO servicetrail_writer;
