"""Concurrent requests share transactions; none is lost, and none brings another down."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from eventsourcing.persistence import OperationalError

from ledger.candidates import Receipt
from schemas.message import Message
from web.committer import Closed, GroupCommitter, QueueFull

PATIENCE_SECONDS = 20


def message(name: str) -> Message:
    return Message(name.encode(), "", {}, "test", name, datetime(2026, 3, 2, tzinfo=UTC))


def ids(receipts: Sequence[Receipt]) -> list[str]:
    return [receipt.id for receipt in receipts]


class Ledger:
    """Takes messages when it is open; trips over `poison`, and loses its database at `away`."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.entered = threading.Semaphore(0)
        self.open = threading.Event()
        self.open.set()

    def take(self, messages: Sequence[Message]) -> list[Receipt]:
        self.entered.release()
        assert self.open.wait(PATIENCE_SECONDS)
        names = [each.default_id for each in messages]
        if "away" in names:
            raise OperationalError("connection lost")
        if "poison" in names:
            raise ValueError("a fault of the program")
        self.groups.append(names)
        return [Receipt("test", name, "appended", None, None, None, None) for name in names]

    @contextmanager
    def busy(self, committer: GroupCommitter) -> Iterator[None]:
        """While one transaction takes its time, so that requests gather."""
        self.open.clear()
        committer.submit([message("first")])
        assert self.entered.acquire(timeout=PATIENCE_SECONDS)
        yield
        self.open.set()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def committer(ledger: Ledger) -> Iterator[GroupCommitter]:
    committer = GroupCommitter(ledger.take, most=3, queue=6)
    yield committer
    committer.close()


def test_a_lone_request_is_taken_at_once(committer: GroupCommitter) -> None:
    receipts = committer.submit([message("a"), message("b")]).result(PATIENCE_SECONDS)
    assert ids(receipts) == ["a", "b"]


def test_requests_that_gather_share_a_transaction_up_to_its_size(
    ledger: Ledger, committer: GroupCommitter
) -> None:
    with ledger.busy(committer):
        waiting = [committer.submit([message(name)]) for name in "abc"]
        waiting.append(committer.submit([message("d"), message("e")]))
    assert [ids(each.result(PATIENCE_SECONDS)) for each in waiting] == [
        ["a"],
        ["b"],
        ["c"],
        ["d", "e"],
    ]
    assert ledger.groups == [["first"], ["a", "b", "c"], ["d", "e"]]


def test_a_request_larger_than_a_group_stays_whole(
    ledger: Ledger, committer: GroupCommitter
) -> None:
    committer.submit([message(name) for name in "abcdefgh"]).result(PATIENCE_SECONDS)
    assert ledger.groups == [list("abcdefgh")]


def test_a_full_queue_refuses_and_has_room_again_afterwards(
    ledger: Ledger, committer: GroupCommitter
) -> None:
    with ledger.busy(committer):
        taken = committer.submit([message(name) for name in "abcde"])
        with pytest.raises(QueueFull):
            committer.submit([message("f")])
    taken.result(PATIENCE_SECONDS)
    assert ids(committer.submit([message("f")]).result(PATIENCE_SECONDS)) == ["f"]


def test_closing_takes_what_is_queued_and_refuses_what_comes(
    ledger: Ledger, committer: GroupCommitter
) -> None:
    with ledger.busy(committer):
        waiting = committer.submit([message("a")])
    committer.close()
    assert ids(waiting.result(0)) == ["a"]
    with pytest.raises(Closed):
        committer.submit([message("b")])


def test_a_lost_database_fails_the_group_and_not_the_next_one(
    ledger: Ledger, committer: GroupCommitter
) -> None:
    with ledger.busy(committer):
        neighbours = [committer.submit([message(name)]) for name in ("a", "away")]
    for neighbour in neighbours:
        with pytest.raises(OperationalError):
            neighbour.result(PATIENCE_SECONDS)
    assert ids(committer.submit([message("a")]).result(PATIENCE_SECONDS)) == ["a"]


def test_a_request_that_trips_the_program_takes_no_other_down(
    ledger: Ledger, committer: GroupCommitter
) -> None:
    with ledger.busy(committer):
        before, poison, after = (committer.submit([message(n)]) for n in ("a", "poison", "b"))
    assert ids(before.result(PATIENCE_SECONDS)) == ["a"]
    with pytest.raises(ValueError, match="a fault of the program"):
        poison.result(PATIENCE_SECONDS)
    assert ids(after.result(PATIENCE_SECONDS)) == ["b"]


def test_a_request_that_was_given_up_before_its_turn_leaves_nothing(
    ledger: Ledger, committer: GroupCommitter
) -> None:
    with ledger.busy(committer):
        given_up = committer.submit([message("a")])
        assert given_up.cancel()
        kept = committer.submit([message("b")])
    assert ids(kept.result(PATIENCE_SECONDS)) == ["b"]
    assert ledger.groups == [["first"], ["b"]]
