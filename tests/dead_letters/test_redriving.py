"""What was refused is taken again: today's schemas and rules, the old name and time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from ledger.dead_letters import InputErased, NoSuchInput, NotOpen
from schemas import codec
from schemas.message import Message
from tests.dead_letters.desk import Desk
from tests.intake.door import NOON, cloudevent, promise, raw, touchpoint


def too_large(number: int = 1, **more: str) -> Message:
    return touchpoint(f"T-{number}", id=f"big-{number}", note="x" * 5_000, **more)


@pytest.fixture
def small(desk: Desk) -> Desk:
    """The door of a program that refuses large messages."""
    return desk.upgraded(max_event_bytes=1_000)


def test_what_was_too_large_is_appended_once_the_limit_was_raised(small: Desk, desk: Desk) -> None:
    assert small.outcomes(too_large(), touchpoint("T-2", id="b")) == ["rejected", "appended"]
    [row] = desk.listed()
    assert (row["reason"], row["attempts"], row["position"]) == ("too_large", 1, None)

    [done] = desk.redrive(row["kept_id"])

    assert (done.outcome, done.position, done.source, done.id) == ("appended", 2, "test", "big-1")
    assert desk.open() == {}
    [row] = desk.listed(states=["redriven"])
    assert (row["state"], row["position"], row["attempts"]) == ("redriven", 2, 2)
    assert desk.history(row["kept_id"]) == [("redriven", "appended")]
    assert desk.counts() == {"received": 2, "appended": 2}


def test_the_event_leads_back_to_the_input_that_it_came_from(small: Desk, desk: Desk) -> None:
    small.take(too_large())
    [kept_id] = desk.open()
    [done] = desk.redrive()
    [row] = desk.listed(states=["redriven"], position=done.position)
    assert row["kept_id"] == kept_id
    assert desk.listed(states=["redriven"], position=99) == []


def test_a_registry_that_was_not_set_can_be_set_later(desk: Desk) -> None:
    data_type = "touchpoint.recorded.v1"

    class Registry:
        def schema_for(self, schema_id: int) -> str | None:
            known = schema_id == 7
            return codec.schema_text(codec.fingerprint_of(data_type)) if known else None

    data = {
        "touchpoint_id": "T-1",
        "customer_id": "C-1",
        "channel": "chat",
        "direction": "inbound",
        "note": "ring Ada",
    }
    datum = codec.encode(data_type, data)
    record = Message(
        body=b"\0\0\0\0\7" + datum,
        content_type="application/avro",
        attributes={},
        default_source="kafka:touchpoints",
        default_id="3-4711",
        default_time=NOON,
        origin={"topic": "touchpoints", "partition": 3, "offset": 4711},
        carried={"key": "C-1", "headers": [["trace", "abc"]]},
    )
    [receipt] = desk.take(record)
    assert (receipt.outcome, receipt.reason) == ("rejected", "unknown_schema")

    upgraded = desk.upgraded(registry=Registry())
    [done] = upgraded.redrive()

    assert (done.outcome, done.source, done.id) == ("appended", "kafka:touchpoints", "3-4711")
    assert desk.query("SELECT source, id, occurred_at, time_assumed FROM ledger.events") == [
        ("kafka:touchpoints", "3-4711", NOON, True)
    ]
    assert desk.outcomes(record) == ["rejected"], "the program without a registry"
    assert upgraded.outcomes(record) == ["duplicate"]


def test_an_input_that_is_readable_today_is_sealed_for_its_customer_from_then_on(
    small: Desk, desk: Desk
) -> None:
    small.take(too_large())
    [kept_id] = desk.open()
    assert desk.query("SELECT key_subject FROM intake.kept") == [("intake",)]
    desk.redrive()
    assert desk.query("SELECT key_subject FROM intake.kept") == [("customer:C-1",)]
    assert b"xxx" in desk.dead_letters.reveal(kept_id, who="ada").body
    desk.erase("C-1")
    with pytest.raises(InputErased):
        desk.dead_letters.reveal(kept_id, who="ada")


def test_what_is_refused_again_stays_with_one_more_attempt_and_todays_reason(
    small: Desk, desk: Desk
) -> None:
    wrong = cloudevent("promise.dreamt.v1", {"dream": "x" * 5_000}, id="d")
    small.take(wrong)
    assert [row["reason"] for row in desk.listed()] == ["too_large"]
    [done] = desk.redrive()
    assert (done.outcome, done.reason, done.position) == ("rejected", "unknown_type", None)
    [row] = desk.listed()
    assert (row["reason"], row["attempts"], row["state"]) == ("unknown_type", 2, "rejected")
    assert desk.counts() == {"received": 1, "rejected": 1}


def test_every_receipt_of_the_same_bytes_moves_in_the_account(small: Desk, desk: Desk) -> None:
    small.take(too_large())
    small.take(too_large(), too_large())
    [row] = desk.listed()
    assert row["attempts"] == 3
    between = datetime.now(UTC)
    small.take(too_large())
    desk.redrive()
    assert desk.counts() == {"received": 4, "appended": 1, "duplicate": 3}
    assert desk.counts(since=between) == {"received": 1, "duplicate": 1}
    assert desk.history(row["kept_id"]) == [
        *[("received", "rejected")] * 3,
        ("redriven", "appended"),
    ]


def test_a_redriven_input_counts_at_the_time_of_its_first_receipt(small: Desk, desk: Desk) -> None:
    small.take(too_large())
    between = datetime.now(UTC)
    desk.redrive()
    assert desk.counts() == {"received": 1, "appended": 1}
    assert desk.counts(since=between) == {}


def test_what_was_sent_again_meanwhile_turns_out_a_duplicate(small: Desk, desk: Desk) -> None:
    small.take(too_large())
    desk.take(too_large())
    [done] = desk.redrive()
    assert (done.outcome, done.position) == ("duplicate", 1)
    assert desk.open() == {}
    assert desk.counts() == {"received": 2, "appended": 1, "duplicate": 1}
    assert list(desk.account()) == ["test"], "who cannot be read goes by the name of the file"


def test_the_list_tells_where_the_channel_mended_an_event_itself(desk: Desk) -> None:
    desk.take(touchpoint("T-1", id="a", direction="sideways"), touchpoint("T-1", id="a"))
    [row] = desk.listed()
    assert (row["reason"], row["position"]) == ("unknown_symbol", 1)


def test_a_rejected_input_that_contradicts_the_ledger_by_now_is_in_conflict(
    small: Desk, desk: Desk
) -> None:
    small.take(too_large())
    desk.take(touchpoint("T-1", id="big-1"))
    [done] = desk.redrive()
    assert (done.outcome, done.reason) == ("conflict", "id_reused")
    assert list(desk.open().values()) == ["conflict"]
    assert desk.counts() == {"received": 2, "appended": 1, "conflict": 1}


def test_a_conflict_is_appended_once_what_it_contradicted_was_discarded(desk: Desk) -> None:
    desk.take(promise("kept", id="a"))
    desk.take(promise("kept", id="a", minutes=5))
    parked, conflict = sorted(desk.open())
    desk.discard(parked)
    [done] = desk.redrive(conflict)
    assert (done.outcome, done.reason) == ("parked", "promise_not_made")
    assert desk.open() == {conflict: "parked"}
    desk.take(promise("made", id="made"))
    assert desk.ids() == ["made", "a"]
    assert desk.show(conflict)["position"] == 2
    assert desk.counts() == {"received": 3, "appended": 2, "rejected": 1}


def test_a_redriven_input_that_waits_keeps_the_place_in_which_it_came(
    small: Desk, desk: Desk
) -> None:
    small.take(promise("kept", id="first", data={"evidence": "x" * 5_000}))
    desk.take(promise("broken", id="second"))
    assert sorted(desk.open().values()) == ["parked", "rejected"]
    [rejected] = [each for each, state in desk.open().items() if state == "rejected"]
    desk.redrive(rejected)
    desk.take(promise("made", id="made"))
    assert desk.ids() == ["made", "first", "second"]


def test_a_redriven_input_brings_what_others_wait_for(small: Desk, desk: Desk) -> None:
    small.take(promise("made", id="made", x="z" * 900))
    desk.take(promise("kept", id="kept"))
    [rejected] = [each for each, state in desk.open().items() if state == "rejected"]
    assert [done.outcome for done in desk.redrive(rejected)] == ["appended"]
    assert desk.ids() == ["made", "kept"]
    assert desk.open() == {}


def test_causes_and_effects_that_were_refused_together_settle_together(
    small: Desk, desk: Desk
) -> None:
    padding = {"x": "z" * 900}
    small.take(promise("kept", id="kept", **padding), promise("made", id="made", **padding))
    assert [done.outcome for done in desk.redrive()] == ["appended", "appended"]
    assert desk.ids() == ["made", "kept"]
    assert desk.open() == {}


def test_a_dry_run_says_how_it_would_end_and_changes_nothing(small: Desk, desk: Desk) -> None:
    small.take(too_large())
    [done] = desk.redrive(dry_run=True)
    assert (done.outcome, done.position) == ("appended", None)
    assert desk.ids() == []
    [row] = desk.listed()
    assert (row["state"], row["attempts"]) == ("rejected", 1)


def test_what_is_not_open_cannot_be_redriven(small: Desk, desk: Desk) -> None:
    small.take(too_large(), promise("kept"))
    rejected, parked = sorted(desk.open())
    with pytest.raises(NotOpen, match=f"input {parked} is parked: .* once promise:P-1 is there"):
        desk.redrive(rejected, parked)
    desk.redrive(rejected)
    with pytest.raises(NotOpen, match="is redriven already"):
        desk.redrive(rejected)
    with pytest.raises(NoSuchInput, match="there is no kept input 99"):
        desk.redrive(99)


def test_an_erased_customers_input_cannot_be_redriven_and_says_so(small: Desk, desk: Desk) -> None:
    desk.take(touchpoint("T-1", id="a"))
    desk.take(
        touchpoint("T-1", id="a", channel="chat"), touchpoint("T-1", id="a", customer_id="C-2")
    )
    desk.erase("C-1")
    done = desk.redrive()
    assert [each.outcome for each in done] == ["conflict", "conflict"]
    assert [each.reason for each in done] == ["erased", "id_reused"]
    assert "nobody can read this input any more" in (done[0].message or "")
    assert [row["erased"] for row in desk.listed()] == [False, True]


def test_two_operators_at_once_append_once(small: Desk, desk: Desk) -> None:
    small.take(*(too_large(number) for number in range(20)))
    kept_ids = list(desk.open())

    def redrive(operator: Desk) -> Sequence[object]:
        try:
            return operator.redrive(*kept_ids)
        except NotOpen:
            return []

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(redrive, [desk.upgraded() for _ in range(4)]))
    assert sorted(map(len, done)) == [0, 0, 0, 20]
    assert len(desk.ids()) == 20
    assert desk.counts() == {"received": 20, "appended": 20}


def test_redriving_while_channels_send_and_mend_leaves_nothing_waiting(
    small: Desk, desk: Desk
) -> None:
    things = [f"P-{number}" for number in range(30)]
    small.take(*(promise("kept", thing, id=f"kept {thing}", x="z" * 900) for thing in things))
    batches = [[promise("made", thing, id=f"made {thing}")] for thing in things]
    kept_ids = sorted(desk.open())

    def send(channel: Desk) -> None:
        for batch in batches:
            channel.take(*batch)

    def redrive(operator: Desk) -> None:
        for kept_id in kept_ids:
            operator.redrive(kept_id)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(send, desk.upgraded()), pool.submit(redrive, desk.upgraded())]:
            done.result()
    assert desk.open() == {}
    assert len(desk.ids()) == 60


def test_what_came_again_after_a_redrive_failed_counts_once(desk: Desk) -> None:
    desk.take(raw(b"{not json"))
    desk.redrive()
    desk.take(raw(b"{not json"))
    [row] = desk.listed()
    assert row["attempts"] == 3
    assert desk.counts("file:test.jsonl") == {"received": 2, "rejected": 2}
