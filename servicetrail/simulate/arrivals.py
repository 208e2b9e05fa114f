"""Who turns to the company when: a flow by the hour and the weekday, channel by channel."""

from servicetrail.simulate.chance import HOUR
from servicetrail.simulate.clockwork import Story
from servicetrail.simulate.company import CHANNELS, EVENTS_PER_ARRIVAL, Channel
from servicetrail.simulate.conversations import conversation, outreach
from servicetrail.simulate.customers import purchase
from servicetrail.simulate.hours import local_hour
from servicetrail.simulate.world import World

_ALL_ARRIVALS = sum(channel.arrivals for channel in CHANNELS)


def arrivals(world: World, channel: Channel) -> Story:
    """Customers of one channel, one after another, without end."""
    per_week = 7 * world.events_per_day / EVENTS_PER_ARRIVAL * channel.arrivals / _ALL_ARRIVALS
    flow = _Flow(channel, per_week)
    while True:
        yield flow.next_arrival(world)
        if channel.live and not world.hours[channel.calendar].is_open(world.now):
            continue  # nobody there: a closed door, a dead line
        customer = world.customers.next()
        if world.happens(channel.purchases):
            world.clock.start(purchase(world, customer, channel))
        elif world.happens(0.03):
            world.clock.start(outreach(world, customer, channel))
        else:
            world.clock.start(conversation(world, customer, channel))


class _Flow:
    """A Poisson flow whose rate is constant within each hour of the week."""

    def __init__(self, channel: Channel, per_week: float) -> None:
        total = sum(channel.by_hour) * sum(channel.by_weekday)
        self._per_second = [
            [per_week * weekday * hour / total / HOUR for hour in channel.by_hour]
            for weekday in channel.by_weekday
        ]

    def next_arrival(self, world: World) -> int:
        """Uses up an exponential quantity hour by hour, which is exact for a rate in steps."""
        at, left = float(world.now), world.rng.expovariate(1.0)
        while True:
            weekday, hour = local_hour(int(at))
            rate = self._per_second[weekday][hour]
            end_of_hour = (int(at) // HOUR + 1) * HOUR
            if left < rate * (end_of_hour - at):
                return int(at + left / rate)
            left -= rate * (end_of_hour - at)
            at = end_of_hour
