"""Parameters that questions share, and how their values are written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from projections.answers import LARGEST_PAGE
from schemas.checks import LONGEST_IDENTIFIER, check_identifier, check_text
from schemas.instants import parse_day, parse_instant

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
LONGEST_TEXT = 2_000
_OFFSET_AFTER_SPACE = re.compile(r" (\d\d:\d\d)$")


def instant(text: object) -> datetime:
    """The instant, in UTC, of an RFC 3339 text, or of the beginning of a day such as 2026-03-01.

    Raises ValueError that says what is expected. A plus sign that a query string turned into a
    space is understood.
    """
    if not isinstance(text, str):
        raise ValueError("an instant is text")
    text = text.strip()
    if _DAY.fullmatch(text):
        return datetime.combine(parse_day(text), time(), UTC)
    return parse_instant(_OFFSET_AFTER_SPACE.sub(r"+\1", text))


def moment(text: object) -> datetime | int:
    """An instant, or a position of the ledger. Raises ValueError that says what is expected."""
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    return instant(text)


def identifier(text: str) -> str:
    """An identifier as events have them. Raises ValueError for one that no event can have."""
    check_identifier(text)
    return text


def plain_text(text: str) -> str:
    """Text that can be looked for. Raises ValueError for one that nothing kept can have."""
    check_text(text)
    return text


def now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


_EXAMPLES = ["2026-03-01T09:00:00Z"]
_INSTANT = {"anyOf": [{"type": "string", "format": each} for each in ("date-time", "date")]}
_POSITION = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
Instant = Annotated[
    datetime,
    BeforeValidator(instant),
    WithJsonSchema({**_INSTANT, "examples": _EXAMPLES}),
]
Moment = Annotated[
    datetime | int,
    BeforeValidator(moment),
    WithJsonSchema({"anyOf": [*_INSTANT["anyOf"], _POSITION], "examples": _EXAMPLES}),
]
Identifier = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_IDENTIFIER,
        json_schema_extra={"pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"},
    ),
    AfterValidator(identifier),
]
Cursor = Annotated[str, Field(max_length=10_000)]
Text = Annotated[
    str,
    Field(max_length=LONGEST_TEXT, json_schema_extra={"pattern": r"^[^\x00]*$"}),
    AfterValidator(plain_text),
]


class AsOf(BaseModel):
    """Parameters of every question. Unknown ones are refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    as_of: Instant = Field(
        default_factory=now,
        description="Judge by what had happened by then (RFC 3339 or a date). Default: now",
    )
    known_at: Moment | None = Field(
        default=None,
        description="Only what was recorded by then: an instant, or a position of the ledger. "
        "For one customer; for all of them see read",
    )
    read: str | None = Field(
        default=None,
        min_length=1,
        max_length=41,
        json_schema_extra={"pattern": r"^[a-z][a-z0-9_]*$"},
        description="Ask the read models that were built under this name, as of what was known then"
        " (servicetrail replay --into)",
    )

    def asked_now(self) -> Self:
        """The same, as of now where nothing else was given."""
        if "as_of" in self.model_fields_set:
            return self
        again = self.model_copy(update={"as_of": now()})
        again.model_fields_set.discard("as_of")
        return again


class Window(AsOf):
    """Parameters of questions about a stretch of time."""

    from_: Instant | None = Field(
        default=None, alias="from", description="Only what happened at or after this"
    )
    to: Instant | None = Field(default=None, description="Only what happened before this")

    @field_validator("to")
    @classmethod
    def _not_before_from(cls, to: datetime | None, info: ValidationInfo) -> datetime | None:
        begins = info.data.get("from_")
        if to is not None and begins is not None and to < begins:
            raise ValueError("must not be before from")
        return to


class Paging(BaseModel):
    """Parameters of lists that come in pages."""

    limit: int = Field(default=100, ge=1, le=LARGEST_PAGE, description="How many rows at most")
    cursor: Cursor | None = Field(
        default=None, description="Go on where the answer ended whose `next` this is"
    )


@dataclass(frozen=True)
class Opposite:
    """For a field that is yes or no: what no is called on the command line."""

    name: str


def one_of(values: tuple[str, ...]) -> dict[str, Any]:
    """For a field that takes one of these values, or a list of them: what the documents say."""
    return {"enum": [*values]}


def several_of(values: tuple[str, ...]) -> dict[str, Any]:
    """For a field that takes one or more of these values, each once: what the documents say."""
    items = {"type": "string"} | one_of(values)
    return {"items": items, "minItems": 1, "uniqueItems": True}


def groups(dimensions: tuple[str, ...]) -> Any:
    """The field `by`: one or more of the dimensions that a figure can be grouped by."""
    return Field(
        default=["channel"],
        description="What to group by; give it several times for several",
        json_schema_extra=several_of(dimensions),
    )
