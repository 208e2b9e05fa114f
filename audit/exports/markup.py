"""Text in XML."""

from __future__ import annotations

import re
from html import escape

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_KEPT = str.maketrans({"\t": "&#9;", "\n": "&#10;", "\r": "&#13;"})


def quoted(text: str) -> str:
    """The text as the value of an attribute, in quotes. Characters that no XML can have are told as
    U+FFFD; line breaks and tabs stay what they are.
    """
    return f'"{content(text)}"'


def content(text: str) -> str:
    """The text as the content of an element."""
    known = _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
    return escape(known).translate(_KEPT)
