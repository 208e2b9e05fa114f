"""Groups that a figure is asked for by: channel, topic, month, or any of them together."""

from collections.abc import Mapping, Sequence

from projections.answers import WrongParameter

Dimensions = Mapping[str, tuple[str, str]]
"""By name of a dimension: the column of the answer, and the SQL term that it holds."""


class UnknownDimension(WrongParameter):
    """The figure cannot be grouped by that."""

    parameter = "by"


def check(by: Sequence[str], dimensions: Dimensions) -> None:
    """Raise UnknownDimension unless `by` names one or more of the dimensions, each once."""
    if not by or len(set(by)) < len(by) or not set(by) <= dimensions.keys():
        raise UnknownDimension(f"group by one or more of {', '.join(dimensions)}, each once")


def columns(by: Sequence[str], dimensions: Dimensions) -> list[str]:
    """The columns that name a group."""
    return [dimensions[dimension][0] for dimension in by]


def filled(statement: str, by: Sequence[str], dimensions: Dimensions) -> str:
    """A statement with its `{dimensions}` (terms and names) and its `{names}`."""
    terms = [f"{term} AS {name}" for name, term in (dimensions[each] for each in by)]
    names = ", ".join(columns(by, dimensions))
    return statement.replace("{dimensions}", ", ".join(terms)).replace("{names}", names)
