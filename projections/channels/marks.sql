-- Which tables what is kept of days was read from.

-- name: tables
-- Whether changes of the tables are marked: not by programs whose versions of the read models are from before that.
-- And which tables they are, and which files: others of the same names are not these, nor are these once everything
-- in them is another.
SELECT (
        SELECT count(*) FILTER (WHERE substring(version FROM '^[0-9]+')::integer >= 4) = count(*)
        FROM position
        WHERE name IN ('conversations', 'customers')
    ),
    pg_postmaster_start_time(), d.oid, string_agg((table_::oid, pg_relation_filenode(table_))::text, ' ')
FROM pg_database AS d
CROSS JOIN unnest(ARRAY['touchpoints', 'conversations', 'intervals', 'customer_tiers']::regclass[]) AS table_
WHERE datname = current_database()
GROUP BY d.oid
