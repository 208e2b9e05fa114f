-- name: last_hold
SELECT type, fingerprint, facts
FROM ledger.events
WHERE customer_id = %(customer_id)s AND type IN (%(placed)s, %(lifted)s)
ORDER BY position DESC
LIMIT 1

-- name: erasure
SELECT
    position, encode(uuid_send(event_id), 'hex'), occurred_at, fingerprint, facts,
    (SELECT count(*) FROM ledger.events WHERE customer_id = %(customer_id)s AND personal IS NOT NULL),
    ARRAY(SELECT kept_id FROM intake.kept WHERE key_subject = %(subject)s ORDER BY kept_id),
    -- What is kept of a customer is sealed with the customer's own key, but for what was sealed anew.
    ARRAY(
        SELECT kept_id FROM intake.kept
        WHERE customer_id = %(customer_id)s AND key_subject = %(intake)s ORDER BY kept_id
    )
FROM ledger.events
WHERE customer_id = %(customer_id)s AND type = %(erased)s
ORDER BY position DESC
LIMIT 1

-- name: parked
SELECT kept_id FROM intake.kept WHERE key_subject = %(subject)s AND state = 'parked' ORDER BY kept_id

-- name: seal_anew
UPDATE intake.kept SET key_subject = %(subject)s, sealed = %(sealed)s WHERE kept_id = %(kept_id)s

-- name: nobodys
SELECT kept_id FROM intake.kept WHERE key_subject = %(subject)s AND customer_id IS NULL

-- name: disown
UPDATE intake.kept SET key_subject = %(subject)s, sealed = '' WHERE kept_id = ANY (%(kept_ids)s::bigint[])

-- name: destroy_key
INSERT INTO ledger.keys (subject, master_key, created_at, destroyed_at)
VALUES (%(subject)s, '', %(now)s, %(now)s)
ON CONFLICT (subject) DO UPDATE
SET wrapped = NULL, destroyed_at = coalesce(keys.destroyed_at, excluded.destroyed_at)
