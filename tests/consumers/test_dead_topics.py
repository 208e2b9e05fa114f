"""Channel teams see what of theirs was not taken: in a topic beside each source topic."""

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Thread
from typing import Any, Literal
from uuid import uuid4

import pytest
from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from consumers.brokers import EmbeddedBroker
from consumers.brokers.process import Broker, free_port
from consumers.consuming import Consuming
from consumers.dead_topics import DeadTopics
from consumers.producing import Produced, Producing, Record
from ledger.dead_letters import DeadLetters, Repaired
from ledger.intake import Intake
from ledger.notices import waiting
from schemas.topics import NOTICE_PREFIX
from tests.consumers.channel import Channel
from tests.consumers.events import complaint, touchpoint
from tests.consumers.running import Ledger, consuming
from tests.consumers.waiting import PATIENCE_SECONDS, eventually

Mode = Literal["notices", "records"]


class Told:
    """A record of a dead-letter topic."""

    def __init__(self, record: Any) -> None:
        self.key, self.value = record.key, record.value
        self.own = [each for each in record.headers if not each[0].startswith(NOTICE_PREFIX)]
        self.notice = {
            name.removeprefix(NOTICE_PREFIX): value.decode()
            for name, value in record.headers
            if name.startswith(NOTICE_PREFIX)
        }


def told(channel: Channel, topic: str, count: int) -> list[Told]:
    """What stands in the dead-letter topic of a topic, once it is so many records, by offset of the
    records that it is about.
    """
    partition = TopicPartition(f"{topic}.dead", 0)
    found: list[Told] = []
    with closing(
        KafkaConsumer(bootstrap_servers=channel.bootstrap_servers, enable_auto_commit=False)
    ) as kafka:
        kafka.assign([partition])
        kafka.seek(partition, 0)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(found) < count:
            assert time.monotonic() < deadline, [each.notice for each in found]
            found += [Told(record) for record in kafka.poll(200).get(partition, [])]
        found += [Told(record) for record in kafka.poll(500).get(partition, [])]
    assert len(found) == count
    return sorted(found, key=lambda each: int(each.notice["offset"]))


def waits(ledger: Ledger) -> dict[str, int]:
    with ledger.datastore.transaction() as cursor:
        return waiting(cursor)


def teller(ledger: Ledger, servers: str, topic: str, mode: Mode, **more: Any) -> DeadTopics:
    how = Consuming(servers, [topic], dead_topics=mode)
    return DeadTopics(how, ledger.datastore, ledger.keyring, **more)


@contextmanager
def telling(
    ledger: Ledger, channel: Channel, topic: str, mode: Mode, **more: Any
) -> Iterator[DeadTopics]:
    """Tell in a thread until the end of the block."""
    more.setdefault("create_partitions", 1)
    dead_topics = teller(ledger, channel.bootstrap_servers, topic, mode, **more)
    thread = Thread(target=dead_topics.run)
    thread.start()
    try:
        yield dead_topics
    finally:
        dead_topics.stop()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


def taken(ledger: Ledger, channel: Channel, topic: str, count: int, mode: Mode = "notices") -> None:
    """Take what is in the topic, telling nobody yet."""
    with consuming(ledger, channel.bootstrap_servers, topic, dead_topics=mode):
        eventually(lambda: ledger.received()["received"] == count)


def test_a_notice_says_what_where_and_why_and_nothing_of_the_record(
    channel: Channel, ledger: Ledger
) -> None:
    topic = channel.topic("noticed")
    good, wrong = touchpoint("T-1", "C-1", id="one"), touchpoint("T-2", "C-secret")
    wrong.data |= {"direction": "sideways", "note": "ring Ada Lovelace"}
    other = touchpoint("T-3", "C-1", id="one")
    parked = complaint("closed", "K-1", "C-1")
    channel.publish(topic, [good, wrong, other, parked])
    channel.send(topic, b"{", key=b"somebody@example.org")
    channel.flush()
    taken(ledger, channel, topic, 5)
    with telling(ledger, channel, topic, "notices"):
        symbol, conflict, unreadable = told(channel, topic, 3)
    kept_ids = [row[0] for row in ledger.query("SELECT kept_id FROM intake.kept ORDER BY 1")]
    assert symbol.notice | {"message": "", "notice": "", "received_at": ""} == {
        "notice": "", "outcome": "rejected", "reason": "unknown_symbol", "path": "data.direction",
        "message": "", "topic": topic, "partition": "0", "offset": "1", "source": "test",
        "id": wrong.id, "received_at": "", "input": str(kept_ids[0]), "value": "notice",
    }  # fmt: skip
    assert (conflict.notice["outcome"], conflict.notice["reason"]) == ("conflict", "id_reused")
    assert unreadable.notice["reason"] == "unreadable_json"
    assert unreadable.notice["source"] == f"kafka:{topic}"
    assert json.loads(symbol.value)["offset"] == 1
    assert symbol.key == f"{topic}/0/1".encode()
    everything = f"{[vars(each) for each in (symbol, conflict, unreadable)]}"
    for personal in ("Lovelace", "sideways", "C-secret", "somebody"):
        assert personal not in everything
    assert waits(ledger) == {}


