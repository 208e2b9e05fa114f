"""Whatever the pages name is there: files, functions, settings, event types, commands, columns."""

import importlib
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer.main

from domain import EVENT_TYPES
from projections.answers import METRIC_VERSION
from projections.complaints.judging import RULES
from projections.queries import METRICS, VERDICTS
from projections.registry import read_models
from questions import (
    access_log,
    attention,
    channels,
    complaints,
    contradictions,
    customers,
    duplicates,
    effects,
    promises,
    replay,
    response_times,
    support,
    timeline,
    value_cost,
)
from questions.question import RowModel
from servicetrail.cli.main import program
from servicetrail.settings import PREFIX, Settings
from tests.conftest import DatabaseUrls
from tests.docs.pages import ROOT, Page, pages
from tests.docs.reader import Reader

PAGES = pages()
METRICS_PAGE = Page(ROOT / "docs" / "reference" / "metrics.md")
SETTINGS = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
FOR_TESTS = {"SERVICETRAIL_TEST_DATABASE_URL"}
FILE = re.compile(
    r"(?P<path>[\w./-]+(/|\.(py|sql|md|avsc|toml|yaml|json|lock)))(::(?P<name>[\w.]+))?"
)
EVENT_TYPE = re.compile(r"\b[a-z_]+\.[a-z_]+\.v\d+\b")
ROUTE = re.compile(r"(GET|POST) (/\S*)")
MAKE = re.compile(r"\bmake ([a-z]+)\b")
IN_EVIDENCE = {"verify.py", "proof.json", "manifest.json"}
EXAMPLE = re.compile(r"visit|path/to")
"""CONTRIBUTING adds an event type and a read model of visits; they are not there."""

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def files_on_a_readers_machine() -> set[str]:
    """Files that pages tell their readers to write, and directories that the program makes."""
    written = {name for page in PAGES for block in page.blocks() if (name := block.option("file"))}
    return written | IN_EVIDENCE | {".servicetrail/", "checkpoints/", "postgres/", "postgres.lock"}


@every_page
def test_links_lead_somewhere(page: Page) -> None:
    for target in page.links():
        if target.startswith(("https://", "http://")):
            continue
        name, _, anchor = target.partition("#")
        path = (page.path.parent / name).resolve() if name else page.path
        assert path.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in Page(path).anchors(), f"{page.name} links to {target}"


@every_page
def test_files_and_functions_are_there(page: Page) -> None:
    for span in page.code_spans():
        match = FILE.fullmatch(span)
        if match is None or EXAMPLE.search(span) or span.startswith("/"):
            continue
        found = found_at(match["path"], page)
        if found is None:
            assert match["path"] in files_on_a_readers_machine(), f"{page.name}: {span}"
        elif match["name"]:
            assert is_in(found, match["name"]), f"{page.name}: {span}"


def found_at(path: str, page: Page) -> Path | None:
    """The file, seen from the root or from the page; a bare name may be that of a read model's."""
    places = [ROOT / path, page.path.parent / path]
    if "/" not in path:
        places += ROOT.glob(f"projections/*/{path}")
    return next((place for place in places if place.exists()), None)


def is_in(path: Path, name: str) -> bool:
    """Whether a Python file defines a name (with dots: inside of it), or an .sql file a query."""
    if path.suffix == ".sql":
        text = path.read_text(encoding="utf-8")
        return (
            f"-- name: {name}\n" in text or re.search(rf"\b{re.escape(name)}\b", text) is not None
        )
    if path.is_relative_to(ROOT / "tests"):
        return re.search(rf"^(def |class )?{name}\b", path.read_text(), re.MULTILINE) is not None
    found: Any = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for part in name.split("."):
        if not hasattr(found, part):
            return part in getattr(found, "__annotations__", {})
        found = getattr(found, part)
    return True


@every_page
def test_settings_are_there(page: Page) -> None:
    named = set(re.findall(rf"{PREFIX}[A-Z_]*[A-Z]", page.text))
    assert named <= SETTINGS | FOR_TESTS


@every_page
def test_event_types_are_there(page: Page) -> None:
    named = {name for name in EVENT_TYPE.findall(page.text) if not EXAMPLE.search(name)}
    assert named <= EVENT_TYPES.keys()


@every_page
def test_targets_of_make_are_there(page: Page) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    spans = [span for span in page.code_spans() if span.startswith("make ")]
    lines = [
        line for b in page.blocks() for line in b.text.splitlines() if line.startswith("make ")
    ]
    for target in MAKE.findall("\n".join(spans + lines)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page.name}: make {target}"


