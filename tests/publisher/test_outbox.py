"""An outbox holds what it was given, to itself, up to its capacity."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from consumers.producing import Record
from ledger.erasing import NotEverywhere
from servicetrail.publisher.clearing import clear_outbox
from servicetrail.publisher.errors import OutboxFailed, OutboxFull, OutboxInUse, PublisherClosed
from servicetrail.publisher.outbox import Outbox, Refusal

ROOT = Path(__file__).parents[2]


def record(number: int, *, value: bytes = b"\xc3\x01", timestamp: int = 0) -> Record:
    headers = [("ce_source", "käse".encode()), ("ce_id", f"e-{number}".encode())]
    return Record("touchpoints", b"C-1", value, headers, timestamp)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "outbox.sqlite"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    with closing(Outbox(path, capacity=5, remembered=3)) as opened:
        yield opened


def test_what_waits_is_there_in_order_after_it_was_opened_again(path: Path) -> None:
    records = [record(number, value=bytes([number]), timestamp=number) for number in range(3)]
    with closing(Outbox(path, capacity=5)) as outbox:
        assert outbox.put(records[:1]) == 1
        assert outbox.put(records[1:]) == 2
    with closing(Outbox(path, capacity=5)) as outbox:
        assert [each.record for each in outbox.next(10)] == records
        assert [each.record for each in outbox.next(2)] == records[:2]
        assert outbox.waiting == 3


def test_the_same_record_waits_once_whenever_it_was_tried(outbox: Outbox) -> None:
    assert outbox.put([record(1), record(2)]) == 2
    assert outbox.put([record(2, timestamp=99), record(3)]) == 1
    assert outbox.put([record(1, value=b"other")]) == 1
    assert outbox.waiting == 4


def test_beyond_its_capacity_it_takes_nothing_of_what_it_is_given(outbox: Outbox) -> None:
    outbox.put([record(number) for number in range(4)])
    with pytest.raises(OutboxFull, match=r"4 events wait in .*, and it may hold 5"):
        outbox.put([record(4), record(5)])
    assert outbox.waiting == 4
    outbox.settle([outbox.next(1)[0].number], {}, [])
    outbox.put([record(4), record(5)])
    assert outbox.waiting == 5


def test_what_was_delivered_is_remembered_the_last_of_it(outbox: Outbox) -> None:
    hashes = [bytes([number]) * 16 for number in range(5)]
    outbox.put([record(1)])
    outbox.settle([each.number for each in outbox.next(1)], {}, hashes)
    outbox.settle([], {}, hashes[4:])
    assert outbox.waiting == 0
    assert outbox.were_delivered(hashes) == set(hashes[2:])


def test_what_was_refused_is_shown_and_waits_again_when_it_is_put_again(outbox: Outbox) -> None:
    outbox.put([record(1), record(2)])
    outbox.settle([], {outbox.next(1)[0].number: "too large"}, [])
    assert outbox.refusals() == [Refusal("käse", "e-1", "too large")]
    assert outbox.waiting == 1
    assert outbox.put([record(1)]) == 1
    assert outbox.refusals() == []
    assert [dict(each.record.headers)["ce_id"] for each in outbox.next(9)] == [b"e-1", b"e-2"]


def test_what_was_refused_is_put_aside_and_stays_on_record(path: Path) -> None:
    with closing(Outbox(path, capacity=5)) as outbox:
        assert outbox.discard("nothing is there") == []
        outbox.put([record(1, value=b"Ada Lovelace" * 50), record(2)])
        outbox.settle([], {outbox.next(1)[0].number: "too large"}, [])
        [discarded] = outbox.discard("e-3 was sent in its place")
        assert discarded[:4] == ("käse", "e-1", "too large", "e-3 was sent in its place")
        assert (outbox.refusals(), outbox.waiting) == ([], 1)
    with closing(Outbox(path, capacity=5)) as outbox:
        assert outbox.discards() == [discarded]
        assert outbox.put([record(1), record(2)]) == 1
    assert b"Lovelace" not in path.read_bytes()


def test_what_waits_for_other_topics_is_there_without_those_left_out(outbox: Outbox) -> None:
    others = [record(number)._replace(topic=f"topic-{number}") for number in (2, 3)]
    outbox.put([record(1), *others])
    assert [each.record for each in outbox.next(9, without=["touchpoints"])] == others
    assert [each.record for each in outbox.next(1, without=["touchpoints", "topic-2"])] == others[
        1:
    ]


def test_one_publisher_has_it_at_a_time_in_this_process_and_in_others(
    path: Path, outbox: Outbox
) -> None:
    with pytest.raises(OutboxInUse, match=r"process \d+"):
        Outbox(path, capacity=5)
    code = f"from servicetrail.publisher.outbox import Outbox; Outbox({str(path)!r}, capacity=1)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "OutboxInUse" in done.stderr
    outbox.close()
    Outbox(path, capacity=5).close()


def test_only_its_owner_may_read_it(path: Path, outbox: Outbox) -> None:
    outbox.put([record(1)])
    assert all(
        file.stat().st_mode & 0o077 == 0
        for file in path.parent.glob("*sqlite*")
        if "lock" not in file.name
    )
    assert path.parent.stat().st_mode & 0o077 == 0


def test_nothing_of_a_delivered_record_stays_in_the_file(path: Path) -> None:
    with closing(Outbox(path, capacity=5)) as outbox:
        outbox.put([record(1, value=b"Ada Lovelace" * 50)])
        outbox.settle([each.number for each in outbox.next(1)], {}, [b"h" * 16])
    assert b"Lovelace" not in path.read_bytes()
    assert not path.with_name(f"{path.name}-wal").exists()


def test_a_file_that_is_no_outbox_or_a_newer_one_is_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_bytes(b"this is not a database, whatever its name says" * 100)
    newer = tmp_path / "newer"
    with closing(sqlite3.connect(newer)) as database:
        database.execute("PRAGMA user_version = 2")
    for path, why in (
        (text, "not a database"),
        (newer, "newer version"),
        (tmp_path, "directory|open"),
    ):
        with pytest.raises(OutboxFailed, match=why):
            Outbox(path, capacity=5)


def test_closed_it_takes_nothing_more(outbox: Outbox) -> None:
    outbox.close()
    outbox.close()
    with pytest.raises(PublisherClosed):
        outbox.put([record(1)])
    with pytest.raises(PublisherClosed):
        outbox.next(1)


def test_an_erased_customer_is_taken_out_and_what_cannot_be_is_told(path: Path) -> None:
    clear_outbox(path, "C-1")
    assert not path.exists()  # none is made
    personal, other = b"Ada Lovelace" * 50, Record("touchpoints", b"C-2", b"Grace", [], 0)
    with closing(Outbox(path, capacity=5)) as outbox:
        outbox.put([record(1, value=personal), other])
        with pytest.raises(NotEverywhere, match="is open in another publisher"):
            clear_outbox(path, "C-1")
    with pytest.raises(NotEverywhere, match=r"1 events of this customer wait .* deliver them"):
        clear_outbox(path, "C-1")
    with closing(Outbox(path, capacity=5)) as outbox:
        outbox.settle([], {1: "too large"}, [])
    clear_outbox(path, "C-1")
    assert not any(b"Lovelace" in file.read_bytes() for file in path.parent.iterdir())
    with closing(Outbox(path, capacity=5)) as outbox:
        assert [waiting.record for waiting in outbox.next(5)] == [other]
