"""Scale drawn cohorts to the open interest that a scenario states for a market."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, add_to, blocks, sums
from sim.core.errors import Problem, ScenarioError
from sim.engine.draft import AccountsDraft
from sim.engine.health import top_up
from sim.engine.listing import Listing

if TYPE_CHECKING:
    from sim.models.margin.tables import MarginTables
    from sim.schema import Scenario

_EXACT = 1e-9  # relative distance at which a book alone counts as meeting the target


def scale_to_open_interest(
    drafts: Sequence[AccountsDraft], scenario: Scenario, tables: MarginTables
) -> list[AccountsDraft]:
    """Scale the cohorts so that every market with a target has that open interest.

    Parameters
    ----------
    drafts : sequence of AccountsDraft
        All cohorts and books of a run; books are never changed.
    scenario : Scenario
        ``market.open_interest`` [quote, one side] is the target; markets without one are left
        as drawn.
    tables : MarginTables

    Returns
    -------
    list of AccountsDraft
        In the order given. In a market with a target all cohort quantities are multiplied by
        one factor. Each account's balances are multiplied by the ratio of its new to its old
        gross notional [numeraire], which keeps its leverage, and each wallet by that ratio of
        its trader. Where the larger position falls into a steeper tier, collateral is then
        raised to the initial margin (`AccountsDraft.topped_up` counts these accounts).

    Raises
    ------
    ScenarioError
        If the books alone exceed a target, they reach it and leave cohorts no room, or no
        cohort holds the market.

    Notes
    -----
    With L, S the long and short notional of the books and l, s that of the cohorts, the factor
    f solves ``max(L + f l, S + f s) = target``: the smaller of ``(target - L) / l`` and
    ``(target - S) / s``.
    """
    if all(market.open_interest is None for market in scenario.markets):
        return list(drafts)
    listing = Listing.from_scenario(scenario)
    factor = _factors(drafts, scenario, listing)
    return [
        draft if draft.is_book else top_up(_scale(draft, factor, listing), listing, tables)
        for draft in drafts
    ]


def _factors(drafts: Sequence[AccountsDraft], scenario: Scenario, listing: Listing) -> FloatArray:
    """Return the factor (M,) of each market; 1 where there is no target."""
    markets = len(scenario.markets)
    books, cohorts = np.zeros((2, markets)), np.zeros((2, markets))  # long, short [quote]
    value = listing.contract_value / listing.asset_price[listing.quote]
    for draft in drafts:
        total = books if draft.is_book else cohorts
        for side, sign in enumerate((1.0, -1.0)):
            size = np.zeros(markets)
            for part in blocks(draft.quantity.size):
                signed = sign * draft.quantity[part]
                add_to(size, draft.position_market[part], np.maximum(signed, 0.0))
            total[side] += size * value
    return np.array(
        [_factor(scenario, m, books[:, m], cohorts[:, m]) for m in range(markets)],
        dtype=np.float64,
    )


def _factor(scenario: Scenario, market: int, books: FloatArray, cohorts: FloatArray) -> float:
    """Return the factor of one market, given (long, short) notionals [quote]."""
    target = scenario.markets[market].open_interest
    if target is None:
        return 1.0
    fixed = float(books.max())
    if fixed > target * (1.0 + _EXACT):
        raise _refusal(
            scenario, market, f"{target:g}, while the books alone hold {fixed:g}",
            f"at least what the books hold, {fixed:g}, or no target",
        )  # fmt: skip
    held = cohorts > 0.0
    if not held.any():
        if fixed >= target * (1.0 - _EXACT):
            return 1.0
        raise _refusal(
            scenario, market, f"{target:g}, while no cohort holds a position that could be scaled",
            "a target on a market in the portfolio of a cohort that starts with positions",
        )  # fmt: skip
    factor = float(((target - books[held]) / cohorts[held]).min())
    if factor <= 0.0:
        raise _refusal(
            scenario, market, f"{target:g}, which the books alone reach: no room for the cohorts",
            f"more than what the books hold, {fixed:g}, or no target",
        )  # fmt: skip
    return factor


def _refusal(scenario: Scenario, market: int, found: str, allowed: str) -> ScenarioError:
    """Return the error that a market's target cannot be met."""
    path = ("markets", market, "open_interest")
    line, column = scenario.source.place(path)
    text = f"{found} ({scenario.markets[market].id})"
    return ScenarioError(
        Problem(
            scenario.source.file_of(path), line, column, ".".join(map(str, path)), text, allowed
        )
    )


def _scale(draft: AccountsDraft, factor: FloatArray, listing: Listing) -> AccountsDraft:
    """Return a cohort with scaled quantities, balances and wallets."""
    quantity = np.empty_like(draft.quantity)
    old, new = np.empty((2, draft.accounts))
    for part in blocks(draft.accounts):
        bounds = draft.position_start[part.start : part.stop + 1]
        mine = slice(bounds[0], bounds[-1])
        owner = np.repeat(np.arange(bounds.size - 1), np.diff(bounds))
        market = draft.position_market[mine]
        quantity[mine] = draft.quantity[mine] * factor[market]
        value = listing.contract_value[market]
        old[part] = sums(owner, np.abs(draft.quantity[mine]) * value, bounds.size - 1)
        new[part] = sums(owner, np.abs(quantity[mine]) * value, bounds.size - 1)
    wallet = draft.wallet
    if wallet.any():
        of_trader = _ratio(
            sums(draft.trader, new, draft.traders),
            sums(draft.trader, old, draft.traders),
        )
        wallet = wallet * of_trader[:, None]
    balance = draft.balance * _ratio(new, old)[:, None]
    return replace(draft, quantity=quantity, balance=balance, wallet=wallet)


def _ratio(new: FloatArray, old: FloatArray) -> FloatArray:
    """Return new / old, and 1 where there was nothing."""
    return np.divide(new, old, out=np.ones_like(new), where=old > 0.0)
