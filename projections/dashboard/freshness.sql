CREATE OR REPLACE VIEW dashboard.freshness AS
SELECT name AS read_model, min(version) AS version, min(position) AS position, min(recorded_at) AS recorded_at
FROM read.position
GROUP BY name;
COMMENT ON VIEW dashboard.freshness IS 'One row for each read model: how far it has come. Read it in the same transaction as the figures (REPEATABLE READ) and put the lowest position beside them.';
COMMENT ON COLUMN dashboard.freshness.read_model IS 'Name of the read model';
COMMENT ON COLUMN dashboard.freshness.version IS 'Its version; another one is built anew';
COMMENT ON COLUMN dashboard.freshness.position IS 'It holds all events up to this position of the ledger';
COMMENT ON COLUMN dashboard.freshness.recorded_at IS 'When the event at that position was recorded';
