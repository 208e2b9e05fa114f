-- name: register_schemas
INSERT INTO ledger.schemas (fingerprint, type, definition) VALUES %s
ON CONFLICT (fingerprint) DO NOTHING

-- name: duplicates
INSERT INTO intake.duplicates AS known (event_id, source, id, seen, first_seen, last_seen) VALUES %s
ON CONFLICT (event_id) DO UPDATE
SET seen = known.seen + excluded.seen, last_seen = excluded.last_seen

-- name: lock_head
SELECT position FROM ledger.head FOR NO KEY UPDATE
