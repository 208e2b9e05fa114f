-- Access tokens: who may call over HTTP, and as what. The token itself is nowhere, only the SHA-256 of it.

CREATE SCHEMA access;

CREATE TABLE access.tokens (
    token_id    text COLLATE "C" PRIMARY KEY,
    hash        bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    name        text NOT NULL,
    role        text NOT NULL CHECK (role IN ('channel', 'dashboard', 'auditor', 'steward')),
    sources     text[] NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL,
    created_by  text NOT NULL,
    expires_at  timestamptz,
    revoked_at  timestamptz,
    revoked_by  text,
    CONSTRAINT sources_of_a_channel CHECK ((role = 'channel') = (cardinality(sources) > 0)),
    CONSTRAINT revoked_by_somebody CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);

-- A token is revoked, never removed: where one was made, nobody may call without one again.
CREATE TRIGGER kept BEFORE DELETE ON access.tokens FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER kept_truncate BEFORE TRUNCATE ON access.tokens
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
ALTER TABLE access.tokens ENABLE ALWAYS TRIGGER kept;
ALTER TABLE access.tokens ENABLE ALWAYS TRIGGER kept_truncate;

GRANT USAGE ON SCHEMA access TO servicetrail_writer;
GRANT SELECT, INSERT ON access.tokens TO servicetrail_writer;
GRANT UPDATE (revoked_at, revoked_by) ON access.tokens TO servicetrail_writer;
