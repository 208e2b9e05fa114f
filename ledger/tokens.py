"""Access tokens: who may call over HTTP, and as what. Of a token only its SHA-256 is kept."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from secrets import token_hex, token_urlsafe
from typing import NamedTuple

from psycopg2 import Binary

from ledger.access import Access, Actor, told_of
from ledger.account import Move
from ledger.datastore import Datastore, PgCursor
from ledger.intake import Intake
from ledger.redriving import Carried
from ledger.sql import named_queries, text_array
from schemas.message import Message

PREFIX = "st_"
"""How our tokens begin, so that a search for secrets that got out finds them."""


class Role(StrEnum):
    """What somebody may do: publish, see figures, read histories, or steward what is kept."""

    CHANNEL = "channel"
    DASHBOARD = "dashboard"
    AUDITOR = "auditor"
    STEWARD = "steward"


class Token(NamedTuple):
    """What is kept of an access token.

    `name` says who has it. `sources`: what a channel may publish as; one that ends with `*` stands
    for every source that begins like it. `expires_at`, where there is one, is the first instant at
    which it does not count any more.
    """

    token_id: str
    name: str
    role: Role
    sources: tuple[str, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None


_COLUMNS = ", ".join(Token._fields)
_SQL = {
    name: query.replace("{columns}", _COLUMNS)
    for name, query in named_queries(Path(__file__).with_name("tokens.sql")).items()
}


class TokenWrong(ValueError):
    """There can be no such token; the text says why."""


class NoSuchToken(LookupError):
    """There is no token of this id."""

    def __init__(self, token_id: str) -> None:
        super().__init__(f"there is no token {token_id}")


class RevokedAlready(ValueError):
    """The token counts no more already."""


class Tokens:
    """Makes, lists, revokes and recognises access tokens."""

    def __init__(self, datastore: Datastore, intake: Intake) -> None:
        self._datastore = datastore
        self._intake = intake

    def create(
        self,
        name: str,
        role: Role,
        *,
        actor: Actor,
        sources: Sequence[str] = (),
        expires_at: datetime | None = None,
    ) -> tuple[str, Token]:
        """A new token, which is told this once, and what is kept of it. Raises TokenWrong.

        `actor` goes on record with it.
        """
        now = datetime.now(UTC)
        _check(role, sources, expires_at, now)
        secret = PREFIX + token_urlsafe(32)
        id_ = token_hex(5)
        token = Token(id_, name, role, tuple(sources), now, actor.who, expires_at, None, None)
        values = {**token._asdict(), "hash": _hash(secret), "sources": text_array(sources)}
        for_whom = ", ".join([f"{role} for {name}", *sources])
        self._change(
            lambda cursor: cursor.execute(_SQL["create"], values),
            told_of(actor, Access("token_created", kind="token", ids=[id_], details=for_whom)),
        )
        return secret, token

    def revoke(self, token_id: str, *, actor: Actor) -> Token:
        """Let a token count no more; `actor` goes on record. Raises NoSuchToken, RevokedAlready."""
        with self._datastore.transaction() as cursor:
            token = _one(cursor, token_id)
        asked = {"token_id": token_id, "at": datetime.now(UTC), "by": actor.who}
        for_whom = f"{token.role} for {token.name}"

        def revoke(cursor: PgCursor) -> None:
            cursor.execute(_SQL["revoke"], asked)
            if not cursor.rowcount:
                raise RevokedAlready(f"token {token_id} was revoked already")

        access = Access("token_revoked", kind="token", ids=[token_id], details=for_whom)
        self._change(revoke, told_of(actor, access))
        with self._datastore.transaction() as cursor:
            return _one(cursor, token_id)

    def listed(self) -> list[Token]:
        """Every token that was ever made, the newest first."""
        with self._datastore.transaction() as cursor:
            cursor.execute(_SQL["listed"])
            return [_token(row) for row in cursor]

    def of(self, secret: str) -> Token | None:
        """The token that this text is, be it revoked or expired; None if it is none."""
        # Nobody who tries tokens learns from the time that this takes: whatever they try, its hash
        # has nothing in common with that of the right one.
        with self._datastore.transaction() as cursor:
            cursor.execute(_SQL["by_hash"], {"hash": _hash(secret)})
            found = cursor.fetchone()
        return None if found is None else _token(found)

    def any(self) -> bool:
        """Whether one was ever made."""
        with self._datastore.transaction() as cursor:
            cursor.execute(_SQL["any"])
            [(made,)] = cursor.fetchall()
        return bool(made)

    def _change(self, change: Callable[[PgCursor], None], told: Sequence[Message]) -> None:
        """A token changes in the transaction that records who changed it."""
        self._intake.carry_out(_Change(change), on_record=told)


class _Change:
    """The errand: nothing goes through the door, a token changes."""

    inputs = ()
    withdrawn = ()
    only_if_taken = False

    def __init__(self, change: Callable[[PgCursor], None]) -> None:
        self._change = change

    def write(self, cursor: PgCursor, carried: Carried) -> list[Move]:  # noqa: ARG002 - an errand
        """Nothing in the account changes."""
        self._change(cursor)
        return []


def may_publish_as(sources: Sequence[str], source: str) -> bool:
    """Whether whoever has these sources may publish as this one."""
    return any(
        source.startswith(each[:-1]) if each.endswith("*") else source == each for each in sources
    )


def _one(cursor: PgCursor, token_id: str) -> Token:
    cursor.execute(_SQL["one"], {"token_id": token_id})
    found = cursor.fetchone()
    if found is None:
        raise NoSuchToken(token_id)
    return _token(found)


def _check(role: Role, sources: Sequence[str], expires_at: datetime | None, now: datetime) -> None:
    if role is Role.CHANNEL and not sources:
        raise TokenWrong("a channel's token names the sources that it may publish as")
    if role is not Role.CHANNEL and sources:
        raise TokenWrong("only a channel's token has sources")
    if expires_at is not None and expires_at <= now:
        raise TokenWrong("a token that has expired already is of no use")


def _hash(secret: str) -> Binary:
    return Binary(sha256(secret.encode(errors="replace")).digest())


def _token(row: Sequence[object]) -> Token:
    token = Token._make(row)
    return token._replace(role=Role(token.role), sources=tuple(token.sources))
