"""The main path: everything that EVENTS.md names goes from a topic into the ledger, once."""

from tests.consumers.channel import Channel
from tests.consumers.events import touchpoint
from tests.consumers.running import Ledger, consuming
from tests.consumers.waiting import eventually


def test_every_form_of_an_event_is_taken(channel: Channel, ledger: Ledger) -> None:
    topic = channel.topic("touchpoints", partitions=2)
    events = [touchpoint(f"T-{number}", f"C-{number % 3}") for number in range(6)]
    binary_json, binary_bare, binary_single, structured, untyped, anonymous = events
    channel.send(topic, binary_json.json_data, binary_json.headers("application/json"))
    channel.send(topic, binary_bare.bare, binary_bare.headers("application/avro"))
    channel.send(topic, binary_single.single_object, binary_single.headers("application/avro"))
    content_type = b"application/cloudevents+json; charset=UTF-8"
    channel.send(topic, structured.structured, [("content-type", content_type)])
    channel.send(topic, untyped.structured)
    channel.send(topic, anonymous.single_object, key=anonymous.key, partition=1)
    channel.flush()
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.count() == 6)
    assert ledger.received() == {"received": 6, "appended": 6}
    assert {row[0] for row in ledger.query("SELECT originator_id FROM ledger.events")} == {
        f"touchpoint:T-{number}" for number in range(6)
    }
    [[source, name]] = ledger.query(
        "SELECT source, id FROM ledger.events WHERE originator_id = 'touchpoint:T-5'"
    )
    assert (source, name.partition("-")[0]) == (f"kafka:{topic}", "1")


def test_topics_that_are_not_there_are_not_made_by_asking_for_them(
    channel: Channel, ledger: Ledger
) -> None:
    """Though brokers may make whatever is asked for, as the embedded one does."""
    there, missing = channel.topic("there"), f"{channel.prefix}-missing"
    channel.publish(there, [touchpoint("T-1", "C-1")])
    with consuming(ledger, channel.bootstrap_servers, there, missing):
        eventually(lambda: ledger.count() == 1)
    with channel.admin() as admin:
        assert missing not in admin.list_topics()
