"""Generated pages say what the program does today."""

from collections.abc import Callable

import pytest

from servicetrail.document import PAGES, REFERENCE
from servicetrail.settings import PREFIX, Settings


@pytest.mark.parametrize(("name", "page"), PAGES.items(), ids=PAGES)
def test_the_page_is_current(name: str, page: Callable[[], str]) -> None:
    written = (REFERENCE / name).read_text(encoding="utf-8")
    assert written == page(), f"docs/reference/{name} is out of date: run make docs"


def test_every_setting_says_what_it_means() -> None:
    page = PAGES["settings.md"]()
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"`{PREFIX}{name.upper()}`" in page
