"""Several writers at once, cutting across each other's streams: nothing stuck, nothing twice."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.datastore import Datastore
from schemas.message import Message
from tests.intake.door import Door, answered, complaint, offered, promise


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_events_of_the_same_things_from_many_writers_all_settle(
    datastore: Datastore, seed: int
) -> None:
    """Each complaint's and promise's events arrive through different writers, in any order."""
    chance = random.Random(seed)
    messages: list[Message] = []
    for number in range(60):
        thing = f"X-{number}"
        messages += [
            complaint("raised", thing),
            offered("A-1", complaint_id=thing),
            answered("A-1", complaint_id=thing),
            complaint("closed", thing),
            promise("made", thing),
            promise("kept", thing),
        ]
    messages += chance.sample(messages, 60)
    chance.shuffle(messages)
    batches = [messages[start : start + 7] for start in range(0, len(messages), 7)]
    doors = [Door(datastore) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        receipts = [
            receipt
            for batch in pool.map(
                lambda pair: pair[0].take(*pair[1]),
                [(doors[index % 4], batch) for index, batch in enumerate(batches)],
            )
            for receipt in batch
        ]
    door = doors[0]
    assert len(receipts) == len(messages)
    assert {r.outcome for r in receipts} <= {"appended", "parked", "duplicate"}
    line = door.account()["test"]
    assert (line.received, line.appended, line.duplicate) == (420, 360, 60)
    assert line.parked == 0
    assert door.differences() == []
    assert door.query("SELECT count(*), max(position) FROM ledger.events") == [(360, 360)]
