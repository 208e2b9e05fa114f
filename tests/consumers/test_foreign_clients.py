"""What clients that are not ours publish, through the consumer into the ledger."""

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient, topic_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from consumers.brokers import ApacheKafka, EmbeddedBroker
from consumers.brokers.process import Broker
from consumers.registry import Registry
from schemas import codec
from tests.consumers.channel import Channel
from tests.consumers.events import NOON, Headers, Published, touchpoint
from tests.consumers.running import Ledger, consuming
from tests.consumers.waiting import eventually
from tests.publisher.registry import RegistryServer

PATIENCE_SECONDS = 60
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def letters(count: int) -> list[Published]:
    """Letters of three customers."""
    return [touchpoint(f"T-{number}", f"C-{number % 3}") for number in range(count)]


def by_customer(events: Iterable[Published]) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = {}
    for event in events:
        ids.setdefault(event.data["customer_id"], []).append(event.id)
    return ids


def librdkafka(channel: Channel, **settings: str | bool) -> Producer:
    """A producer of confluent-kafka."""
    given = {name.replace("_", "."): value for name, value in settings.items()}
    return Producer({"bootstrap.servers": channel.bootstrap_servers, "log_level": 2, **given})


def produce(
    producer: Producer,
    topic: str,
    records: Iterable[tuple[bytes | str | None, bytes, Headers | Mapping[str, bytes]]],
) -> None:
    """Produce records (key, value, headers), and wait until the brokers have them."""
    failures: list[str] = []
    for key, value, headers in records:
        producer.produce(
            topic,
            value,
            key=key,
            headers=headers,
            on_delivery=lambda error, _: failures.append(str(error)) if error else None,
        )
    assert producer.flush(PATIENCE_SECONDS) == 0
    assert failures == []


def test_confluent_kafka(channel: Channel, ledger: Ledger) -> None:
    """In every form, compressed in every way, one after the other on one topic."""
    topic = channel.topic("librdkafka", partitions=2)
    events = letters(60 * len(CODECS))
    for number, compression in enumerate(CODECS):
        binary, avro, structured = (events[60 * number + 20 * form :][:20] for form in range(3))
        produce(
            librdkafka(channel, compression_type=compression, enable_idempotence=True),
            topic,
            [(e.key, e.json_data, e.headers("application/json")) for e in binary]
            + [(e.key, e.single_object, e.headers("application/avro")) for e in avro]
            + [(e.key, e.structured, []) for e in structured],
        )
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.received()["received"] == len(events))
    assert ledger.by_customer() == by_customer(events)
    assert ledger.received() == {"received": len(events), "appended": len(events)}


def test_transactions_of_confluent_kafka(broker: Broker, channel: Channel, ledger: Ledger) -> None:
    """The consumer reads on while transactions are open, aborted and committed, up to the last
    marker; nothing that was aborted is taken.
    """
    if not isinstance(broker, ApacheKafka):
        pytest.skip("the embedded broker does not hide aborted transactions")
    topic = channel.topic("transactions")
    events = letters(60)
    committed = []
    producer = librdkafka(channel, transactional_id=str(uuid4()), compression_type="zstd")
    producer.init_transactions(PATIENCE_SECONDS)
    with consuming(ledger, channel.bootstrap_servers, topic, batch_events=7) as running:
        for number in range(6):
            mine = events[10 * number : 10 * number + 10]
            producer.begin_transaction()
            produce(producer, topic, [(e.key, e.structured, []) for e in mine])
            assert ledger.count() == len(committed)  # what is open is not taken
            if number % 2:
                producer.abort_transaction(PATIENCE_SECONDS)
            else:
                producer.commit_transaction(PATIENCE_SECONDS)
                committed += mine
                eventually(lambda goal=len(committed): ledger.count() == goal)
        ends = 60 + 6  # a marker ends each
        eventually(lambda: ledger.positions(topic) == {0: ends})
        eventually(lambda: running.consumer.lags == {(topic, 0): 0})
    assert ledger.by_customer() == by_customer(committed)
    assert ledger.received() == {"received": 30, "appended": 30}


def run(command: Sequence[str], said: bytes) -> None:
    done = subprocess.run(
        command, input=said, capture_output=True, check=False, timeout=PATIENCE_SECONDS
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")


@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed")
def test_kcat(broker: Broker, channel: Channel, ledger: Ledger) -> None:
    if isinstance(broker, EmbeddedBroker):
        pytest.skip("kcat does not understand which requests the embedded broker offers")
    topic = channel.topic("kcat", partitions=2)
    events = letters(20 * len(CODECS))
    for number, compression in enumerate(CODECS):
        binary, *structured = events[20 * number :][:20]
        kcat = ["kcat", "-P", "-b", channel.bootstrap_servers, "-t", topic, "-z", compression,
                "-X", "topic.partitioner=murmur2_random"]  # fmt: skip
        headers = binary.headers("application/json")
        attributes = [f"-H{name}={value.decode()}" for name, value in headers]
        run([*kcat, "-k", binary.key.decode(), *attributes], binary.json_data)
        run([*kcat, "-K", "\t"], b"\n".join(e.key + b"\t" + e.structured for e in structured))
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.received()["received"] == len(events))
    assert ledger.by_customer() == by_customer(events)
    assert ledger.received() == {"received": len(events), "appended": len(events)}