@pytest.mark.parametrize(
    # A decision is the record of its day and may name what was called otherwise later.
    "page",
    [page for page in PAGES if page.path.parent.name != "decisions"],
    ids=lambda page: page.name,
)
def test_commands_and_their_options_are_there(page: Page) -> None:
    for span in page.code_spans():
        words = span.split()
        if words[0] != "servicetrail" or len(words) == 1:
            continue
        command: Any = typer.main.get_command(program())
        for word in words[1:]:
            if word in getattr(command, "commands", {}):
                command = command.commands[word]
            elif word.startswith("--"):
                options = {
                    name for each in command.params for name in [*each.opts, *each.secondary_opts]
                }
                assert word in options | {"--help"}, f"{page.name}: {span}"
            else:
                assert not getattr(command, "commands", {}), f"{page.name}: {span}"


def test_routes_are_there(tmp_path: Path, database_urls: DatabaseUrls) -> None:
    with Reader(tmp_path, SERVICETRAIL_DATABASE_URL=database_urls.owner) as reader:
        reader.serve("servicetrail up")
        routes = httpx.get(f"http://{reader.address}/openapi.json").json()["paths"]
    for page in PAGES:
        for method, path in ROUTE.findall("\n".join(page.code_spans())):
            path = re.sub(r"\{\w+\}", "{}", path.partition("?")[0])
            known = {re.sub(r"\{[\w:]+\}", "{}", name): methods for name, methods in routes.items()}
            assert path == "/openapi.json" or method.lower() in known.get(path, {}), page.name


def section(page: Page, heading: str) -> str:
    """What stands under a heading, up to the next one of whatever level."""
    return re.split(
        r"^#+ ", page.text.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE
    )[0]


def first_cells(text: str, heading: str) -> list[str]:
    """The code spans in the first cells of the table whose first column is called `heading`."""
    table = text.split(f"| {heading} |", 1)[1].split("\n\n", 1)[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return re.findall(r"`(\w+)`", " ".join(cells))


@pytest.mark.parametrize(
    ("part", "row"),
    [
        ("Timelines", timeline.TimelineRow),
        ("Who looked", access_log.AccessRow),
        ("Replays", replay.ReplayRow),
        ("Channels", channels.ChannelRow),
        ("Duplicates between channels", duplicates.DuplicateRow),
        ("How often channels duplicate", duplicates.DuplicateChannelsRow),
        ("Contradictory answers", contradictions.ContradictionRow),
        ("How often channels contradict", contradictions.ContradictingChannelsRow),
        ("Response times", response_times.ResponseTimeRow),
        ("Promises", promises.PromiseRow),
        ("Promise quality", promises.PromiseQualityRow),
        ("Complaints", complaints.ComplaintRow),
        ("Complaint quality", complaints.ComplaintQualityRow),
        ("Attention", attention.AttentionRow),
        ("Customers", customers.CustomerPage),
        ("Back office", support.SupportRequestRow),
        ("Back office times", support.SupportTimeRow),
        ("Effects", effects.EffectRow),
        ("Value and cost", value_cost.ValueCostRow),
    ],
)
def test_every_column_is_defined(part: str, row: type[RowModel]) -> None:
    # What `explain` is, is said once under "What holds for all".
    named = sorted(row.model_fields.keys() - {"explain"})
    assert sorted(first_cells(section(METRICS_PAGE, part), "column")) == named


def test_every_metric_verdict_and_rule_is_defined() -> None:
    assert first_cells(section(METRICS_PAGE, "Response times"), "metric") == [*METRICS]
    assert first_cells(section(METRICS_PAGE, "Promises"), "verdict") == [*VERDICTS]
    assert first_cells(section(METRICS_PAGE, "Complaints"), "rule") == [*RULES]


def test_every_table_is_described() -> None:
    text = section(Page(ROOT / "docs" / "dashboards.md"), "The tables in SQL")
    tables = {table for model in read_models() for table in model.tables} | {"position"}
    assert set(first_cells(text, "table")) == tables


def test_every_invariant_is_held_by_a_property() -> None:
    """And every property stands on the page, under its number."""
    text = (ROOT / "docs" / "reference" / "invariants.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| (\d+) \|[^|]*\| `tests/invariants/\w+\.py::(\w+)`", text, re.M))
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "invariants").glob("test_*.py"))
    assert list(listed) == [str(number) for number in range(1, 12)]
    assert list(listed.values()) == re.findall(r"^def (test_\d+_\w+)", tests, re.M)


def test_the_version_of_the_definitions_is_that_of_the_page() -> None:
    text = METRICS_PAGE.path.read_text(encoding="utf-8")
    assert f"version {METRIC_VERSION} of the definitions" in text
    told = re.findall(r"^\| (\d+) \|", text.partition("## Versions")[2], re.MULTILINE)
    assert [int(version) for version in told] == [*range(1, METRIC_VERSION + 1)]
