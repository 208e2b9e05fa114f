-- Read models in schemas beside the live one: being rebuilt, former, and as of what was known at some time.

CREATE SCHEMA read_building AUTHORIZATION servicetrail_writer;
CREATE SCHEMA read_previous AUTHORIZATION servicetrail_writer;
-- Empty but for an instant: where tables wait while two others change places.
CREATE SCHEMA read_swapping AUTHORIZATION servicetrail_writer;

-- Several projectors share the customers' shards: each has a position of its own.
ALTER TABLE IF EXISTS read.position
    ADD COLUMN worker smallint NOT NULL DEFAULT 0,
    ADD COLUMN workers smallint NOT NULL DEFAULT 1,
    ADD COLUMN highest bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT position_pkey,
    ADD PRIMARY KEY (name, worker);
DO $$ BEGIN
    IF to_regclass('read.position') IS NOT NULL THEN
        UPDATE read.position SET highest = position;
    END IF;
END $$;

-- The program's role may make schemas, but only those that hold read models as of a known position. A
-- function and not a right on the database, because that would be lost when a dump is restored elsewhere.
CREATE FUNCTION ledger.make_side_schema(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF name !~ '^[a-z][a-z0-9_]{0,40}$' THEN
        RAISE EXCEPTION 'a side schema is named by a lower-case letter and up to 40 letters, digits and _: %', name
            USING ERRCODE = 'invalid_schema_name';
    END IF;
    EXECUTE format('CREATE SCHEMA %I AUTHORIZATION servicetrail_writer', 'known_' || name);
END $$;
REVOKE ALL ON FUNCTION ledger.make_side_schema FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.make_side_schema TO servicetrail_writer;

-- Which there are. `known_at` is as it was asked for; `built_at` is null until everything is in it.
CREATE TABLE ledger.side_schemas (
    name        text COLLATE "C" PRIMARY KEY,
    known_at    text NOT NULL,
    position    bigint NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    built_at    timestamptz
);
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.side_schemas TO servicetrail_writer;

-- Policies belong to no customer, and are read whenever one customer is.
CREATE INDEX events_of_nobody ON ledger.events (position) WHERE customer_id IS NULL;
