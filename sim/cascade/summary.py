"""The figures of one cascade in one mapping."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sim.cascade.attribution import forced_moves
from sim.cascade.balance import Flows, children
from sim.cascade.clusters import clusters
from sim.cascade.statistics import forced_share_of_moves, tail_fit
from sim.cascade.tables import BROKEN_KINDS


def cascade_statistics(
    flows: Flows,
    liquidations: pd.DataFrame,
    price_causes: pd.DataFrame,
    breaks: pd.DataFrame,
    seconds: float,
) -> dict[str, Any]:
    """Return size, shape, shares and tail of what the tables hold.

    Returns
    -------
    dict
        See ``Cascade.statistics``.
    """
    broken = liquidations[liquidations["kind"].isin(BROKEN_KINDS)]
    sizes = broken.groupby("generation")["account_id"].nunique()
    ticks = pd.concat([frame["tick"] for frame in (breaks, broken) if len(frame)] or [sizes])
    span = float(np.ptp(ticks.to_numpy(dtype=np.float64))) * seconds if len(sizes) else 0.0
    shares = forced_share_of_moves(price_causes)
    figures: dict[str, Any] = {
        "accounts": int(broken["account_id"].nunique()),
        "depth": int(sizes.index.max()) if len(sizes) else 0,
        "breadth": int(sizes.max()) if len(sizes) else 0,
        "duration": span,
        "notional": {str(k): float(v) for k, v in broken.groupby("kind")["notional"].sum().items()},
        "forced_share_of_moves": {str(k): float(v) for k, v in shares["share"].items()},
        "forced_move": _forced_move(price_causes),
    }
    if len(breaks):
        figures |= _of_losses(flows, breaks)
    return figures


def _forced_move(price_causes: pd.DataFrame) -> dict[str, float]:
    moves = forced_moves(price_causes)
    return {str(k): float(v) for k, v in moves.groupby("market")["price_move"].sum().items()}


def _of_losses(flows: Flows, breaks: pd.DataFrame) -> dict[str, Any]:
    """Return what needs a record of losses."""
    table = clusters(flows, breaks)
    whole = float(flows.losses["loss"].sum())
    share = float(flows.forced["loss"].sum()) / whole if whole else float("nan")
    tail = tail_fit(table["breaks"])
    return {
        "breaks": len(breaks),
        "loss": whole,
        "forced_share_of_loss": share,
        "children": float(children(flows).sum()) / len(breaks),
        "clusters": len(table),
        "largest_cluster": int(table["breaks"].max()),
        "tail": tail._asdict(),
    }
