-- name: key
-- The columns of the primary key, or else of a unique index.
SELECT array_agg(a.attname::text ORDER BY place)
FROM (
    SELECT indrelid, indkey FROM pg_index
    WHERE indrelid = %(table)s::regclass AND indisunique
    ORDER BY indisprimary DESC, indexrelid LIMIT 1
) AS best
CROSS JOIN unnest(best.indkey) WITH ORDINALITY AS columns (attnum, place)
JOIN pg_attribute AS a ON a.attrelid = best.indrelid AND a.attnum = columns.attnum

-- name: first_missing
SELECT {key} FROM (SELECT * FROM {one} EXCEPT ALL SELECT * FROM {other}) AS missing ORDER BY {key} LIMIT 1

-- name: row
SELECT to_jsonb(t) FROM {table} AS t WHERE ({key}) IS NOT DISTINCT FROM ({values}) LIMIT 1
