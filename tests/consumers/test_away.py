"""Brokers that are away are seen by whoever looks at the consumer, not only by its silence."""

from consumers.brokers import ApacheKafka, LocalBroker
from tests.consumers.channel import Channel
from tests.consumers.events import touchpoint
from tests.consumers.running import Ledger, consuming
from tests.consumers.waiting import eventually


def test_a_consumer_without_brokers_does_not_say_that_it_reads(
    own_broker: LocalBroker, ledger: Ledger
) -> None:
    with Channel(own_broker.bootstrap_servers, "away") as channel:
        topic = channel.topic("touchpoints")
        channel.publish(topic, [touchpoint("T-1", "C-1")])
        with consuming(ledger, channel.bootstrap_servers, topic) as running:
            eventually(lambda: running.consumer.lags == {(topic, 0): 0})
            assert running.consumer.state == "reading"
            own_broker.kill()
            eventually(lambda: running.consumer.state == "joining" and not running.consumer.lags)
            if not isinstance(own_broker, ApacheKafka):
                return  # the embedded broker has forgotten everything
            own_broker.start()
            eventually(lambda: running.consumer.state == "reading")
            channel.reopened()
            channel.publish(topic, [touchpoint("T-2", "C-1")])
            eventually(lambda: ledger.count() == 2)
