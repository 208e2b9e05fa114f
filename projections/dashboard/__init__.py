"""Views for dashboards: a stable face of the read models, for SQL, with nothing personal.

They stand in schema `dashboard` and belong to the program's role, whose rights they use: those who
may read them, the members of `servicetrail_dashboard`, need no right to what is below and get none.
"""

import re
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from psycopg2.errors import InvalidTableDefinition

from ledger.datastore import DASHBOARD_ROLE, PgCursor
from projections.registry import read_models

# In this order: those of a later file may select from those of an earlier one.
_FILES = (
    "freshness",
    "touchpoints",
    "conversations",
    "response_times",
    "promises",
    "complaints",
    "feedback",
    "statements",
    "customers",
    "policies",
    "channels_by_month",
)
DEFINITIONS = "\n".join(
    Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8") for name in _FILES
)
_GRANTS = (
    f"GRANT USAGE ON SCHEMA dashboard TO {DASHBOARD_ROLE};"
    f"GRANT SELECT ON ALL TABLES IN SCHEMA dashboard TO {DASHBOARD_ROLE};"
)
_SAYS = f"Views for dashboards. Definitions {sha256(DEFINITIONS.encode()).hexdigest()[:16]}"

_COMMENT = re.compile(
    r"^COMMENT ON (?:VIEW|COLUMN) dashboard\.(\w+)(?:\.(\w+))? IS '((?:[^']|'')*)';$", re.MULTILINE
)


class View(NamedTuple):
    """A view: what its rows are, and what its columns say, by name in their order."""

    name: str
    says: str
    columns: dict[str, str]


def views() -> list[View]:
    """Every view, as its file describes it."""
    found: list[View] = []
    for name, column, text in _COMMENT.findall(DEFINITIONS):
        says = text.replace("''", "'")
        if column:
            found[-1].columns[column] = says
        else:
            found.append(View(name, says, {}))
    return found


def define(cursor: PgCursor) -> None:
    """Point the views at the read models that are in schema `read` now, and make those missing.

    To be called in the transaction in which read models were put there. Does nothing while not all
    read models are there. The cursor's role comes to own the views and must own schema `dashboard`
    and what is in `read`. Views are replaced, not dropped, so that what others built upon them and
    granted stays; only where a column changed its type all are dropped first.
    """
    if not _all_there(cursor, [f"read.{table}" for m in read_models() for table in m.tables]):
        return
    cursor.execute("SAVEPOINT views")
    try:
        cursor.execute(DEFINITIONS)
    except InvalidTableDefinition:
        cursor.execute("ROLLBACK TO SAVEPOINT views")
        drop(cursor)
        cursor.execute(DEFINITIONS)
    cursor.execute("RELEASE SAVEPOINT views")
    cursor.execute(_GRANTS)
    cursor.execute("COMMENT ON SCHEMA dashboard IS %s", (_SAYS,))


def define_if_changed(cursor: PgCursor) -> None:
    """As `define`, unless the views are there as this program defines them.

    Replacing a view waits for everybody who reads it, so it is not done at every start.
    """
    cursor.execute(
        "SELECT obj_description(to_regnamespace('dashboard'), 'pg_namespace') = %s", (_SAYS,)
    )
    (defined,) = cursor.fetchone() or (False,)
    if not (defined and _all_there(cursor, [f"dashboard.{view.name}" for view in views()])):
        define(cursor)


def drop(cursor: PgCursor) -> None:
    """Drop the views, so that tables they read can be dropped. Fails where others build on them."""
    names = ", ".join(f"dashboard.{view.name}" for view in views())
    cursor.execute(f"DROP VIEW IF EXISTS {names}")


def _all_there(cursor: PgCursor, names: list[str]) -> bool:
    """Whether there are tables or views of all these names."""
    cursor.execute(
        "SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest(%s) AS name", (names,)
    )
    return bool((cursor.fetchone() or (False,))[0])
