"""Margin of every account, and the prices at which each position breaks it.

With the other prices held, the excess of an account over its maintenance margin as a function
of the price P of one position of q contracts is

    X(P) = rest + s q c (P - e) - s l margin(|q| c P, |q| c)

(s numeraire value of the quote asset, l the ratio of equity to maintenance margin below which the
clearer liquidates). Margin is piecewise linear in the price, also where it depends on size: the
liquidation price is a root of X, found piece by piece, and valid where margin is on the piece that
it was computed for. Where margin grows faster than notional a long position breaks above some price
as well; the root nearest to the mark counts. The bankruptcy price is the root of equity itself. A
price that would have to be zero or negative does not exist (NaN).

Where collateral is converted in bands there is no one price either. The health of an account with
collateral and a debt D = notional - equity is (equity - margin + D) / D, and in bands that of
`sim.models.lending.bands`, as they are placed at the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray, sums
from sim.core.errors import Problem, ScenarioError
from sim.core.nearest import nearest
from sim.engine.bands import BandsDesk
from sim.engine.build import build_world
from sim.engine.initial_margin import position_margin
from sim.engine.lending import bands_desks
from sim.engine.pricing import value_assets, value_markets
from sim.engine.world import World
from sim.kernels.size import KEPT
from sim.schema.lending import LENDING_KINDS

if TYPE_CHECKING:
    import pandas as pd

    from sim.schema import Scenario

ROUNDING = 1e-12
"""Debt per collateral that is only rounding."""


def margin_table(
    scenario: Scenario,
    prices: Mapping[str, float] | None = None,
    account: str | None = None,
    seed: int | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return margin by account and by position, at the initial or at other prices.

    Parameters
    ----------
    scenario : Scenario
    prices : mapping of market id to price [quote/base], optional
        Mark prices to ask at; markets not named keep their initial price.
    account : str, optional
        Only this account.
    seed : int, optional
        Seed of the cohorts; the scenario's own by default.

    Returns
    -------
    accounts, positions : pandas.DataFrame
        Columns in the notes of `sim.engine.margin_table`; NaN where a price does not exist.

    Raises
    ------
    ScenarioError
        An unknown market or account, or a price that is not above 0.
    """
    world = build_world(scenario, scenario.seed if seed is None else seed)
    desks = bands_desks(world)  # which place their bands at the initial prices
    _set_prices(world, dict(prices or {}))
    rows = np.arange(world.accounts)
    if account is not None:
        rows = rows[[_find_account(world, account)]]
    return _accounts(world, rows, desks), _positions(world, rows)


def _set_prices(world: World, prices: dict[str, float]) -> None:
    board = world.board
    for name, price in prices.items():
        if name not in board.ids:
            raise _refusal("--prices", name, "a market of the scenario", nearest(name, board.ids))
        if not (np.isfinite(price) and price > 0.0):
            raise _refusal("--prices", f"{name}={price}", "a finite price above 0", None)
        m = board.ids.index(name)
        board.last[m] = board.mark[m] = price
    value_assets(world, value_markets(world))
    world.revalue(np.arange(world.accounts))


def _refusal(path: str, found: str, allowed: str, hint: str | None) -> ScenarioError:
    return ScenarioError(Problem("margin", None, None, path, f"'{found}'", allowed, hint))


def _find_account(world: World, account: str) -> int:
    ids = [world.account_id(row) for row in range(world.accounts)]
    if account not in ids:
        hint = nearest(account, ids)
        raise _refusal("--account", account, "an account of the scenario", hint)
    return ids.index(account)


