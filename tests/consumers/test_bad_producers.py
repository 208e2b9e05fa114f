"""Producers with faults: the account adds up to the record, and nobody else's events suffer."""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator

import pytest

from consumers.registry import Registry
from ledger import kept
from ledger.account import account
from tests.consumers.channel import Channel
from tests.consumers.events import Published, touchpoint
from tests.consumers.running import Ledger, consuming
from tests.consumers.waiting import eventually
from tests.publisher.registry import RegistryServer

SEED = 20260302
CUSTOMERS = 7


def letter(number: int, **more: str) -> Published:
    """A letter; the customers take turns."""
    return touchpoint(f"T-{number}", f"C-{number % CUSTOMERS}", **more)


def by_customer(events: Iterable[Published]) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = defaultdict(list)
    for event in events:
        ids[event.data["customer_id"]].append(event.id)
    return dict(ids)


def kept_bodies(ledger: Ledger) -> list[bytes]:
    """The values of all records that are kept, in order of arrival."""
    ids = [row[0] for row in ledger.query("SELECT kept_id FROM intake.kept ORDER BY kept_id")]
    with ledger.datastore.transaction() as cursor:
        messages = kept.messages(cursor, ledger.keyring, ids)
    return [messages[kept_id].body for kept_id in ids]


def outcomes(ledger: Ledger, source: str) -> dict[str, int]:
    """What became of everything that was received from a source."""
    with ledger.datastore.transaction() as cursor:
        [line] = account(cursor, source=source)
    return {name: count for name, count in line._asdict().items() if name != "source" and count}


def garbage(rng: random.Random, event: Published) -> bytes:
    """Something that once was meant to be an event."""
    body = bytearray(event.structured)
    return rng.choice(
        [
            lambda: bytes(body[: rng.randrange(len(body))]),
            lambda: rng.randbytes(rng.randrange(1, 200)),
            lambda: b"\x00" + rng.randbytes(20),
            lambda: b"\xc3\x01" + rng.randbytes(30),
            lambda: b"[" * 100_000,
            lambda: bytes(body.replace(b'"mail"', b"17")),
            lambda: b"",
        ]
    )()


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry that has no schema."""
    server = RegistryServer()
    yield Registry(server.url)
    server.close()


def test_one_record_in_ten_is_garbage(channel: Channel, ledger: Ledger, registry: Registry) -> None:
    """Some of it looks like the data of a schema of the registry's, by any number."""
    rng = random.Random(SEED)
    topic = channel.topic("garbage")
    good, bad = [], []
    for number in range(1000):
        event = letter(number)
        if rng.random() < 0.1:
            bad.append(garbage(rng, event))
            channel.send(topic, bad[-1], key=event.key)
        else:
            good.append(event)
            channel.send(topic, event.structured, key=event.key)
    channel.send(topic, None, key=b"C-1")  # a tombstone
    channel.flush()
    with consuming(ledger, channel.bootstrap_servers, topic, batch_events=100, registry=registry):
        eventually(lambda: ledger.received()["received"] == 1001)
    assert ledger.received() == {
        "received": 1001,
        "appended": len(good),
        "rejected": len(bad) + 1,
    }
    assert ledger.by_customer() == by_customer(good)
    assert kept_bodies(ledger) == [*bad, b""]
    assert ledger.positions(topic) == {0: 1001}


def test_duplicated_and_conflicting_ids(channel: Channel, ledger: Ledger) -> None:
    """One producer repeats itself and gives ids twice; another one tells of the same customers."""
    rng = random.Random(SEED)
    topic = channel.topic("twice")
    first: dict[str, Published] = {}
    good: list[Published] = []
    conflicting: list[bytes] = []
    expected: Counter[str] = Counter()
    for number in range(1000):
        outcome = rng.choice(["appended", "duplicate", "conflict", "of the other"])
        event = letter(number, source="careless", id=f"careless-{number}")
        if outcome == "of the other":
            event = letter(number, source="careful")
            good.append(event)
        elif outcome == "appended" or not first:
            outcome = "appended"
            good.append(event)
            first[event.id] = event
        else:
            earlier = first[rng.choice(list(first))]
            if outcome == "duplicate":
                event = earlier
            else:  # another letter under an id that was given
                event.id = earlier.id
                conflicting.append(event.structured)
        expected[outcome] += 1
        channel.send(topic, event.structured, key=event.key)
    channel.flush()
    with consuming(ledger, channel.bootstrap_servers, topic, batch_events=30):
        eventually(lambda: ledger.received()["received"] == 1000)
    assert outcomes(ledger, "careful") == dict.fromkeys(
        ["received", "appended"], expected.pop("of the other")
    )
    assert outcomes(ledger, "careless") == {"received": expected.total(), **expected}
    assert ledger.by_customer() == by_customer(good)
    assert kept_bodies(ledger) == conflicting


def test_a_producer_with_a_broken_schema(channel: Channel, ledger: Ledger) -> None:
    """Its records are rejected with the reason and the place of the fault; another producer's, of
    the same customers and between them, are taken.
    """
    topic = channel.topic("broken")
    faults: list[tuple[str, str, Callable[[Published], object]]] = [
        ("missing_field", "data.direction", lambda e: e.data.pop("direction")),
        ("unknown_field", "data.chanel", lambda e: e.data.update(chanel="mail")),
        ("wrong_type", "data.handling_seconds", lambda e: e.data.update(handling_seconds="long")),
        ("unknown_symbol", "data.direction", lambda e: e.data.update(direction="INBOUND")),
    ]
    good = []
    expected: Counter[tuple[str, str]] = Counter()
    for number in range(400):
        good.append(letter(number, source="sound"))
        reason, path, spoil = faults[number % len(faults)]
        broken = letter(1000 + number, source="broken")
        spoil(broken)
        expected[reason, path] += 1
        channel.send(topic, broken.json_data, broken.headers("application/json"), key=broken.key)
        channel.send(topic, good[-1].json_data, good[-1].headers("application/json"))
    channel.flush()
    with consuming(ledger, channel.bootstrap_servers, topic, batch_events=50):
        eventually(lambda: ledger.received()["received"] == 800)
    assert outcomes(ledger, "broken") == {"received": 400, "rejected": 400}
    assert outcomes(ledger, "sound") == {"received": 400, "appended": 400}
    assert ledger.by_customer() == by_customer(good)
    found = Counter(ledger.query("SELECT reason, path FROM intake.kept"))
    assert found == expected
    assert json.loads(kept_bodies(ledger)[0])["touchpoint_id"] == "T-1000"


def test_a_batch_is_divided_by_its_size(channel: Channel, ledger: Ledger) -> None:
    """Records of a megabyte are taken, one by one where they must; one beyond the limit is kept."""
    topic = channel.topic("large")
    events = [letter(number) for number in range(20)]
    for event in events[5:9]:
        event.data["note"] = "x" * 1_000_000
    events[11].data["note"] = "x" * 2_000_000
    channel.publish(topic, events)
    with consuming(ledger, channel.bootstrap_servers, topic, batch_bytes=1_500_000) as running:
        eventually(lambda: ledger.received()["received"] == 20)
    assert ledger.received() == {"received": 20, "appended": 19, "rejected": 1}
    assert max(sum(len(r.value) for r in taken.records) for taken in running.taken) < 2_100_000
    assert kept_bodies(ledger) == [events.pop(11).structured]
    assert ledger.by_customer() == by_customer(events)
