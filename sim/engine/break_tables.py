"""The tables of breaks: who broke, what it held, what flowed, and what moved the values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.engine.break_flows import CAUSES
from sim.engine.breaks import BREAK, EXPOSURE, FLOW, MOVE, Breaks

if TYPE_CHECKING:
    import pandas as pd

    from sim.engine.world import World

Column = NDArray[Any]


def break_tables(world: World) -> dict[str, pd.DataFrame]:
    """Return the tables `breaks`, `break_exposures`, `break_flows` and `value_moves`.

    They have no rows where nobody broke or breaks are not recorded.
    """
    book: Breaks | None = world.breaks
    return {
        "breaks": _breaks(world, book),
        "break_exposures": _exposures(world, book),
        "break_flows": _flows(world, book),
        "value_moves": _moves(world, book),
    }


def _breaks(world: World, book: Breaks | None) -> pd.DataFrame:
    found = np.empty(0, BREAK) if book is None else book.breaks.values
    row = found["row"]
    rows, inverse = np.unique(row, return_inverse=True)
    ids = _texts([world.account_id(one) for one in rows.tolist()] or [""])
    owners = _texts([world.trader_id(one) for one in rows.tolist()] or [""])
    coming = np.zeros((2, len(found)))
    for number, both in ({} if book is None else book.in_transit).items():
        coming[:, number] = both
    tick = found["tick"].astype(np.int64)
    cohorts = _texts([roster.name for roster in world.rosters] or [""])
    return _frame({
        "break_id": np.arange(len(found)),
        "tick": tick,
        "time": tick * world.clock.seconds,
        "generation": found["generation"].astype(np.int64),
        "clearer": _texts([*world.venue_names, ""])[world.clearer[row]],
        "account_id": ids[inverse],
        "trader_id": owners[inverse],
        "cohort": cohorts[world.cohort[row]],
        "equity": found["equity"],
        "maintenance_margin": found["maintenance"],
        "loss": found["loss"],
        "in_transit": coming[0],
        "transfer_delay": coming[1],
        "first_window": found["first"].astype(np.int64),
        "window": found["window"].astype(np.int64),
    })  # fmt: skip


def _exposures(world: World, book: Breaks | None) -> pd.DataFrame:
    found = np.empty(0, EXPOSURE) if book is None else book.exposures.values
    return _frame({
        "break_id": found["number"].astype(np.int64),
        "through": _places(world)[found["through"]],
        "value": _values(world)[found["value"]],
        "exposure": found["exposure"],
    })  # fmt: skip


def _flows(world: World, book: Breaks | None) -> pd.DataFrame:
    found = np.empty(0, FLOW) if book is None else book.flows.values
    return _frame({
        "break_id": found["number"].astype(np.int64),
        "through": _places(world)[found["through"]],
        "cause": _texts(CAUSES)[found["cause"]],
        "loss": found["loss"],
    })  # fmt: skip


def _moves(world: World, book: Breaks | None) -> pd.DataFrame:
    found = np.empty(0, MOVE) if book is None else book.moves.values
    keys = [] if book is None else book.keys
    market, cause, generation, tick = zip(*keys, strict=True) if keys else ((-1,), ("",), (-1,), (-1,))
    markets, key = world.scenario.markets, found["key"]
    source = np.array(market)
    return _frame({
        "window": found["window"].astype(np.int64),
        "tick": np.array(tick, dtype=np.int64)[key],
        "value": _values(world)[found["value"]],
        "venue": _texts([*(m.venue for m in markets), ""])[source][key],
        "symbol": _texts([*(m.symbol for m in markets), ""])[source][key],
        "cause": _texts(cause)[key],
        "generation": np.array(generation, dtype=np.int64)[key],
        "move": found["move"],
    })  # fmt: skip


def _places(world: World) -> Column:
    """Return what a loss may go through, by its code; that of money is -1."""
    assets = [f"collateral:{name}" for name in world.scenario.assets]
    return _texts([*world.board.ids, *assets, ""])


def _values(world: World) -> Column:
    """Return the names of the values of `sim.engine.passing`."""
    local, ids = world.local, world.board.ids
    assets = [f"asset:{name}" for name in world.scenario.assets]
    own = [f"book:{ids[m]}" for m in local.own_market.tolist()]
    return _texts([*ids, *assets, *own, ""])


def _texts(texts: Any) -> Column:
    found = np.empty(len(texts), dtype=object)
    found[:] = texts
    return found


def _frame(columns: dict[str, Column]) -> pd.DataFrame:
    import pandas as pd

    # Named so, texts stay what they are in every version of pandas.
    return pd.DataFrame({
        name: pd.Series(values, dtype=object) if values.dtype == object else values
        for name, values in columns.items()
    })  # fmt: skip
