"""Text in XML."""

from __future__ import annotations

import re

_SPECIAL = re.compile("[&<>\"'\t\n\r]|[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPED = {
    "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;",
    "\t": "&#9;", "\n": "&#10;", "\r": "&#13;",
}  # fmt: skip


def quoted(text: str) -> str:
    """The text as the value of an attribute, in quotes. Characters that no XML can have are told as
    U+FFFD; line breaks and tabs stay what they are.
    """
    return f'"{content(text)}"'


def content(text: str) -> str:
    """The text as the content of an element."""
    return _SPECIAL.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return _ESCAPED.get(found[0], "\N{REPLACEMENT CHARACTER}")
