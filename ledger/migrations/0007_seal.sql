-- The seal: hash trees over the ledger and what was signed about them. See docs/reference/leaf-and-checkpoint-formats.md.

CREATE SCHEMA seal;

-- One row: the ledger's name, given by its first signing key. Its row lock lets one program seal at a time.
CREATE TABLE seal.log (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    origin    text COLLATE "C"
);
INSERT INTO seal.log DEFAULT VALUES;

-- Up to 256 hashes of one level of a tree (0: events, 1: register) in a row.
CREATE TABLE seal.tiles (
    tree    smallint NOT NULL,
    level   smallint NOT NULL,
    number  bigint NOT NULL,
    hashes  bytea NOT NULL,
    PRIMARY KEY (tree, level, number)
);
-- Hashes do not compress.
ALTER TABLE seal.tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;

-- Number of events and head of the chain of every customer, by the first 16 bits of the key.
CREATE TABLE seal.customers (
    bucket   integer PRIMARY KEY,
    root     bytea NOT NULL,
    entries  bytea NOT NULL
) WITH (fillfactor = 50);
ALTER TABLE seal.customers ALTER COLUMN entries SET STORAGE EXTERNAL;

CREATE TABLE seal.checkpoints (
    number         bigint PRIMARY KEY,
    size           bigint NOT NULL,
    register_size  bigint NOT NULL,
    sealed_at      timestamptz NOT NULL,
    note           text NOT NULL
);
CREATE INDEX checkpoints_by_size ON seal.checkpoints (size);

CREATE TABLE seal.cosignatures (
    checkpoint   bigint NOT NULL REFERENCES seal.checkpoints,
    line         text NOT NULL,
    name         text NOT NULL,
    verified     boolean NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (checkpoint, line)
);

-- The keys that signed, with the number of the first checkpoint that each of them signed.
CREATE TABLE seal.signers (
    key               text COLLATE "C" PRIMARY KEY,
    first_checkpoint  bigint NOT NULL
);

