"""What a read model is to the runner."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.datastore import PgCursor
from projections.events import RecordedEvent


@dataclass(frozen=True)
class ReadModel:
    """A set of tables built from events.

    `version` changes whenever the tables or the rules that fill them change: the runner then drops
    `tables` and builds them again from the first event. `handles` and `ignores` together name every
    event type. `apply` writes what a batch of handled events changes, inside the runner's
    transaction; it gives equal rows for any order and any repetition of the same events.
    """

    name: str
    version: str
    tables: tuple[str, ...]
    definition: str
    handles: frozenset[str]
    ignores: frozenset[str]
    apply: Callable[[PgCursor, Sequence[RecordedEvent]], None]


def sql_beside(module_file: str, name: str) -> str:
    """The text of the `.sql` file `name` in the folder of a module (`__file__`)."""
    return Path(module_file).with_name(name).read_text(encoding="utf-8")
