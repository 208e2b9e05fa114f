"""docs/benchmarks.md, and putting sections into it that were measured by themselves."""

import re
from collections.abc import Sequence
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
LIMITS = "What limits it, and what was tried"
_HEADING = re.compile(r"^## (?P<about>\w+)", re.MULTILINE)


def with_sections(page: str, lines: Sequence[str]) -> str:
    """The page with these sections in the place of those that begin with the same word, or before
    what is said of limits.
    """
    parts = _sections(page)
    measured = _sections("\n".join(lines) + "\n")
    del measured[""]  # nothing stands before the first of them
    for about, text in measured.items():
        if about not in parts:
            limits = parts.pop(LIMITS.partition(" ")[0], "")
            parts |= {about: text, LIMITS.partition(" ")[0]: limits}
        parts[about] = text
    return "".join(parts.values())


def _sections(page: str) -> dict[str, str]:
    """The sections by the first word of their headings; what comes before them under nothing."""
    starts = [(match["about"], match.start()) for match in _HEADING.finditer(page)]
    ends = [start for _, start in starts[1:]] + [len(page)]
    first = page[: starts[0][1]] if starts else page
    return {"": first} | {
        about: page[start:end] for (about, start), end in zip(starts, ends, strict=True)
    }
