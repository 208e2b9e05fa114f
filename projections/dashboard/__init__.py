"""Views for dashboards: a stable face of the read models, for SQL, with nothing personal.

They stand in schema `dashboard` and belong to the program's role, whose rights they use: those who
may read them, the members of `servicetrail_dashboard`, need no right to what is below and get none.
"""

import re
from pathlib import Path
from typing import NamedTuple

from ledger.datastore import DASHBOARD_ROLE
from projections.model import Views

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
_SQL = "\n".join(
    Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8") for name in _FILES
)
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
    for name, column, text in _COMMENT.findall(_SQL):
        says = text.replace("''", "'")
        if column:
            found[-1].columns[column] = says
        else:
            found.append(View(name, says, {}))
    return found


def _definition() -> str:
    """Replaces the views, so that what others built upon them and granted stays; only where a
    column came to have another type are all of them dropped first, which fails where others build
    on them.
    """
    names = ", ".join(f"dashboard.{view.name}" for view in views())
    return f"""
        DO $do$ BEGIN
            EXECUTE $views${_SQL}$views$;
        EXCEPTION WHEN invalid_table_definition THEN
            DROP VIEW IF EXISTS {names};
            EXECUTE $views${_SQL}$views$;
        END $do$;
        GRANT USAGE ON SCHEMA dashboard TO {DASHBOARD_ROLE};
        GRANT SELECT ON ALL TABLES IN SCHEMA dashboard TO {DASHBOARD_ROLE};
    """


DASHBOARD = Views(
    tables=frozenset(re.findall(r"\bread\.(\w+)", _SQL)) - {"position"}, definition=_definition()
)
