"""How much of what stood last in a Kafka partition was rejected: asked of the inputs that are kept.

So it is the same for every consumer, and after every restart.
"""

from pathlib import Path
from typing import NamedTuple

from ledger.datastore import PgCursor
from ledger.sql import named_queries

_SQL = named_queries(Path(__file__).with_name("rejected.sql"))


class Rejected(NamedTuple):
    """How many records were rejected, and the most frequent reason (None if there are none)."""

    records: int
    reason: str | None


def rejected_lately(
    cursor: PgCursor, topic: str, partition: int, position: int, window: int
) -> Rejected:
    """What was rejected of the `window` offsets before a position.

    Without what was redriven, repaired or discarded since, and what somebody has looked at. A
    record that came again, byte for byte, counts where it came first.
    """
    cursor.execute(
        _SQL["rejected_lately"],
        {"topic": topic, "partition": partition, "position": position, "window": window},
    )
    return Rejected._make(cursor.fetchone() or (0, None))


def look(cursor: PgCursor, topic: str | None, who: str) -> int:
    """Note that somebody has looked at what was rejected until now, of a topic or of all.

    Gives how many rejected records of it are open. They stay what they are.
    """
    cursor.execute(_SQL["look"], {"topic": topic, "who": who})
    (open_,) = cursor.fetchone() or (0,)
    return int(open_)
