"""The rules in force: which version of a policy counts at an instant. Pure."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol, TypeVar

from projections.events import END


class Version(Protocol):
    """One published version of a policy."""

    @property
    def event_id(self) -> str: ...
    @property
    def published_at(self) -> datetime: ...
    @property
    def valid_from(self) -> datetime: ...


VersionT = TypeVar("VersionT", bound=Version)


class ServiceLevel(NamedTuple):
    """How fast something is to be done; a selector that is None fits anything."""

    event_id: str
    published_at: datetime
    valid_from: datetime
    service_level_id: str
    metric: str
    channel: str | None
    topic: str | None
    tier: str | None
    severity: str | None
    target_seconds: float
    clock: str
    calendar_id: str | None

    def selects(self, **about: str | None) -> bool:
        """Whether every selector that is set says what `about` says."""
        selectors = ((name, getattr(self, name)) for name in SELECTORS)
        return all(wanted is None or wanted == about.get(name) for name, wanted in selectors)

    @property
    def selectors(self) -> int:
        """How many selectors are set."""
        return sum(getattr(self, name) is not None for name in SELECTORS)


SELECTORS = ("channel", "topic", "tier", "severity")


class AuthorityLimit(NamedTuple):
    """The highest amends that a role may offer by itself, in one currency."""

    event_id: str
    published_at: datetime
    valid_from: datetime
    role: str
    max_value: Decimal
    currency: str


def precedence(version: Version) -> tuple[datetime, datetime, str]:
    """Of the versions of one policy that are valid, the one with the greatest counts."""
    return version.valid_from, version.published_at, version.event_id


def in_force(versions: Iterable[VersionT], at: datetime) -> VersionT | None:
    """Of the versions of one policy, the one in force at an instant."""
    return max((v for v in versions if v.valid_from <= at), key=precedence, default=None)


class Levels:
    """Service levels, to be asked which one counts."""

    def __init__(self, versions: Iterable[ServiceLevel]) -> None:
        self.versions = frozenset(versions)
        by_id: dict[str, list[ServiceLevel]] = defaultdict(list)
        for version in self.versions:
            by_id[version.service_level_id].append(version)
        self._policies: Sequence[Sequence[ServiceLevel]] = list(by_id.values())
        # Between two of these instants no level comes into force or goes out of it.
        self._changes = sorted({level.valid_from for level in self.versions})
        self._selectors: dict[str, tuple[str, ...]] = {}
        self._chosen: dict[tuple[int, str, tuple[str | None, ...]], ServiceLevel | None] = {}

    def spans(self, metric: str) -> list[tuple[ServiceLevel, datetime]]:
        """Every level for a metric with the end of its validity, those that count for more later.

        Where several fit, the last one of the list counts, as `level` says.
        """
        found = []
        for versions in self._policies:
            ordered = sorted(versions, key=precedence)
            ends = [following.valid_from for following in ordered[1:]] + [END]
            found += [
                (level, end)
                for level, end in zip(ordered, ends, strict=True)
                if level.metric == metric and level.valid_from < end
            ]
        return sorted(found, key=lambda span: _weight(span[0]))

    def level(self, metric: str, at: datetime, **about: str | None) -> ServiceLevel | None:
        """The level in force at an instant for what `about` says (channel, topic, tier, severity).

        Of several that fit the one with the most selectors counts, then the one valid since later,
        then the last by id; None if nothing was agreed.
        """
        # What no level for the metric asks for makes no difference.
        selected = tuple([about.get(name) for name in self._asked(metric)])
        key = bisect_right(self._changes, at), metric, selected
        if key not in self._chosen:
            held = (in_force(versions, at) for versions in self._policies)
            fitting = (
                level
                for level in held
                if level is not None and level.metric == metric and level.selects(**about)
            )
            self._chosen[key] = max(fitting, key=_weight, default=None)
        return self._chosen[key]

    def _asked(self, metric: str) -> tuple[str, ...]:
        """The selectors that some level for a metric sets."""
        if metric not in self._selectors:
            levels = [level for level in self.versions if level.metric == metric]
            self._selectors[metric] = tuple(
                name
                for name in SELECTORS
                if any(getattr(level, name) is not None for level in levels)
            )
        return self._selectors[metric]


def _weight(level: ServiceLevel) -> tuple[int, datetime, str]:
    return level.selectors, level.valid_from, level.service_level_id
