"""What the brokers refuse stops nobody else, and is laid on nobody else."""

from contextlib import closing

import pytest

from consumers.brokers import EmbeddedBroker
from consumers.brokers.process import Broker
from consumers.producing import Producing, Record
from tests.consumers.channel import Channel


def test_only_the_record_that_is_too_large_for_the_brokers_is_refused(
    broker: Broker, channel: Channel
) -> None:
    if isinstance(broker, EmbeddedBroker):
        pytest.skip("the embedded broker has no limit for a topic")
    topic = channel.small_topic("small", 50_000)
    values = [b"x" * (60_000 if number in (3, 7, 9) else 10) for number in range(10)]
    records = [Record(topic, b"C-1", value, [], 1_772_000_000_000) for value in values]
    with closing(Producing(channel.bootstrap_servers, {})) as producing:
        for _ in range(2):  # the last refusal does not spoil the next call
            produced = producing.produce(records, give_up=lambda: False)
            assert sorted(produced.acknowledged) == [0, 1, 2, 4, 5, 6, 8]
            assert produced.refused.keys() == {3, 7, 9}
            assert produced.failure is None
