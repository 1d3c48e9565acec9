"""Which causes a figure tells apart, in which order, and how each looks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import pandas as pd

from sim.report.context import RunContext
from sim.report.style import MAX_ENTRIES, OTHER, Look, looks
from sim.report.units import safe

LIQUIDATION = "liquidation:"
OTHER_VENUES = f"{LIQUIDATION}{OTHER}"
MAX_OF_FAMILY = 2
_FAMILIES = {"arbitrage": "arbitrage", "trade": "trades"}
_LOOKS = {
    "exogenous": Look("#5a5a5a", "", ""),
    "reversion": Look("#dcdcdc", "", "////"),
    "arbitrage": Look("#b9a5d0", "", "||||"),
    "trades": Look("#bcd6a4", "", "oo"),
    "adl": Look("#e8a0a0", "", "++++"),
    "funding": Look("#e6d9a8", "", "||||"),
    "fees": Look("#c9a27a", "", ""),
    "mark": Look("#a7c7c4", "", "----"),
    "transfer": Look("#d0e4f2", "", "...."),
    "own_trade": Look("#f1cfc0", "", "oo"),
    "socialised": Look("#c98080", "", "xxxx"),
    OTHER: Look("#9a9a9a", "", "xxxx"),
    OTHER_VENUES: Look("#7d7d7d", "", "...."),
}


def grouped(cause: pd.Series, size: pd.Series, least: float = 0.0) -> pd.Series:
    """Return the cause to show of each row, at most eight different ones.

    Arbitrage from more than two venues is summed, as are trades of more than two behaviours.
    With still more than eight causes, those that are neither exogenous nor liquidations and did
    less than `least` of all are summed; then the smallest liquidations; then the smallest of all.

    Parameters
    ----------
    cause : Series of str
        Cause of each row.
    size : Series of float64
        What the cause did, signed, in any one unit; causes rank by the sum of its size.
    least : float [1]
        Share of the sizes of all.
    """
    cause = cause.astype(str)
    moved = cause[size != 0.0]
    for family, name in _FAMILIES.items():
        mine = cause.str.startswith(f"{family}:")
        if moved[mine].nunique() > MAX_OF_FAMILY:
            cause = cause.mask(mine, name)
    if least > 0.0 and cause.nunique() > MAX_ENTRIES:
        total = size.abs().groupby(cause).sum()
        small = total.index[total < least * total.sum()]
        named = cause.str.startswith(LIQUIDATION) | (cause == "exogenous")
        cause = cause.where(named | ~cause.isin(small), OTHER)
    if cause.nunique() > MAX_ENTRIES:
        forced = cause[cause.str.startswith(LIQUIDATION)]
        room = MAX_ENTRIES - (cause.nunique() - forced.nunique())
        kept = _largest(forced, size, max(room, 1) - 1)
        cause = cause.where(cause.isin(kept) | ~cause.isin(forced), OTHER_VENUES)
    if cause.nunique() > MAX_ENTRIES:
        cause = cause.where(cause.isin(_largest(cause, size, MAX_ENTRIES - 1)), OTHER)
    return cause.astype(str)


def _largest(cause: pd.Series, size: pd.Series, count: int) -> list[str]:
    """Return the `count` causes whose sizes sum to most."""
    total = size.loc[cause.index].abs().groupby(cause).sum()
    return list(total.sort_values(ascending=False, kind="stable").index[:count])


def ordered(causes: Sequence[str]) -> list[str]:
    """Return exogenous first, then liquidations, then the rest; "other" last."""
    rank = {"exogenous": 0, LIQUIDATION: 1}

    def key(cause: str) -> tuple[int, bool, str]:
        family = LIQUIDATION if cause.startswith(LIQUIDATION) else cause
        last = cause in (OTHER, OTHER_VENUES)
        return (rank.get(family, 2) + (2 if cause == OTHER else 0), last, cause)

    return sorted(causes, key=key)


def cause_text(cause: str) -> str:
    """Return a cause as a legend writes it."""
    return safe(cause.replace(":", ": ").replace("_", " "))


def looks_of(causes: Sequence[str], context: RunContext) -> dict[str, Look]:
    """Return a look per cause; the liquidations of a venue take the venue's own."""
    venues = [
        cause.removeprefix(LIQUIDATION)
        for cause in causes
        if cause.startswith(LIQUIDATION) and cause != OTHER_VENUES
    ]
    by_venue = looks(list(dict.fromkeys([*context.venues, *venues])))
    used = [by_venue[venue] for venue in venues]
    eight = [str(number) for number in range(MAX_ENTRIES)]
    every = [looks(eight)[number] for number in eight]
    spare = cycle([look for look in reversed(every) if look not in used] or every)
    found = {}
    for cause in causes:
        if cause.startswith(LIQUIDATION) and cause != OTHER_VENUES:
            found[cause] = by_venue[cause.removeprefix(LIQUIDATION)]
        else:
            found[cause] = _LOOKS.get(cause) or next(spare)
    return found
