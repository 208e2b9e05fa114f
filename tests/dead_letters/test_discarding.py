"""What nobody can use is put aside for good: with a reason, and nothing is stuck behind it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from eventsourcing.persistence import ProgrammingError

from ledger.dead_letters import NotOpen
from tests.dead_letters.desk import Desk
from tests.intake.door import answered, complaint, offered, promise, raw, touchpoint


def test_a_discarded_input_leaves_the_list_and_stays_on_record(desk: Desk) -> None:
    desk.take(raw(b"{not json"))
    [kept_id] = desk.open()
    desk.discard(kept_id, reason="  a test of the shop  ")
    assert desk.open() == {}
    shown = desk.show(kept_id)
    assert (shown["state"], shown["reason"]) == ("discarded", "unreadable_json")
    [step] = shown["history"]
    assert (step["step"], step["who"], step["remark"]) == ("discarded", "ada", "a test of the shop")
    assert desk.dead_letters.reveal(kept_id, who="bob").body == b"{not json"
    assert desk.counts("file:test.jsonl") == {"received": 1, "rejected": 1}


def test_a_discard_needs_a_reason(desk: Desk) -> None:
    desk.take(raw(b"{not json"))
    with pytest.raises(ValueError, match="needs a reason"):
        desk.discard(*desk.open(), reason=" ")
    assert len(desk.open()) == 1


def test_what_was_discarded_comes_up_again_when_it_is_sent_again(desk: Desk) -> None:
    desk.take(raw(b"{not json"))
    [first] = desk.open()
    desk.discard(first)
    desk.take(raw(b"{not json"))
    [second] = desk.open()
    assert second != first
    assert desk.counts("file:test.jsonl") == {"received": 2, "rejected": 2}


def test_discarding_the_head_of_a_queue_lets_those_behind_it_go(desk: Desk) -> None:
    desk.take(complaint("raised", id="raised"))
    desk.take(answered("A-9", id="answered"), complaint("closed", id="closed"))
    head = min(desk.open())
    desk.discard(head)
    assert desk.ids() == ["raised", "closed"]
    assert desk.open() == {}
    assert desk.counts() == {"received": 3, "appended": 2, "rejected": 1}


def test_those_behind_wait_for_what_they_need_themselves(desk: Desk) -> None:
    desk.take(promise("kept", id="kept"), promise("broken", id="broken"))
    head, behind = sorted(desk.open())
    assert desk.show(behind)["reason"] == "queued_behind"
    desk.discard(head)
    shown = desk.show(behind)
    assert (shown["reason"], shown["waits_for"]) == ("promise_not_made", "promise:P-1")
    desk.take(promise("made", id="made"))
    assert desk.ids() == ["made", "broken"]


def test_those_behind_may_wait_for_something_else(desk: Desk) -> None:
    desk.take(complaint("raised", id="raised"))
    desk.take(answered("A-8", id="8"), answered("A-9", id="9"), complaint("closed", id="closed"))
    head, second, last = sorted(desk.open())
    desk.discard(head)
    assert desk.show(second)["waits_for"] == desk.show(last)["waits_for"]
    assert desk.show(second)["waits_for"] == "complaint:K-1/amends:A-9"
    desk.take(offered("A-9", id="offered"))
    assert desk.ids() == ["raised", "offered", "9", "closed"]


def test_those_behind_that_are_wrong_are_refused(desk: Desk) -> None:
    desk.take(complaint("raised", id="raised"))
    desk.take(answered("A-9", id="answered"))
    desk.take(complaint("closed", id="foreign", customer_id="C-2"))
    head, behind = sorted(desk.open())
    desk.discard(head)
    assert desk.open() == {behind: "rejected"}
    assert desk.history(behind) == [("refused", "rejected")]
    assert desk.counts() == {"received": 3, "appended": 1, "rejected": 2}


def test_one_in_the_middle_of_a_queue_and_several_at_once(desk: Desk) -> None:
    desk.take(*(promise("kept", id=f"{n}", minutes=n) for n in range(4)), promise("kept", "P-2"))
    first, second, third, fourth, other = sorted(desk.open())
    desk.discard(second)
    assert sorted(desk.open()) == [first, third, fourth, other]
    desk.discard(first, third, other)
    desk.take(promise("made", id="made"))
    assert desk.ids() == ["made", "3"]
    assert desk.open() == {}


def test_a_parked_event_that_was_discarded_is_received_anew(desk: Desk) -> None:
    desk.take(promise("kept", id="kept"))
    desk.discard(*desk.open())
    assert desk.outcomes(promise("kept", id="kept")) == ["parked"]
    desk.take(promise("made", id="made"))
    assert desk.ids() == ["made", "kept"]


def test_an_erased_customers_input_can_be_discarded(desk: Desk) -> None:
    desk.take(touchpoint("T-1", direction="sideways"), promise("kept", customer_id="C-1"))
    desk.erase("C-1")
    desk.discard(*desk.open())
    assert desk.open() == {}


def test_what_is_done_cannot_be_discarded(desk: Desk) -> None:
    desk.take(promise("kept"), raw(b"{"))
    parked, rejected = sorted(desk.open())
    desk.take(promise("made"))
    with pytest.raises(NotOpen, match=f"input {parked} is settled already"):
        desk.discard(parked, rejected)
    assert desk.open() == {rejected: "rejected"}


def test_discarding_while_channels_send_leaves_nothing_waiting(desk: Desk) -> None:
    """Each complaint has an answer at the head of its queue that waits for ever, behind it an
    answer to an offer that comes while the head is being discarded."""
    things = [f"K-{number}" for number in range(25)]
    desk.take(*(complaint("raised", thing) for thing in things))
    for thing in things:
        desk.take(answered("A-9", complaint_id=thing), answered("A-1", complaint_id=thing))
    heads = sorted(desk.open())[::2]

    def send(channel: Desk) -> None:
        for thing in things:
            channel.take(offered("A-1", complaint_id=thing))

    def discard(operator: Desk) -> None:
        for head in heads:
            operator.discard(head)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(send, desk.upgraded()), pool.submit(discard, desk.upgraded())]:
            done.result()
    assert desk.open() == {}
    assert len(desk.ids()) == 3 * len(things)


def test_history_can_only_be_added_to(desk: Desk) -> None:
    desk.take(raw(b"{"))
    desk.discard(*desk.open())
    for statement in ("UPDATE intake.steps SET who = 'eve'", "DELETE FROM intake.steps"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            desk.query(statement)
