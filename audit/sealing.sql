-- name: lock
SELECT origin FROM seal.log FOR NO KEY UPDATE

-- name: name_log
UPDATE seal.log SET origin = %(origin)s

-- name: newest
SELECT number, note FROM seal.checkpoints ORDER BY number DESC LIMIT 1

-- name: ends
SELECT
    (SELECT position FROM ledger.head) AS events,
    (SELECT number FROM seal.register_head) AS entries

-- name: now
SELECT clock_timestamp()

-- The bytes of a leaf, and the subject it belongs to, both hashed where they lie: every column behind
-- its length in four bytes (ffffffff: NULL), and a version before all of it. One value for all rows:
-- to fetch each by itself would keep the program busy that takes in events meanwhile.
-- name: event_leaves
SELECT
    coalesce(string_agg(leaf, '' ORDER BY position), ''),
    coalesce(string_agg(subject, '' ORDER BY position), '')
FROM (
    SELECT
        position,
        sha256(
            '\x0001'::bytea
            || '\x00000008'::bytea || int8send(position)
            || '\x00000008'::bytea || int8send(originator_version)
            || '\x00000008'::bytea || timestamptz_send(occurred_at)
            || '\x00000008'::bytea || timestamptz_send(recorded_at)
            || '\x00000010'::bytea || uuid_send(event_id)
            || '\x00000002'::bytea || int2send(shard)
            || '\x00000001'::bytea || boolsend(time_assumed)
            || int4send(octet_length(originator_id)) || convert_to(originator_id, 'UTF8')
            || int4send(octet_length(type)) || convert_to(type, 'UTF8')
            || int4send(octet_length(source)) || convert_to(source, 'UTF8')
            || int4send(octet_length(id)) || convert_to(id, 'UTF8')
            || int4send(octet_length(fingerprint)) || fingerprint
            || int4send(octet_length(facts)) || facts
            || coalesce(int4send(octet_length(customer_id)) || convert_to(customer_id, 'UTF8'), '\xffffffff')
            || coalesce(int4send(octet_length(correlation_id)) || convert_to(correlation_id, 'UTF8'), '\xffffffff')
            || coalesce(int4send(octet_length(causation_id)) || convert_to(causation_id, 'UTF8'), '\xffffffff')
            || coalesce('\x00000008' || int8send(sequence), '\xffffffff')
            || coalesce(int4send(octet_length(personal)) || personal, '\xffffffff')
        ) AS leaf,
        sha256(coalesce('customer:'::bytea || convert_to(customer_id, 'UTF8'), 'policies')) AS subject
    FROM ledger.events
    WHERE position > %(after)s AND position <= %(until)s
) AS hashed

-- name: register_leaves
SELECT sha256(
    '\x0002'::bytea
    || seal.sized(int8send(number))
    || seal.sized(timestamptz_send(at))
    || seal.sized(convert_to(what, 'UTF8'))
    || seal.sized(convert_to(subject, 'UTF8'))
    || seal.sized(digest)
)
FROM seal.register
WHERE number > %(after)s AND number <= %(until)s
ORDER BY number

-- name: keep
INSERT INTO seal.checkpoints (number, size, register_size, sealed_at, note)
VALUES (%(number)s, %(size)s, %(register_size)s, %(sealed_at)s, %(note)s)

-- name: signer
INSERT INTO seal.signers (key, first_checkpoint) VALUES (%(key)s, %(number)s)
ON CONFLICT (key) DO NOTHING