-- What happened to data keys and schemas, in one gapless order; written by triggers only, sealed like events.
-- `digest` is the SHA-256 of the row's columns, each behind its length.
CREATE TABLE seal.register (
    number   bigint PRIMARY KEY,
    at       timestamptz NOT NULL,
    what     text COLLATE "C" NOT NULL,
    subject  text COLLATE "C" NOT NULL,
    digest   bytea
);
CREATE TABLE seal.register_head (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    number    bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO seal.register_head DEFAULT VALUES;

CREATE FUNCTION seal.sized(value bytea) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN value IS NULL THEN '\xffffffff'::bytea ELSE int4send(octet_length(value)) || value END;

CREATE FUNCTION seal.key_digest(k ledger.keys) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN sha256(
    seal.sized(convert_to(k.subject, 'UTF8')) || seal.sized(k.wrapped) || seal.sized(convert_to(k.master_key, 'UTF8'))
    || seal.sized(timestamptz_send(k.created_at)) || seal.sized(timestamptz_send(k.destroyed_at))
);

CREATE FUNCTION seal.schema_digest(s ledger.schemas) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN sha256(
    seal.sized(s.fingerprint) || seal.sized(convert_to(s.type, 'UTF8')) || seal.sized(convert_to(s.definition, 'UTF8'))
);

-- Enters changes in the register. It runs as the owner: the program may not write there itself.
CREATE FUNCTION seal.enter(subjects text[], whats text[], digests bytea[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before bigint;
BEGIN
    UPDATE seal.register_head SET number = number + cardinality(subjects)
    RETURNING number - cardinality(subjects) INTO before;
    INSERT INTO seal.register (number, at, what, subject, digest)
    SELECT before + new.ordinality, clock_timestamp(), new.what, new.subject, new.digest
    FROM unnest(subjects, whats, digests) WITH ORDINALITY AS new (subject, what, digest, ordinality);
END $$;
REVOKE EXECUTE ON FUNCTION seal.enter FROM public;

CREATE FUNCTION seal.keys_made() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM new_keys) THEN
        PERFORM seal.enter(
            array_agg(k.subject ORDER BY k.subject),
            array_agg(CASE WHEN k.wrapped IS NULL THEN 'key_destroyed' ELSE 'key_made' END ORDER BY k.subject),
            array_agg(seal.key_digest(ROW (k.*)::ledger.keys) ORDER BY k.subject)
        ) FROM new_keys AS k;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER registered_made AFTER INSERT ON ledger.keys
    REFERENCING NEW TABLE AS new_keys FOR EACH STATEMENT EXECUTE FUNCTION seal.keys_made();

CREATE FUNCTION seal.keys_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    subjects text[];
    whats text[];
    digests bytea[];
BEGIN
    SELECT array_agg(changed.subject ORDER BY subject), array_agg(what ORDER BY subject), array_agg(digest ORDER BY subject)
    INTO subjects, whats, digests
    FROM (
        SELECT
            coalesce(n.subject, o.subject) AS subject,
            CASE
                WHEN n.subject IS NULL THEN 'key_removed'
                WHEN o.subject IS NULL THEN 'key_made'
                WHEN n.wrapped IS NULL AND o.wrapped IS NOT NULL THEN 'key_destroyed'
                WHEN n.wrapped IS NOT NULL AND o.wrapped IS NULL THEN 'key_restored'
                ELSE 'key_rewrapped'
            END AS what,
            CASE WHEN n.subject IS NOT NULL THEN seal.key_digest(ROW (n.*)::ledger.keys) END AS digest
        FROM old_keys AS o FULL JOIN new_keys AS n ON n.subject = o.subject
        WHERE ROW (o.*) IS DISTINCT FROM ROW (n.*)
    ) AS changed;
    IF subjects IS NOT NULL THEN
        PERFORM seal.enter(subjects, whats, digests);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER registered_changed AFTER UPDATE ON ledger.keys
    REFERENCING OLD TABLE AS old_keys NEW TABLE AS new_keys
    FOR EACH STATEMENT EXECUTE FUNCTION seal.keys_changed();

CREATE FUNCTION seal.keys_removed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM old_keys) THEN
        PERFORM seal.enter(
            array_agg(k.subject ORDER BY k.subject), array_agg('key_removed'::text), array_agg(NULL::bytea)
        ) FROM old_keys AS k;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER registered_removed AFTER DELETE ON ledger.keys
    REFERENCING OLD TABLE AS old_keys FOR EACH STATEMENT EXECUTE FUNCTION seal.keys_removed();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON ledger.keys
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE FUNCTION seal.schemas_defined() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM new_schemas) THEN
        PERFORM seal.enter(
            array_agg(encode(s.fingerprint, 'hex') ORDER BY s.fingerprint), array_agg('schema_defined'::text),
            array_agg(seal.schema_digest(ROW (s.*)::ledger.schemas) ORDER BY s.fingerprint)
        ) FROM new_schemas AS s;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER registered AFTER INSERT ON ledger.schemas
    REFERENCING NEW TABLE AS new_schemas FOR EACH STATEMENT EXECUTE FUNCTION seal.schemas_defined();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger.schemas
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger.schemas
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON seal.register
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON seal.register
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON seal.checkpoints
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON seal.checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- What was there before there was a register.
INSERT INTO seal.register (number, at, what, subject, digest)
SELECT row_number() OVER (ORDER BY what, subject), now(), what, subject, digest
FROM (
    SELECT CASE WHEN k.wrapped IS NULL THEN 'key_destroyed' ELSE 'key_made' END AS what, k.subject, seal.key_digest(k) AS digest
    FROM ledger.keys AS k
    UNION ALL
    SELECT 'schema_defined', encode(s.fingerprint, 'hex'), seal.schema_digest(s) FROM ledger.schemas AS s
) AS before;
UPDATE seal.register_head SET number = (SELECT count(*) FROM seal.register);

GRANT USAGE ON SCHEMA seal TO servicetrail_writer;
-- A row lock asks for the right to update some column; the name is given once, at the first seal.
GRANT SELECT, UPDATE ON seal.log TO servicetrail_writer;
GRANT SELECT ON seal.register, seal.register_head TO servicetrail_writer;
GRANT SELECT, INSERT, UPDATE ON seal.tiles, seal.customers TO servicetrail_writer;
GRANT SELECT, INSERT ON seal.checkpoints, seal.cosignatures, seal.signers TO servicetrail_writer;
