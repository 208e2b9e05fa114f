"""The back office: what the front asks of it while a customer waits."""

from domain.facts import Fact, Follows, NotYet, Opens


class SupportNotRequested(NotYet):
    """An answer came before the request that it answers."""

    code = "support_not_requested"


class SupportRequested(Opens):
    """The front asked the back office for something."""

    TOPIC = "support.requested.v1"
    KIND = "support"
    ID_FIELD = "request_id"
    RANK = 35


class SupportAnswered(Follows):
    """The back office answered."""

    TOPIC = "support.answered.v1"
    KIND = "support"
    ID_FIELD = "request_id"
    RANK = 36
    NOT_OPENED = SupportNotRequested


FACTS: tuple[type[Fact], ...] = (SupportRequested, SupportAnswered)
