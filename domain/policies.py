"""Policies: the rules that service is judged by, each version in force from a moment on."""

from domain.facts import Fact


class Policy(Fact):
    """A version of a policy. Policies have no customer."""

    RANK = 0


class CalendarPublished(Policy):
    """When a team works."""

    TOPIC = "calendar.published.v1"
    KIND = "calendar"
    ID_FIELD = "calendar_id"


class ServiceLevelPublished(Policy):
    """How fast something is to be done, and for whom."""

    TOPIC = "service_level.published.v1"
    KIND = "service_level"
    ID_FIELD = "service_level_id"


class ChannelCosted(Policy):
    """What a channel costs."""

    TOPIC = "channel.costed.v1"
    KIND = "channel"
    ID_FIELD = "channel"


class AuthorityLimitSet(Policy):
    """How much amends a role may offer by itself."""

    TOPIC = "authority_limit.set.v1"
    KIND = "authority_limit"
    ID_FIELD = "role"


class MomentClassified(Policy):
    """Which moments of truth matter most."""

    TOPIC = "moment.classified.v1"
    KIND = "moment"
    ID_FIELD = "moment"


FACTS: tuple[type[Fact], ...] = (
    CalendarPublished,
    ServiceLevelPublished,
    ChannelCosted,
    AuthorityLimitSet,
    MomentClassified,
)
