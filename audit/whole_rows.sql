-- name: rows
SELECT
    position, originator_version, timestamptz_send(occurred_at), timestamptz_send(recorded_at), event_id::text, shard, time_assumed, originator_id, type,
    source, id, fingerprint, facts, customer_id, correlation_id, causation_id, sequence, personal
FROM ledger.events
WHERE position BETWEEN %(first)s AND %(last)s
ORDER BY position
