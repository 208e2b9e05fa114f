"""How errors are told at the command line: in one line, with what to do about it."""

from __future__ import annotations

import typer
from eventsourcing.persistence import PersistenceError

from audit.outside import OutsideWrong
from audit.proofs import NothingSealed
from audit.sealer import SealRefused
from audit.signing import SigningKeyError
from ledger.keys import MasterKeyError
from ledger.migrations import MigrationRefused, SchemaTooNew
from schemas.avro_data import RegistryUnavailable
from servicetrail.cli.errors import USAGE, Fail
from servicetrail.embedded import EmbeddedPostgresError
from servicetrail.settings import SettingsWrong

# Errors whose text is made for the person at the command line.
TOLD_AS_THEY_ARE = (
    SettingsWrong,
    EmbeddedPostgresError,
    MasterKeyError,
    MigrationRefused,
    SchemaTooNew,
    SigningKeyError,
    SealRefused,
    OutsideWrong,
    NothingSealed,
)
# The one thing that typer offers of the family of usage errors.
USAGE_ERROR: type[Exception] = typer.BadParameter.__base__ or typer.BadParameter


def told(error: Exception) -> tuple[str, int]:
    """What to say about an error, and the exit status that goes with it."""
    if isinstance(error, Fail):
        return str(error), error.status
    if isinstance(error, USAGE_ERROR):
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "servicetrail"
        message = error.format_message()  # type: ignore[attr-defined]
        return f"{message} See: {path} --help", USAGE
    if isinstance(error, TOLD_AS_THEY_ARE):
        return str(error), USAGE
    if isinstance(error, PersistenceError):
        return f"the database cannot be used: {str(error).splitlines()[0]}", USAGE
    if isinstance(error, RegistryUnavailable):
        return f"the schema registry cannot be used: {error}; try again", USAGE
    if isinstance(error, OSError):
        return f"{error.filename or ''}: {error.strerror or error}".lstrip(": "), USAGE
    return f"{type(error).__name__}: {error} (run again with --debug to see where)", 1
