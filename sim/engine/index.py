"""Index prices: what an asset trades at over all venues that are up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sim.models.mark import index_price

if TYPE_CHECKING:
    from sim.engine.world import World


def index_rule(mark: Any) -> tuple[Literal["mean", "median"], dict[str, float]]:
    """Return method and venue weights of a venue's index: those of its mark, else a plain mean."""
    parts = mark.of if mark.kind == "median_of" else [mark]
    for part in parts:
        if part.kind == "index":
            return part.method, dict(part.weights)
    return "mean", {}


def index_prices(world: World) -> None:
    """Refresh every market's index: the venue's own rule over all markets of its base asset.

    Prices elsewhere are converted through the value of their quote assets. A venue without a
    weight counts once unless the rule gives weights; if no venue with weight is up, the index
    stays as it was.
    """
    board = world.board
    worth = world.quote_price
    names = world.venue_names
    up = board.up[board.venue]
    known: dict[tuple[int, str, tuple[tuple[str, float], ...]], float] = {}
    for v, venue in enumerate(world.scenario.venues.values()):
        method, given = index_rule(venue.mark)
        for m in np.flatnonzero(board.venue == v):
            key = (int(board.base[m]), method, tuple(sorted(given.items())))
            if key not in known:
                group = np.flatnonzero(board.base == board.base[m])
                weight = np.array(
                    [given.get(names[board.venue[k]], 0.0 if given else 1.0) for k in group]
                )
                usable = up[group] & (weight > 0.0)
                if not usable.any():
                    continue
                value = board.last[group] * worth[group]
                known[key] = index_price(value, weight, method, usable)
            board.index[m] = known[key] / worth[m]
