"""The question what is behind a figure, and the link to it that every row of figures has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from pydantic import Field, create_model

from ledger.datastore import PgCursor
from projections.answers import Answer, WrongParameter, page
from projections.explaining import EXPLAIN, Behind
from questions.parameters import AsOf, Identifier, Paging, Text, Window, one_of
from questions.question import Explanation, Listed, OneThing, Question, RowModel
from questions.tables import column, duration, in_columns, instant, words
from schemas.codec import instant_text

EXPLAIN_PATH = "/explain"


class NotAskedThere(WrongParameter):
    """The question that is to be explained knows nothing of a parameter."""

    def __init__(self, parameter: str, text: str) -> None:
        super().__init__(text)
        self.parameter = parameter


class ExplainParameters(Window, Paging):
    """Parameters of an explanation; with them come those that name a row, and what its question
    takes.
    """

    question: str = Field(description="Which question the row answers")
    figure: Identifier | None = Field(
        default=None, description="Only what this figure of the row was computed from"
    )
    unknown: list[Text] = Field(
        default=[], description="Which of the row's columns are null; give it several times"
    )


_ASKED = {"question", "figure", "unknown", *Window.model_fields, *Paging.model_fields}


class EventBehind(RowModel):
    """An event that made a thing; /events/by-position/{position} shows it."""

    position: int
    source: str
    id: str
    event_id: str
    type: str


class ThingRow(RowModel):
    """One thing that figures were computed from."""

    kind: Literal[
        "interval",
        "touchpoint",
        "conversation",
        "promise",
        "complaint",
        "feedback",
        "request",
        "tier",
    ]
    figures: list[str] = Field(description="The figures of the row that it counts in")
    state: str | None = Field(description="What became of it by `as_of`, in a word")
    started_at: datetime = Field(description="When it began, or happened")
    ended_at: datetime | None = Field(description="When it ended, if it did by `as_of`")
    seconds: float | None = Field(description="How long it took, or takes so far")
    value: float | None = Field(description="Of a touchpoint its cost, of feedback its score")
    customer_id: str
    id: str = Field(description="The thing's own id; of an interval that of the conversation")
    group: dict[str, str | None] = Field(description="What it is grouped by")
    details: dict[str, Any] = Field(description="What else it was counted by")
    events: list[EventBehind]


def linked(question: Question[Any], asked: AsOf, answer: Answer) -> Answer:
    """An answer of which each row has the link to what is behind it, as `explain`."""
    behind = question.behind
    if behind is None:
        return answer
    if isinstance(behind, OneThing):
        names = {*AsOf.model_fields, *behind.takes}
        query = urlencode(_world(names, asked, answer)) if behind.as_of else ""
        links = [_thing_link(behind, row, query) for row in answer.rows]
    else:
        world = _world({*Window.model_fields, *behind.takes}, asked, answer)
        path = behind.path if isinstance(behind, Listed) else EXPLAIN_PATH
        if isinstance(behind, Explanation):
            world = {"question": str(question.command)} | world
        links = [_link(path, world, row, behind.groups) for row in answer.rows]
    rows = [row | {"explain": link} for row, link in zip(answer.rows, links, strict=True)]
    return replace(answer, rows=rows)


def _world(names: set[str], asked: AsOf, answer: Answer) -> dict[str, str]:
    """The parameters that the links of an answer have in common."""
    given = asked.model_dump(include=names & asked.model_fields_set, by_alias=True)
    written = {name: _written(value) for name, value in given.items() if value is not None}
    return written | {"as_of": instant_text(answer.as_of)}


def _written(value: Any) -> str:
    match value:
        case datetime():
            return instant_text(value)
        case bool():
            return str(value).lower()
    return str(value)


def _link(
    path: str, world: Mapping[str, Any], row: Mapping[str, Any], groups: Iterable[str]
) -> str:
    named = {name: row[name] for name in groups if name in row}
    values = {name: value for name, value in named.items() if value is not None}
    unknown = [name for name, value in named.items() if value is None]
    query = urlencode({**world, **values, "unknown": unknown}, doseq=True)
    return f"{path}?{query}"


def _thing_link(thing: OneThing, row: Mapping[str, Any], query: str) -> str:
    path = thing.path + quote(str(row[thing.column]), safe="") + thing.part
    return f"{path}?{query}" if query else path


def explain(questions: Iterable[Question[Any]]) -> Question[Any]:
    """The question that explains the rows of these, as far as they say what is behind them."""
    explained: dict[str, Explanation] = {}
    fields: dict[str, Any] = {}
    for question in questions:
        if isinstance(question.behind, Explanation):
            explained[str(question.command)] = question.behind
            fields |= dict(_taken(question, question.behind.takes))
    fields |= {name: _naming(name) for behind in explained.values() for name in behind.groups}

    def ask(cursor: PgCursor, asked: ExplainParameters) -> Answer:
        behind = explained.get(asked.question)
        if behind is None:
            raise NotAskedThere("question", f"must be one of {', '.join(explained)}")
        _check(asked, behind)
        given = asked.model_dump(exclude_none=True, exclude=_ASKED)
        wanted = Behind(
            page=page(EXPLAIN, asked.limit, asked.as_of, asked.cursor),
            group={name: given[name] for name in behind.groups if name in given}
            | dict.fromkeys(asked.unknown),
            figure=asked.figure,
            from_=asked.from_,
            to=asked.to,
        )
        takes = {name: given[name] for name in behind.takes if name in given.keys() - wanted.group}
        return behind.ask(cursor, wanted, **takes)

    parameters: Any = create_model(
        "ExplainParameters",
        __base__=ExplainParameters,
        question=(
            str,
            Field(
                description="Which question the row answers",
                json_schema_extra=one_of(tuple(explained)),
            ),
        ),
        **fields,
    )
    return Question(
        command="explain",
        path=EXPLAIN_PATH,
        summary="What a row of figures was computed from: each thing with its events",
        details="The member `explain` of a row is the path and query of this question about it.",
        parameters=parameters,
        row=ThingRow,
        ask=ask,
        tables=in_columns(
            column("What", "kind"),
            words("Id", "id"),
            words("Customer", "customer_id"),
            column("State", "state"),
            instant("Began", "started_at"),
            instant("Ended", "ended_at"),
            duration("Took", "seconds"),
            column("Value", "value", lambda value: f"{value:,.2f}", right=True),
            column("Events", "events", _positions, wraps=True),
        ),
    )


def _naming(name: str) -> tuple[Any, Any]:
    """The parameter by which a row is named that has a value in this column."""
    words = name.removesuffix("_id").replace("_", " ")
    return Text | None, Field(default=None, description=f"The row's {words}")


def _taken(question: Question[Any], names: Iterable[str]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """The question's own parameters that its explanation takes, none of which has to be given."""
    annotated: Any = Annotated
    for name in names:
        field = question.parameters.model_fields[name]
        extra: Any = field.json_schema_extra
        told = Field(default=None, description=field.description, json_schema_extra=extra)
        value: Any = field.annotation
        if field.metadata:
            value = annotated[value, *field.metadata]
        yield name, (value | None, told)


def _positions(events: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(str(event["position"]) for event in events)


def _check(asked: ExplainParameters, behind: Explanation) -> None:
    """Refuse what the rows of the question do not have."""
    known = {*behind.groups, *behind.takes}
    given = set(asked.model_dump(exclude_none=True, exclude=_ASKED)) | set(asked.unknown)
    for name in sorted(given - known):
        where = "unknown" if name in asked.unknown else name
        raise NotAskedThere(where, f"rows of {asked.question} have no {name}")
    if asked.figure is not None and asked.figure not in behind.figures:
        figures = ", ".join(behind.figures) or "no figures, leave it out"
        raise NotAskedThere("figure", f"rows of {asked.question} have {figures}")
