-- name: make
INSERT INTO ledger.keys (subject, wrapped, master_key)
SELECT subject, wrapped, %(master_key)s
FROM unnest(%(subjects)s::text[], %(wrapped)s::bytea[]) AS new (subject, wrapped)
ON CONFLICT (subject) DO NOTHING

-- name: read
SELECT subject, wrapped FROM ledger.keys WHERE subject = ANY (%(subjects)s::text[])

-- name: other_master
SELECT 1 FROM ledger.keys WHERE wrapped IS NOT NULL AND master_key <> %(master_key)s LIMIT 1

-- name: lock
LOCK TABLE ledger.keys IN SHARE ROW EXCLUSIVE MODE

-- name: all
SELECT subject, wrapped FROM ledger.keys WHERE wrapped IS NOT NULL

-- name: rewrap
UPDATE ledger.keys SET wrapped = new.wrapped, master_key = %(master_key)s
FROM unnest(%(subjects)s::text[], %(wrapped)s::bytea[]) AS new (subject, wrapped)
WHERE keys.subject = new.subject
