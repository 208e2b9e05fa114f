"""The rooms import only in the directions that were agreed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_import_contracts_are_kept() -> None:
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as main; main()",
    ]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    "path", sorted((ROOT / "domain").rglob("*.py")), ids=lambda path: path.name
)
def test_the_domain_imports_of_the_library_only_its_domain(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        else:
            continue
        for module in modules:
            room = module.partition(".")[0]
            assert (
                module == "eventsourcing.domain"
                or room == "domain"
                or room in sys.stdlib_module_names
            ), f"{path.name} imports {module}"


@pytest.mark.parametrize("group", ["importing", "reading", "replaying"])
def test_a_command_starts_without_what_it_does_not_need(group: str) -> None:
    """Half of the time that a command takes to start would go to the Kafka client, to HTTP and to
    numpy, which only figures need.
    """
    asked = f"import sys, servicetrail.cli.{group}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"kafka", "fastapi", "numpy"} & set(done.stdout.split())
