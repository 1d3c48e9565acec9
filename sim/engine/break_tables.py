"""The tables of breaks: who broke, what it held, what flowed, and what moved the values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.engine.break_flows import CAUSES
from sim.engine.breaks import BREAK, EXPOSURE, FLOW, MOVE
from sim.engine.growing import GrowingArray
from sim.engine.passing import KEY, NO_CAUSE

if TYPE_CHECKING:
    import pandas as pd

    from sim.engine.world import World

Column = NDArray[Any]


def break_tables(world: World) -> dict[str, pd.DataFrame]:
    """Return the tables `breaks`, `break_exposures`, `break_flows` and `value_moves`.

    They have no rows where nobody broke or breaks are not recorded. The records are forgotten, and
    the names of accounts taken from the table of liquidations, which has been made before.
    """
    return {
        "breaks": _breaks(world),
        "break_exposures": _exposures(world),
        "break_flows": _flows(world),
        "value_moves": _moves(world),
    }


def _taken(world: World, name: str, kind: np.dtype[Any]) -> Column:
    """Return some records and forget them."""
    if world.breaks is None:
        return np.empty(0, kind)
    found: Column = getattr(world.breaks, name).values
    setattr(world.breaks, name, GrowingArray((), kind, 1))
    return found


def _breaks(world: World) -> pd.DataFrame:
    found = _taken(world, "breaks", BREAK)
    row = found["row"]
    rows, inverse = np.unique(row, return_inverse=True)
    ids, owners = world.events.names_of(world, rows)
    coming = np.zeros((2, len(found)))
    for number, both in ({} if world.breaks is None else world.breaks.in_transit).items():
        coming[:, number] = both
    tick = found["tick"].astype(np.int64)
    return _frame({
        "break_id": np.arange(len(found)),
        "tick": tick,
        "time": tick * world.clock.seconds,
        "generation": found["generation"].astype(np.int64),
        "clearer": _named(world.clearer[row], world.venue_names),
        "account_id": ids[inverse],
        "trader_id": owners[inverse],
        "cohort": _named(world.cohort[row], [roster.name for roster in world.rosters]),
        "equity": found["equity"],
        "maintenance_margin": found["maintenance"],
        "loss": found["loss"],
        "in_transit": coming[0],
        "transfer_delay": coming[1],
        "first_window": found["first"].astype(np.int64),
        "window": found["window"].astype(np.int64),
    })  # fmt: skip


def _exposures(world: World) -> pd.DataFrame:
    found = _taken(world, "exposures", EXPOSURE)
    return _frame({
        "break_id": found["number"].astype(np.int64),
        "through": _named(found["through"], _places(world)),
        "value": _named(found["value"], _values(world)),
        "exposure": found["exposure"],
    })  # fmt: skip


def _flows(world: World) -> pd.DataFrame:
    found = _taken(world, "flows", FLOW)
    return _frame({
        "break_id": found["number"].astype(np.int64),
        "through": _named(found["through"], _places(world)),
        "cause": _named(found["cause"], CAUSES),
        "loss": found["loss"],
    })  # fmt: skip


def _moves(world: World) -> pd.DataFrame:
    found = _taken(world, "moves", MOVE)
    keys = np.empty(0, KEY) if world.breaks is None else world.breaks.passing.keys.values
    key = keys[found["key"]]
    markets = world.scenario.markets
    names = sorted({*world.board.causes.names, *NO_CAUSE.values()})
    listed = [*world.board.causes.names, *(NO_CAUSE[k] for k in sorted(NO_CAUSE))]
    codes = np.array([names.index(name) for name in listed])
    return _frame({
        "window": found["window"].astype(np.int64),
        "tick": key["tick"].astype(np.int64),
        "value": _named(found["value"], _values(world)),
        "venue": _named(key["market"], [m.venue for m in markets]),
        "symbol": _named(key["market"], [m.symbol for m in markets]),
        "cause": _named(codes[key["cause"]], names),
        "generation": key["generation"].astype(np.int64),
        "move": found["move"],
    })  # fmt: skip


def _places(world: World) -> list[str]:
    """Return what a loss may go through, by its code; that of money is -1."""
    return [*world.board.ids, *(f"collateral:{name}" for name in world.scenario.assets)]


def _values(world: World) -> list[str]:
    """Return the names of the values of `sim.engine.passing`."""
    local, ids = world.local, world.board.ids
    assets = [f"asset:{name}" for name in world.scenario.assets]
    return [*ids, *assets, *(f"book:{ids[m]}" for m in local.own_market.tolist())]


def _named(codes: Column, names: Any) -> Any:
    """Return texts (N,) as codes of the distinct names; code -1 is the empty text."""
    import pandas as pd

    listed, seen = [*names, ""], np.unique(codes)
    distinct = pd.Index(sorted({listed[k] for k in seen.tolist()}), dtype=object)
    code = distinct.get_indexer(pd.Index(listed, dtype=object)).astype(np.int16)
    return pd.Categorical.from_codes(code[codes], distinct)


def _frame(columns: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    # Named so, texts stay what they are in every version of pandas.
    return pd.DataFrame({
        name: pd.Series(values, dtype=object) if values.dtype == object else values
        for name, values in columns.items()
    })  # fmt: skip
