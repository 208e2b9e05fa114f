"""Each kind of story, told by itself to its end."""

from collections import Counter
from collections.abc import Callable

import pytest

from servicetrail.simulate.clockwork import Story
from servicetrail.simulate.company import CHANNELS, Channel
from servicetrail.simulate.complaints import complaint
from servicetrail.simulate.conversations import conversation
from servicetrail.simulate.promises import service_promise
from servicetrail.simulate.world import World
from tests.simulate.history import START

ABOUT = {"case_id": "CASE-1", "topic": "order_status", "product": "KETTLE-02"}


def promised(world: World, channel: Channel) -> Story:
    return service_promise(world, world.customers.next(), channel, world.topic(channel), ABOUT)


def complained(world: World, channel: Channel) -> Story:
    return complaint(world, world.customers.next(), channel, ABOUT)


def conversed(world: World, channel: Channel) -> Story:
    return conversation(world, world.customers.next(), channel)


@pytest.mark.parametrize("story", [promised, complained, conversed])
def test_no_story_wakes_in_the_past_and_all_come_to_an_end(
    story: Callable[[World, Channel], Story],
) -> None:
    world = World(1, int(START.timestamp()), events_per_day=100.0)
    for number in range(6_000):
        channel = CHANNELS[number % len(CHANNELS)]
        world.clock.start(story(world, channel), at=world.start + number * 60)
    told = Counter(happening.type for happening in world.clock.run())
    assert sum(told.values()) > 6_000
