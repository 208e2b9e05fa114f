"""Whether what a page shows is what was written.

Tolerant where a run cannot repeat itself, strict elsewhere:

- `…` stands for any text within a line, and alone on a line for any number of lines;
- in JSON the string "…" is any value, a member "…" any further members, and "…" at the end of an
  array any further elements;
- an instant with a fraction of a second is read from our own clock, so that any such instant will
  do; instants of events are written without one;
- runs of blanks count as one, because tables are as wide as what stands in them.
"""

import json
import re
from typing import Any

_OUR_CLOCK = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
_ANY = "…"


def agrees(shown: str, written: str, language: str) -> bool:
    """Whether a page shows what was written; `language` is that of its fenced block."""
    if language == "json":
        return json_agrees(json.loads(shown), json.loads(written))
    return text_agrees(shown, written)


def text_agrees(shown: str, written: str) -> bool:
    pattern = "".join(
        "(?:.*\n)*" if line == _ANY else ".*".join(map(re.escape, line.split(_ANY))) + "\n"
        for line in _lines(shown)
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(written))) is not None


def json_agrees(shown: Any, written: Any) -> bool:
    if shown == _ANY:
        return True
    if isinstance(shown, dict) and isinstance(written, dict):
        named = shown.keys() - {_ANY}
        complete = _ANY in shown or named == written.keys()
        return complete and all(
            name in written and json_agrees(shown[name], written[name]) for name in named
        )
    if isinstance(shown, list) and isinstance(written, list):
        if shown and shown[-1] == _ANY:
            shown, written = shown[:-1], written[: len(shown) - 1]
        return len(shown) == len(written) and all(map(json_agrees, shown, written))
    if isinstance(shown, str) and isinstance(written, str):
        return text_agrees(shown, written)
    return type(shown) is type(written) and bool(shown == written)


def _lines(text: str) -> list[str]:
    text = _OUR_CLOCK.sub("INSTANT", text)
    return [" ".join(line.split()) for line in text.strip().splitlines()]
