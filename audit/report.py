"""The report in evidence: what happened, in plain words, on a page that can be printed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Any

from audit.proofs import Sealed
from projections.timeline.sentences import sentence
from schemas.codec import decode, without_personal

if TYPE_CHECKING:
    from audit.evidence import About


def report(
    about: About, rows: Sequence[Mapping[str, Any]], sealed: Sealed, made_at: datetime
) -> str:
    """An HTML page without anything from elsewhere. Nothing personal is on it."""
    page = Template((resources.files("audit") / "report.html").read_text(encoding="utf-8"))
    checkpoint = sealed.checkpoint
    return page.substitute(
        about=escape(f"{about.kind} {about.id}"),
        events=f"{len(rows):,}",
        size=f"{checkpoint.size:,}",
        origin=escape(checkpoint.origin),
        sealed_at=_time(checkpoint.sealed_at),
        made_at=_time(made_at),
        note=escape(str(sealed.note)),
        complete=_COMPLETE if about.kind == "customer" else _NOT_COMPLETE,
        rows="\n".join(_row(row) for row in rows) or _NOTHING,
    )


_COMPLETE = (
    "They are all events that the ledger had of this customer at that time; the verifier proves it."
)
_NOT_COMPLETE = (
    "They are numbered without a gap from the first on. That there were no later ones by then can "
    "be proven by evidence about the customer."
)
_NOTHING = '<tr><td colspan="5">There are no events.</td></tr>'


def _row(row: Mapping[str, Any]) -> str:
    data = decode(bytes.fromhex(row["fingerprint"]), bytes(row["facts"]))
    shown = without_personal(row["type"], data)
    told = {name: value for name, value in shown.items() if value is not None}
    assumed = " (time assumed)" if row["time_assumed"] else ""
    personal = "" if row["personal"] is None else "<p>Personal data: encrypted, not shown.</p>"
    return (
        f"<tr><td>{row['position']:,}</td>"
        f"<td>{_time(row['occurred_at'])}{assumed}</td>"
        f"<td>{_time(row['recorded_at'])}</td>"
        f"<td>{escape(row['source'])}<br><small>{escape(row['id'])}</small></td>"
        f"<td><strong>{escape(_sentence(row['type'], data))}</strong>{personal}"
        f"<pre>{escape(json.dumps(told, ensure_ascii=False, indent=1))}</pre></td></tr>"
    )


def _sentence(type_: str, data: Mapping[str, Any]) -> str:
    try:
        return sentence(type_, data)
    except KeyError:  # policies have none
        return type_


def _time(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S.%f} UTC"
