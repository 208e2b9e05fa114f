"""Steps of a complaint on one topic and its raising on another: in whatever order they come."""

import itertools
from collections import defaultdict

from tests.consumers.channel import Channel
from tests.consumers.events import Published, complaint
from tests.consumers.running import Ledger, consuming
from tests.consumers.waiting import eventually

Rounds = list[list[tuple[str, Published]]]
"""What is published together, with its topic. The next round waits until all of it was taken."""


def take(channel: Channel, ledger: Ledger, topics: tuple[str, str], rounds: Rounds) -> None:
    """Publish round by round, and see that in the end nothing waits."""
    published = 0
    with consuming(ledger, channel.bootstrap_servers, *topics, batch_events=50):
        for together in rounds:
            for topic, event in together:
                channel.send(topic, event.structured, key=event.key)
            channel.flush()
            published += len(together)
            eventually(lambda goal=published: ledger.received()["received"] == goal)
    assert ledger.received() == {"received": published, "appended": published}


def ids_by_complaint(ledger: Ledger) -> dict[str, list[str]]:
    """The ids of each complaint's events, in the ledger's order."""
    found: dict[str, list[str]] = defaultdict(list)
    for stream, event_id in ledger.query(
        "SELECT originator_id, id FROM ledger.events ORDER BY position"
    ):
        found[stream.removeprefix("complaint:")].append(event_id)
    return dict(found)


def test_in_every_interleaving_all_settle_in_order(channel: Channel, ledger: Ledger) -> None:
    """The raising before, between and after the steps, which come in their order; and for each of
    these, every way to part them into batches.
    """
    here, there = channel.topic("raising", partitions=2), channel.topic("steps", partitions=2)
    steps = ("acknowledged", "amends_offered", "amends_answered", "closed")
    rounds: Rounds = [[] for _ in range(len(steps) + 1)]
    expected = {}
    for place in range(len(steps) + 1):
        for parted in itertools.product([False, True], repeat=len(steps)):
            name = f"K-{len(expected)}"
            raised, *story = (complaint(step, name, f"C-{name}") for step in ("raised", *steps))
            expected[name] = [raised.id, *(event.id for event in story)]
            arriving = [(there, event) for event in story]
            arriving.insert(place, (here, raised))
            numbers = itertools.accumulate(parted, initial=0)
            for number, arrives in zip(numbers, arriving, strict=True):
                rounds[number].append(arrives)
    take(channel, ledger, (here, there), rounds)
    assert ids_by_complaint(ledger) == expected


def test_in_every_permutation_all_settle_as_they_came(channel: Channel, ledger: Ledger) -> None:
    """The steps in any order as well, as from systems that know nothing of each other."""
    here, there = channel.topic("raising"), channel.topic("steps")
    steps = ("raised", "acknowledged", "apologized", "explained", "closed")
    rounds: Rounds = [[] for _ in steps]
    expected = {}
    for number, order in enumerate(itertools.permutations(steps)):
        name = f"K-{number}"
        story = {step: complaint(step, name, f"C-{name}") for step in order}
        for together, (step, event) in zip(rounds, story.items(), strict=True):
            together.append((here if step == "raised" else there, event))
        raised = story.pop("raised")
        expected[name] = [raised.id, *(event.id for event in story.values())]
    take(channel, ledger, (here, there), rounds)
    assert ids_by_complaint(ledger) == expected
