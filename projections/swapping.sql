-- name: alone
LOCK TABLE position IN ACCESS EXCLUSIVE MODE

-- name: placed
SELECT DISTINCT ON (name) name, version, tables FROM position
WHERE name = ANY (%(names)s) OR cardinality(%(names)s::text[]) = 0
ORDER BY name, worker

-- name: forget
DELETE FROM position WHERE name = %(name)s

-- name: move
WITH leaving AS (DELETE FROM {here} WHERE name = %(name)s RETURNING *)
INSERT INTO {there} (name, worker, workers, version, tables, position, highest, recorded_at)
SELECT name, worker, workers, version, tables, position, highest, recorded_at FROM leaving

-- name: grants
-- What others than the owner may do with a table: as with the one of that name that it replaces, or else as
-- the schema has it for new tables.
SELECT wanted.name, named.who, rights.privilege_type
FROM unnest(%(tables)s::text[]) AS wanted (name)
LEFT JOIN pg_class AS c ON c.relname = wanted.name AND c.relnamespace = current_schema()::regnamespace
CROSS JOIN LATERAL (
    SELECT * FROM aclexplode(c.relacl)
    UNION ALL
    SELECT rights.* FROM pg_default_acl AS d CROSS JOIN aclexplode(d.defaclacl) AS rights
    WHERE c.oid IS NULL AND d.defaclnamespace = current_schema()::regnamespace AND d.defaclobjtype = 'r'
        AND d.defaclrole = current_user::regrole
) AS rights
CROSS JOIN LATERAL (
    SELECT CASE rights.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(rights.grantee)) END
) AS named (who)
WHERE rights.grantee <> current_user::regrole
