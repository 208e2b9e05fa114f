"""The documentation as the tests see it: pages, fenced blocks, links, code spans, headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^```(?P<info>[^`\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^]]+\]\((?P<target>[^)\s]+)\)")
_SPAN = re.compile(r"`(?P<text>[^`\n]+)`")
_HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: `info` are the words behind the fence, `line` is where it begins."""

    page: str
    line: int
    info: tuple[str, ...]
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    def option(self, name: str) -> str | None:
        """The value of a word such as `file=order.json`."""
        return next(
            (word.partition("=")[2] for word in self.info if word.startswith(f"{name}=")), None
        )


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return _FENCE.sub("", self.text)

    def blocks(self) -> Iterator[Block]:
        text = self.text
        for match in _FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield Block(self.name, line, tuple(match["info"].split()), match["text"])

    def links(self) -> list[str]:
        return [match["target"] for match in _LINK.finditer(self.prose)]

    def code_spans(self) -> list[str]:
        return [match["text"] for match in _SPAN.finditer(self.prose)]

    def anchors(self) -> set[str]:
        """Under which names headings can be linked to, as GitHub makes them."""
        headings = [match["text"].lower() for match in _HEADING.finditer(self.prose)]
        return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


def pages() -> list[Page]:
    """Every page for people, those written by the program included."""
    written = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")]
    return [Page(path) for path in (*written, *sorted((ROOT / "docs").rglob("*.md")))]
