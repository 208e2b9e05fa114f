"""Text in CSV that no spreadsheet calculates."""

import re

# Where a cell begins for a program that splits rows at semicolons or tabs: it splits what stands in
# double quotes as well, because there they do not begin the cell. So they can begin a later one.
_AFTER = ";\t\r\n"
_FORMULAS = "=+\\-@\t\r\n＝＋－＠'"
_BEGINS = re.compile(f'\\A(?=[{_FORMULAS}])|(?<=[{_AFTER}])(?=[{_FORMULAS}"])')
_BEGINS_IN_JSON = re.compile(f';(?=[{_FORMULAS}"])')


def harmless(text: str) -> str:
    """The text such that a spreadsheet takes it for text: with a single quote before what begins
    like a formula, or with a single quote itself, at its start and after each semicolon, tab and
    line break, and before double quotes after these. So no first single quote there belongs to the
    value.
    """
    return _BEGINS.sub("'", text)


def harmless_json(text: str) -> str:
    """JSON of the same value, in which no semicolon stands before what begins like a formula."""
    return _BEGINS_IN_JSON.sub(r"\\u003b", text)
