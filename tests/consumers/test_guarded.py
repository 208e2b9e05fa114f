"""Brokers that let in only whom they know, over TLS, and only to what they may."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from consumers.consumer import ConsumerFailed
from consumers.consuming import Consuming
from consumers.watching import BrokersRefuse, lags
from servicetrail.publisher import Publisher
from tests.cli.conftest import Command
from tests.cli.events import touchpoint as recorded
from tests.consumers.conftest import missing
from tests.consumers.guarded import Guarded
from tests.consumers.running import Ledger, consuming
from tests.consumers.waiting import eventually
from tests.publisher.topics import counts

OPEN, SHUT, GROUP = "open", "shut", "team"
QUICK = {"bootstrap_timeout_ms": 1_000}
# kafka-python drops the sockets of its failed attempts to connect without closing them.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def broker() -> Iterator[Guarded]:
    """`team` and `plain` may use the topic `open`, nobody the topic `shut`."""
    if why := missing("apache"):
        pytest.skip(why)
    with Guarded() as running:
        running.make(OPEN, SHUT)
        for user in ("team", "plain"):
            running.allow(user, "TOPIC", OPEN, "READ", "WRITE", "DESCRIBE")
            running.allow(user, "GROUP", GROUP, "READ")
        yield running


def publisher(broker: Guarded, outbox: Path, options: Mapping[str, Any]) -> Publisher:
    """One that publishes touchpoints to the topic that is open, complaints to the one that is
    not.
    """
    topics = {"touchpoint": OPEN, "complaint": SHUT}
    return Publisher(broker.secured, outbox, source="crm", topics=topics, kafka=options)


def touchpoint(name: str) -> dict[str, Any]:
    data = {"touchpoint_id": name, "customer_id": "C-1", "channel": "mail", "direction": "inbound"}
    return {"type": "touchpoint.recorded.v1", "data": data, "id": name}


def complaint(name: str) -> dict[str, Any]:
    data = {"complaint_id": name, "customer_id": "C-1", "channel": "mail"}
    return {"type": "complaint.raised.v1", "data": data, "id": name}


@pytest.mark.parametrize("user", ["team", "plain"])
def test_whoever_is_known_publishes_and_consumes(
    broker: Guarded, ledger: Ledger, tmp_path: Path, user: str
) -> None:
    """With SCRAM and with PLAIN, over TLS."""
    options = broker.options(user)
    with publisher(broker, tmp_path / "outbox", options) as publishing:
        publishing.publish(**touchpoint(f"T-{user}"))
        assert publishing.flush(30) == 0
    with consuming(ledger, broker.secured, OPEN, group=GROUP, options=options):
        eventually(lambda: (f"T-{user}",) in ledger.query("SELECT id FROM ledger.events"))
    assert lags(Consuming(broker.secured, [OPEN], options=options), ledger.datastore)[0].lag == 0


@pytest.mark.parametrize(
    ("user", "wrong", "told"),
    [
        ("team", {"sasl_plain_password": "guess"}, "refuse the login: .*sasl_plain_password"),
        ("plain", {"sasl_plain_password": "guess"}, "refuse the login: .*sasl_plain_password"),
        ("team", {"sasl_mechanism": "SCRAM-SHA-256"}, "Unsupported.* check sasl_mechanism"),
        ("team", {"ssl_cafile": None}, "certificate is not trusted: .* check that ssl_cafile"),
        ("team", {"ssl_cafile": "/no/such.pem"}, "No such file .* check ssl_cafile"),
    ],
)  # fmt: skip
def test_whoever_is_not_let_in_is_told_what_to_mend(
    broker: Guarded, ledger: Ledger, tmp_path: Path, user: str, wrong: dict[str, Any], told: str
) -> None:
    options = {**broker.options(user), **wrong, **QUICK}
    with (
        pytest.raises(ConsumerFailed, match=told),
        consuming(ledger, broker.secured, OPEN, group=GROUP, options=options) as running,
    ):
        eventually(lambda: running.ended)
    with pytest.raises(BrokersRefuse, match=told):
        lags(Consuming(broker.secured, [OPEN], options=options), ledger.datastore)


def test_what_cannot_be_published_because_of_a_password_waits(
    broker: Guarded, tmp_path: Path
) -> None:
    wrong = broker.options("team", sasl_plain_password="guess")
    with publisher(broker, tmp_path / "outbox", wrong) as publishing:
        publishing.publish(**touchpoint("T-waits"))
        eventually(lambda: publishing.last_failure)
        assert "refuse the login" in str(publishing.last_failure)
        publishing.close(timeout=0)
    with publisher(broker, tmp_path / "outbox", broker.options("team")) as publishing:
        assert publishing.flush(30) == 0


def test_a_command_with_a_wrong_password_names_the_setting_and_loses_nothing(
    broker: Guarded, tmp_path: Path
) -> None:
    command = Command(tmp_path, "postgresql://nobody.invalid/none")
    file = command.write_lines("mail.jsonl", [recorded(number) for number in range(30)])
    publish = ("publish", file, "--brokers", broker.secured, "--topic", f"touchpoint={OPEN}")
    before = broker.count(OPEN)

    options = broker.options("team", sasl_plain_password="guess", **QUICK)
    command.environment["SERVICETRAIL_KAFKA_OPTIONS"] = json.dumps(options)
    refused = command.run(*publish, "--patience", "600")  # in vain: it is told at once
    assert refused.returncode == 2
    assert counts(refused.stdout) == {"delivered": 0, "already": 0, "rejected": 0, "waiting": 30}
    [line] = refused.stderr.splitlines()
    assert line.startswith("servicetrail: 30 events wait in ")
    assert "the brokers refuse the login" in line
    assert "sasl_plain_password of the Kafka options (SERVICETRAIL_KAFKA_OPTIONS)" in line
    assert "guess" not in line
    assert broker.count(OPEN) == before

    command.environment["SERVICETRAIL_KAFKA_OPTIONS"] = json.dumps(broker.options("team"))
    done = command.run(*publish)
    assert (done.returncode, done.stderr) == (0, "")
    assert counts(done.stdout)["waiting"] == 0
    assert broker.count(OPEN) == before + 30


def test_a_wrong_protocol_is_thought_of_when_brokers_hang_up(
    broker: Guarded, tmp_path: Path
) -> None:
    with publisher(broker, tmp_path / "outbox", {}) as publishing:
        publishing.publish(**touchpoint("T-1"))
        eventually(lambda: publishing.last_failure)
        assert "check security_protocol" in str(publishing.last_failure)
        publishing.close(timeout=0)


@pytest.mark.parametrize(
    ("topic", "group", "told"),
    [
        (SHUT, GROUP, "do not let us read shut: allow READ and DESCRIBE"),
        (OPEN, "others", "do not let us join the group others: allow READ"),
    ],
)
def test_what_may_not_be_read_ends_the_consumer(
    broker: Guarded, ledger: Ledger, topic: str, group: str, told: str
) -> None:
    options = broker.options("team")
    with (
        pytest.raises(ConsumerFailed, match=told),
        consuming(ledger, broker.secured, topic, group=group, options=options) as running,
    ):
        eventually(lambda: running.ended)
    assert ledger.received() == {}


@pytest.mark.parametrize("may_look", [False, True])
def test_a_topic_that_may_not_be_written_holds_up_its_own_events_only(
    broker: Guarded, tmp_path: Path, may_look: bool
) -> None:
    """They wait until it may be written."""
    options = broker.options("team")
    if may_look:
        broker.allow("team", "TOPIC", SHUT, "DESCRIBE")
    with publisher(broker, tmp_path / "outbox", options) as publishing:
        for number in range(3):
            publishing.publish(**complaint(f"K-{number}"))
            publishing.publish(**touchpoint(f"T-{may_look}-{number}"))
        eventually(lambda: publishing.waiting == 3)
        eventually(lambda: publishing.last_failure)
        assert "do not let us write to the topic shut: allow WRITE" in str(publishing.last_failure)
        assert publishing.refused == []
        publishing.publish(**touchpoint(f"T-{may_look}-more"))
        eventually(lambda: publishing.waiting == 3)
        publishing.close(timeout=0)
    if may_look:
        broker.allow("team", "TOPIC", SHUT, "WRITE")
        with publisher(broker, tmp_path / "outbox", options) as publishing:
            assert publishing.flush(30) == 0
        assert broker.count(SHUT) == 3