def test_a_record_comes_back_as_it_was_and_can_be_published_again(
    channel: Channel, ledger: Ledger
) -> None:
    topic = channel.topic("returned")
    event = touchpoint("T-1", "C-1")
    headers = [*event.headers("application/json"), ("trace", b"\xff\x00"), ("trace", b"abc")]
    channel.send(topic, b"\xffnot json", headers, key=b"\xfe")
    channel.flush()
    taken(ledger, channel, topic, 1, "records")
    with telling(ledger, channel, topic, "records"):
        [back] = told(channel, topic, 1)
    assert (back.key, back.value, back.own) == (b"\xfe", b"\xffnot json", headers)
    assert (back.notice["value"], back.notice["id"]) == ("record", event.id)
    channel.send(topic, event.json_data, back.own, key=event.key)
    channel.flush()
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.count() == 1)


def test_what_was_parked_is_told_when_it_turns_out_wrong(channel: Channel, ledger: Ledger) -> None:
    topic = channel.topic("turned-out")
    steps = [complaint("closed", "K-1", "C-2"), complaint("raised", "K-1", "C-1")]
    channel.publish(topic, steps)
    taken(ledger, channel, topic, 2)
    with telling(ledger, channel, topic, "notices"):
        [late] = told(channel, topic, 1)
    assert (late.notice["reason"], late.notice["offset"]) == ("wrong_customer", "0")


def test_each_receipt_is_told_and_nothing_that_people_do_about_it(
    channel: Channel, ledger: Ledger
) -> None:
    topic = channel.topic("again")
    wrong = touchpoint("T-1", "C-1", id="one")
    wrong.data["direction"] = "sideways"
    channel.publish(topic, [wrong])
    taken(ledger, channel, topic, 1)
    channel.publish(topic, [wrong])
    taken(ledger, channel, topic, 2)
    [[kept_id]] = ledger.query("SELECT kept_id FROM intake.kept")
    intake = Intake(ledger.datastore, ledger.keyring, notices=True)
    desk = DeadLetters(ledger.datastore, ledger.keyring, intake)
    desk.redrive([kept_id], who="ada")
    desk.repair(kept_id, Repaired(b"{"), who="ada")
    with telling(ledger, channel, topic, "notices"):
        notices = told(channel, topic, 2)
    assert [each.notice["offset"] for each in notices] == ["0", "1"]
    assert {each.notice["input"] for each in notices} == {str(kept_id)}
    assert len({each.notice["notice"] for each in notices}) == 2


def test_an_erased_customers_record_does_not_come_back(channel: Channel, ledger: Ledger) -> None:
    topic = channel.topic("erased")
    wrong = touchpoint("T-1", "C-1")
    wrong.data["direction"] = "sideways"
    channel.publish(topic, [wrong])
    taken(ledger, channel, topic, 1, "records")
    with ledger.datastore.transaction() as cursor:
        cursor.execute("UPDATE ledger.keys SET wrapped = NULL, destroyed_at = now()")
    with telling(ledger, channel, topic, "records"):
        [notice] = told(channel, topic, 1)
    assert notice.notice["value"] == "notice"
    assert b"sideways" not in notice.value


