-- name: lock_timeout
SELECT set_config('lock_timeout', %(milliseconds)s, true)

-- name: claim
INSERT INTO ledger.tracking AS current (application_name, notification_id, claim)
VALUES (%(application_name)s, 0, 1)
ON CONFLICT (application_name) DO UPDATE SET claim = current.claim + 1
RETURNING claim, notification_id, leader_epoch

-- name: advance
UPDATE ledger.tracking SET notification_id = %(notification_id)s, leader_epoch = %(leader_epoch)s
WHERE application_name = %(application_name)s
    AND notification_id = %(after)s AND claim = %(claim)s

-- name: positions
SELECT application_name, notification_id FROM ledger.tracking
WHERE starts_with(application_name, %(prefix)s)
ORDER BY application_name
