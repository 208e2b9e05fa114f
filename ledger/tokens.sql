-- name: create
INSERT INTO access.tokens (token_id, hash, name, role, sources, created_at, created_by, expires_at)
VALUES (
    %(token_id)s, %(hash)s, %(name)s, %(role)s, %(sources)s::text[], %(created_at)s, %(created_by)s, %(expires_at)s
)

-- name: by_hash
SELECT {columns} FROM access.tokens WHERE hash = %(hash)s

-- name: listed
SELECT {columns} FROM access.tokens ORDER BY created_at DESC, token_id

-- name: any
SELECT EXISTS (SELECT FROM access.tokens)

-- name: revoke
UPDATE access.tokens SET revoked_at = %(at)s, revoked_by = %(by)s
WHERE token_id = %(token_id)s AND revoked_at IS NULL

-- name: one
SELECT {columns} FROM access.tokens WHERE token_id = %(token_id)s
