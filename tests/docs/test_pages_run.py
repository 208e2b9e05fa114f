"""Every command line that a page shows is run, on real servers, and does what the page says.

Fenced blocks say what they are by the words behind their fence:

- `sh`: typed into a shell, block after block, page by page; `status=1` is the exit status expected;
- `sh server`: a command that goes on serving, until the next of these or the end of the page;
- `sh not-run …`: not run, for the reason given; never one that calls the program or its API;
- a language and `file=NAME`: saved under that name;
- a language and `output`: what the block before it writes (see `comparing`).
"""

import tempfile
from pathlib import Path

import pytest

from tests.conftest import DatabaseUrls
from tests.docs.comparing import agrees
from tests.docs.pages import Block, Page, pages
from tests.docs.reader import Reader, missing_programs

RUNNABLE = [page for page in pages() if any(block.info[:1] == ("sh",) for block in page.blocks())]
# The embedded PostgreSQL is what these pages are about; the others use the tests' own.
EMBEDDED = {"README.md", "docs/dashboards.md", "docs/operating.md"}


def follow(page: Page, reader: Reader) -> None:
    written = ""
    for block in page.blocks():
        if (name := block.option("file")) is not None:
            reader.save(name, block.text)
        elif "output" in block.info:
            check_output(block, written)
        elif block.info[:1] == ("sh",) and "not-run" not in block.info:
            written = type_in(block, reader)


def type_in(block: Block, reader: Reader) -> str:
    if "server" in block.info:
        return reader.serve(block.text.strip())
    status, written = reader.run(block.text)
    expected = int(block.option("status") or 0)
    assert status == expected, f"{block.place} ended with status {status}\n{block.text}\n{written}"
    return written


def check_output(block: Block, written: str) -> None:
    if not agrees(block.text, written, block.info[0]):
        pytest.fail(f"{block.place} shows\n\n{block.text}\nbut this is written:\n\n{written}")


@pytest.mark.skipif(bool(missing_programs()), reason=f"not installed: {missing_programs()}")
@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.name)
def test_the_page_runs_as_written(page: Page, request: pytest.FixtureRequest) -> None:
    environment = {}
    if page.name not in EMBEDDED:
        urls: DatabaseUrls = request.getfixturevalue("database_urls")
        environment["SERVICETRAIL_DATABASE_URL"] = urls.owner
    # Not in pytest's own directory: each start of pytest closes that to PostgreSQL's system user.
    with (
        tempfile.TemporaryDirectory(prefix="servicetrail-docs-") as directory,
        Reader(Path(directory), **environment) as reader,
    ):
        follow(page, reader)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_what_is_not_run_calls_neither_program_nor_api(page: Page) -> None:
    for block in page.blocks():
        assert block.info, f"{block.place} names no language"
        if "not-run" in block.info:
            assert block.info[2:], f"{block.place} gives no reason"
            for line in block.text.splitlines():
                assert not line.startswith(("servicetrail ", "curl ")), block.place
