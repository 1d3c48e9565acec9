"""Initial-margin health of drafted accounts.

An account may open its positions when the initial margin they need, under its clearer's tiers,
is at most its haircut-adjusted equity

    sum_j initial_rate(N_j) N_j p_quote(j)  <=  sum_a balance_a p_a (1 - haircut_a)

with N_j [quote] the notional of position j and p [numeraire] the initial asset prices; at the
initial prices nothing is unrealised yet.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray, blocks, sums
from sim.core.errors import RunError
from sim.engine.draft import AccountsDraft, starts

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
        price = listing.asset_price[listing.quote[market]]
        notional = np.abs(draft.quantity[begin:end]) * (listing.contract_value[market] / price)
        margin = tables.initial_margin(clearer, market, notional) * price
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
    weight = listing.counted[:, assets] * listing.asset_price[assets]
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
        price = listing.asset_price[listing.quote[market]]
        notional = np.abs(draft.quantity[rows]) * (listing.contract_value[market] / price)
        factor = _largest_factor(
            equity[some], first, sizes, clearer, market, notional, price, tables
        )
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


def _largest_factor(
    equity: FloatArray,
    first: IntArray,
    sizes: IntArray,
    clearer: IntArray,
    market: IntArray,
    notional: FloatArray,
    price: FloatArray,
    tables: MarginTables,
) -> FloatArray:
    """Return the largest factor (A,) of each account's notionals that its equity can carry.

    Along the factor s the initial margin is linear between the points at which a position
    enters a tier, and jumps up there. From s = 1 downwards: on the segment that starts at
    breakpoint b the answer is ``equity / slope`` if that is at least b (and no higher than
    just below the segment's end), else the next segment is tried. Exact, and only as many
    rounds as breakpoints are crossed.
    """
    factor = np.zeros(equity.size)
    ceiling = np.ones(equity.size)
    active = np.arange(equity.size)
    tier = tables.tier(clearer, market, notional)
    while active.size:
        worth = notional * price * tables.initial_rate[clearer, market, tier]
        with np.errstate(divide="ignore"):  # a rate of 0 carries anything
            answer = equity[active] / np.add.reduceat(worth, first)
        floor = tables.floor[clearer, market, tier]
        entry = np.divide(floor, notional, out=np.zeros_like(floor), where=notional > 0.0)
        start = np.maximum.reduceat(entry, first)
        done = answer >= start
        factor[active[done]] = np.minimum(answer, ceiling[active])[done] * _BELOW
        ceiling[active] = start * _BELOW
        tier = tier - ((entry >= np.repeat(start, sizes)) & (tier > 0))
        keep = np.repeat(~done, sizes)
        clearer, market, tier = clearer[keep], market[keep], tier[keep]
        notional, price = notional[keep], price[keep]
        active, sizes = active[~done], sizes[~done]
        first = starts(sizes)[:-1]
    return factor