def test_a_crash_after_producing_tells_again_by_the_same_name(
    channel: Channel, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = channel.topic("crash")
    for _ in range(5):
        channel.send(topic, b"{")
    channel.flush()
    taken(ledger, channel, topic, 5)
    assert waits(ledger) == {topic: 5}
    produce = Producing.produce

    def produce_and_die(producing: Producing, records: list[Record], give_up: Any) -> Produced:
        produce(producing, records, give_up)
        raise KeyboardInterrupt

    dead_topics = teller(ledger, channel.bootstrap_servers, topic, "notices", create_partitions=1)
    with monkeypatch.context() as patched:
        patched.setattr(Producing, "produce", produce_and_die)
        with pytest.raises(KeyboardInterrupt):
            dead_topics.deliver()
    assert waits(ledger) == {topic: 5}
    dead_topics.stop()
    dead_topics.run()
    assert waits(ledger) == {}
    names = [each.notice["notice"] for each in told(channel, topic, 10)]
    assert len(set(names)) == 5


def test_brokers_that_are_away_for_notices_hold_up_no_records(
    channel: Channel, ledger: Ledger
) -> None:
    topic = channel.topic("unreachable")
    nowhere = teller(ledger, f"127.0.0.1:{free_port()}", topic, "notices")
    with consuming(ledger, channel.bootstrap_servers, topic, dead_topics="notices"):
        channel.send(topic, b"{")
        channel.publish(topic, [touchpoint("T-1", "C-1")])
        eventually(lambda: ledger.received()["received"] == 2)
        assert nowhere.deliver() == 0
        assert "no broker answers" in (nowhere.failure or "")
        channel.publish(topic, [touchpoint("T-2", "C-1")])
        eventually(lambda: ledger.count() == 2)
    with telling(ledger, channel, topic, "notices"):
        assert len(told(channel, topic, 1)) == 1


def test_a_topic_that_is_missing_holds_up_no_other(channel: Channel, ledger: Ledger) -> None:
    missing, there = channel.topic("a-missing"), channel.topic("b-there")
    channel.topic("b-there.dead")
    for topic in (missing, there):
        channel.send(topic, b"{")
    channel.flush()
    with consuming(ledger, channel.bootstrap_servers, missing, there, dead_topics="notices"):
        eventually(lambda: ledger.received()["received"] == 2)
    with telling(ledger, channel, there, "notices", create_partitions=None) as dead_topics:
        assert len(told(channel, there, 1)) == 1
        eventually(lambda: waits(ledger) == {missing: 1})
        assert "--create-topics" in (dead_topics.failure or "")
        channel.topic("a-missing.dead")
        assert len(told(channel, missing, 1)) == 1


def test_two_who_tell_at_once_tell_each_notice_once(channel: Channel, ledger: Ledger) -> None:
    topic = channel.topic("two")
    channel.topic("two.dead")
    for _ in range(500):
        channel.send(topic, uuid4().bytes)
    channel.flush()
    taken(ledger, channel, topic, 500)
    with (
        telling(ledger, channel, topic, "notices"),
        telling(ledger, channel, topic, "notices"),
    ):
        names = [each.notice["notice"] for each in told(channel, topic, 500)]
    assert len(set(names)) == 500


def test_a_record_too_large_to_come_back_is_told_of(
    broker: Broker, channel: Channel, ledger: Ledger
) -> None:
    if isinstance(broker, EmbeddedBroker):
        pytest.skip("the embedded broker has no limit for a topic")
    topic = channel.topic("large")
    channel.small_topic("large.dead", 100_000)
    channel.send(topic, b"x" * 900_000)
    channel.flush()
    taken(ledger, channel, topic, 1, "records")
    with telling(ledger, channel, topic, "records"):
        [notice] = told(channel, topic, 1)
    assert notice.notice["value"] == "notice"


def test_a_notice_that_no_topic_takes_is_given_up_and_counted(
    broker: Broker, channel: Channel, ledger: Ledger
) -> None:
    if isinstance(broker, EmbeddedBroker):
        pytest.skip("the embedded broker has no limit for a topic")
    topic = channel.topic("tiny")
    channel.small_topic("tiny.dead", 200)
    for _ in range(2):
        channel.send(topic, b"{")
    channel.flush()
    taken(ledger, channel, topic, 2)
    with telling(ledger, channel, topic, "notices") as dead_topics:
        eventually(lambda: waits(ledger) == {})
    assert (dead_topics.given_up, dead_topics.failure) == (2, None)
    assert ledger.query("SELECT count(*) FROM intake.kept WHERE state = 'rejected'") == [(2,)]


def test_a_topic_that_cannot_be_written_holds_up_no_other(
    broker: Broker, channel: Channel, ledger: Ledger
) -> None:
    """Of the first topic's notices there can be no topic: its name would be too long."""
    if isinstance(broker, EmbeddedBroker):
        pytest.skip("the embedded broker takes names of any length")
    longest = 249
    long = channel.topic("a".ljust(longest - len(channel.prefix) - 1, "a"))
    other = channel.topic("b")
    for topic in (long, other):
        channel.send(topic, b"{")
    channel.flush()
    with consuming(ledger, channel.bootstrap_servers, long, other, dead_topics="notices"):
        eventually(lambda: ledger.received()["received"] == 2)
    with telling(ledger, channel, other, "notices") as dead_topics:
        assert len(told(channel, other, 1)) == 1
        eventually(lambda: waits(ledger) == {long: 1})
        eventually(lambda: f"{long}.dead" in (dead_topics.failure or ""))


def test_nothing_is_noted_where_nobody_is_told(channel: Channel, ledger: Ledger) -> None:
    topic = channel.topic("off")
    channel.send(topic, b"{")
    channel.flush()
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.received()["rejected"] == 1)
    assert waits(ledger) == {}


def test_a_pattern_never_means_the_topics_of_notices(channel: Channel, ledger: Ledger) -> None:
    first, second = channel.topic("mail"), channel.topic("mail.dead")
    channel.publish(second, [touchpoint("T-1", "C-1")])
    channel.publish(first, [touchpoint("T-2", "C-1")])
    with consuming(ledger, channel.bootstrap_servers, f"^{channel.prefix}-.*"):
        eventually(lambda: ledger.count() == 1)
        channel.publish(second, [touchpoint("T-3", "C-1")])
        channel.publish(first, [touchpoint("T-4", "C-1")])
        eventually(lambda: ledger.count() == 2)
    assert ledger.positions(second) == {}
