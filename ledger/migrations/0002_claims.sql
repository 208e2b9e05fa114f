-- Who follows a source of events may claim its position: with each claim the number grows, and only
-- the last one to claim can move the position on.
ALTER TABLE ledger.tracking ADD COLUMN claim bigint NOT NULL DEFAULT 0;
