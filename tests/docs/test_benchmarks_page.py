"""Sections of docs/benchmarks.md that are measured by themselves leave the others as they are."""

from benchmarks.page import PAGE, with_sections

PAGE_BEFORE = """# Benchmarks

Where it was measured.

## Asking 10 events

slow

## What limits it, and what was tried

Much.
"""


def test_a_section_takes_the_place_of_the_one_about_the_same() -> None:
    after = with_sections(PAGE_BEFORE, ["## Asking 20 events", "", "fast", ""])
    assert after == PAGE_BEFORE.replace("10", "20").replace("slow", "fast")


def test_a_new_section_stands_before_what_is_said_of_limits() -> None:
    after = with_sections(PAGE_BEFORE, ["## Sealing", "", "fast", ""])
    assert after == PAGE_BEFORE.replace("## What", "## Sealing\n\nfast\n\n## What")


def test_the_page_says_where_it_was_measured() -> None:
    begin, _, _ = PAGE.read_text(encoding="utf-8").partition("\n## ")
    assert begin.startswith("# Benchmarks\n")
    assert "Embedded PostgreSQL" in begin
