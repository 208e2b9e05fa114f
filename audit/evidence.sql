-- name: of_customer
SELECT {columns} FROM ledger.events
WHERE customer_id = %(name)s AND position <= %(size)s
ORDER BY position

-- name: of_thing
SELECT {columns} FROM ledger.events
WHERE originator_id = %(name)s AND position <= %(size)s
ORDER BY position

-- name: at_position
SELECT {columns} FROM ledger.events WHERE position = %(position)s

-- name: columns
position, originator_version, occurred_at, recorded_at, encode(uuid_send(event_id), 'hex'), shard, time_assumed,
originator_id, type, source, id, encode(fingerprint, 'hex'), facts, customer_id, correlation_id, causation_id,
sequence, personal

-- name: schemas
SELECT encode(fingerprint, 'hex'), type, definition FROM ledger.schemas
WHERE encode(fingerprint, 'hex') = ANY (%(fingerprints)s)
ORDER BY type
