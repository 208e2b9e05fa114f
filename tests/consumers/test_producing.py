"""What the brokers refuse stops nobody else, and is laid on nobody else."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from select import select
from socket import create_connection
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest

from consumers.brokers import EmbeddedBroker
from consumers.brokers.process import Broker
from consumers.producing import _FIXED, Producing, Record
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


def test_brokers_that_go_after_a_refusal_leave_what_they_acknowledged_acknowledged(
    broker: Broker, channel: Channel
) -> None:
    """A refusal makes us connect anew, here by an address where nobody answers any more."""
    if isinstance(broker, EmbeddedBroker):
        pytest.skip("the embedded broker has no limit for a topic")
    topic = channel.small_topic("gone", 50_000)
    values = [b"first", b"x" * 60_000, b"last"]
    records = [Record(topic, b"C-1", value, [], 1_772_000_000_000) for value in values]
    with relay(channel.bootstrap_servers) as address:
        producing = Producing(address, {"linger_ms": 0, "batch_size": 0})
    with closing(producing):
        produced = producing.produce(records, give_up=lambda: False)
    assert 0 in produced.acknowledged
    assert 1 not in produced.acknowledged
    assert f"no broker answers at {address}" in str(produced.failure)


def test_a_topic_that_was_deleted_is_not_made_again_by_sending_to_it(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though brokers may make whatever is asked for, as the embedded one does."""
    monkeypatch.setitem(_FIXED, "max_block_ms", 500)
    missing = f"{channel.prefix}-deleted"
    record = Record(missing, b"C-1", b"x", [], 1_772_000_000_000)
    with closing(Producing(channel.bootstrap_servers, {})) as producing:
        produced = producing.produce([record], give_up=lambda: False)
    assert produced.acknowledged == []
    assert "Failed to update metadata" in str(produced.failure)
    with channel.admin() as admin:
        assert missing not in admin.list_topics()


@contextmanager
def relay(bootstrap_servers: str) -> Iterator[str]:
    """Another address of the brokers, until the end of the block."""
    host, _, port = bootstrap_servers.rpartition(":")

    class Relay(StreamRequestHandler):
        def handle(self) -> None:
            with create_connection((host, int(port))) as broker:
                ends = {self.connection: broker, broker: self.connection}
                while True:
                    for end in select(list(ends), [], [])[0]:
                        data = end.recv(65_536)
                        if not data:
                            return
                        ends[end].sendall(data)

    with ThreadingTCPServer(("127.0.0.1", 0), Relay) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.01,)).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
