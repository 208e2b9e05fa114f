"""How much was rejected lately in a Kafka partition: as long as nobody has looked at it."""

from collections.abc import Iterable
from dataclasses import replace

from ledger.rejected import Rejected, look, rejected_lately
from schemas.message import Message
from tests.dead_letters.desk import Desk
from tests.intake.door import touchpoint


def record(topic: str, partition: int, offset: int, message: Message | None = None) -> Message:
    """A message, wrong unless one is given, as it came from there."""
    wrong = touchpoint(f"T-{topic}-{partition}-{offset}", direction="sideways")
    origin = {"topic": topic, "partition": partition, "offset": offset}
    return replace(message or wrong, origin=origin)


def wrong(desk: Desk, topic: str, partition: int, offsets: Iterable[int]) -> None:
    outcomes = desk.outcomes(*(record(topic, partition, offset) for offset in offsets))
    assert set(outcomes) == {"rejected"}


def lately(desk: Desk, topic: str, partition: int, position: int, window: int = 10) -> int:
    with desk.datastore.transaction() as cursor:
        return rejected_lately(cursor, topic, partition, position, window).records


def seen(desk: Desk, topic: str | None) -> int:
    with desk.datastore.transaction() as cursor:
        return look(cursor, topic, "ada")


def test_it_is_counted_in_the_window_before_a_position_of_one_partition(desk: Desk) -> None:
    wrong(desk, "mail", 0, range(8, 15))
    wrong(desk, "mail", 1, range(3))
    wrong(desk, "shop", 0, range(10, 12))
    assert [lately(desk, "mail", 0, position) for position in (8, 9, 15, 20, 25)] == [0, 1, 7, 5, 0]
    assert (lately(desk, "mail", 1, 3), lately(desk, "shop", 0, 15)) == (3, 2)


def test_the_most_frequent_reason_is_told(desk: Desk) -> None:
    wrong(desk, "mail", 0, range(2))
    broken = replace(touchpoint("T-9"), body=b"{")
    desk.take(record("mail", 0, 2, broken))
    with desk.datastore.transaction() as cursor:
        assert rejected_lately(cursor, "mail", 0, 3, 10) == Rejected(3, "unknown_symbol")
        assert rejected_lately(cursor, "mail", 0, 0, 10) == Rejected(0, None)


def test_what_somebody_decided_about_counts_no_more(desk: Desk) -> None:
    wrong(desk, "mail", 0, range(4))
    first, second, *_ = desk.open()
    desk.discard(first)
    desk.repair(second, touchpoint("T-1"))
    assert lately(desk, "mail", 0, 4) == 2


def test_what_somebody_has_looked_at_counts_no_more_and_stays(desk: Desk) -> None:
    wrong(desk, "mail", 0, range(4))
    wrong(desk, "shop", 0, range(3))
    assert seen(desk, "mail") == 4
    assert (lately(desk, "mail", 0, 4), lately(desk, "shop", 0, 3)) == (0, 3)
    wrong(desk, "mail", 0, range(4, 6))
    assert lately(desk, "mail", 0, 6) == 2
    assert seen(desk, None) == 9
    assert (lately(desk, "mail", 0, 6), lately(desk, "shop", 0, 3)) == (0, 0)
    assert set(desk.open().values()) == {"rejected"}
    assert len(desk.open()) == 9


def test_a_record_that_comes_again_and_again_counts_once(desk: Desk) -> None:
    same = touchpoint("T-1", direction="sideways")
    for offset in range(3):
        assert desk.outcomes(record("mail", 0, offset, same)) == ["rejected"]
    assert (lately(desk, "mail", 0, 3), desk.counts()["rejected"]) == (1, 3)
