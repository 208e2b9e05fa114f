-- name: lock_head
NOTIFY servicetrail_ledger;
SELECT position, greatest(clock_timestamp(), recorded_at) FROM ledger.head FOR NO KEY UPDATE

-- name: copy_events
COPY ledger.events (
    position, recorded_at, originator_version, occurred_at, event_id, shard, time_assumed,
    originator_id, type, source, id, fingerprint, facts, customer_id, correlation_id, causation_id, sequence,
    personal
) FROM STDIN (FORMAT binary)
