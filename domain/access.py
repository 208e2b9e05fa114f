"""Who looked, and who did what. It is nobody's event: whom it is about stands in the data."""

from domain.facts import Fact


class AccessRecorded(Fact):
    """Somebody looked at what is kept of a person, or did something about what is kept."""

    TOPIC = "access.recorded.v1"
    KIND = "access"
    ID_FIELD = "access_id"


FACTS: tuple[type[Fact], ...] = (AccessRecorded,)
