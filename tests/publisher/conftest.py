import pytest

from consumers.brokers.process import Broker
from tests.consumers.channel import Channel
from tests.consumers.conftest import broker, channel, own_broker
from tests.intake.conftest import door
from tests.publisher.topics import Topics

__all__ = ["broker", "channel", "door", "own_broker"]


@pytest.fixture
def topics(broker: Broker, channel: Channel) -> Topics:
    """Topics that no other test uses, one for each of the usual ones."""
    return Topics.made(broker.bootstrap_servers, channel.prefix)