def test_the_console_producer_of_apache_kafka(
    broker: Broker, channel: Channel, ledger: Ledger
) -> None:
    if not isinstance(broker, ApacheKafka):
        pytest.skip("it comes with Apache Kafka")
    topic = channel.topic("console", partitions=2)
    events = letters(20 * len(CODECS))
    for number, compression in enumerate(CODECS):
        run(
            broker.tool(
                "org.apache.kafka.tools.ConsoleProducer",
                "--bootstrap-server", channel.bootstrap_servers, "--topic", topic,
                "--compression-codec", compression,
                "--property", "parse.headers=true", "--property", "parse.key=true",
            ),
            b"\n".join(map(console_line, events[20 * number :][:20])),
        )  # fmt: skip
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.received()["received"] == len(events))
    assert ledger.by_customer() == by_customer(events)
    assert ledger.received() == {"received": len(events), "appended": len(events)}


def console_line(event: Published) -> bytes:
    """Headers, key and value with tabs between them."""
    headers = event.headers("application/json")
    told = ",".join(f"{name}:{value.decode()}" for name, value in headers)
    return b"\t".join([told.encode(), event.key, event.json_data])


@pytest.mark.parametrize("binding", [to_binary, to_structured])
def test_the_cloudevents_sdk(channel: Channel, ledger: Ledger, binding: Any) -> None:
    topic = channel.topic("sdk", partitions=2)
    events = letters(30)

    def message(event: Published) -> KafkaMessage:
        attributes = {
            **event.attributes,
            "time": event.time,
            "datacontenttype": "application/json",
            "subject": event.data["customer_id"],
        }
        made: KafkaMessage = binding(CloudEvent(attributes, event.data), JSONFormat())
        return made

    made = [message(event) for event in events]
    produce(librdkafka(channel), topic, [(m.key, m.value, m.headers) for m in made])
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.received()["received"] == 30)
    assert ledger.by_customer() == by_customer(events)
    assert ledger.query("SELECT DISTINCT occurred_at, time_assumed FROM ledger.events") == [
        (NOON, False)
    ]


def test_the_serializer_of_confluent_kafka(channel: Channel, ledger: Ledger) -> None:
    """With attributes in headers; without any; and with a schema that leaves a field out which
    others must have.
    """
    server = RegistryServer()
    try:
        topic = channel.topic("serializer")
        known = codec.schema_text(codec.fingerprint_of("touchpoint.recorded.v1"))
        serialize = serializer(server.url, known)
        context = SerializationContext(topic, MessageField.VALUE)
        events = letters(20)
        produce(
            librdkafka(channel),
            topic,
            [
                (e.key, serialize(e.data, context), e.headers("application/avro") if named else [])
                for e, named in ((e, number < 10) for number, e in enumerate(events))
            ],
        )
        broken = json.loads(known)
        broken["fields"] = [f for f in broken["fields"] if f["name"] != "direction"]
        broken_serialize = serializer(server.url, json.dumps(broken))
        context = SerializationContext("broken", MessageField.VALUE)
        produce(
            librdkafka(channel),
            topic,
            [
                (e.key, broken_serialize(e.data, context), e.headers("application/avro"))
                for e in letters(6)
            ],
        )
        with consuming(ledger, channel.bootstrap_servers, topic, registry=Registry(server.url)):
            eventually(lambda: ledger.received()["received"] == 26)
    finally:
        server.close()
    assert ledger.received() == {"received": 26, "appended": 20, "rejected": 6}
    assert ledger.by_customer() == by_customer(
        e if number < 10 else touchpoint("", e.data["customer_id"], id=f"0-{number}")
        for number, e in enumerate(events)
    )
    assert {row[0] for row in ledger.query("SELECT originator_id FROM ledger.events")} == {
        f"touchpoint:T-{number}" for number in range(20)
    }


def serializer(url: str, schema: str) -> AvroSerializer:
    """Confluent's own, which registers the schema by itself."""
    return AvroSerializer(
        SchemaRegistryClient({"url": url}),
        schema,
        conf={"subject.name.strategy": topic_subject_name_strategy},
    )
