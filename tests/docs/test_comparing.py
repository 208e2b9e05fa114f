"""The comparison forgives what cannot repeat itself, and nothing else."""

import pytest

from tests.docs.comparing import agrees


@pytest.mark.parametrize(
    ("shown", "written"),
    [
        ("a  b\n", "a b"),
        ("first\n…\nlast\n", "first\nx\ny\nlast\n"),
        ("first\n…\nlast\n", "first\nlast\n"),
        ("took … s\n", "took 1.5 s\n"),
        ("as of 2025-01-01T00:00:00.123456Z\n", "as of 2026-02-02T10:11:12.9Z\n"),
    ],
)
def test_text_that_agrees(shown: str, written: str) -> None:
    assert agrees(shown, written, "text")


@pytest.mark.parametrize(
    ("shown", "written"),
    [
        ("kept 3\n", "kept 4\n"),
        ("first\n", "first\nsecond\n"),
        ("first\nsecond\n", "first\n"),
        ("took … s\n", "took 1.5 min\n"),
        ("at 2025-01-01T00:00:00Z\n", "at 2025-01-02T00:00:00Z\n"),
        ("a.c\n", "abc\n"),
    ],
)
def test_text_that_does_not(shown: str, written: str) -> None:
    assert not agrees(shown, written, "text")


@pytest.mark.parametrize(
    ("shown", "written"),
    [
        ('{"a": 1, "…": "…"}', '{"a": 1, "b": 2}'),
        ('{"a": "…"}', '{"a": {"b": 2}}'),
        ('[1, "…"]', "[1, 2, 3]"),
        ('{"at": "2025-01-01T00:00:00.5Z"}', '{"at": "2026-01-01T00:00:00.25Z"}'),
    ],
)
def test_json_that_agrees(shown: str, written: str) -> None:
    assert agrees(shown, written, "json")


@pytest.mark.parametrize(
    ("shown", "written"),
    [
        ('{"a": 1}', '{"a": 1, "b": 2}'),
        ('{"a": 1, "b": "…"}', '{"a": 1}'),
        ('{"a": 1, "…": "…"}', '{"a": 2, "b": 2}'),
        ("[1]", "[1, 2]"),
        ('[1, "…"]', "[2, 2]"),
        ("1", "true"),
        ("null", "0"),
    ],
)
def test_json_that_does_not(shown: str, written: str) -> None:
    assert not agrees(shown, written, "json")
