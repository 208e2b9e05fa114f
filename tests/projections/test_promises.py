"""What became of promises: verdicts at several instants."""

import pytest

from ledger.datastore import Datastore
from projections.queries import UnknownVerdict, promises, snapshot
from tests.projections.history import Happened, at, happened, project

MADE = happened(
    "promise.made.v1",
    "2024-03-01 09:00",
    promise_id="P",
    statement="a new boiler",
    channel="mail",
    due_at="2024-03-10 12:00",
)


def kept(when: str) -> Happened:
    return happened("promise.kept.v1", when, promise_id="P")


def broken(when: str) -> Happened:
    return happened("promise.broken.v1", when, promise_id="P")


def withdrawn(when: str) -> Happened:
    return happened("promise.withdrawn.v1", when, promise_id="P", reason="sold out")


def revised(when: str, due_at: str, *, consented: bool = True) -> Happened:
    return happened(
        "promise.revised.v1",
        when,
        promise_id="P",
        due_at=due_at,
        reason="delivery is late",
        customer_consented=consented,
    )


STORIES = [
    ("nothing happened", [], {"03-02": "pending", "03-10 12:00": "pending", "03-11": "overdue"}),
    ("not made yet", [], {"02-28": None}),
    ("kept in time", [kept("2024-03-05")], {"03-04": "pending", "03-05": "kept", "05-01": "kept"}),
    ("kept on the minute", [kept("2024-03-10 12:00")], {"03-10 12:00": "kept"}),
    (
        "kept late",
        [kept("2024-03-12")],
        {"03-10": "pending", "03-11": "overdue", "03-12": "kept_late"},
    ),
    (
        "kept late, and heard of later that it was kept in time",
        [kept("2024-03-12"), kept("2024-03-09")],
        {"03-09": "kept", "03-13": "kept"},
    ),
    (
        "declared broken",
        [broken("2024-03-04")],
        {"03-03": "pending", "03-04": "broken", "03-20": "broken"},
    ),
    (
        "declared broken, kept in time all the same",
        [broken("2024-03-04"), kept("2024-03-08")],
        {"03-05": "broken", "03-08": "kept"},
    ),
    (
        "declared broken, kept late",
        [broken("2024-03-11"), kept("2024-03-12")],
        {"03-11": "broken", "03-13": "broken"},
    ),
    (
        "kept late, then declared broken",
        [kept("2024-03-11"), broken("2024-03-12")],
        {"03-13": "kept_late"},
    ),
    (
        "withdrawn in time",
        [withdrawn("2024-03-05")],
        {"03-04": "pending", "03-05": "withdrawn", "03-20": "withdrawn"},
    ),
    (
        "withdrawn when it was overdue",
        [withdrawn("2024-03-11")],
        {"03-12": "overdue"},
    ),
    (
        "moved with consent",
        [revised("2024-03-08", "2024-03-20 12:00"), kept("2024-03-15")],
        {"03-07": "pending", "03-11": "pending", "03-15": "kept"},
    ),
    (
        "moved without consent",
        [revised("2024-03-08", "2024-03-20 12:00", consented=False), kept("2024-03-15")],
        {"03-11": "overdue", "03-15": "kept_late"},
    ),
    (
        "moved with consent when it was overdue",
        [revised("2024-03-11", "2024-03-20 12:00"), kept("2024-03-15")],
        {"03-11": "overdue", "03-15": "kept_late"},
    ),
    (
        "moved at the very instant it was due",
        [revised("2024-03-10 12:00", "2024-03-20 12:00")],
        {"03-11": "overdue"},
    ),
    (
        "moved twice, the second time before the new due time",
        [
            revised("2024-03-08", "2024-03-20 12:00"),
            revised("2024-03-19", "2024-03-30 12:00"),
            kept("2024-03-29"),
        ],
        {"03-21": "pending", "03-29": "kept"},
    ),
    (
        "declared broken, then moved with consent and kept by then",
        [
            broken("2024-03-04"),
            revised("2024-03-05", "2024-03-20 12:00"),
            kept("2024-03-15"),
        ],
        {"03-06": "broken", "03-15": "kept"},
    ),
    (
        "kept, then the due time moved before it",
        [kept("2024-03-05"), revised("2024-03-06", "2024-03-04 12:00")],
        {"03-07": "kept"},
    ),
]


