"""How a command ends when it cannot do what was asked."""

from __future__ import annotations

TAKEN_IN_FULL = 0
NOT_ALL_TAKEN = 1
USAGE = 2


class Fail(Exception):
    """Ends the command with one line on standard error that says what to do, and with an exit
    status.
    """

    def __init__(self, message: str, status: int = USAGE) -> None:
        super().__init__(message)
        self.status = status
