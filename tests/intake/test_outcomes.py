"""Nothing lost, nothing twice, nothing silent: how each input ends, and that the account knows."""

from datetime import UTC, datetime

import pytest
from eventsourcing.persistence import IntegrityError, Tracking

from ledger import kept
from ledger.account import gaps
from tests.intake.door import (
    NOON,
    Door,
    answered,
    cloudevent,
    complaint,
    offered,
    promise,
    raw,
    reasons,
    touchpoint,
)


def test_an_event_is_appended_with_its_position(door: Door) -> None:
    first, second = door.take(touchpoint("T-1", id="a"), touchpoint("T-2", id="b"))
    assert (first.outcome, first.position) == ("appended", 1)
    assert (second.outcome, second.position) == ("appended", 2)
    assert door.ledger() == [(1, "a", "touchpoint:T-1"), (2, "b", "touchpoint:T-2")]


def test_the_same_event_again_is_a_duplicate(door: Door) -> None:
    door.take(touchpoint("T-1", id="a"))
    [again] = door.take(touchpoint("T-1", id="a"))
    assert (again.outcome, again.position, again.reason) == ("duplicate", 1, "already_appended")
    assert door.ids() == ["a"]
    assert door.account()["test"]._asdict() == {
        "source": "test",
        "received": 2,
        "appended": 1,
        "duplicate": 1,
        "conflict": 0,
        "parked": 0,
        "rejected": 0,
    }


def test_twice_in_one_batch_is_a_duplicate_too(door: Door) -> None:
    receipts = door.take(touchpoint("T-1", id="a"), touchpoint("T-1", id="a"))
    assert [receipt.outcome for receipt in receipts] == ["appended", "duplicate"]
    assert reasons(receipts) == [None, "already_appended"]
    receipts = door.take(promise("kept", id="b"), promise("kept", id="b"))
    assert reasons(receipts) == ["promise_not_made", "already_held"]


@pytest.mark.parametrize("together", [True, False])
def test_the_same_id_with_other_content_is_a_conflict(door: Door, together: bool) -> None:
    one, other = touchpoint("T-1", id="a"), touchpoint("T-1", id="a", channel="chat")
    receipts = door.take(one, other) if together else door.take(one) + door.take(other)
    assert [r.outcome for r in receipts] == ["appended", "conflict"]
    assert receipts[1].reason == "id_reused"
    assert door.query("SELECT state, id FROM intake.kept") == [("conflict", "a")]


def test_other_personal_content_is_other_content(door: Door) -> None:
    door.take(touchpoint("T-1", id="a", note="call me at noon"))
    assert door.outcomes(touchpoint("T-1", id="a", note="call me at noon")) == ["duplicate"]
    assert door.outcomes(touchpoint("T-1", id="a", note="call me at ten")) == ["conflict"]
    assert door.outcomes(touchpoint("T-1", id="a")) == ["conflict"]


def test_a_second_opening_of_one_id_is_a_conflict(door: Door) -> None:
    door.take(touchpoint("T-1", id="a"))
    [second] = door.take(touchpoint("T-1", id="b", source="other"))
    assert (second.outcome, second.reason) == ("conflict", "already_opened")
    assert second.path == "data.touchpoint_id"
    assert door.account()["other"].conflict == 1


def test_a_promises_events_form_one_stream(door: Door) -> None:
    door.take(promise("made"), promise("kept"))
    door.take(promise("broken"))
    assert door.query(
        "SELECT originator_id, originator_version, type FROM ledger.events ORDER BY position"
    ) == [
        ("promise:P-1", 1, "promise.made.v1"),
        ("promise:P-1", 2, "promise.kept.v1"),
        ("promise:P-1", 3, "promise.broken.v1"),
    ]


def test_another_customers_promise_is_refused_and_kept(door: Door) -> None:
    door.take(promise("made"))
    [receipt] = door.take(promise("kept", customer_id="C-2"))
    assert (receipt.outcome, receipt.reason) == ("rejected", "wrong_customer")
    assert receipt.path == "data.customer_id"


