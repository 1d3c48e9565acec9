"""The state of a world as tables: who holds what, how near its margin, at which prices.

`state_of` writes a world down without touching it; `state` builds that of a scenario before its
first tick. `sim.cascade.State` reads the tables. Their columns are named in
`sim.cascade.state_tables`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.cascade import State
from sim.cascade.state_tables import TABLES
from sim.core.arrays import FloatArray, IntArray
from sim.engine.build import build_world
from sim.engine.model import LiquidationModel
from sim.engine.pricing import value_markets
from sim.kernels.margin import MarginOutputs, account_margin

if TYPE_CHECKING:
    import pandas as pd

    from sim.agents import TraderPlan
    from sim.engine.world import World
    from sim.schema import Scenario


def state(
    scenario: Scenario, *, seed: int | None = None, traders: Sequence[TraderPlan] = ()
) -> State:
    """Return the state of a scenario before its first tick, without running it.

    Parameters
    ----------
    scenario : Scenario
        From `sim.load`; its books and cohorts are the accounts.
    seed : int, optional
        Root seed of the cohorts; the scenario's own by default.
    traders : sequence of TraderPlan
        Hand-written traders, from `Trader.plan`.

    Raises
    ------
    ScenarioError
        The scenario or a book cannot be used.
    """
    world = build_world(scenario, scenario.seed if seed is None else seed, traders)
    model = LiquidationModel(world, traders)
    try:
        model.pricing.refresh()
        return State(state_of(world), scenario)
    finally:
        model.release()


def state_of(world: World) -> dict[str, pd.DataFrame]:
    """Return the state of a world now, a table by each name of `sim.cascade.state_tables`.

    Equity and maintenance margin are what the margin kernel gives for the present marks. Nothing
    of the world changes, not even which accounts are due.
    """
    columns = {
        "accounts": _accounts(world),
        "positions": _positions(world),
        "balances": _balances(world),
        "markets": _markets(world),
        "assets": _assets(world),
        "margin": _margin(world),
        "collateral": _collateral(world),
    }
    return {name: _frame(world.tick, TABLES[name], columns[name]) for name in TABLES}


def _accounts(world: World) -> list[NDArray[Any]]:
    rows = np.arange(world.accounts)
    out = MarginOutputs.empty(world.accounts)
    account_margin(world.margin_inputs(), rows, world.required, out)
    excess = out.equity - world.required * out.maintenance
    return [
        _texts(world.account_id(row) for row in rows.tolist()),
        _texts(world.trader_id(row) for row in rows.tolist()),
        _texts(roster.name for roster in world.rosters)[world.cohort[rows]],
        _texts(world.venue_names)[world.clearer[rows]],
        out.equity,
        out.maintenance,
        world.required.copy(),
        excess,
        out.notional,
    ]


def _positions(world: World) -> list[NDArray[Any]]:
    ledger, board = world.ledger, world.board
    slots = np.arange(int(ledger.position_start[world.accounts]))
    slots = slots[ledger.quantity[slots] != 0.0]
    market, quantity = ledger.market[slots], ledger.quantity[slots]
    unit = board.multiplier * board.mark * world.quote_price
    names = _texts(world.account_id(row) for row in ledger.position_row[slots].tolist())
    entry = ledger.entry_price[slots]
    return [names, _texts(board.ids)[market], quantity, entry, quantity * unit[market]]


def _balances(world: World) -> list[NDArray[Any]]:
    money = world.ledger.balance[: world.accounts]
    row, column = np.nonzero(money)
    assets = _texts(world.scenario.assets)[world.columns]
    names = _texts(world.account_id(one) for one in row.tolist())
    return [names, assets[column], money[row, column]]


def _markets(world: World) -> list[NDArray[Any]]:
    board, markets = world.board, world.scenario.markets
    valuing = np.zeros(len(markets), dtype=bool)
    for _, group in value_markets(world):
        valuing[group] = True
    half_lives = [
        np.inf if impact.resilience_half_life is None else impact.resilience_half_life
        for impact in board.impact
    ]
    return [
        np.full(len(markets), world.clock.time(world.tick)),
        _texts(board.ids),
        *(_texts(str(getattr(m, name)) for m in markets) for name in ("venue", "symbol")),
        *(_texts(str(getattr(m, name)) for m in markets) for name in ("base", "quote", "kind")),
        board.last.copy(),
        board.anchor.copy(),
        board.mark.copy(),
        board.index.copy(),
        world.quote_price,
        board.multiplier.copy(),
        board.liquidity.copy(),
        board.tradable.copy(),
        board.live.copy(),
        valuing,
        board.opening_value.copy(),
        board.depths(),
        _impact_slopes(world),
        np.array([impact.permanent_share for impact in board.impact]),
        np.array(half_lives),
    ]


def _impact_slopes(world: World) -> FloatArray:
    """Return the slope (M,) of log price per notional sold [1/quote], of an infinitesimal order.

    Infinite for a concave law at rest, NaN where no order fills.
    """
    board = world.board
    found = np.full(len(board.ids), np.nan)
    for m in np.flatnonzero(board.fillable & (board.liquidity > 0.0)).tolist():
        price = board.last.item(m)
        slope = board.impact[m].slope(price, board.anchor.item(m), board.liquidity.item(m))
        found[m] = slope / (price * price * board.multiplier[m])
    return found


def _assets(world: World) -> list[NDArray[Any]]:
    order = np.array(world.board.quotes_first, dtype=np.int64)
    rest = np.setdiff1d(np.arange(len(world.asset_price)), order)
    every: IntArray = np.concatenate([rest, order])
    opening = [asset.price for asset in world.scenario.assets.values()]
    return [
        _texts(world.scenario.assets)[every],
        world.asset_price[every],
        np.array(opening, dtype=np.float64)[every],
        world.free_price[every],
    ]


def _margin(world: World) -> list[NDArray[Any]]:
    tables = world.tables
    v, m, t = np.nonzero(np.isfinite(tables.floor) & ~np.isnan(tables.rate))
    return [
        _texts(world.venue_names)[v],
        _texts(world.board.ids)[m],
        t.astype(np.int64),
        tables.floor[v, m, t],
        tables.rate[v, m, t],
        tables.deduction[v, m, t],
        tables.size_rate[v, m],
        tables.size_root[v, m],
    ]


def _collateral(world: World) -> list[NDArray[Any]]:
    local, shape = world.local, world.keep.shape
    own, scale = np.full(shape, "", dtype=object), np.ones(shape)
    scale[local.own_clearer, local.own_column] = local.own_scale
    own[local.own_clearer, local.own_column] = _texts(world.board.ids)[local.own_market]
    par = np.full(shape, np.nan)
    par[local.par_clearer, local.par_column] = local.par_price
    assets = _texts(world.scenario.assets)[world.columns]
    return [
        np.repeat(_texts(world.venue_names), shape[1]),
        np.tile(assets, shape[0]),
        world.keep.ravel(),
        own.ravel(),
        scale.ravel(),
        par.ravel(),
    ]


def _texts(values: Iterable[str]) -> NDArray[Any]:
    listed = list(values)
    found = np.empty(len(listed), dtype=object)
    found[:] = listed
    return found


def _frame(tick: int, names: tuple[str, ...], columns: list[NDArray[Any]]) -> pd.DataFrame:
    import pandas as pd

    ticks = np.full(len(columns[0]), tick, dtype=np.int64)
    content = dict(zip(names, [ticks, *columns], strict=True))
    return pd.DataFrame(
        {
            name: pd.Series(values, dtype=object) if values.dtype == object else values
            for name, values in content.items()
        }
    )
