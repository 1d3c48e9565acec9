"""Initial-margin health of drafted accounts.

An account may open its positions when the initial margin they need, under its clearer's tiers,
is at most its haircut-adjusted equity

    sum_j initial_margin(N_j, B_j) p_quote(j)  <=  sum_a balance_a p_a (1 - haircut_a)

with N_j [quote] the notional of position j, B_j [base] its size, and p [numeraire] the initial
asset prices, for collateral as the clearer prices it; at the initial prices nothing is unrealised
yet. Open interest does not yet scale the initial margin.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, blocks, sums
from sim.core.errors import RunError
from sim.engine.draft import AccountsDraft, starts
from sim.kernels.size import KEPT

if TYPE_CHECKING:
    from sim.engine.listing import Listing
    from sim.models.margin.tables import MarginTables

_BELOW = 1.0 - 2.0**-49  # a few units in the last place: rounding stays on the healthy side


def initial_margin(draft: AccountsDraft, listing: Listing, tables: MarginTables) -> FloatArray:
    """Return the initial margin (A,) [numeraire] of every account at the initial prices.

    Raises
    ------
    RunError
        If a clearer has no margin rule for a market in which one of its accounts is.
    """
    need = np.empty(draft.accounts)
    for part in blocks(draft.accounts):
        first, last = part.start, part.stop
        begin, end = draft.position_start[first], draft.position_start[last]
        market = draft.position_market[begin:end].astype(np.int64)
        sizes = np.diff(draft.position_start[first : last + 1])
        owner = np.repeat(np.arange(last - first), sizes)
        clearer = draft.clearer[first:last].astype(np.int64)[owner]
        held = _Held(np.abs(draft.quantity[begin:end]), clearer, market, listing)
        margin = tables.initial_margin(clearer, market, held.notional, held.size) * held.price
        if np.isnan(margin).any():
            at = int(np.flatnonzero(np.isnan(margin))[0])
            raise RunError(
                f"cohort {draft.name!r}: venue {draft.venues[clearer[at]]!r} has no margin rule "
                f"for market {draft.symbols[market[at]]!r}, which its accounts hold; give it "
                "tiers for that base, or a maintenance_rate"
            )
        need[first:last] = sums(owner, margin, last - first)
    return need


def counted_equity(draft: AccountsDraft, listing: Listing) -> FloatArray:
    """Return haircut-adjusted equity (A,) [numeraire] of every account at the initial prices."""
    assets = list(draft.balance_assets)
    weight = listing.counted[:, assets] * listing.collateral_price[:, assets]
    equity = np.zeros(draft.accounts)
    for part in blocks(draft.accounts):
        clearer = draft.clearer[part]
        for column in range(len(assets)):
            equity[part] += draft.balance[part, column] * weight[clearer, column]
    return equity


def cap_leverage(draft: AccountsDraft, listing: Listing, tables: MarginTables) -> AccountsDraft:
    """Lower the leverage of every account that could not have opened its positions.

    All quantities of such an account are scaled by the largest factor at which its initial
    margin is covered; ``capped`` counts these accounts. `draft.quantity` is changed in place.
    """
    need, equity = initial_margin(draft, listing, tables), counted_equity(draft, listing)
    over = np.flatnonzero(need > equity)
    if not over.size:
        return draft
    for part in blocks(over.size):
        some = over[part]
        begin = draft.position_start[some]
        sizes = draft.position_start[some + 1] - begin
        first = starts(sizes)[:-1]
        rows = np.arange(int(sizes.sum())) + np.repeat(begin - first, sizes)
        market = draft.position_market[rows].astype(np.int64)
        clearer = np.repeat(draft.clearer[some].astype(np.int64), sizes)
        held = _Held(np.abs(draft.quantity[rows]), clearer, market, listing)
        factor = _largest_factor(equity[some], first, sizes, held, tables)
        draft.quantity[rows] *= np.repeat(factor, sizes)
    return replace(draft, capped=int(over.size))


def top_up(draft: AccountsDraft, listing: Listing, tables: MarginTables) -> AccountsDraft:
    """Raise the collateral of every account whose initial margin is not covered.

    All balances of such an account are scaled by ``initial margin / haircut-adjusted equity``;
    ``topped_up`` counts these accounts. `draft.balance` is changed in place.
    """
    need, equity = initial_margin(draft, listing, tables), counted_equity(draft, listing)
    short = np.flatnonzero(need > equity)
    if not short.size:
        return draft
    draft.balance[short] *= (need[short] / equity[short] / _BELOW)[:, None]
    return replace(draft, topped_up=int(short.size))


class _Held:
    """Positions (N,) at the initial prices: who clears them, notional [quote] and size [base]."""

    def __init__(
        self, contracts: FloatArray, clearer: IntArray, market: IntArray, listing: Listing
    ) -> None:
        self.clearer, self.market = clearer, market
        self.price = listing.asset_price[listing.quote[market]]
        self.notional = contracts * (listing.contract_value[market] / self.price)
        self.size = contracts * listing.multiplier[market]

    def only(self, kept: BoolArray) -> _Held:
        """Return some of the positions."""
        part = copy(self)
        for name, values in vars(self).items():
            setattr(part, name, values[kept])
        return part


def _largest_factor(
    equity: FloatArray, first: IntArray, sizes: IntArray, held: _Held, tables: MarginTables
) -> FloatArray:
    """Return the largest factor (A,) of each account's notionals that its equity can carry.

    Along the factor s the initial margin is smooth between the points at which a position
    enters a tier, and jumps up there. From s = 1 downwards: on the segment that starts at
    breakpoint b the answer is the root of ``margin(s) = equity`` if that is at least b (and no
    higher than just below the segment's end), else the next segment is tried. Exact, and only as
    many rounds as breakpoints are crossed.
    """
    factor = np.zeros(equity.size)
    ceiling = np.ones(equity.size)
    active = np.arange(equity.size)
    tier = tables.tier(held.clearer, held.market, held.notional)
    while active.size:
        rate = tables.initial_rate[held.clearer, held.market, tier]
        if tables.by_size:
            answer = _root(equity[active], ceiling[active], first, sizes, rate, held, tables)
        else:
            worth = held.notional * held.price * rate
            with np.errstate(divide="ignore"):  # a rate of 0 carries anything
                answer = equity[active] / np.add.reduceat(worth, first)
        floor = tables.floor[held.clearer, held.market, tier]
        some = held.notional > 0.0
        entry = np.divide(floor, held.notional, out=np.zeros_like(floor), where=some)
        start = np.maximum.reduceat(entry, first)
        done = answer >= start
        factor[active[done]] = np.minimum(answer, ceiling[active])[done] * _BELOW
        ceiling[active] = start * _BELOW
        tier = tier - ((entry >= np.repeat(start, sizes)) & (tier > 0))
        keep = np.repeat(~done, sizes)
        held, tier = held.only(keep), tier[keep]
        active, sizes = active[~done], sizes[~done]
        first = starts(sizes)[:-1]
    return factor


def _root(
    equity: FloatArray,
    ceiling: FloatArray,
    first: IntArray,
    sizes: IntArray,
    rate: FloatArray,
    held: _Held,
    tables: MarginTables,
) -> FloatArray:
    """Return the factor (A,) in 0 .. `ceiling` at which fixed rates (N,) use up the equity.

    Initial margin is then convex in the factor, so Newton's method from above meets the root
    without passing it.
    """
    place = held.clearer, held.market
    answer = ceiling
    for _ in range(1000):
        share = np.repeat(answer, sizes)
        notional, size = held.notional * share, held.size * share
        margin = tables.sized(*place, notional * rate, notional, size)
        root = tables.size_root[place] * np.sqrt(size)
        steep = np.where(KEPT * rate + root > rate, KEPT * rate + 1.5 * root, rate)
        steep = (steep + 2.0 * tables.size_rate[place] * size) * held.notional
        excess = np.add.reduceat(margin * held.price, first) - equity
        slope = np.add.reduceat(steep * held.price, first)
        step = np.where(excess > 0.0, excess / np.where(slope > 0.0, slope, np.inf), 0.0)
        lower = np.maximum(answer - step, 0.0)
        if not (lower < answer).any():
            break
        answer = lower
    return answer