@pytest.mark.parametrize(
    ("story", "verdicts"), [story[1:] for story in STORIES], ids=[story[0] for story in STORIES]
)
def test_verdict(
    datastore: Datastore, story: list[Happened], verdicts: dict[str, str | None]
) -> None:
    project(datastore, [*reversed(story), MADE])
    with snapshot(datastore) as cursor:
        found = {}
        for instant in verdicts:
            rows = promises(cursor, as_of=at(f"2024-{instant}")).rows
            found[instant] = rows[0]["verdict"] if rows else None
    assert found == verdicts


def test_what_is_said_about_a_promise(datastore: Datastore) -> None:
    project(datastore, [MADE, revised("2024-03-08", "2024-03-20 12:00"), kept("2024-03-20 12:30")])
    with snapshot(datastore) as cursor:
        before = promises(cursor, as_of=at("2024-03-20 12:10"))
        after = promises(cursor, as_of=at("2024-04-01"))
    (row,) = before.rows
    said = {
        "promise_id": "P",
        "customer_id": "Ada",
        "channel": "mail",
        "made_at": at("2024-03-01 09:00"),
        "due_at": at("2024-03-20 12:00"),
        "settled_at": None,
        "verdict": "overdue",
        "late_seconds": 600,
    }
    assert {name: row[name] for name in said} == said
    (row,) = after.rows
    assert (row["verdict"], row["settled_at"]) == ("kept_late", at("2024-03-20 12:30"))
    assert row["late_seconds"] == 1800
    assert after.position == 3


@pytest.mark.parametrize(
    ("settled", "moved"),
    [
        (kept("2024-03-05"), False),
        (withdrawn("2024-03-05"), False),
        # It may still be kept by the time that was agreed.
        (broken("2024-03-05"), True),
    ],
)
def test_what_is_kept_or_withdrawn_is_not_moved(
    datastore: Datastore, settled: Happened, moved: bool
) -> None:
    project(datastore, [MADE, settled, revised("2024-03-06", "2024-03-20 12:00")])
    with snapshot(datastore) as cursor:
        (row,) = promises(cursor, as_of=at("2024-04-01")).rows
    assert row["due_at"] == at("2024-03-20 12:00" if moved else "2024-03-10 12:00")
    assert (row["due_moved"], row["revised"]) == (moved, 1)


def test_promises_by_verdict_customer_channel_and_due_time(datastore: Datastore) -> None:
    other = happened(
        "promise.made.v1",
        "2024-03-01 10:00",
        promise_id="Q",
        customer_id="Ben",
        statement="a call",
        channel="phone",
        due_at="2024-04-01",
    )
    project(datastore, [MADE, other])
    now = at("2024-03-20")
    with snapshot(datastore) as cursor:
        overdue = promises(cursor, as_of=now, verdict="overdue")
        of_ben = promises(cursor, as_of=now, customer_id="Ben")
        by_phone = promises(cursor, as_of=now, channel="phone")
        in_march = promises(cursor, as_of=now, from_=at("2024-03-01"), to=at("2024-04-01"))
        with pytest.raises(UnknownVerdict):
            promises(cursor, as_of=now, verdict="late")
    assert [row["promise_id"] for row in overdue.rows] == ["P"]
    assert [row["promise_id"] for row in of_ben.rows] == ["Q"]
    assert [row["promise_id"] for row in by_phone.rows] == ["Q"]
    assert [row["promise_id"] for row in in_march.rows] == ["P"]
