"""The command `servicetrail`: all groups put together, and how errors are told."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from eventsourcing.persistence import PersistenceError

from audit.outside import OutsideWrong
from audit.proofs import NothingSealed
from audit.sealer import SealRefused
from audit.signing import SigningKeyError
from ledger.keys import MasterKeyError
from ledger.migrations import MigrationRefused, SchemaTooNew
from schemas.avro_data import RegistryUnavailable
from servicetrail import log
from servicetrail.cli import (
    accounting,
    broker,
    checkpoints,
    consuming,
    dead_letters,
    demonstrating,
    erasing,
    evidence,
    exporting,
    importing,
    publishing,
    reading,
    rebuilding,
    replaying,
    schemas,
    sealing,
    serving,
    simulating,
    status,
)
from servicetrail.cli.errors import USAGE, Fail
from servicetrail.cli.output import err, printable
from servicetrail.embedded import EmbeddedPostgresError
from servicetrail.settings import SettingsWrong, read_settings

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
INTERRUPTED = 130
HELP = {"-h", "--help"}

app = typer.Typer(
    name="servicetrail",
    help="The one history of touchpoints, promises and complaints that every department can trust.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": sorted(HELP), "max_content_width": 100},
)


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Log everything, and show where an error came from.")
    ] = False,
) -> None:
    """Read what every command needs before it runs."""
    if not HELP & set(sys.argv):  # help must not need settings that are right
        settings = read_settings()
        log.configure(settings.log_format, "debug" if debug else settings.log_level)


for group in (
    serving,
    demonstrating,
    importing,
    publishing,
    consuming,
    broker,
    simulating,
    reading,
    rebuilding,
    replaying,
    accounting,
    dead_letters,
    erasing,
    evidence,
    exporting,
    sealing,
    checkpoints,
    status,
    schemas,
):
    group.add_to(app)


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and give its exit status; errors are told in one line on standard error."""
    try:
        status_ = app(args=arguments, prog_name="servicetrail", standalone_mode=False)
        sys.stdout.flush()
        return status_ if isinstance(status_, int) else 0
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:
        if "--debug" in arguments:
            raise
        text, exit_status = _told(error)
        one_line = " ".join(text.split())
        err.print(f"servicetrail: {printable(one_line)}", soft_wrap=True)
        return exit_status


def _told(error: Exception) -> tuple[str, int]:
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