def test_what_comes_too_early_is_parked_and_settles_in_order(door: Door) -> None:
    early = [promise("kept", id="kept"), promise("broken", id="broken")]
    assert reasons(door.take(*early)) == ["promise_not_made", "queued_behind"]
    assert door.ids() == []
    assert door.account()["test"].parked == 2

    assert door.outcomes(promise("made", id="made")) == ["appended"]

    assert door.ids() == ["made", "kept", "broken"]
    assert door.account()["test"]._replace(source="")[1:] == (3, 3, 0, 0, 0, 0)
    assert door.query("SELECT state, position FROM intake.kept ORDER BY kept_id") == [
        ("settled", 2),
        ("settled", 3),
    ]


def test_a_later_step_keeps_its_place_behind_one_that_waits(door: Door) -> None:
    door.take(complaint("raised", id="raised"))
    door.take(answered("A-1", id="answered"))
    assert door.outcomes(complaint("closed", id="closed")) == ["parked"]
    assert door.outcomes(complaint("raised", "K-2", id="another")) == ["appended"]
    assert door.outcomes(offered("A-1", id="offered")) == ["appended"]
    assert door.ids() == ["raised", "another", "offered", "answered", "closed"]


def test_what_still_waits_after_settling_waits_for_the_next_thing(door: Door) -> None:
    door.take(answered("A-1", id="answered"), complaint("closed", id="closed"))
    door.take(complaint("raised", id="raised"))
    assert door.ids() == ["raised"]
    assert door.query("SELECT reason, waits_for FROM intake.kept ORDER BY kept_id") == [
        ("amends_not_offered", "complaint:K-1/amends:A-1"),
        ("queued_behind", "complaint:K-1/amends:A-1"),
    ]
    door.take(offered("A-1", id="offered"))
    assert door.ids() == ["raised", "offered", "answered", "closed"]


def test_a_parked_event_sent_again_is_a_duplicate(door: Door) -> None:
    door.take(promise("kept", id="kept"))
    [again] = door.take(promise("kept", id="kept"))
    assert (again.outcome, again.reason) == ("duplicate", "already_held")
    assert door.outcomes(promise("kept", id="kept", minutes=5)) == ["conflict"]
    door.take(promise("made", id="made"))
    assert door.ids() == ["made", "kept"]
    assert door.differences() == []


def test_a_parked_event_that_turns_out_wrong_is_refused(door: Door) -> None:
    door.take(promise("kept", id="foreign", customer_id="C-2"), promise("broken", id="broken"))
    door.take(promise("made", id="made"))
    assert door.ids() == ["made", "broken"]
    assert door.query("SELECT id, state FROM intake.kept ORDER BY kept_id") == [
        ("foreign", "rejected"),
        ("broken", "settled"),
    ]
    line = door.account()["test"]
    assert (line.received, line.appended, line.rejected, line.parked) == (3, 2, 1, 0)


def test_one_bad_input_stops_nothing_else(door: Door) -> None:
    receipts = door.take(touchpoint("T-1"), raw(b"{not json"), touchpoint("T-2"))
    assert [r.outcome for r in receipts] == ["appended", "rejected", "appended"]
    assert receipts[1].reason == "unreadable_json"
    assert (receipts[1].source, receipts[1].id) == ("file:test.jsonl", "line 1")


def test_what_is_refused_is_kept_byte_for_byte_and_sealed(door: Door) -> None:
    body = b'{"specversion": "1.0", "note": "Mrs Jones, 555 1234"'
    door.take(raw(body))
    [(kept_id, sealed)] = door.query("SELECT kept_id, sealed FROM intake.kept")
    assert b"Jones" not in bytes(sealed)
    with door.datastore.transaction() as cursor:
        assert kept.messages(cursor, door.keyring, [kept_id])[kept_id] == raw(body)


