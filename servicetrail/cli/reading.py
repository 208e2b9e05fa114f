"""The commands that answer from the read models: `timeline`, `channels`, `promises` and so on, one
for each question, or for a list and one thing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import Parameter, Signature
from itertools import groupby
from typing import Annotated, Any, get_args, get_origin

import typer
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from ledger.datastore import PgCursor
from projections.answers import Answer, WrongParameter, snapshot
from questions.answers import plain
from questions.asking import reading
from questions.explaining import linked
from questions.looking import looked_at
from questions.parameters import Opposite, Paging, Window, identifier
from questions.question import Question, columns
from questions.registry import QUESTIONS
from schemas.codec import instant_text
from servicetrail.cli import options
from servicetrail.cli.catching_up import caught_up
from servicetrail.cli.errors import Fail
from servicetrail.cli.output import show
from servicetrail.cli.recording import record
from servicetrail.settings import read_settings
from servicetrail.system import System, open_system

_SHARED = [*Window.model_fields, *Paging.model_fields]


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    asked = sorted((question for question in QUESTIONS if question.command), key=_command)
    for name, together in groupby(asked, key=_command):
        app.command(name)(_answering(list(together)))


def _command(question: Question[Any]) -> str:
    return question.command or ""


def _answering(questions: Sequence[Question[Any]]) -> Callable[..., None]:
    """The command that asks the first question, or the one about a single thing if its id is given
    and there is a list beside it.
    """
    first = questions[0]
    single = next((each for each in questions if each.subject is not None), None)
    fields = {name: field for each in questions for name, field in _fields(each).items()}

    def command(json: bool, csv: bool, subject: str | None = None, **given: Any) -> None:
        question = first if subject is None or single is None else single
        form = options.form_of(json, csv)
        told = answered(question, subject, _given(fields, given))
        show(told, form, question.tables, columns(question.row))

    parameters = [
        *([_argument(single, len(questions) > 1)] if single else []),
        *(_option(name, field) for name, field in fields.items()),
        Parameter("json", Parameter.KEYWORD_ONLY, annotation=options.Json, default=False),
        Parameter("csv", Parameter.KEYWORD_ONLY, annotation=options.Csv, default=False),
    ]
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
    command.__doc__ = f"{first.summary}.\n\n{first.details}"
    return command


def answered(
    question: Question[Any], subject: str | None, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The answer in plain values. Raises Fail for a wrong parameter and a thing that is missing."""
    try:
        asked = question.parameters.model_validate(given)
        about = [] if question.subject is None else [identifier(subject or "")]
    except ValidationError as error:
        first = error.errors()[0]
        fault = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            fault = f"does not go with one {question.thing}"
        raise Fail(f"--{_dashed(str(first['loc'][0]))}: {fault}") from None
    except ValueError as error:
        raise Fail(str(error)) from None
    with open_system(read_settings()) as system:
        caught_up(system)
        with (
            told_as_option(),
            reading(system.reads, system.models, question, asked, *about) as cursor,
        ):
            told = question.ask(cursor, *about, asked)
        if question.thing is not None and not told.rows:
            raise Fail(
                f"there is no {question.thing} {subject} as of {instant_text(told.as_of)}; "
                f"see: servicetrail {question.command} --help"
            )
        record(system, looked_at(question, asked, *about, rows=told.rows))
    return plain(linked(question, asked, told))


def ask(system: System, question: Callable[[PgCursor], Answer]) -> Answer:
    """The answer of the read models, brought up to date. Raises Fail for a wrong parameter."""
    caught_up(system)
    with told_as_option(), snapshot(system.reads) as cursor:
        return question(cursor)


@contextmanager
def told_as_option() -> Iterator[None]:
    """Tell of a wrong parameter under the name of its option, as Fail."""
    try:
        yield
    except WrongParameter as error:
        raise Fail(f"--{_dashed(error.parameter)}: {error}") from None


def _fields(question: Question[Any]) -> dict[str, FieldInfo]:
    """The question's parameters, its own before those that many have."""
    fields = question.parameters.model_fields
    own = [name for name in fields if name not in _SHARED]
    return {name: fields[name] for name in [*own, *(name for name in _SHARED if name in fields)]}


def _given(fields: Mapping[str, FieldInfo], given: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed, under the names that the parameters have."""
    default = {name: _default(field) for name, field in fields.items()}
    return {
        fields[name].alias or name: value
        for name, value in given.items()
        if value is not None and value != default[name]
    }


def _argument(question: Question[Any], optional: bool) -> Parameter:
    name = str(question.subject).removesuffix("_id").upper()
    help_ = f"Only this one: {question.summary[0].lower()}{question.summary[1:]}."
    argument = typer.Argument(
        metavar=name,
        help=help_ if optional else f"The {name.lower()}'s id.",
    )
    return Parameter(
        "subject",
        Parameter.KEYWORD_ONLY,
        annotation=Annotated[str | None if optional else str, argument],
        default=None if optional else Parameter.empty,
    )


def _option(name: str, field: FieldInfo) -> Parameter:
    """The option for a field: text, which the field itself understands, unless it is a flag, a
    number or a list.
    """
    shown = _dashed(field.alias or name)
    type_, flags = _type(field), f"--{shown}"
    opposite = next((told.name for told in field.metadata if isinstance(told, Opposite)), None)
    if opposite is not None:
        flags += f"/--{opposite}"
    default = _default(field)
    option = typer.Option(
        flags,
        metavar=None if type_ is bool else _metavar(shown, field),
        help=f"{field.description}{_choices(field)}.",
        show_default=default is not None,
    )
    annotation: Any = type_ if default is not None else type_ | None
    return Parameter(
        name, Parameter.KEYWORD_ONLY, annotation=Annotated[annotation, option], default=default
    )


def _type(field: FieldInfo) -> Any:
    """What typer is told: flags, numbers and lists of text as they are, all else as text."""
    kinds = [kind for kind in _kinds(field.annotation) if kind is not type(None)]
    return kinds[0] if len(kinds) == 1 and kinds[0] in (bool, int, float, list[str]) else str


def _kinds(annotation: Any) -> list[Any]:
    """The types that a union, or an annotated type, is made of."""
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) is list:
        return [list[str]]
    if not get_args(annotation):
        return [annotation]
    return [kind for each in get_args(annotation) for kind in _kinds(each)]


def _default(field: FieldInfo) -> Any:
    return None if field.default_factory is not None else field.default


def _metavar(shown: str, field: FieldInfo) -> str:
    names = {"datetime": "INSTANT", "int": "NUMBER", "float": "NUMBER"}
    known = [names[kind.__name__] for kind in _kinds(field.annotation) if kind.__name__ in names]
    return "|".join(known) or shown.upper()


def _choices(field: FieldInfo) -> str:
    """The values to choose from, where there are such."""
    told: Any = field.json_schema_extra or {}
    values = told.get("enum") or told.get("items", {}).get("enum")
    return f": {', '.join(values)}" if values else ""


def _dashed(name: str) -> str:
    return name.removesuffix("_id").replace("_", "-")
