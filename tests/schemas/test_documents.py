"""The reference pages say what the code does."""

import json
import re
from pathlib import Path

import pytest

import domain
from domain.settling import QueuedBehind
from schemas import document
from schemas.catalogue import SHIPPED
from schemas.outcomes import REASONS
from tests.schemas.samples import structured, taken

ROOT = Path(__file__).parents[2]
OUTCOMES = (ROOT / "docs" / "reference" / "outcomes.md").read_text()

# The ledger's own: what it finds out by looking an event up.
OF_THE_LEDGER = {"already_appended", "already_held", "id_reused", "program_failed"}


def codes_of(reason: type[domain.NotYet] | type[domain.Refused]) -> set[str]:
    own = {reason.code} if "code" in vars(reason) else set()
    return own.union(*(codes_of(narrower) for narrower in reason.__subclasses__()))


def test_the_page_of_events_is_current() -> None:
    assert document.PAGE.read_text() == document.page(), "run python -m schemas.document"


@pytest.mark.parametrize("event_type", sorted(domain.EVENT_TYPES.keys() - domain.WRITTEN_BY_US))
def test_the_examples_of_the_page_are_taken(event_type: str) -> None:
    section = document.page().partition(f"## `{event_type}`")[2]
    example = json.loads(section.partition("```json\n")[2].partition("\n```")[0])
    event = taken(structured(example, event_type))
    assert event.fingerprint.hex() in section
    required = {
        field["name"]
        for field in SHIPPED.by_type[event_type].tree["fields"]
        if "default" not in field
    }
    assert example.keys() == required


def test_the_page_of_outcomes_names_every_reason_there_is_and_no_other() -> None:
    named = re.findall(r"^\| `([a-z_]+)` \|", OUTCOMES, re.MULTILINE)
    outcomes = {"appended", "duplicate", "conflict", "parked", "rejected"}
    of_the_domain = codes_of(domain.NotYet) | codes_of(domain.Refused) | {QueuedBehind.code}
    assert len(named) == len(set(named))
    assert set(named) - outcomes == set(REASONS) | of_the_domain | OF_THE_LEDGER


def test_every_reason_for_which_a_message_is_unreadable_is_listed() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "schemas").glob("*.py"))
    raised = set(re.findall(r'Problem\(\s*"([a-z_]+)"', sources))
    assert raised == set(REASONS)
