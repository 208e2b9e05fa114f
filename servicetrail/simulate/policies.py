"""The rules of the company: published on its first day, one of them changed half-way."""

from datetime import date, timedelta
from typing import Any

from servicetrail.simulate.chance import DAY
from servicetrail.simulate.clockwork import Story
from servicetrail.simulate.company import (
    AUTHORITY,
    CALENDARS,
    CHANNELS,
    CURRENCY,
    HOLIDAYS,
    MOMENTS,
    OFFICE_AFTER_THE_CHANGE,
    SERVICE_LEVELS,
    SERVICE_OFFICE,
    ZONE,
    Week,
)
from servicetrail.simulate.hours import instant, local_day, midnight_after
from servicetrail.simulate.world import World


def policies(world: World, days: int) -> Story:
    """All policies at once, and a new calendar for the office half-way through `days`."""
    changes_at = midnight_after(world.start + days * DAY // 2)
    in_force = {"valid_from": instant(world.start)}
    for name, week in CALENDARS.items():
        _publish(world, "calendar", name, _calendar(week, world.start, days) | in_force)
    for number, level in enumerate(SERVICE_LEVELS, start=1):
        _publish(world, "service_level", f"SL-{number:02}", _service_level(level) | in_force)
    for channel in CHANNELS:
        costs = {
            "cost_per_minute": channel.cost_per_minute,
            "cost_per_contact": channel.cost_per_contact,
            "currency": CURRENCY,
        }
        _publish(world, "channel", channel.name, costs | in_force)
    for role, limit in AUTHORITY.items():
        limits = {"max_value": f"{limit}.00", "currency": CURRENCY}
        _publish(world, "authority_limit", role, limits | in_force)
    for moment, importance in MOMENTS.items():
        _publish(world, "moment", moment, {"importance": importance} | in_force)

    # Announced a week ahead where the run is long enough.
    yield changes_at - min(7 * DAY, days * DAY // 10)
    changed = _calendar(OFFICE_AFTER_THE_CHANGE, world.start, days)
    _publish(world, "calendar", "office", changed | {"valid_from": instant(changes_at)})
    world.hours["office"].change(OFFICE_AFTER_THE_CHANGE, local_day(changes_at))


_NAMES = {  # kind: event type, field that names it
    "calendar": ("calendar.published.v1", "calendar_id"),
    "service_level": ("service_level.published.v1", "service_level_id"),
    "channel": ("channel.costed.v1", "channel"),
    "authority_limit": ("authority_limit.set.v1", "role"),
    "moment": ("moment.classified.v1", "moment"),
}


def _publish(world: World, kind: str, name: str, data: dict[str, Any]) -> None:
    type_, id_field = _NAMES[kind]
    world.clock.tell(SERVICE_OFFICE, type_, f"{kind}/{name}", {id_field: name} | data)


def _calendar(week: Week, start: int, days: int) -> dict[str, Any]:
    first, last = local_day(start), local_day(start) + timedelta(days=days)
    holidays = [
        date(year, month, day).isoformat()
        for year in range(first.year, last.year + 2)
        for month, day in sorted(HOLIDAYS)
    ]
    return {
        "timezone": ZONE,
        "weekly": [{"weekday": day, "from": begin, "to": end} for day, begin, end in week.shifts],
        "holidays": holidays if week.keeps_holidays else [],
    }


def _service_level(level: dict[str, object]) -> dict[str, Any]:
    target = {name: value for name, value in level.items() if name != "on"}
    if "on" in level:
        return target | {"clock": "business", "calendar_id": level["on"]}
    return target | {"clock": "calendar"}
