"""The command line: one module for each group of commands, and what they share."""

from servicetrail.cli.main import main, run

__all__ = ["main", "run"]
