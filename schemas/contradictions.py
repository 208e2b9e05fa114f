"""What one event says that cannot be true at once, whatever else is recorded.

Bad service is no contradiction: late, out of order or without consent is recorded and judged.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import Any
from zoneinfo import available_timezones

from schemas.problem import Problem

_CLOCK = re.compile(r"(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9])")
Data = dict[str, Any]


def _contradiction(message: str, path: str) -> Problem:
    return Problem("contradiction", message, path)


def _not_negative(*names: str) -> Callable[[Data], Iterator[Problem]]:
    def find(data: Data) -> Iterator[Problem]:
        for name in names:
            if data[name] is not None and data[name] < 0:
                yield _contradiction("this cannot be negative", name)

    return find


def _touchpoint(data: Data) -> Iterator[Problem]:
    yield from _not_negative("duration_seconds", "handling_seconds")(data)
    if data["concurrency"] < 1:
        yield _contradiction("the touchpoint itself is one of them: at least 1", "concurrency")
    if data["in_reply_to"] == data["touchpoint_id"]:
        yield _contradiction("a touchpoint cannot answer itself", "in_reply_to")


def _correction(data: Data) -> Iterator[Problem]:
    corrected = data["corrected"]
    for name in ("touchpoint_id", "customer_id"):
        if corrected[name] != data[name]:
            yield _contradiction(
                f"the corrected record keeps the {name} of the touchpoint", f"corrected.{name}"
            )
    for problem in _touchpoint(corrected):
        yield problem.inside("corrected")


def _feedback(data: Data) -> Iterator[Problem]:
    score, lowest, highest = data["score"], data["scale_min"], data["scale_max"]
    if lowest is not None and highest is not None and lowest >= highest:
        yield _contradiction("scale_max is above scale_min", "scale_max")
    if score is not None and (
        (lowest is not None and score < lowest) or (highest is not None and score > highest)
    ):
        yield _contradiction("the score lies outside its scale", "score")


def _complaint(data: Data) -> Iterator[Problem]:
    if data["repeat_of"] == data["complaint_id"]:
        yield _contradiction("a complaint cannot repeat itself", "repeat_of")


def _merger(data: Data) -> Iterator[Problem]:
    if data["merged_customer_id"] == data["customer_id"]:
        yield _contradiction("the two ids are the same", "merged_customer_id")


def _service_level(data: Data) -> Iterator[Problem]:
    if data["target_seconds"] <= 0:
        yield _contradiction("a target is above 0", "target_seconds")


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _calendar(data: Data) -> Iterator[Problem]:
    if data["timezone"] not in _time_zones():
        yield _contradiction("not a time zone of the IANA database", "timezone")
    spans: dict[int, list[tuple[int, int, int]]] = {}
    for index, shift in enumerate(data["weekly"]):
        path = f"weekly[{index}]"
        if not 1 <= shift["weekday"] <= 7:
            yield _contradiction("weekdays are 1 to 7, Monday first", f"{path}.weekday")
        begin, end = _minute(shift["from"]), _minute(shift["to"], end_of_day=True)
        if begin is None:
            yield _contradiction("a time of day from 00:00 to 23:59", f"{path}.from")
        elif end is None:
            yield _contradiction("a time of day from 00:01 to 24:00", f"{path}.to")
        elif begin >= end:
            yield _contradiction("a shift ends after it begins, on the same day", f"{path}.to")
        else:
            spans.setdefault(shift["weekday"], []).append((begin, end, index))
    for day in spans.values():
        for (_, end, _), (begin, _, index) in pairwise(sorted(day)):
            if begin < end:
                yield _contradiction("two shifts of one day overlap", f"weekly[{index}]")


def _minute(text: str, *, end_of_day: bool = False) -> int | None:
    if end_of_day and text == "24:00":
        return 24 * 60
    match = _CLOCK.fullmatch(text)
    return None if match is None else int(match["hour"]) * 60 + int(match["minute"])


_RULES: dict[str, Callable[[Data], Iterator[Problem]]] = {
    "touchpoint.recorded": _touchpoint,
    "touchpoint.corrected": _correction,
    "feedback.given": _feedback,
    "complaint.raised": _complaint,
    "complaint.amends_offered": _not_negative("value"),
    "complaint.amends_delivered": _not_negative("value"),
    "customer.merged": _merger,
    "customer.unmerged": _merger,
    "calendar.published": _calendar,
    "service_level.published": _service_level,
    "channel.costed": _not_negative("cost_per_minute", "cost_per_contact"),
    "authority_limit.set": _not_negative("max_value"),
}


def refuse_contradictions(event: str, data: Data) -> None:
    """Raise `Problem` with code contradiction if the data of one event contradict each other.

    `event` is the type without its version, `data` in the shape of its newest version.
    """
    rule = _RULES.get(event)
    if rule is not None:
        for problem in rule(data):
            raise problem


def other_times(event: str, data: Data) -> Iterator[tuple[str, datetime]]:
    """Instants in the data that say when something happened, with their paths."""
    if event == "touchpoint.corrected" and data["corrected"]["occurred_at"] is not None:
        yield "corrected.occurred_at", data["corrected"]["occurred_at"]
