-- name: all
SELECT name, known_at, position, started_at, built_at FROM ledger.side_schemas ORDER BY name

-- name: one
SELECT name, known_at, position, started_at, built_at FROM ledger.side_schemas WHERE name = %(name)s

-- name: make
SELECT ledger.make_side_schema(%(name)s)

-- name: enter
INSERT INTO ledger.side_schemas (name, known_at, position) VALUES (%(name)s, %(known_at)s, %(position)s)

-- name: complete
UPDATE ledger.side_schemas SET built_at = clock_timestamp() WHERE name = %(name)s

-- name: remove
DELETE FROM ledger.side_schemas WHERE name = %(name)s

-- name: ends
SELECT position, recorded_at, clock_timestamp() FROM ledger.head
