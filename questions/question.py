"""A question to the read models, and what its answers look like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from ledger.datastore import PgCursor
from projections.answers import Answer
from questions.parameters import AsOf, Identifier
from questions.tables import Table

Each = TypeVar("Each", bound=BaseModel)
Row = TypeVar("Row", bound="RowModel")
Parameters = TypeVar("Parameters", bound=AsOf)


class RowModel(BaseModel):
    """A row that says exactly these things. Tests hold real answers against it."""

    model_config = ConfigDict(extra="forbid")


class ExplainedRow(RowModel):
    """A row that opens to what it was computed from."""

    explain: str = Field(
        description="Path and query that tell what the row was computed from, at the same `as_of`"
    )


class Rows(BaseModel, Generic[Each]):
    """Rows that are read as they stand, and computed from nothing."""

    model_config = ConfigDict(extra="forbid")

    rows: list[Each]


class ListAnswer(BaseModel, Generic[Row]):
    """Rows, and what they were computed from."""

    model_config = ConfigDict(extra="forbid")

    position: int = Field(description="Computed from all events up to this position")
    as_of: datetime = Field(description="Nothing that happened later counts")
    known_at: datetime | None = Field(description="When the event at `position` was recorded")
    metric_version: int = Field(description="Version of the definitions")
    rows: list[Row]
    next: str | None = Field(description="The `cursor` that asks for the rows that follow")


def columns(row: type[BaseModel]) -> list[str]:
    """The names of the columns, as they stand in rows: the link comes last."""
    return sorted(row.model_fields, key=lambda name: name == "explain")


def figures_of(row: type[ExplainedRow], *groups: str) -> tuple[str, ...]:
    """The columns of a row that are figures: all but those of its group, and the link."""
    return tuple(name for name in row.model_fields if name not in (*groups, "explain"))


_CALLED = {"cursor": "token", "open": "open_"}
"""What queries call a parameter that would hide something else there."""

_ASKED_OF = {"known_at", "read"}
"""Parameters that say which read models are asked, and are not the query's own."""


def asked_for_all(query: Callable[..., Answer]) -> Callable[..., Answer]:
    """Asks a query of `projections` for all that the parameters say, each under its name.

    Gets a cursor, before the parameters the id of the thing that is asked about where there is one,
    and hands both on; see `Question.ask`.
    """

    def ask(cursor: PgCursor, *subject_and_asked: Any) -> Answer:
        *subject, asked = subject_and_asked
        fields = type(asked).model_fields.keys() - _ASKED_OF
        return query(
            cursor, *subject, **{_CALLED.get(name, name): getattr(asked, name) for name in fields}
        )

    return ask


@dataclass(frozen=True)
class Explanation:
    """What is behind each row of figures, for GET /explain and `servicetrail explain`.

    `groups` are the columns that may name a row, `figures` those that can be explained one by one,
    `takes` the question's own parameters that select what is counted. `ask` gets a cursor, a
    `projections.explaining.Behind`, and what was given of `takes` by name.
    """

    groups: tuple[str, ...]
    ask: Callable[..., Answer]
    figures: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


@dataclass(frozen=True)
class OneThing:
    """For rows of which each is one thing, told by a question of its own at `path`, to which the
    row's value `column` and `part` are added; `as_of` where that question takes it. It is asked for
    what was given of the parameters `takes`.
    """

    path: str
    column: str
    part: str = ""
    as_of: bool = True
    takes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listed:
    """For rows that count what the question at `path` lists: it is asked for the same window and
    what was given of the parameters `takes`, and for the row's columns `groups`; those that are
    null are named as `unknown`.
    """

    path: str
    groups: tuple[str, ...]
    takes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question(Generic[Parameters]):
    """One question, from which both its route and its command are made.

    `command` is the name on the command line (None: a command of its own asks it there), `path` the
    route of GET. `summary` says in one line what is answered, `details` what people should know
    beside it. `ask` gets a cursor of `projections.answers.snapshot` and the parameters, and before
    these the id that stands in the path where there is one: `subject` is its name, `subject_type`
    how it is written. A question about one thing says in `thing` what it is: no row means then that
    it is not there. Two questions may share a command, a list and one thing of it: the id is then
    optional. `tables` shows the rows to people. `whose` says whose a thing is, where the subject is
    not the customer. `behind` is what rows open to, which are then `ExplainedRow`s. `about`: rows
    are `figures` over many customers, which tell nothing of a single one, and which dashboards may
    ask for; or about `persons`; or about `access` to them. `beyond_read_models`: answers also tell
    what no read model holds, and change without them. `singles` are what makes figures tell of a
    single thing or person if asked for: parameters, or one with its value (`by=employee`).
    """

    command: str | None
    path: str
    summary: str
    parameters: type[Parameters]
    row: type[RowModel]
    ask: Callable[..., Answer]
    tables: Callable[[Sequence[Mapping[str, Any]]], Iterable[Table]]
    details: str = ""
    subject: str | None = None
    subject_type: Any = Identifier
    thing: str | None = None
    whose: Callable[[PgCursor, str], str | None] | None = None
    behind: Explanation | OneThing | Listed | None = None
    about: Literal["figures", "persons", "access"] = "persons"
    beyond_read_models: bool = False
    singles: tuple[str, ...] = ()

    @property
    def shown_path(self) -> str:
        """The path as people are shown it: without how its id is read."""
        return self.path.replace(":id", "")

    @property
    def name(self) -> str:
        """What it is called on record: its command, or the end of its path."""
        return self.command or self.path.rpartition("/")[2]
