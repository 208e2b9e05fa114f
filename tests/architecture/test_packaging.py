"""What installing and running takes is written down whole, with nothing of one machine."""

import os
import re
import tomllib
from pathlib import Path

import pytest
import typer.main
import yaml
from typer.core import TyperGroup as Group

from servicetrail.cli import main
from servicetrail.settings import PREFIX, Settings, read_settings
from web.nearby import is_loopback

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINNED = re.compile(r"^([a-z0-9-]+)==\S+", re.MULTILINE)


def names(requirements: list[str]) -> set[str]:
    return {
        re.split(r"[^A-Za-z0-9_.-]", each)[0].lower().replace("_", "-") for each in requirements
    }


def locked(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return {match[1]: match[0] for match in PINNED.finditer(text)}


def test_locks_pin_every_dependency_with_hashes_and_name_no_host() -> None:
    groups = PROJECT["dependency-groups"]
    runtime = names(PROJECT["project"]["dependencies"]) | names(groups["build"])
    demo = runtime | names(groups["demo"])
    development = demo | names([each for each in groups["development"] if isinstance(each, str)])
    for name, wanted in (
        ("requirements.lock", runtime),
        ("requirements-demo.lock", demo),
        ("requirements-dev.lock", development),
    ):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert wanted <= locked(name).keys()
        assert text.count("--hash=sha256:") >= len(locked(name))
        assert "://" not in text


def test_everybody_uses_the_versions_that_run() -> None:
    demo, development = locked("requirements-demo.lock"), locked("requirements-dev.lock")
    for name, pin in locked("requirements.lock").items():
        assert demo[name] == development[name] == pin
    assert demo.items() <= development.items()


def test_every_package_is_installed_and_checked() -> None:
    tops = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    included = {
        each.rstrip("*") for each in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    }
    assert tops == included
    assert tops - {"samples"} <= set(PROJECT["tool"]["importlinter"]["root_packages"])
    assert tops - {"samples"} <= set(PROJECT["tool"]["mypy"]["packages"])


def test_compose_starts_the_servers_that_were_decided_and_checks_all_of_them() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    services = compose["services"]
    assert services["postgres"]["image"] == "postgres:18"
    assert services["kafka"]["image"].startswith("apache/kafka:4.")
    for name, service in services.items():
        assert "healthcheck" in service, name
        for volume in service["volumes"]:
            assert volume.partition(":")[0] in compose["volumes"]
    program = services["servicetrail"]
    assert program["depends_on"] == {
        name: {"condition": "service_healthy"} for name in ("postgres", "kafka")
    }
    brokers = program["environment"]["SERVICETRAIL_KAFKA_BOOTSTRAP_SERVERS"]
    assert f"INTERNAL://{brokers}" in services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert program["command"][:2] == ["servicetrail", "up"]


def test_compose_sets_the_program_up_as_it_wants_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it is given are settings with values they may have, and options that the command has."""
    program = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"][
        "servicetrail"
    ]
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)
    monkeypatch.setenv("SERVICETRAIL_ACCESS_TOKEN", "a-token-of-some-length")
    for name, text in program["environment"].items():
        assert name.removeprefix(PREFIX).lower() in Settings.model_fields, name
        monkeypatch.setenv(name, interpolated(text))
    settings = read_settings()
    assert not is_loopback(settings.http_host)  # the port is published from beyond the container
    assert program["ports"] == [f"127.0.0.1:{settings.http_port}:{settings.http_port}"]
    assert f":{settings.http_port}/health" in program["healthcheck"]["test"][-1]
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"EXPOSE {settings.http_port}\n" in dockerfile
    directory = re.search(r"SERVICETRAIL_DATA_DIR=(\S+)", dockerfile)
    assert directory is not None
    assert program["volumes"] == [f"servicetrail:{directory[1]}"]
    _, name, *options = program["command"]
    command = typer.main.get_command(main.program())
    assert isinstance(command, Group)
    known = {option for each in command.commands[name].params for option in each.opts}
    assert set(options) <= known


def interpolated(text: str) -> str:
    """As Compose reads it: `${NAME:-default}`, and `${NAME:?what to do}` from the environment."""
    text = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: found[2], text)
    return re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: os.environ[found[1]], text)
