-- name: store
INSERT INTO seal.tiles (tree, level, number, hashes)
SELECT %(tree)s, level, number, hashes
FROM unnest(%(levels)s::smallint[], %(numbers)s::bigint[], %(hashes)s::bytea[])
    AS new (level, number, hashes)
ON CONFLICT (tree, level, number) DO UPDATE SET hashes = excluded.hashes

-- name: load
SELECT t.level, t.number, t.hashes
FROM unnest(%(levels)s::smallint[], %(numbers)s::bigint[]) AS wanted (level, number)
JOIN seal.tiles AS t
    ON t.tree = %(tree)s AND t.level = wanted.level AND t.number = wanted.number
