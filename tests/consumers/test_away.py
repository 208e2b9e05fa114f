"""Brokers that go away, and come back without all that they had: it is seen, said and mended."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.brokers import ApacheKafka, LocalBroker
from tests.consumers.channel import Channel
from tests.consumers.conftest import KINDS, own
from tests.consumers.events import touchpoint
from tests.consumers.running import Ledger, consuming
from tests.consumers.waiting import eventually


@pytest.fixture(scope="module", params=list(KINDS))
def our_broker(request: pytest.FixtureRequest) -> Iterator[LocalBroker]:
    """A broker that these tests may stop."""
    with own(request.param) as running:
        yield running


def test_a_consumer_without_brokers_does_not_say_that_it_reads(
    our_broker: LocalBroker, ledger: Ledger
) -> None:
    with Channel(our_broker.bootstrap_servers, "away") as channel:
        topic = channel.topic("touchpoints")
        channel.publish(topic, [touchpoint("T-1", "C-1")])
        with consuming(ledger, channel.bootstrap_servers, topic) as running:
            eventually(lambda: running.consumer.lags == {(topic, 0): 0})
            assert running.consumer.state == "reading"
            our_broker.kill()
            eventually(lambda: running.consumer.state == "joining" and not running.consumer.lags)
            if not isinstance(our_broker, ApacheKafka):
                return  # the embedded broker has forgotten everything
            our_broker.start()
            eventually(lambda: running.consumer.state == "reading")
            channel.reopened()
            channel.publish(topic, [touchpoint("T-2", "C-1")])
            eventually(lambda: ledger.count() == 2)


def batches_of(log: bytes) -> list[int]:
    """Where each batch of records begins, and where the last one ends."""
    begins = [0]
    while begins[-1] < len(log):
        length = int.from_bytes(log[begins[-1] + 8 : begins[-1] + 12], "big")
        begins.append(begins[-1] + 12 + length)
    return begins


def lose_the_end(segment: Path, batches: int) -> None:
    """Take the last batches out of the log of a broker that does not run."""
    begins = batches_of(segment.read_bytes())
    with segment.open("r+b") as log:
        log.truncate(begins[-1 - batches])


def test_an_end_of_a_log_that_was_lost_and_written_anew_is_read(
    our_broker: LocalBroker, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """Though the log has grown beyond what was read by the time that a consumer comes back."""
    if not isinstance(our_broker, ApacheKafka):
        pytest.skip("the embedded broker has forgotten everything")
    with Channel(our_broker.bootstrap_servers, "lost") as channel:
        topic = channel.topic("touchpoints")
        for number in range(5):
            channel.publish(topic, [touchpoint(f"T-{number}", "C-1")])
        with consuming(ledger, channel.bootstrap_servers, topic):
            eventually(lambda: ledger.positions(topic) == {0: 5})
        our_broker.kill()
        lose_the_end(our_broker.directory / "data" / f"{topic}-0" / f"{0:020}.log", batches=2)
        our_broker.start()
        channel.reopened()
        channel.publish(topic, [touchpoint(f"T-{number}", "C-1") for number in range(10, 14)])
        with consuming(ledger, channel.bootstrap_servers, topic):
            eventually(lambda: ledger.positions(topic) == {0: 7})
    assert ledger.received() == {"received": 9, "appended": 9}
    assert "the log was cut off before what was read already" in caplog.text
