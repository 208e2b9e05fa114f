"""What is wrong with a message, before anyone knows whose message it is."""

import re

_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


class Problem(ValueError):
    """One thing that keeps a message from being read.

    `code` is one of `schemas.outcomes.REASONS`. `message` says what is wrong and what would be
    right; it never repeats a value, because values may be personal. `path` names the field, such
    as `weighing.competitor.verdict` or `weekly[2].from`.
    """

    def __init__(self, code: str, message: str, path: str | None = None) -> None:
        super().__init__(code, message, path)
        self.code = code
        self.message = message
        self.path = path

    def inside(self, name: str) -> "Problem":
        """The same problem, seen from one level further out."""
        if self.path is None:
            self.path = name
        else:
            self.path = name + self.path if self.path[0] == "[" else f"{name}.{self.path}"
        return self

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def shown(name: str) -> str:
    """A field name from outside, fit for a path: what is no plain name is not repeated."""
    return name if _FIELD_NAME.fullmatch(name) else "(unprintable name)"
