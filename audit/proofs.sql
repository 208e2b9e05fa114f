-- name: newest
SELECT number, note FROM seal.checkpoints ORDER BY number DESC LIMIT 1

-- name: reached
SELECT size, sealed_at FROM seal.checkpoints ORDER BY number DESC LIMIT 1

-- name: by_number
SELECT number, note FROM seal.checkpoints WHERE number = %(number)s

-- name: first_covering
SELECT number, note FROM seal.checkpoints WHERE size >= %(position)s ORDER BY size, number LIMIT 1

-- name: of_size
SELECT number, note FROM seal.checkpoints WHERE size = %(size)s ORDER BY number DESC LIMIT 1

-- name: listed
SELECT number, note FROM seal.checkpoints WHERE number < %(before)s ORDER BY number DESC LIMIT %(limit)s

-- name: cosignatures
SELECT line FROM seal.cosignatures WHERE checkpoint = %(number)s ORDER BY received_at, line

-- name: by_text
SELECT number, note FROM seal.checkpoints WHERE starts_with(note, %(text)s)
AND size = %(size)s

-- name: cosign
INSERT INTO seal.cosignatures (checkpoint, line, name, verified)
VALUES (%(checkpoint)s, %(line)s, %(name)s, %(verified)s)
ON CONFLICT DO NOTHING

-- name: signers
SELECT key, first_checkpoint FROM seal.signers ORDER BY first_checkpoint, key

-- name: schemas
SELECT DISTINCT ON (subject) number, at, subject FROM seal.register
WHERE what = 'schema_defined' AND subject = ANY (%(subjects)s)
ORDER BY subject, number

-- name: destroyed_key
SELECT r.number, r.at, k.master_key, k.created_at, k.destroyed_at
FROM seal.register AS r JOIN ledger.keys AS k ON k.subject = r.subject
WHERE r.what = 'key_destroyed' AND r.subject = %(subject)s
ORDER BY r.number DESC
LIMIT 1
