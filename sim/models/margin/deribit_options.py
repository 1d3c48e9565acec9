"""Deribit standard margin of short options, per coin of the underlying and in coins.

    short call   IM = max(a - otm, b) + mark              MM = c + mark
    short put    IM = max(max(a - otm, b) + mark, MM)     MM = max(c, c mark) + mark

with otm = max(K - S, 0) / S for a call and max(S - K, 0) / S for a put, mark [coins] the option's
mark price, S the index, K the strike; a = 0.15, b = 0.1, c = 0.075 (doc.tslab.pro, Deribit margin).
Long options need no margin.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class OptionMargin(NamedTuple):
    """Initial and maintenance margin [coins per coin of the underlying]."""

    initial: float
    maintenance: float


def short_option_margin(
    side: Literal["call", "put"],
    index: float,
    strike: float,
    mark: float,
    base: float,
    least: float,
    maintenance: float,
) -> OptionMargin:
    """Return the margin of a short option.

    Parameters
    ----------
    side : {"call", "put"}
    index, strike : float [quote], > 0
    mark : float [coins], >= 0
    base, least, maintenance : float [1]
        a, b and c of the formula.
    """
    away = strike - index if side == "call" else index - strike
    initial = max(base - max(away, 0.0) / index, least) + mark
    if side == "call":
        return OptionMargin(initial, maintenance + mark)
    needed = max(maintenance, maintenance * mark) + mark
    return OptionMargin(max(initial, needed), needed)
