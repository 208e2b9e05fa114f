-- name: snapshot
SELECT pg_export_snapshot()

-- name: ends
SELECT h.position, timestamptz_send(h.recorded_at), l.origin, r.number,
    (SELECT count(*) FROM ledger.events WHERE position < 1 OR position > h.position)
FROM ledger.head AS h, seal.log AS l, seal.register_head AS r

-- name: checkpoints
SELECT number, size, register_size, timestamptz_send(sealed_at), note FROM seal.checkpoints ORDER BY number

-- name: signers
SELECT key, first_checkpoint FROM seal.signers

-- name: register
SELECT number, timestamptz_send(at), what, subject, digest FROM seal.register ORDER BY number

-- name: keys
SELECT subject, wrapped, master_key, timestamptz_send(created_at), timestamptz_send(destroyed_at) FROM ledger.keys

-- name: schemas
SELECT fingerprint, type, definition FROM ledger.schemas

-- name: tiles
SELECT level, number, hashes FROM seal.tiles WHERE tree = %(tree)s ORDER BY level, number

-- name: customers
SELECT bucket, root, entries FROM seal.customers ORDER BY bucket
