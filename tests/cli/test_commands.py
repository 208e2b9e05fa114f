"""Every command explains itself, and those that need no database do what they say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from questions.registry import QUESTIONS
from servicetrail.cli.main import GROUPS, program
from servicetrail.document import commands_page
from tests.cli.conftest import Command

NAMES = re.findall(r"^## servicetrail ?(.*)$", commands_page(), re.MULTILINE)


def test_the_commands_are_those_that_are_promised() -> None:
    assert set(NAMES) >= {
        "up", "demo", "import", "consume", "broker", "simulate", "account", "timeline", "channels",
        "promises", "complaints", "response-times", "status", "schemas check",
        "schemas list", "schemas show", "version",
    }  # fmt: skip


def test_the_program_has_the_commands_that_its_groups_name_and_the_questions() -> None:
    whole: Any = typer.main.get_command(program())
    grouped = {command for commands in GROUPS.values() for command in commands}
    asked = {question.command.split()[0] for question in QUESTIONS if question.command}
    assert not grouped & asked
    assert whole.commands.keys() == grouped | asked


@pytest.mark.parametrize("name", NAMES, ids=[name or "servicetrail" for name in NAMES])
def test_every_command_and_every_option_has_help(name: str) -> None:
    command = typer.main.get_command(program())
    for part in name.split():
        command = command.commands[part]  # type: ignore[attr-defined]
    assert command.help
    for parameter in command.params:
        assert getattr(parameter, "help", None), parameter.name


@pytest.mark.parametrize("name", sorted({name.split()[0] for name in NAMES if name}))
def test_a_command_alone_is_what_it_is_in_the_whole_program(name: str) -> None:
    whole: Any = typer.main.get_command(program())
    alone: Any = typer.main.get_command(program(name))
    assert options_of(alone.commands[name]) == options_of(whole.commands[name])
    listed = {command for commands in GROUPS.values() for command in commands}
    assert {name} <= listed or not listed & alone.commands.keys()


def options_of(command: Any) -> tuple[str, list[tuple[str, str]], dict[str, Any]]:
    """Its help, its options with theirs, and the same of each command in it."""
    parts = {name: options_of(part) for name, part in getattr(command, "commands", {}).items()}
    return command.help, [(each.name, each.help) for each in command.params], parts


def test_an_unknown_command_is_told_with_one_that_was_meant(command: Command) -> None:
    refused = command.run("time-line")
    assert refused.returncode == 2
    assert "timeline" in refused.stderr


def test_help_needs_no_settings(command: Command) -> None:
    command.environment["SERVICETRAIL_HTTP_PORT"] = "nonsense"
    assert command.run("up", "--help").returncode == 0
    refused = command.run("up")
    assert refused.returncode == 2
    assert "SERVICETRAIL_HTTP_PORT" in refused.stderr


def test_a_database_that_cannot_be_reached_is_told_in_one_line(command: Command) -> None:
    command.environment["SERVICETRAIL_DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/nothing"
    refused = command.run("status")
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert line.startswith("servicetrail: the database cannot be used: ")
    assert "Traceback" in command.run("--debug", "status").stderr


def test_a_seed_gives_the_same_events_in_both_formats(command: Command) -> None:
    arguments = [
        "simulate",
        "--events",
        "500",
        "--seed",
        "7",
        "--late",
        "0.1",
        "--duplicates",
        "0.1",
    ]
    first, second = command.run(*arguments), command.run(*arguments)
    assert first.stdout == second.stdout
    events = [json.loads(line) for line in first.stdout.splitlines()]
    assert len(events) > 500
    assert len({(event["source"], event["id"]) for event in events}) == 500
    assert command.run("simulate", "--seed", "8", "--events", "500").stdout != first.stdout


def test_schemas_are_listed_shown_and_checked(command: Command, tmp_path: Path) -> None:
    types = [row["type"] for row in command.json("schemas", "list")["rows"]]
    assert "promise.made.v1" in types
    shown = command.run("schemas", "show", "promise.made.v1").stdout
    assert json.loads(shown)["event_type"] == "promise.made.v1"
    assert command.run("schemas", "check").returncode == 0

    newer = json.loads(shown.replace("promise.made.v1", "promise.made.v2"))
    newer["fields"].append({"name": "colour", "type": "string", "doc": "Without a default."})
    (tmp_path / "promise.made.v1.avsc").write_text(shown, encoding="utf-8")
    (tmp_path / "promise.made.v2.avsc").write_text(json.dumps(newer), encoding="utf-8")
    broken = command.run("schemas", "check", tmp_path)
    assert broken.returncode == 1
    assert "promise.made.v1" in broken.stderr
    assert "colour" in broken.stderr


def test_the_version_is_told(command: Command) -> None:
    assert re.fullmatch(r"servicetrail \d+\.\d+\.\d+\n", command.run("version").stdout)
