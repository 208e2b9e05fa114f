"""Checkpoints go to a Kafka topic, and what is there is compared at the next start."""

from pathlib import Path

import pytest

from audit.sealer import Sealer, SealRefused
from consumers.brokers.process import Broker
from consumers.checkpoints import CheckpointTopic, TopicAway
from consumers.cluster import Cluster
from servicetrail.cli.sealing import in_topic
from servicetrail.sealing import Topic
from servicetrail.settings import Settings
from tests.audit.sealed import Ledger, ledger, policy, sealed_days
from tests.consumers.channel import Channel


@pytest.fixture
def topic(broker: Broker, channel: Channel) -> CheckpointTopic:
    """A topic of the test's own."""
    name = f"{channel.prefix}-checkpoints"
    Cluster(broker.bootstrap_servers).create_topics([name], partitions=1)
    return CheckpointTopic(broker.bootstrap_servers, {}, name)


def sealed_with(of: Ledger, topic: CheckpointTopic) -> None:
    """Seal what is new with the topic as a further place."""
    place = Topic(topic)
    sealer = Sealer(of.datastore, lambda: of.keys, [of.directory, place])
    sealer.check()
    place.start()
    try:
        sealer.seal()
    finally:
        place.stop()


def test_the_newest_checkpoint_is_in_the_topic_and_verified_against(
    broker: Broker, database_url: str, tmp_path: Path, topic: CheckpointTopic
) -> None:
    settings = Settings(
        kafka_bootstrap_servers=broker.bootstrap_servers, checkpoint_topic=topic.topic
    )
    with ledger(database_url, tmp_path / "checkpoints") as opened:
        for number in range(1, 4):
            opened.take(policy(number))
            sealed_with(opened, topic)
            [outside] = opened.outside()
            assert topic.newest(opened.keys.origin) == [outside.note]
        assert topic.newest("servicetrail/other") == []
        found = opened.check(outside=in_topic(settings, opened.keys.origin))
        assert (found.compared, found.faults) == (1, [])
    topic.close()


def test_a_rollback_shows_by_the_topic_alone(
    database_url: str, tmp_path: Path, topic: CheckpointTopic
) -> None:
    """The directory went back together with the database; the topic did not."""
    with ledger(database_url, tmp_path / "checkpoints") as opened:
        sealed_days(opened)
        later = opened.outside()[0].note.replace("\n48\n", "\n49\n")
        topic.publish(opened.keys.origin, later)
        with pytest.raises(SealRefused, match=rf"the topic {topic.topic} knows of 49 events"):
            sealed_with(opened, topic)
    topic.close()


def test_sealing_goes_on_while_the_topic_is_away(database_url: str, tmp_path: Path) -> None:
    nowhere = CheckpointTopic("127.0.0.1:9", {}, "checkpoints")
    with pytest.raises(TopicAway):
        nowhere.publish("servicetrail/x", "note")
    with ledger(database_url, tmp_path / "checkpoints") as opened:
        opened.take(policy(1))
        sealed_with(opened, nowhere)
        assert opened.check().sealed == 1
