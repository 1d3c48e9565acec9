"""Assemble the accounts of a cohort from what its traders drew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import (
    BoolArray,
    FloatArray,
    Int16Array,
    Int32Array,
    IntArray,
    blocks,
    sums,
)
from sim.core.streams import Streams
from sim.engine.book import draft_book
from sim.engine.draft import AccountsDraft, starts
from sim.engine.health import cap_leverage
from sim.engine.listing import Listing
from sim.engine.open_interest import scale_to_open_interest
from sim.engine.portfolio import Portfolio, portfolios
from sim.engine.sampling import (
    Holdings,
    Pools,
    draw_amounts,
    draw_holdings,
    draw_pools,
    draw_quantities,
)

if TYPE_CHECKING:
    from sim.models.margin.tables import MarginTables
    from sim.schema import Scenario
    from sim.schema.traders import Cohort

__all__ = ["AccountsDraft", "draft_book", "draw_cohort", "scale_to_open_interest"]


def draw_cohort(
    cohort: Cohort, scenario: Scenario, tables: MarginTables, streams: Streams
) -> AccountsDraft:
    """Draw the accounts of a cohort.

    Parameters
    ----------
    cohort : Cohort
    scenario : Scenario
        Gives venues, markets, prices and haircuts.
    tables : MarginTables
        Initial margin; an account that could not have opened its positions gets the largest
        leverage with which it could (`AccountsDraft.capped` counts them).
    streams : Streams

    Returns
    -------
    AccountsDraft
        Accounts ordered by trader, venue and, if isolated, market. The equity drawn for a
        trader [numeraire, before haircuts] is split over the trader's venues in proportion to
        the cohort's venue shares; notional is leverage times that equity in every account. The
        outside wallet holds the same mix of assets as the trader's accounts.

    Raises
    ------
    RunError
        If an equity, leverage or wallet drawn is negative, or a clearer has no rule for a
        market of the portfolio.
    """
    listing = Listing.from_scenario(scenario)
    folios = portfolios(cohort, scenario, listing)
    pools = draw_pools(cohort, scenario, streams)
    holdings = draw_holdings(cohort, scenario, streams, pools, folios)
    draft = _assemble(cohort, scenario, streams, listing, folios, pools, holdings)
    _fill_wallets(draft, cohort, streams)
    return cap_leverage(draft, listing, tables)


def _assemble(
    cohort: Cohort,
    scenario: Scenario,
    streams: Streams,
    listing: Listing,
    folios: Sequence[Portfolio],
    pools: Pools,
    holdings: Holdings,
) -> AccountsDraft:
    """Turn pools into accounts: a cross pool is one, an isolated pool one per position."""
    trader, slot, isolated, start, equity = _accounts(pools, holdings)
    assets, balance = _balances(cohort, scenario, listing, folios, holdings, start, equity, slot)
    return AccountsDraft(
        name=cohort.cohort,
        trader=trader,
        clearer=np.array([folio.venue for folio in folios], dtype=np.int16)[slot],
        isolated=isolated,
        balance_assets=assets,
        balance=balance,
        position_start=start,
        position_market=holdings.market,
        quantity=draw_quantities(cohort, scenario, streams, pools, holdings, listing),
        entry_price=listing.price[holdings.market],
        wallet=np.zeros((cohort.count, len(assets))),
        venues=tuple(scenario.venues),
        symbols=tuple(market.symbol for market in scenario.markets),
    )


def _accounts(
    pools: Pools, holdings: Holdings
) -> tuple[Int32Array, Int16Array, BoolArray, IntArray, FloatArray]:
    """Return trader, venue slot, isolation, first positions (A + 1) and equity of the accounts."""
    held = np.diff(holdings.start)
    single = pools.isolated & (held > 0)  # nothing to isolate without a position
    if not single.any():
        return pools.trader, pools.slot, single, holdings.start, pools.equity
    accounts = np.where(single, held, 1)
    isolated = np.repeat(single, accounts)
    start = starts(np.where(isolated, 1, np.repeat(held, accounts)))
    equity = np.repeat(pools.equity, accounts)
    equity[isolated] *= holdings.weight[start[:-1][isolated]]
    return (
        np.repeat(pools.trader, accounts),
        np.repeat(pools.slot, accounts),
        isolated,
        start,
        equity,
    )


def _balances(
    cohort: Cohort,
    scenario: Scenario,
    listing: Listing,
    folios: Sequence[Portfolio],
    holdings: Holdings,
    start: IntArray,
    equity: FloatArray,
    slot: Int16Array,
) -> tuple[tuple[int, ...], FloatArray]:
    """Return the collateral assets and balances (A, K) [asset units] of the accounts."""
    if cohort.collateral is not None:
        names = list(scenario.assets)
        mix = {names.index(name): share for name, share in cohort.collateral.items()}
        assets = tuple(sorted(mix))
        share = np.array([mix[asset] for asset in assets]) / sum(mix.values())
        return assets, equity[:, None] * (share / listing.asset_price[list(assets)])
    quotes = [listing.quote[folio.markets] for folio in folios]
    idle = [folio.spare_asset for folio in folios if not folio.markets.size]
    assets = tuple(sorted({int(a) for a in np.concatenate(quotes)} | set(idle)))
    if len(assets) == 1:
        return assets, (equity / listing.asset_price[assets[0]])[:, None]
    balance = np.empty((equity.size, len(assets)))
    spare = np.array([folio.spare_asset for folio in folios])
    for part in blocks(equity.size):
        bounds = start[part.start : part.stop + 1]
        sizes, mine = np.diff(bounds), slice(bounds[0], bounds[-1])
        owner = np.repeat(np.arange(sizes.size), sizes)
        weight = holdings.weight[mine] / sums(owner, holdings.weight[mine], sizes.size)[owner]
        quote = listing.quote[holdings.market[mine]]
        for column, asset in enumerate(assets):
            share = sums(owner, weight * (quote == asset), sizes.size)
            share += (sizes == 0) & (spare[slot[part]] == asset)
            balance[part, column] = equity[part] * share / listing.asset_price[asset]
    return assets, balance


def _fill_wallets(draft: AccountsDraft, cohort: Cohort, streams: Streams) -> None:
    """Fill the outside wallets, each a multiple of what the trader has in its accounts."""
    if cohort.wallet is None:
        return
    multiple = draw_amounts(streams, cohort, "wallet")
    for column in range(len(draft.balance_assets)):
        total = sums(draft.trader, draft.balance[:, column], draft.traders)
        draft.wallet[:, column] = multiple * total