def _accounts(world: World, rows: IntArray, desks: list[BandsDesk]) -> pd.DataFrame:
    import pandas as pd

    interest = world.open_interest() if world.tables.by_open_interest else None
    _, owner, initial = position_margin(world, rows, interest)
    maintenance = world.out.maintenance[rows]
    equity = world.out.equity[rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(maintenance > 0.0, equity / maintenance, np.nan)
    isolated = np.concatenate([roster.isolated for roster in world.rosters])
    return pd.DataFrame(
        {
            "account_id": [world.account_id(int(r)) for r in rows],
            "trader_id": [world.trader_id(int(r)) for r in rows],
            "clearer": [world.venue_names[v] for v in world.clearer[rows]],
            "margin_mode": np.where(isolated[rows], "isolated", "cross").astype(object),
            "equity": equity,
            "initial_margin": sums(owner, initial, len(rows)),
            "maintenance_margin": maintenance,
            "margin_ratio": ratio,
            "liquidation_ratio": world.least_ratio(rows),
            "gross_notional": world.out.notional[rows],
            "health": _health(world, rows, desks),
        }
    )


def _health(world: World, rows: IntArray, desks: list[BandsDesk]) -> FloatArray:
    """Return the health (N,) [1] of accounts that borrow against collateral; NaN for others."""
    slots, owner = world.ledger.slots(rows)
    pledged = world.board.long_only[world.ledger.market[slots]]
    pledged &= world.ledger.quantity[slots] != 0.0
    lent = np.isin([rule.kind for rule in world.rules], LENDING_KINDS)[world.clearer[rows]]
    lent &= sums(owner, pledged, len(rows)) > 0.0
    out = world.out
    debt = out.notional[rows] - out.equity[rows]
    lent &= debt > ROUNDING * out.notional[rows]
    left = out.notional[rows] - out.maintenance[rows]
    health = np.divide(left, debt, out=np.full(len(rows), np.nan), where=lent)
    for desk in desks:
        mine = world.clearer[rows] == desk.venue
        health[mine] = desk.health_of(rows[mine])
    return np.asarray(health)


def _positions(world: World, rows: IntArray) -> pd.DataFrame:
    import pandas as pd

    ledger, board = world.ledger, world.board
    slots, owner, _ = position_margin(world, rows)
    market = ledger.market[slots].astype(np.int64)
    quantity, entry = ledger.quantity[slots], ledger.entry_price[slots]
    size, mark = quantity * board.multiplier[market], board.mark[market]
    nominal = np.abs(size) * mark
    clearer = world.clearer[rows[owner]].astype(np.int64)
    required = world.tables.maintenance_margin(clearer, market, nominal, np.abs(size))
    worth = world.quote_price[market]
    equity, maintenance = world.out.equity[rows][owner], world.out.maintenance[rows][owner]
    rest = equity / worth - size * mark
    others = (maintenance / worth - required) * world.least_ratio(rows[owner])
    markets = world.scenario.markets
    liquidation = liquidation_price(world, clearer, market, size, rest - others)
    in_bands = np.array([rule.kind == "bands" for rule in world.rules])[clearer]
    return pd.DataFrame(
        {
            "account_id": [world.account_id(int(r)) for r in rows[owner]],
            "venue": [markets[m].venue for m in market],
            "symbol": [markets[m].symbol for m in market],
            "quantity": quantity,
            "entry_price": entry,
            "mark_price": mark,
            "notional": nominal,
            "unrealised_profit": size * (mark - entry),
            "maintenance_margin": required,
            "liquidation_price": np.where(in_bands, np.nan, liquidation),
            "bankruptcy_price": _positive(-rest / size),
        }
    )


def _positive(price: FloatArray) -> FloatArray:
    return np.where(price > 0.0, price, np.nan)


def liquidation_price(
    world: World, clearer: IntArray, market: IntArray, size: FloatArray, rest: FloatArray
) -> FloatArray:
    """Return the price (N,) [quote/base] at which the account falls below its clearer's ratio.

    Parameters
    ----------
    clearer, market : (N,) int64
    size : (N,) float64 [base], signed
    rest : (N,) float64 [quote]
        Excess of the account without the terms that depend on this price: equity minus
        ``size * mark``, minus the ratio times the maintenance margin of its other positions.

    Notes
    -----
    On the piece of margin with rate r and deduction d the root is
    ``(-rest - l d) / (size - l r |size|)``.
    """
    rate, deduction = _pieces(world, clearer, market, np.abs(size))
    ratio = world.tables.liquidation_ratio[clearer][:, None]
    absolute = np.abs(size)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        root = (-rest[:, None] - ratio * deduction) / (size[:, None] - ratio * rate * absolute)
        nominal = absolute * root
    positive = np.where(np.isfinite(root) & (root > 0.0), root, np.nan)
    valid = np.isfinite(positive)
    pieces = valid.shape[1]
    there = np.where(valid, nominal, 0.0)
    margin = np.stack(
        [
            world.tables.maintenance_margin(clearer, market, there[:, k], np.abs(size))
            for k in range(pieces)
        ],
        axis=1,
    )
    # A root on the border of two pieces belongs to both; rounding must not lose it.
    with np.errstate(invalid="ignore"):
        valid &= np.abs(rate * nominal - deduction - margin) <= 1e-9 * nominal
    distance = np.where(valid, np.abs(root - world.board.mark[market][:, None]), np.inf)
    nearest_root = np.argmin(distance, axis=1)
    chosen = root[np.arange(len(root)), nearest_root]
    return np.where(valid.any(axis=1), chosen, np.nan)


def _pieces(
    world: World, clearer: IntArray, market: IntArray, size: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return rates (N, P) [1] and deductions [quote] of the pieces of margin along the price.

    A tier of rate r and deduction d has the pieces ``r + a B, d`` and, with a root term,
    ``0.8 r + k sqrt(B) + a B, 0.8 d``; see `sim.kernels.size`.
    """
    tables = world.tables
    rate, deduction = tables.rate[clearer, market], tables.deduction[clearer, market]
    if not tables.by_size:
        return rate, deduction
    added = (tables.size_rate[clearer, market] * size)[:, None]
    root = (tables.size_root[clearer, market] * np.sqrt(size))[:, None]
    laid_on = KEPT * rate + root + added
    return (
        np.concatenate([rate + added, laid_on], axis=1),
        np.concatenate([deduction, KEPT * deduction], axis=1),
    )
