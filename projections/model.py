"""What a read model is to the runner."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from domain import EVENT_TYPES
from ledger.datastore import PgCursor
from projections.events import RecordedEvent


@dataclass(frozen=True)
class ReadModel:
    """A set of tables built from events.

    `version` changes whenever the tables or the rules that fill them change: the tables are then
    built again beside those there, from the first event. `handles` and `ignores` together name
    every event type. `apply` writes what a batch of handled events changes, inside the runner's
    transaction; it gives equal rows for any order and any repetition of the same events.

    `build`, where there is one, does the same faster for a batch that holds everything of the
    customers in it, when nothing of them is in the tables: it looks nothing up, and so indexes can
    wait. `per_customer`: no row rests on events of several customers, so that workers can share
    them.

    `of_customers`: answers about customers rest on it.

    `others`, where answers about some customers rest on events of others too, gives the positions
    of these up to a position: it gets a cursor that works in the live schema, the customers and
    that position, which the read model has reached there.
    """

    name: str
    version: str
    tables: tuple[str, ...]
    definition: str
    handles: frozenset[str]
    ignores: frozenset[str]
    apply: Callable[[PgCursor, Sequence[RecordedEvent]], None]
    build: Callable[[PgCursor, Sequence[RecordedEvent]], None] | None = None
    per_customer: bool = True
    of_customers: bool = True
    others: Callable[[PgCursor, Sequence[str], int], Iterable[int]] | None = None


@dataclass(frozen=True)
class Views:
    """SQL that rests on `tables` of read models, such as views on them.

    `definition` can be executed any number of times. It is, with the live schema as search path:
    in every transaction that makes or replaces tables there, and when it has changed itself.
    """

    tables: frozenset[str]
    definition: str


POLICY_KINDS = ("calendar", "service_level", "channel", "authority_limit", "moment")
"""The kinds of streams that hold policies."""

KINDS_OF_NOBODY = (*POLICY_KINDS, "access")
"""The kinds of streams that belong to no customer: policies, and who looked at what."""


def types_of(*kinds: str) -> frozenset[str]:
    """Every event type of these kinds of streams.

    A read model ignores whole kinds that are none of its business. A new type of a kind that it
    reads is named by nobody then, and the runner refuses to start until the read model handles it
    or ignores it by name.
    """
    return frozenset(name for name, fact in EVENT_TYPES.items() if fact.KIND in kinds)


def sql_beside(module_file: str, name: str) -> str:
    """The text of the `.sql` file `name` in the folder of a module (`__file__`)."""
    return Path(module_file).with_name(name).read_text(encoding="utf-8")
