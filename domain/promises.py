"""Promises: made once, then revised, kept, broken or withdrawn.

Late, twice, after a break: all that is recorded and judged by the read model, never refused.
"""

from domain.facts import Fact, Follows, NotYet, Opens, Stream


class Promise(Stream):
    """The history of one promise."""


class PromiseNotMade(NotYet):
    """Something about a promise came before the promise."""

    code = "promise_not_made"


class PromiseMade(Opens):
    """Somebody promised a customer something, by a certain time."""

    TOPIC = "promise.made.v1"
    KIND = "promise"
    ID_FIELD = "promise_id"
    RANK = 30
    STREAM = Promise


class _AboutPromise(Follows):
    KIND = "promise"
    ID_FIELD = "promise_id"
    NOT_OPENED = PromiseNotMade
    STREAM = Promise


class PromiseRevised(_AboutPromise):
    """The due time was changed, with the customer's consent or without."""

    TOPIC = "promise.revised.v1"
    RANK = 31


class PromiseKept(_AboutPromise):
    """What was promised was done."""

    TOPIC = "promise.kept.v1"
    RANK = 32


class PromiseBroken(_AboutPromise):
    """The organisation says itself that it broke the promise."""

    TOPIC = "promise.broken.v1"
    RANK = 33


class PromiseWithdrawn(_AboutPromise):
    """The promise was taken back."""

    TOPIC = "promise.withdrawn.v1"
    RANK = 34


FACTS: tuple[type[Fact], ...] = (
    PromiseMade,
    PromiseRevised,
    PromiseKept,
    PromiseBroken,
    PromiseWithdrawn,
)
