"""Answers as JSON: written at once, they say what their values say one by one."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from projections.answers import Answer
from questions.answers import json_text, plain

_INSTANTS = st.datetimes(timezones=st.just(UTC))
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals("-1e9", "1e9", places=4)
    | st.text()
    | _INSTANTS
    | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_ROWS = st.lists(st.dictionaries(st.text(), _VALUES, max_size=4), max_size=3)


def answered(rows: list[dict[str, Any]], as_of: datetime, known_at: datetime | None) -> Answer:
    return Answer(7, as_of, known_at, 2, rows, "next")


@given(_ROWS, _INSTANTS, st.none() | _INSTANTS)
def test_what_is_written_is_what_the_command_line_tells(
    rows: list[dict[str, Any]], as_of: datetime, known_at: datetime | None
) -> None:
    answer = answered(rows, as_of, known_at)
    assert json.loads(json_text(answer)) == plain(answer)


def test_instants_have_a_z_amounts_are_numbers_and_letters_stay_letters() -> None:
    at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    row = {"ö": at.replace(microsecond=5), "day": date(2026, 3, 2), "cost": Decimal("1.50")}
    assert json_text(answered([row], at, None)).decode() == (
        '{"position":7,"as_of":"2026-03-02T09:00:00Z","known_at":null,"metric_version":2,"rows":'
        '[{"ö":"2026-03-02T09:00:00.000005Z","day":"2026-03-02","cost":1.5}],"next":"next"}'
    )
