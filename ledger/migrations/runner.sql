-- name: schema_version
SELECT coalesce(max(version), 0) FROM ledger.migrations

-- name: version_table_exists
SELECT to_regclass('ledger.migrations') IS NOT NULL

-- name: create_version_table
CREATE SCHEMA IF NOT EXISTS ledger;
CREATE TABLE IF NOT EXISTS ledger.migrations (
    version     integer PRIMARY KEY,
    name        text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
)

-- name: one_at_a_time
SELECT pg_advisory_xact_lock(hashtextextended('servicetrail migrations', 0))

-- name: record_version
INSERT INTO ledger.migrations (version, name) VALUES (%(version)s, %(name)s)

-- name: may_take_role
SELECT count(*) = 1 FROM pg_roles WHERE rolname = %(role)s AND pg_has_role(current_user, oid, 'SET')

-- name: role_exists
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %(role)s)

-- name: who_and_where
SELECT quote_ident(current_user), quote_ident(current_database()), current_setting('server_encoding')
