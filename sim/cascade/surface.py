"""Critical shocks of two assets together, over the directions between the two."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from sim.cascade.direction import Direction
from sim.cascade.static_cascade import StaticCascade
from sim.cascade.tipping import Criterion, critical_shock, static_response

SURFACE_COLUMNS = (
    "asset_a", "asset_b", "angle", "return_a", "return_b", "size", "lower", "upper", "criterion",
    "share_before", "share_after",
)  # fmt: skip
"""Columns of a critical surface, in order."""


def critical_surface(
    cascade: StaticCascade, asset_a: str, asset_b: str, points: int, criterion: Criterion
) -> pd.DataFrame:
    """Return the critical falls of two assets.

    Parameters
    ----------
    cascade : StaticCascade
    asset_a, asset_b : str
        Different assets, or markets ``venue/symbol``.
    points : int
        Directions from a alone to b alone, >= 2.
    criterion : Criterion

    Returns
    -------
    pandas.DataFrame
        A row per angle [rad] from 0 (a alone) to pi/2 (b alone): `asset_a, asset_b, angle`;
        `return_a`, `return_b` [1], the simple returns at the critical size, NaN where nothing tips;
        `size, lower, upper` [1] along ``-(cos, sin)``; `criterion, share_before, share_after`.

    Raises
    ------
    ValueError
        The assets are the same or unknown, or there are fewer than two points.
    """
    if asset_a == asset_b:
        raise ValueError(f"both assets are {asset_a!r}; they must differ")
    if points < 2:
        raise ValueError(f"points is {points}; it must be 2 or more")
    rows = []
    for angle in np.linspace(0.0, 0.5 * math.pi, points).tolist():
        falls = {asset_a: -math.cos(angle), asset_b: -math.sin(angle)}
        falls = {name: 0.0 if abs(value) < 1e-12 else value for name, value in falls.items()}
        direction = Direction(falls, cascade.prices)
        found = critical_shock(static_response(cascade, direction), direction, criterion)
        ends = found.lower, found.upper, found.criterion, found.share_before, found.share_after
        returns = found.returns[asset_a], found.returns[asset_b]
        rows.append((asset_a, asset_b, angle, *returns, found.size, *ends))
    return pd.DataFrame(rows, columns=list(SURFACE_COLUMNS))