def test_the_same_bad_input_again_is_one_more_attempt(door: Door) -> None:
    door.take(raw(b"{not json"), touchpoint("T-1"))
    door.take(raw(b"{not json"))
    door.take(raw(b"{other"))
    assert door.query("SELECT attempts FROM intake.kept ORDER BY kept_id") == [(2,), (1,)]
    assert door.account()["file:test.jsonl"].rejected == 3
    assert door.differences() == []


def test_an_erased_customers_key_leaves_only_what_is_not_personal(
    door: Door,
) -> None:
    door.take(touchpoint("T-1", id="a", note="call me at noon"))
    door.query(
        "UPDATE ledger.keys SET wrapped = NULL, destroyed_at = now()"
        " WHERE subject = 'customer:C-1' RETURNING 1"
    )
    assert door.outcomes(touchpoint("T-1", id="a", note="call me at noon")) == ["duplicate"]
    without_cached_keys = Door(door.datastore)
    assert without_cached_keys.outcomes(touchpoint("T-2", id="b", note="anything")) == ["appended"]


def test_the_deliverers_position_commits_with_the_batch(door: Door) -> None:
    door.intake.take([touchpoint("T-1")], tracking=[Tracking("kafka:t-0", 7)])
    with pytest.raises(IntegrityError):
        door.intake.take([touchpoint("T-2")], tracking=[Tracking("kafka:t-0", 7)])
    assert [stream for _, _, stream in door.ledger()] == ["touchpoint:T-1"]
    assert door.account()["test"].received == 1


def test_the_account_of_a_period_follows_the_time_of_receipt(door: Door) -> None:
    door.take(promise("kept"))
    between = datetime.now(UTC)
    door.take(promise("made"))
    whole, later = door.account()["test"], door.account(since=between)["test"]
    assert (whole.received, whole.appended) == (2, 2)
    assert (later.received, later.appended) == (1, 1)
    assert (later.parked, whole.parked) == (0, 0)


def test_the_account_agrees_with_what_is_there(door: Door) -> None:
    door.take(
        touchpoint("T-1", id="a"),
        touchpoint("T-1", id="a"),
        touchpoint("T-1", id="a", channel="chat"),
        promise("kept"),
        raw(b""),
    )
    assert door.differences() == []
    door.query("UPDATE intake.duplicates SET seen = 5 RETURNING 1")
    [difference] = door.differences()
    assert (difference.outcome, difference.accounted, difference.found) == ("duplicate", 1, 5)


def test_missing_sequence_numbers_are_reported_by_source(door: Door) -> None:
    for number in (3, 4, 7, 8, 12):
        door.take(touchpoint(f"T-{number}", sequence=str(number)))
    door.take(promise("kept", sequence="5"))
    door.take(cloudevent("promise.dreamt.v1", {}, sequence="10"))
    with door.datastore.transaction() as cursor:
        assert [tuple(gap) for gap in gaps(cursor)] == [
            ("test", 6, 6),
            ("test", 9, 9),
            ("test", 11, 11),
        ]
        assert gaps(cursor, "other") == []


def test_an_empty_batch_is_nothing_to_do(door: Door) -> None:
    assert door.take() == []
    assert door.account() == {}


def test_personal_fields_are_nowhere_in_the_clear(door: Door) -> None:
    door.take(touchpoint("T-1", note="Mrs Jones", contact="jones@example.org"))
    [(facts, personal)] = door.query("SELECT facts, personal FROM ledger.events")
    for column in (facts, personal):
        assert b"ones" not in bytes(column)


def test_a_time_that_was_assumed_is_marked_and_makes_no_conflict(door: Door) -> None:
    message = touchpoint("T-1", id="a", time=None)
    assert door.outcomes(message) == ["appended"]
    assert door.query("SELECT occurred_at, time_assumed FROM ledger.events") == [(NOON, True)]
    assert door.outcomes(touchpoint("T-1", id="a", minutes=3)) == ["duplicate"]
