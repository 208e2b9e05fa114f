"""An input on which the program itself fails holds up none of the others."""

import pytest

from schemas.avro_data import RegistryUnavailable
from schemas.message import Message
from tests.dead_letters.desk import Desk
from tests.intake.door import NOON, touchpoint


class BrokenRegistry:
    """A registry that answers with what nobody can use."""

    def schema_for(self, schema_id: int) -> str | None:
        raise ZeroDivisionError(schema_id)


class AwayRegistry:
    """A registry that does not answer."""

    def schema_for(self, schema_id: int) -> str | None:
        raise RegistryUnavailable(f"no answer for {schema_id}")


def test_while_the_registry_is_away_what_needs_it_stays_as_it_is(desk: Desk) -> None:
    numbered = Message(b"\0\0\0\0\7x", "", {}, "kafka:t", "0-1", NOON, {"topic": "t"})
    desk.upgraded(max_event_bytes=1_000).take(numbered, touchpoint("T-1", note="x" * 5_000))
    first, second = sorted(desk.open())
    before = desk.show(first)
    upgraded = desk.upgraded(registry=AwayRegistry())

    held, done = upgraded.redrive(first, second)

    assert (held.outcome, held.reason) == ("rejected", "registry_away")
    assert "redrive it when the registry answers again" in (held.message or "")
    assert (done.outcome, done.position) == ("appended", 1)
    assert desk.show(first) == before
    with pytest.raises(RegistryUnavailable):
        upgraded.repair(first, numbered)
    assert desk.show(first) == before


def test_the_others_of_a_batch_are_redriven(desk: Desk) -> None:
    numbered = Message(b"\0\0\0\0\7x", "", {}, "kafka:t", "0-1", NOON, {"topic": "t"})
    desk.upgraded(max_event_bytes=1_000).take(numbered, touchpoint("T-1", note="x" * 5_000))
    first, second = sorted(desk.open())
    upgraded = desk.upgraded(registry=BrokenRegistry())
    failed, done = upgraded.redrive(first, second, dry_run=True)
    assert (failed.reason, done.outcome) == ("program_failed", "appended")
    assert desk.show(first)["history"] == []

    failed, done = upgraded.redrive(first, second)

    assert (failed.outcome, failed.reason) == ("rejected", "program_failed")
    assert "ZeroDivisionError" in (failed.message or "")
    assert (done.outcome, done.position) == ("appended", 1)
    assert desk.open() == {first: "rejected"}
    assert desk.history(first) == [("redriven", "rejected")]
