"""Versions of touchpoints: made from events, and related to each other."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from projections.conversations.fold import Version
from projections.events import BEGINNING, END, RecordedEvent

RECORDED = "touchpoint.recorded.v1"
CORRECTED = "touchpoint.corrected.v1"


def version_of(event: RecordedEvent) -> Version:
    """The version that a `touchpoint.recorded` or `touchpoint.corrected` event brings.

    How it stands to other versions is not known from one event: `related` says it.
    """
    if event.type == RECORDED:
        return _version(event.event_id, event.data, event.occurred_at)
    record = event.data["corrected"]
    stated: datetime | None = record["occurred_at"]
    return _version(event.event_id, record, stated or END)._replace(
        corrects=True, reaches=True, keeps_time=stated is None, visible_from=event.occurred_at
    )


def _version(event_id: str, record: Mapping[str, Any], occurred_at: datetime) -> Version:
    inbound = record["direction"] == "inbound"
    expects_reply = record["expects_reply"]
    return Version(
        event_id,
        record["touchpoint_id"],
        record["customer_id"],
        record["case_id"],
        occurred_at,
        False,
        False,
        BEGINNING,
        END,
        False,
        record["direction"],
        record["channel"],
        record["handled_by"],
        inbound if expects_reply is None else expects_reply,
        record["in_reply_to"],
        record["outcome"],
        record["topic"],
        record["team"],
        record["department"],
        record["employee_id"],
        record["product"],
        record["moment"],
        record["stage"],
        record["duration_seconds"],
        record["handling_seconds"],
        record["concurrency"],
    )


def related(versions: Sequence[Version]) -> list[Version]:
    """The same versions of one customer's touchpoints, each told how the others bear on it.

    A version holds until the next correction of its touchpoint (by the correction's time, then
    event id). A correction that states no time keeps that of the record. An effect reaches beyond a
    thread where a reply names no touchpoint in its own, and where a correction may move one to
    another.
    """
    corrected = {version.touchpoint_id for version in versions if version.corrects}
    in_thread = {(version.case_id, version.touchpoint_id) for version in versions}
    by_touchpoint: dict[str, list[Version]] = defaultdict(list)
    done: list[Version] = []
    for version in versions:
        if version.touchpoint_id in corrected:
            by_touchpoint[version.touchpoint_id].append(version)
        else:
            done.append(_reaching(version, _names_elsewhere(version, in_thread)))
    for same in by_touchpoint.values():
        moved = len({version.case_id for version in same}) > 1
        alone = all(version.corrects for version in same)
        done += [
            _reaching(version, moved or alone or _names_elsewhere(version, in_thread))
            for version in _in_turn(same)
        ]
    return done


def _names_elsewhere(version: Version, in_thread: Set[tuple[str | None, str]]) -> bool:
    named = version.in_reply_to
    return named is not None and (version.case_id, named) not in in_thread


def _reaching(version: Version, reaches: bool) -> Version:
    return version if version.reaches == reaches else version._replace(reaches=reaches)


def _in_turn(versions: Iterable[Version]) -> list[Version]:
    """All versions of one touchpoint, each until the next."""
    ordered = sorted(versions, key=lambda version: (version.visible_from, version.event_id))
    recorded_at = min(
        (version.occurred_at for version in ordered if not version.corrects), default=END
    )
    ends = [following.visible_from for following in ordered[1:]] + [END]
    return [
        version._replace(
            visible_to=end, occurred_at=recorded_at if version.keeps_time else version.occurred_at
        )
        for version, end in zip(ordered, ends, strict=True)
    ]
