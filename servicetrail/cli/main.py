"""The command `servicetrail`: all groups put together, or as many as a command needs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated

import typer

from servicetrail import log
from servicetrail.cli.output import err, printable
from servicetrail.settings import read_settings

INTERRUPTED = 130
HELP = {"-h", "--help"}

GROUPS = {
    "serving": {"up"},
    "demonstrating": {"demo"},
    "importing": {"import"},
    "publishing": {"publish"},
    "consuming": {"consume"},
    "broker": {"broker"},
    "simulating": {"simulate"},
    "reading": set(),  # a command for each question: known once all questions are loaded
    "rebuilding": {"rebuild"},
    "replaying": {"replay"},
    "accounting": {"account"},
    "dead_letters": {"dead-letters"},
    "erasing": {"erase", "certificate", "hold", "rekey"},
    "evidence": {"evidence"},
    "exporting": {"export"},
    "sealing": {"seal", "verify"},
    "checkpoints": {"checkpoints"},
    "status": {"status", "version"},
    "tokens": {"token"},
    "schemas": {"schemas"},
}
"""The modules, in the order of the help text, and the commands that each adds."""


def program(asked: str | None = None) -> typer.Typer:
    """The program: whole, or no more of it than the command `asked` needs, which starts sooner."""
    groups = [module for module, commands in GROUPS.items() if asked in commands]
    if not groups and asked is not None:
        reading = _put_together(["reading"])
        if asked in {command.name for command in reading.registered_commands}:
            return reading
    return _put_together(groups or GROUPS)


def _put_together(groups: Iterable[str]) -> typer.Typer:
    app = typer.Typer(
        name="servicetrail",
        help=(
            "The one history of touchpoints, promises and complaints that every department can "
            "trust."
        ),
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": sorted(HELP), "max_content_width": 100},
    )
    app.callback()(options)
    for module in groups:
        import_module(f"servicetrail.cli.{module}").add_to(app)
    return app


def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Log everything, and show where an error came from.")
    ] = False,
) -> None:
    """Read what every command needs before it runs."""
    if not HELP & set(sys.argv):  # help must not need settings that are right
        settings = read_settings()
        log.configure(settings.log_format, "debug" if debug else settings.log_level)


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and give its exit status; errors are told in one line on standard error."""
    try:
        app = program(next((each for each in arguments if not each.startswith("-")), None))
        status = app(args=arguments, prog_name="servicetrail", standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:
        if "--debug" in arguments:
            raise
        from servicetrail.cli.telling import told

        text, exit_status = told(error)
        one_line = " ".join(text.split())
        err.print(f"servicetrail: {printable(one_line)}", soft_wrap=True)
        return exit_status
