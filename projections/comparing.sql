-- name: key
-- The columns of the primary key, or else of a unique index: of those it merely includes, none.
SELECT array_agg(a.attname::text ORDER BY place)
FROM (
    SELECT indrelid, indkey, indnkeyatts FROM pg_index
    WHERE indrelid = %(table)s::regclass AND indisunique
    ORDER BY indisprimary DESC, indexrelid LIMIT 1
) AS best
CROSS JOIN unnest(best.indkey) WITH ORDINALITY AS columns (attnum, place)
JOIN pg_attribute AS a ON a.attrelid = best.indrelid AND a.attnum = columns.attnum
WHERE place <= indnkeyatts

-- name: first_missing
-- Of each side the first row that is not in the other, or less often; the first of both comes first.
SELECT {key}, true AS is_one, to_jsonb(missing) FROM (
    SELECT * FROM (SELECT * FROM {one} EXCEPT ALL SELECT * FROM {other}) AS rows ORDER BY {key} LIMIT 1
) AS missing
UNION ALL
SELECT {key}, false, to_jsonb(missing) FROM (
    SELECT * FROM (SELECT * FROM {other} EXCEPT ALL SELECT * FROM {one}) AS rows ORDER BY {key} LIMIT 1
) AS missing
ORDER BY {key}
