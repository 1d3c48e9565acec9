"""Figures of the recorded moves and orders: by generation, by cause, amplification."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.cascade.attribution import forced_moves
from sim.cascade.tables import BROKEN_KINDS, EXOGENOUS_CAUSE, MARKET_KIND, with_market

NO_MOVE = 1e-12
"""[1, log price] The tolerance to which the causes of a market sum to its move."""


def generation_table(liquidations: pd.DataFrame, price_causes: pd.DataFrame) -> pd.DataFrame:
    """Return accounts, notional and moves of each generation; see ``Cascade.generations``."""
    broken = liquidations[liquidations["kind"].isin(BROKEN_KINDS)]
    orders = broken[broken["kind"] == MARKET_KIND]
    moves = forced_moves(price_causes)
    moved = moves[moves["price_move"] != 0.0]
    last = max((int(f["generation"].max()) for f in (broken, moved) if len(f)), default=-1)
    index = pd.RangeIndex(last + 1, name="generation")
    columns = {
        "accounts": broken.groupby("generation")["account_id"].nunique(),
        "liquidated_notional": orders.groupby("generation")["notional"].sum(),
        "price_move": moved.groupby("generation")["price_move"].sum(),
        "markets": moved.groupby("generation")["market"].nunique(),
    }
    table = pd.DataFrame({k: v.reindex(index, fill_value=0) for k, v in columns.items()})
    kinds = dict.fromkeys(("accounts", "markets"), "int64")
    kinds |= dict.fromkeys(("liquidated_notional", "price_move"), "float64")
    return table.astype(kinds).reset_index()


def endogenous_share(liquidations: pd.DataFrame) -> float:
    """Return the share of the forced market notional that generations after 0 sold [1]."""
    sold = liquidations["notional"].to_numpy(dtype=np.float64)
    market = (liquidations["kind"] == MARKET_KIND).to_numpy(dtype=np.bool_)
    later = market & (liquidations["generation"].to_numpy(dtype=np.int64) >= 1)
    total = float(sold[market].sum())
    return float(sold[later].sum()) / total if total > 0.0 else 0.0


def moves_by_cause(price_causes: pd.DataFrame, markets: list[str]) -> pd.DataFrame:
    """Return the moves [1, log price] summed by cause (rows) and market (columns)."""
    causes = with_market(price_causes)
    causes = causes[causes["market"].isin(markets)]
    table = causes.groupby(["cause", "market"])["price_move"].sum().unstack(fill_value=0)
    table = table.reindex(columns=pd.Index(markets, name="market"), fill_value=0.0)
    return table.astype(np.float64)


def amplification(moves: pd.DataFrame) -> pd.Series:
    """Return the whole move over the exogenous one by market, from ``moves_by_cause``."""
    exogenous = moves.loc[moves.index == EXOGENOUS_CAUSE].sum()
    ratio = moves.sum() / exogenous.where(exogenous.abs() > NO_MOVE)
    return ratio.rename("amplification")


def tick_seconds(*frames: pd.DataFrame) -> float:
    """Return the length of a tick [s], from any frame with `tick` above 0 and `time`.

    Returns 1 where no frame has such a row, so that a run of one tick has its times at 0.
    """
    for frame in frames:
        if "time" in frame.columns and len(frame):
            at = int(frame["tick"].argmax())
            tick = int(frame["tick"].iloc[at])
            if tick > 0:
                return float(frame["time"].iloc[at]) / tick
    return 1.0
