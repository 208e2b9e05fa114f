-- name: columns
position, encode(uuid_send(event_id), 'hex'), originator_id, originator_version, type, customer_id, source, id,
occurred_at, time_assumed, recorded_at, sequence, correlation_id, causation_id, fingerprint, facts, personal

-- name: events_after
SELECT {columns} FROM ledger.events
WHERE position > %(position)s AND position <= %(until)s
ORDER BY position
LIMIT %(limit)s

-- name: events_of_customer
SELECT {columns} FROM ledger.events
WHERE customer_id = %(customer_id)s AND position > %(position)s AND position <= %(until)s
ORDER BY position
LIMIT %(limit)s

-- name: event_by_position
SELECT {columns} FROM ledger.events
WHERE position = %(position)s

-- name: last_position
SELECT position FROM ledger.head
