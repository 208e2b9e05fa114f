"""Writes touchpoints, conversations and intervals: loads what a batch touches and folds it anew."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

from ledger.datastore import PgCursor
from ledger.sql import named_queries
from projections.changes import Table, changes
from projections.conversations.fold import (
    EPISODE_GAP,
    Conversation,
    Interval,
    Row,
    Version,
    fold,
)
from projections.conversations.versions import CORRECTED, RECORDED, related, version_of
from projections.copying import copy_rows, instant_text
from projections.days import changed
from projections.events import RecordedEvent
from projections.model import KINDS_OF_NOBODY, ReadModel, sql_beside, types_of

HANDLES = frozenset({RECORDED, CORRECTED})
IGNORES = types_of(
    "statement", "feedback", "promise", "complaint", "customer", "support", *KINDS_OF_NOBODY
)

_SQL = {
    name: sql.replace("{columns}", ", ".join(f"t.{column}" for column in Version._fields))
    for name, sql in named_queries(Path(__file__).with_name("writes.sql")).items()
}
_CONVERSATIONS = Table(
    "conversations",
    Conversation._fields,
    {"started_at": "timestamptz", "conversation_id": "text", "visible_from": "timestamptz"},
)
_INTERVALS = Table(
    "intervals",
    Interval._fields,
    {
        "metric": "text",
        "started_at": "timestamptz",
        "started_by": "uuid",
        "visible_from": "timestamptz",
    },
)

Thread = tuple[str, str]
"""Customer and case; the case is empty for touchpoints without one."""


def conversations(episode_gap: timedelta = EPISODE_GAP) -> ReadModel:
    """The read model; touchpoints without a case belong together up to `episode_gap` apart."""
    return ReadModel(
        name="conversations",
        version=f"4, episodes {episode_gap.total_seconds():.0f} s",
        tables=("touchpoints", "conversations", "intervals"),
        definition=sql_beside(__file__, "table.sql"),
        handles=HANDLES,
        ignores=IGNORES,
        apply=partial(_apply, gap=episode_gap),
        build=partial(_build, gap=episode_gap),
    )


def _apply(cursor: PgCursor, events: Sequence[RecordedEvent], *, gap: timedelta) -> None:
    arrived = {event.event_id: version_of(event) for event in events}
    known = _load(cursor, arrived.values())
    fresh = [version for id_, version in arrived.items() if id_ not in known]
    before = _by_customer(known.values())
    after: dict[str, list[Version]] = {}
    for customer, versions in _by_customer([*known.values(), *fresh]).items():
        after[customer] = related(versions)
    moved = _write_versions(
        cursor, known, (version for versions in after.values() for version in versions)
    )
    gone, new = changes(
        (row for versions in before.values() for row in fold(versions, gap=gap)),
        (row for versions in after.values() for row in fold(versions, gap=gap)),
    )
    _write_rows(cursor, gone, new)
    changed(
        cursor,
        [
            *(version.occurred_at for version in moved),
            *(row.started_at for row in (*gone, *new)),
        ],
    )


def _build(cursor: PgCursor, events: Sequence[RecordedEvent], *, gap: timedelta) -> None:
    """As `_apply`, for everything of the customers in the batch."""
    touchpoints: list[Version] = []
    rows: list[Row] = []
    for versions in _by_customer(map(version_of, events)).values():
        held = related(versions)
        touchpoints += held
        rows += fold(held, gap=gap)
    copy_rows(cursor, "touchpoints", Version._fields, touchpoints)
    _write_rows(cursor, [], rows)


def _load(cursor: PgCursor, arrived: Iterable[Version]) -> dict[str, Version]:
    """The versions on record that bear on the same rows as those that arrived, by event id.

    These are the threads that something arrived in; for a customer where an effect reaches from one
    thread into another, all threads.
    """
    by_thread = _by_thread(arrived)
    whole = {v.customer_id for versions in by_thread.values() for v in versions if v.corrects}
    whole |= _reaching(cursor, {customer for customer, _ in by_thread})
    threads = [thread for thread in by_thread if thread[0] not in whole]
    known = _versions(
        cursor,
        "threads",
        customers=[customer for customer, _ in threads],
        cases=[case for _, case in threads],
    )
    found = _by_thread(known)
    for thread in threads:
        together = by_thread[thread] + found.get(thread, [])
        if any(version.reaches for version in related(together)):
            whole.add(thread[0])
    known = [version for version in known if version.customer_id not in whole]
    known += _versions(cursor, "customers", customers=list(whole))
    return {version.event_id: version for version in known}


def _reaching(cursor: PgCursor, customers: set[str]) -> set[str]:
    cursor.execute(_SQL["reaching"], {"customers": list(customers)})
    return {customer for (customer,) in cursor}


def _versions(cursor: PgCursor, statement: str, **parameters: list[str]) -> list[Version]:
    if not parameters["customers"]:
        return []
    cursor.execute(_SQL[statement], parameters)
    return list(map(Version._make, cursor))


def _by_thread(versions: Iterable[Version]) -> dict[Thread, list[Version]]:
    grouped: dict[Thread, list[Version]] = defaultdict(list)
    for version in versions:
        grouped[version.customer_id, version.case_id or ""].append(version)
    return grouped


def _by_customer(versions: Iterable[Version]) -> dict[str, list[Version]]:
    grouped: dict[str, list[Version]] = defaultdict(list)
    for version in versions:
        grouped[version.customer_id].append(version)
    return grouped


def _write_versions(
    cursor: PgCursor, known: dict[str, Version], versions: Iterable[Version]
) -> list[Version]:
    """Gives those that were written, as they are now, and as they were before."""
    new, differing = [], []
    for version in versions:
        before = known.get(version.event_id)
        if before is None:
            new.append(version)
        elif before != version:
            differing.append(version)
    copy_rows(cursor, "touchpoints", Version._fields, new)
    if differing:
        cursor.execute(
            _SQL["relate"],
            {
                "customers": [version.customer_id for version in differing],
                "cases": [version.case_id or "" for version in differing],
                "event_ids": [version.event_id for version in differing],
                "occurred_at": [instant_text(version.occurred_at) for version in differing],
                "visible_to": [instant_text(version.visible_to) for version in differing],
                "reaches": [version.reaches for version in differing],
            },
        )
    return [*new, *differing, *(known[version.event_id] for version in differing)]


def _write_rows(cursor: PgCursor, gone: list[Row], new: list[Row]) -> None:
    for table, kind in ((_CONVERSATIONS, Conversation), (_INTERVALS, Interval)):
        table.write(
            cursor,
            [row for row in gone if isinstance(row, kind)],
            [row for row in new if isinstance(row, kind)],
        )
