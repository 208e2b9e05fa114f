"""The question what customers did after their complaints."""

from __future__ import annotations

from pydantic import Field

from projections.effects.queries import (
    DIMENSIONS,
    GROUPS,
    LONGEST_DAYS,
    behind_effects,
    effects,
)
from questions.parameters import Window, one_of
from questions.question import ExplainedRow, Explanation, Question, asked_for_all, figures_of
from questions.tables import by_group, column, number, rate


class EffectParameters(Window):
    """Parameters of effects."""

    days: int = Field(
        default=180,
        ge=1,
        le=LONGEST_DAYS,
        description="For how many days each complaint is followed",
    )
    by: str | None = Field(
        default=None,
        description="What to tell apart beside the recovery",
        json_schema_extra=one_of(DIMENSIONS),
    )


class EffectRow(ExplainedRow):
    """What the customers of one group of complaints did after them; an observation, no cause."""

    channel: str | None = None
    severity: str | None = None
    topic: str | None = None
    product: str | None = None
    team: str | None = None
    department: str | None = None
    recovery: str = Field(description="complete, incomplete or open")
    reading: str = Field(description="observation: seen together, not what caused what")
    complaints: int
    customers: int
    following: int = Field(description="Complaints whose time is not over: in no rate")
    followed: int
    repurchased: int
    repurchase_rate: float | None
    repurchase_rate_low: float | None
    repurchase_rate_high: float | None
    lapsed: int
    lapse_rate: float | None
    lapse_rate_low: float | None
    lapse_rate_high: float | None


EFFECTS = Question(
    command="effects",
    path="/effects",
    summary="Who bought again and who lapsed after a complaint, by whether the 4A were complete",
    details="An observation: complaints recovered well may differ from others in more than that, "
    "so the rates do not say what caused what. Complaints whose time is not over are counted as "
    "following and are in no rate. From and to: 95 % Wilson intervals.",
    parameters=EffectParameters,
    row=EffectRow,
    about="figures",
    ask=asked_for_all(effects),
    tables=by_group(
        column("Recovery", "recovery"),
        number("Complaints", "complaints"),
        number("Following", "following"),
        number("Followed", "followed"),
        number("Bought", "repurchased"),
        rate("Rate", "repurchase_rate"),
        rate("From", "repurchase_rate_low"),
        rate("To", "repurchase_rate_high"),
        number("Lapsed", "lapsed"),
        rate("Rate", "lapse_rate"),
        rate("From", "lapse_rate_low"),
        rate("To", "lapse_rate_high"),
        after="recovery",
        title="Observed after complaints, which does not say that the recovery caused it",
    ),
    behind=Explanation(
        groups=GROUPS,
        figures=figures_of(EffectRow, *GROUPS, "reading"),
        takes=("days",),
        ask=behind_effects,
    ),
)
