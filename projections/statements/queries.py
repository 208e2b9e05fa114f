"""Answers where what customers were told contradicts itself."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from ledger.datastore import PgCursor
from ledger.sql import named_queries
from projections.answers import Answer, BadToken, answer, cut, page
from projections.events import BEGINNING, END
from projections.statements.contradicting import ChannelPair, Word, contradicting, counted

_WORDS = named_queries(Path(__file__).with_name("queries.sql"))["words"]
_READ_MODELS = ("statements", "promises")
_ORDER = ("contradicted_at", "later_event_id", "earlier_at", "earlier_event_id")


def contradictions(
    cursor: PgCursor,
    *,
    as_of: datetime,
    from_: datetime | None = None,
    to: datetime | None = None,
    claim_key: str | None = None,
    channels: Sequence[str | None] = (),
    limit: int = 100,
    token: str | None = None,
) -> Answer:
    """Where a channel said of a claim what another, or itself, said otherwise, by time.

    In the window is what came to contradict in [from_, to); `channels` are up to two that are on
    either side, None for an unnamed one. Rows:
    `claim_key`, `contradicted_at` (when the later word began), `until` (when the first of both
    ended or will end; null: no end is known), and of both words, `earlier_` and `later_`: `value`,
    `channel`, `at`, `kind` (statement or promise), `id`, `event_id`, `customer_id`, `employee_id`
    of the statement that began it, and `told`: how many said it.

    Raises ValueError for a limit outside 1 to 1,000, and BadToken.
    """
    wanted = page("contradictions", limit, as_of, token)
    words = _words(cursor, wanted.as_of, claim_key, to)
    after = _after(wanted.after)
    since = max(from_ or BEGINNING, BEGINNING if after is None else after[0])
    found = (
        _row(earlier, later)
        for earlier, later in contradicting(words, since)
        if _between(tuple(channels), earlier.channel, later.channel)
    )
    following = (
        row for row in found if after is None or tuple(row[name] for name in _ORDER) > after
    )
    rows, next_ = cut("contradictions", wanted, list(islice(following, limit + 1)), _ORDER)
    return answer(cursor, _READ_MODELS, wanted.as_of, rows, next_)


def contradictions_by_channels(
    cursor: PgCursor,
    *,
    as_of: datetime,
    from_: datetime | None = None,
    to: datetime | None = None,
    claim_key: str | None = None,
) -> Answer:
    """How often two channels contradict each other, the most often first.

    Rows: `channel`, `other_channel` (in order of their names; twice the same if it contradicts
    itself), `contradictions`, as `contradictions` lists them, and `claims`: about how many
    different ones.
    """
    found = counted(_words(cursor, as_of, claim_key, to), from_ or BEGINNING)
    rows = [
        {**pair._asdict(), "contradictions": number, "claims": len(claims)}
        for pair, (number, claims) in sorted(found.items(), key=_often_first)
    ]
    return answer(cursor, _READ_MODELS, as_of, rows)


def _between(wanted: tuple[str | None, ...], one: str | None, other: str | None) -> bool:
    return wanted in ((), (one,), (other,), (one, other), (other, one))


def _often_first(counted: tuple[ChannelPair, tuple[int, set[str]]]) -> tuple[int, str, str]:
    (channel, other_channel), (number, _) = counted
    return -number, channel or "", other_channel or ""


def _words(
    cursor: PgCursor, as_of: datetime, claim_key: str | None, to: datetime | None
) -> Iterator[Word]:
    """The words that began by `as_of` and before `to`, in order."""
    cursor.execute(_WORDS, {"as_of": as_of, "claim_key": claim_key})
    words = map(Word._make, cursor)
    return words if to is None else takewhile(lambda word: word.begins_at < to, words)


def _row(earlier: Word, later: Word) -> dict[str, Any]:
    ends_at = min(earlier.ends_at, later.ends_at)
    return {
        "claim_key": later.claim_key,
        "contradicted_at": later.begins_at,
        "until": None if ends_at == END else ends_at,
        **_side("earlier", earlier),
        **_side("later", later),
    }


def _side(name: str, word: Word) -> dict[str, Any]:
    return {
        f"{name}_value": word.value,
        f"{name}_channel": word.channel,
        f"{name}_at": word.begins_at,
        f"{name}_kind": word.kind,
        f"{name}_id": word.id,
        f"{name}_event_id": word.event_id,
        f"{name}_customer_id": word.customer_id,
        f"{name}_employee_id": word.employee_id,
        f"{name}_told": word.told,
    }


def _after(token: Sequence[Any] | None) -> tuple[datetime, str, datetime, str] | None:
    if token is None:
        return None
    try:
        later_at, later_event, earlier_at, earlier_event = token
        times = map(datetime.fromisoformat, (later_at, earlier_at))
        return next(times), str(later_event), next(times), str(earlier_event)
    except (TypeError, ValueError) as error:
        raise BadToken("this token does not belong to contradictions") from error
