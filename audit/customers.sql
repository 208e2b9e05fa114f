-- name: roots
SELECT bucket, octet_length(entries) / %(entry_bytes)s, root FROM seal.customers

-- name: load
SELECT bucket, entries FROM seal.customers WHERE bucket = ANY (%(buckets)s::integer[])

-- name: store
INSERT INTO seal.customers (bucket, root, entries)
SELECT bucket, root, entries
FROM unnest(%(buckets)s::integer[], %(roots)s::bytea[], %(entries)s::bytea[])
    AS new (bucket, root, entries)
ON CONFLICT (bucket) DO UPDATE SET root = excluded.root, entries = excluded.entries
