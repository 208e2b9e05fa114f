-- name: remember
INSERT INTO ledger.registry_numbers AS known (registry, number, fingerprint)
SELECT %(registry)s, %(number)s, fingerprint FROM ledger.schemas WHERE fingerprint = %(fingerprint)s
ON CONFLICT (registry, number) DO UPDATE SET fingerprint = excluded.fingerprint
WHERE known.fingerprint <> excluded.fingerprint

-- name: recall
SELECT definition
FROM ledger.registry_numbers JOIN ledger.schemas USING (fingerprint)
WHERE registry = %(registry)s AND number = %(number)s
