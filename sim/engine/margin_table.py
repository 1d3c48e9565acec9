"""Margin of every account, and the prices at which each position breaks it.

With the other prices held, the excess of an account over its maintenance margin as a function
of the price P of one position of q contracts is

    X(P) = rest + s q c (P - e) - s (rate(N) |q| c P - deduction(N)),     N = |q| c P

(s numeraire value of the quote asset). It is piecewise linear and monotone: the liquidation
price is its root, found tier by tier; the root is valid where it falls into the tier it was
computed for. The bankruptcy price is the root of equity itself. A price that would have to be
zero or negative does not exist (NaN).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray, sums
from sim.core.errors import Problem, ScenarioError
from sim.core.nearest import nearest
from sim.engine.build import build_world
from sim.engine.pricing import value_assets, value_markets
from sim.engine.world import World

if TYPE_CHECKING:
    import pandas as pd

    from sim.schema import Scenario


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
    _set_prices(world, dict(prices or {}))
    rows = np.arange(world.accounts)
    if account is not None:
        rows = rows[[_find_account(world, account)]]
    return _accounts(world, rows), _positions(world, rows)


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


def _accounts(world: World, rows: IntArray) -> pd.DataFrame:
    import pandas as pd

    _, owner, initial = _initial_margin(world, rows)
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
            "gross_notional": world.out.notional[rows],
        }
    )


def _initial_margin(world: World, rows: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Return open slots, their owners, and each one's initial margin [numeraire]."""
    ledger, board = world.ledger, world.board
    slots, owner = ledger.slots(rows)
    held = ledger.quantity[slots] != 0.0
    slots, owner = slots[held], owner[held]
    market = ledger.market[slots].astype(np.int64)
    nominal = np.abs(ledger.quantity[slots]) * board.multiplier[market] * board.mark[market]
    clearer = world.clearer[rows[owner]].astype(np.int64)
    margin = world.tables.initial_margin(clearer, market, nominal)
    return slots, owner, margin * world.quote_price[market]


def _positions(world: World, rows: IntArray) -> pd.DataFrame:
    import pandas as pd

    ledger, board = world.ledger, world.board
    slots, owner, _ = _initial_margin(world, rows)
    market = ledger.market[slots].astype(np.int64)
    quantity, entry = ledger.quantity[slots], ledger.entry_price[slots]
    size, mark = quantity * board.multiplier[market], board.mark[market]
    nominal = np.abs(size) * mark
    clearer = world.clearer[rows[owner]].astype(np.int64)
    required = world.tables.maintenance_margin(clearer, market, nominal)
    worth = world.quote_price[market]
    equity, maintenance = world.out.equity[rows][owner], world.out.maintenance[rows][owner]
    rest = equity / worth - size * mark
    others = maintenance / worth - required
    markets = world.scenario.markets
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
            "liquidation_price": liquidation_price(world, clearer, market, size, rest - others),
            "bankruptcy_price": _positive(-rest / size),
        }
    )


def _positive(price: FloatArray) -> FloatArray:
    return np.where(price > 0.0, price, np.nan)


def liquidation_price(
    world: World, clearer: IntArray, market: IntArray, size: FloatArray, rest: FloatArray
) -> FloatArray:
    """Return the price (N,) [quote/base] at which equity meets maintenance margin.

    Parameters
    ----------
    clearer, market : (N,) int64
    size : (N,) float64 [base], signed
    rest : (N,) float64 [quote]
        Excess of the account without the terms that depend on this price: equity minus
        ``size * mark``, minus the maintenance margin of its other positions.

    Notes
    -----
    In the tier with rate r and deduction d the root is ``(-rest - d) / (size - r |size|)``.
    """
    tables = world.tables
    floor = tables.floor[clearer, market]
    rate = tables.rate[clearer, market]
    deduction = tables.deduction[clearer, market]
    absolute = np.abs(size)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        root = (-rest[:, None] - deduction) / (size[:, None] - rate * absolute)
        nominal = absolute * root
    ceiling = np.concatenate([floor[:, 1:], np.full((len(floor), 1), np.inf)], axis=1)
    # A root on the border of two tiers belongs to both; rounding must not lose it.
    slack = 1e-9 * np.where(np.isfinite(ceiling), ceiling, 0.0)
    valid = (root > 0.0) & (nominal >= floor * (1.0 - 1e-9)) & (nominal <= ceiling + slack)
    valid &= np.isfinite(floor)
    first = np.argmax(valid, axis=1)
    chosen = root[np.arange(len(root)), first]
    return np.where(valid.any(axis=1), chosen, np.nan)
