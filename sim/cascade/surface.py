"""How a state answers many shocks: along one direction, and over those between two assets."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from sim.cascade.amplification import amplification
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


def response(
    cascade: StaticCascade,
    accounts: pd.DataFrame,
    direction: Direction,
    sizes: Sequence[float],
    window: float,
) -> pd.DataFrame:
    """Return what shocks of several sizes along a direction do.

    Parameters
    ----------
    cascade : StaticCascade
    accounts : pandas.DataFrame
        Table of that name of the state.
    direction : Direction
    sizes : sequence of float
        Sizes [1], >= 0.
    window : float
        Of the amplification matrix [1], > 0.

    Returns
    -------
    pandas.DataFrame
        A row per size, ascending: `size` [1]; `share` [1] of all notional that the cascade closes
        and `first_share` [1] that the shock itself does; `accounts` that sell; `rounds`, batches;
        `radius` [1] of the amplification matrix where the cascade came to rest.

    Raises
    ------
    ValueError
        A size or the window is out of its range, or there is no size.
    """
    if not len(sizes):
        raise ValueError("there are no sizes; give at least one")
    rows = []
    for size in sorted(set(map(float, sizes))):
        end = cascade.run(direction.move(size))
        radius = amplification(cascade, accounts, direction, window, end).radius
        sold = int(end.broken.sum())
        rows.append((size, end.share, end.first_share, sold, end.rounds, radius))
    columns = ["size", "share", "first_share", "accounts", "rounds", "radius"]
    return pd.DataFrame(rows, columns=columns)
