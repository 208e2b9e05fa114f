"""The simulated company, as data: who its customers are, how its channels work, what goes wrong.

A retailer of household appliances with service of its own. Every figure is invented. Shares are
between 0 and 1, durations are medians in seconds of working time, amounts are euros.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from servicetrail.simulate.chance import DAY, HOUR, MINUTE

ZONE = "Europe/Amsterdam"
CURRENCY = "EUR"
HOLIDAYS = frozenset({(1, 1), (4, 27), (12, 25), (12, 26)})  # month, day

EVENTS_PER_ARRIVAL = 4.15
"""Events that follow, on average, when a customer turns to the company once. Measured."""

CUSTOMERS_PER_DAILY_EVENT = 5.0
"""The customer base is sized so that a customer gives about 18 events in 90 days."""


@dataclass(frozen=True)
class Tier:
    """A layer of the customer pyramid."""

    name: str
    share: float  # of the customers
    contacts: float  # relative number of contacts per customer
    contribution: float  # euros a year
    delay: float  # relative waiting time: the company serves its best customers first


TIERS = (
    Tier("most_valuable", share=0.05, contacts=2.5, contribution=1400, delay=0.6),
    Tier("most_growable", share=0.20, contacts=1.5, contribution=420, delay=0.8),
    Tier("low_contribution", share=0.60, contacts=0.8, contribution=70, delay=1.0),
    Tier("negative", share=0.15, contacts=1.9, contribution=-90, delay=1.3),
)


@dataclass(frozen=True)
class Week:
    """Shifts of a week as (weekday 1 Monday to 7 Sunday, from, to) by the local clock."""

    shifts: tuple[tuple[int, str, str], ...]
    keeps_holidays: bool = True


def _daily(days: range, *shifts: tuple[str, str]) -> tuple[tuple[int, str, str], ...]:
    return tuple((day, begin, end) for day in days for begin, end in shifts)


CALENDARS: Mapping[str, Week] = {
    "office": Week(_daily(range(1, 6), ("09:00", "12:30"), ("13:00", "17:30"))),
    "phones": Week(
        _daily(range(1, 6), ("08:00", "20:00")) + _daily(range(6, 7), ("09:00", "17:00"))
    ),
    "chat": Week(_daily(range(1, 8), ("08:00", "22:00"))),
    "shops": Week((*_daily(range(1, 7), ("10:00", "18:00")), (4, "18:00", "21:00"))),
    "always": Week(_daily(range(1, 8), ("00:00", "24:00")), keeps_holidays=False),
}

OFFICE_AFTER_THE_CHANGE = Week(
    (*_daily(range(1, 5), ("08:30", "12:30"), ("13:00", "18:00")), (5, "08:30", "12:30"))
)
"""Half-way through, the office gives up its Friday afternoons for longer days."""


@dataclass(frozen=True)
class Topic:
    """What customers turn to the company about."""

    name: str
    moment: str
    stage: str
    delay: float  # relative waiting time
    resolved: float  # share of answers that settle it
    promises: float  # share of answers that come with a promise
    complaints: float  # share of conversations that end in a complaint
    support: float  # share of answers that need the back office
    promise_seconds: int  # typical time promised


TOPICS = (
    Topic("advice", "purchase_advice", "pre_sale", 0.8, 0.75, 0.05, 0.003, 0.02, 2 * DAY),
    Topic("order_status", "order_enquiry", "sale", 0.4, 0.80, 0.25, 0.010, 0.03, 3 * DAY),
    Topic("billing", "bill_question", "after_sale", 1.0, 0.62, 0.15, 0.025, 0.15, 5 * DAY),
    Topic("product_fault", "fault_report", "after_sale", 5.0, 0.45, 0.40, 0.060, 0.25, 7 * DAY),
    Topic("returns", "return", "after_sale", 2.0, 0.60, 0.30, 0.025, 0.08, 10 * DAY),
    Topic("account", "account_change", "after_sale", 0.3, 0.88, 0.04, 0.004, 0.02, DAY),
)


@dataclass(frozen=True)
class Channel:
    """A way for customers to reach the company."""

    name: str
    source: str
    team: str
    calendar: str
    staff: int
    arrivals: float  # relative number of contacts in a week
    by_hour: tuple[float, ...]  # 24 relative numbers
    by_weekday: tuple[float, ...]  # 7, Monday first
    topics: Mapping[str, float]
    first_reply_seconds: int
    next_reply_seconds: int
    spread: float  # sigma of the lognormal
    handling_seconds: int
    cost_per_minute: str
    cost_per_contact: str
    live: bool = False  # customer and employee are there at the same time
    abandoned: float = 0.0
    bots: float = 0.0  # share of conversations that a bot answers first
    bot_resolves: float = 0.0
    receipts: float = 0.0  # share with an automatic receipt
    forgotten: float = 0.0  # share of inbounds nobody ever answers
    transfers: Mapping[str, float] = field(default_factory=dict)  # to channel, share of answers
    concurrency: int = 1
    feedback: float = 0.1
    purchases: float = 0.0  # share of arrivals who come to buy
    promises_kept: float = 0.85  # of those made here, in time


_DAYTIME = (0,) * 8 + (4, 8, 10, 9, 7, 8, 9, 8, 7, 6, 4, 3, 2, 1) + (0,) * 2
_SHOPPING = (0,) * 10 + (3, 5, 7, 8, 8, 9, 10, 9, 3, 2, 1) + (0,) * 3
_ONLINE = (1, 0.5, 0.3, 0.2, 0.2, 0.4, 1, 2, 4, 6, 7, 7, 6, 6, 6, 6, 6, 6, 7, 9, 10, 9, 6, 3)
_WORKING_WEEK = (1.35, 1.15, 1.0, 1.0, 0.95, 0.45, 0.0)
_WHOLE_WEEK = (1.2, 1.1, 1.0, 1.0, 0.9, 0.8, 1.0)


def _mix(**shares: float) -> Mapping[str, float]:
    """What customers come about. Adjusting compares channels only where all get all topics."""
    return shares


# Mail and web are a case for adjusting: topic by topic the web form is answered sooner, but it gets
# most of the faults, which take long on any channel, so that over all topics mail looks faster.
CHANNELS = (
    Channel(
        name="call_centre",
        source="call-centre",
        team="phones",
        calendar="phones",
        staff=40,
        arrivals=0.34,
        by_hour=_DAYTIME,
        by_weekday=_WORKING_WEEK,
        topics=_mix(advice=0.7, order_status=3, billing=3, product_fault=2, returns=1.5, account=1),
        first_reply_seconds=75,
        next_reply_seconds=4 * HOUR,
        spread=1.0,
        handling_seconds=340,
        cost_per_minute="0.95",
        cost_per_contact="0.40",
        live=True,
        abandoned=0.08,
        forgotten=0.003,
        transfers={"mail": 0.04, "shop": 0.02},
        feedback=0.12,
    ),
    Channel(
        name="mail",
        source="mail",
        team="correspondence",
        calendar="office",
        staff=18,
        arrivals=0.20,
        by_hour=_ONLINE,
        by_weekday=_WHOLE_WEEK,
        topics=_mix(advice=0.6, order_status=3, billing=2, product_fault=0.6, returns=1, account=5),
        first_reply_seconds=150 * MINUTE,
        next_reply_seconds=3 * HOUR,
        spread=0.9,
        handling_seconds=420,
        cost_per_minute="0.80",
        cost_per_contact="0.10",
        receipts=0.7,
        forgotten=0.02,
        transfers={"call_centre": 0.05},
        concurrency=1,
        feedback=0.06,
        promises_kept=0.78,
    ),
    Channel(
        name="chat",
        source="chat",
        team="chat",
        calendar="chat",
        staff=12,
        arrivals=0.22,
        by_hour=_ONLINE,
        by_weekday=_WHOLE_WEEK,
        topics=_mix(advice=2, order_status=4, billing=1, product_fault=0.7, returns=1, account=2.5),
        first_reply_seconds=100,
        next_reply_seconds=70,
        spread=0.8,
        handling_seconds=260,
        cost_per_minute="0.90",
        cost_per_contact="0.05",
        live=True,
        abandoned=0.06,
        bots=0.75,
        bot_resolves=0.30,
        forgotten=0.005,
        transfers={"call_centre": 0.05, "mail": 0.03},
        concurrency=4,
        feedback=0.22,
        promises_kept=0.80,
    ),
    Channel(
        name="shop",
        source="shop",
        team="counter",
        calendar="shops",
        staff=30,
        arrivals=0.10,
        by_hour=_SHOPPING,
        by_weekday=(0.8, 0.8, 0.9, 1.3, 1.1, 2.0, 0.0),
        topics=_mix(
            advice=5, order_status=0.7, billing=0.6, product_fault=2, returns=3, account=0.6
        ),
        first_reply_seconds=3 * MINUTE,
        next_reply_seconds=DAY // 3,
        spread=0.7,
        handling_seconds=600,
        cost_per_minute="1.10",
        cost_per_contact="1.50",
        live=True,
        abandoned=0.04,
        transfers={"call_centre": 0.02},
        feedback=0.03,
        purchases=0.35,
        promises_kept=0.92,
    ),
    Channel(
        name="web",
        source="web",
        team="digital",
        calendar="office",
        staff=14,
        arrivals=0.14,
        by_hour=_ONLINE,
        by_weekday=_WHOLE_WEEK,
        topics=_mix(
            advice=0.6, order_status=0.9, billing=0.9, product_fault=6, returns=3, account=0.8
        ),
        first_reply_seconds=45 * MINUTE,
        next_reply_seconds=2 * HOUR,
        spread=0.9,
        handling_seconds=300,
        cost_per_minute="0.80",
        cost_per_contact="0.02",
        receipts=0.95,
        forgotten=0.015,
        transfers={"call_centre": 0.04, "mail": 0.03},
        feedback=0.08,
        purchases=0.40,
        promises_kept=0.83,
    ),
)

CRM = "crm"
COMPLAINT_DESK = "complaint-desk"
BACK_OFFICE = "back-office"
SERVICE_OFFICE = "service-office"  # publishes the policies

PRODUCTS: Mapping[str, str] = {  # price in euros
    "WASHER-20": "549.00",
    "WASHER-30": "749.00",
    "DRYER-10": "629.00",
    "FRIDGE-12": "899.00",
    "FRIDGE-15": "1199.00",
    "OVEN-05": "479.00",
    "KETTLE-02": "39.95",
    "VACUUM-07": "219.00",
    "COFFEE-09": "329.00",
    "HOB-04": "389.00",
}

WRONG_STATEMENTS = 0.04
"""Share of prices and dates told to customers that are not what the others were told."""

AUTHORITY: Mapping[str, int] = {"agent": 50, "team_lead": 250, "manager": 2500}
"""The highest amends, in euros, that a role may offer by itself."""

MOMENTS: Mapping[str, str] = {
    **{topic.moment: "standard" for topic in TOPICS},
    "fault_report": "key",
    "delivery": "key",
    "complaint": "key",
    "reminder": "key",
}

SERVICE_LEVELS: tuple[dict[str, object], ...] = (
    {"metric": "first_response", "channel": "call_centre", "target_seconds": 120, "on": "phones"},
    {"metric": "first_response", "channel": "mail", "target_seconds": 4 * HOUR, "on": "office"},
    {"metric": "first_response", "channel": "chat", "target_seconds": 3 * MINUTE, "on": "chat"},
    {"metric": "first_response", "channel": "shop", "target_seconds": 5 * MINUTE, "on": "shops"},
    {"metric": "first_response", "channel": "web", "target_seconds": 6 * HOUR, "on": "office"},
    {
        "metric": "first_response",
        "channel": "mail",
        "tier": "most_valuable",
        "target_seconds": 2 * HOUR,
        "on": "office",
    },
    {"metric": "next_reply", "target_seconds": 8 * HOUR, "on": "office"},
    {"metric": "resolution", "target_seconds": 24 * HOUR, "on": "office"},
    {"metric": "resolution", "severity": "critical", "target_seconds": 2 * DAY},
    {"metric": "resolution", "topic": "product_fault", "target_seconds": 14 * DAY},
    {"metric": "acknowledge", "target_seconds": DAY},
    {"metric": "acknowledge", "severity": "critical", "target_seconds": 4 * HOUR},
    {"metric": "apologize", "target_seconds": 3 * DAY},
    {"metric": "amend", "target_seconds": 10 * DAY},
    {"metric": "decide", "target_seconds": 14 * DAY},
    {"metric": "anticipate", "target_seconds": 30 * DAY},
)
"""`on` names the calendar for targets in working time; without it the target is calendar time."""

SEVERITIES: Mapping[str, float] = {"low": 0.25, "normal": 0.55, "high": 0.16, "critical": 0.04}

ROOT_CAUSES: Mapping[tuple[str, str], float] = {  # cause, origin
    ("carrier missed the slot", "partner"): 3,
    ("address not checked at order", "front_office"): 2,
    ("price list not updated", "back_office"): 2,
    ("spare part out of stock", "back_office"): 3,
    ("return rule unclear", "policy"): 1.5,
    ("promise made without asking the workshop", "front_office"): 2,
}


@dataclass(frozen=True)
class Failings:
    """How often the recovery of a complaint goes wrong, each as a share of complaints."""

    receipt_only: float = 0.06  # acknowledged by a machine, never by a person
    no_apology: float = 0.12
    apology_first: float = 0.04  # before anyone acknowledged
    over_authority: float = 0.06
    without_consent: float = 0.06
    never_delivered: float = 0.05
    handed_over: float = 0.15
    restated: float = 0.10
    not_communicated: float = 0.07
    nothing_planned: float = 0.35
    never_closed: float = 0.06
    reopened: float = 0.07
    slow: float = 0.15  # every step takes several times as long


FAILINGS = Failings()


@dataclass(frozen=True)
class Fates:
    """What becomes of promises that are not kept in time, as relative numbers."""

    kept_late: float = 0.52
    broken: float = 0.20
    overdue: float = 0.18
    withdrawn: float = 0.10


FATES = Fates()
