"""Geometric Brownian motion of one or more assets.

    r_i(t) = (mu - sigma_i^2 / 2) dt + sigma_i sqrt(dt) x_i(t)    for  s < t <= e
    x(t) = L z(t),  L L^T = C,  z(t) ~ N(0, I)

=========  =============================================================  ============
symbol     meaning                                                        unit
=========  =============================================================  ============
mu         `drift` of the price: E[P(t)] = P(0) exp(mu t)                 1/year
sigma_i    `volatility`, or the asset's own                               1/sqrt(year)
C          correlation matrix of the assets                               1
dt         tick, as a share of a year of 365 days                         year
s, e       first tick at or after `at`; at or after `until`, or the last  tick
r_i        exogenous log-return of asset i                                1
=========  =============================================================  ============

z has one column for each asset of the scenario, in its order, whether the shock moves the
asset or not, and one row per tick: neither a longer run nor another choice of assets changes
the numbers an asset draws. C may be singular. Its factor L is the lower triangle found by
Cholesky's recursion with the column of a vanishing pivot set to zero (Higham 1990), which is
continuous as a correlation tends to 1, as factors made of eigenvectors are not.

References: Black, F. and Scholes, M. (1973), "The Pricing of Options and Corporate
Liabilities", Journal of Political Economy 81(3), section 2; Higham, N. J. (1990), "Analysis
of the Cholesky Decomposition of a Semi-definite Matrix", in: Reliable Numerical Computation,
Oxford University Press.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray
from sim.models.shock.base import SHOCKS, YEAR, ReturnEffect, ShockContext

if TYPE_CHECKING:
    from sim.schema.shocks import Gbm, JumpDiffusion

CHUNK = 65_536
"""Rows drawn at a time; bounds the memory and changes no number."""

SINGULAR = 1e-12
"""Pivot [1] of a correlation matrix below which its column is taken to vanish."""

INDEFINITE = -1e-9
"""Smallest eigenvalue [1] below which a correlation matrix is refused."""


@SHOCKS.register("gbm")
def build_gbm(shock: Gbm, context: ShockContext) -> ReturnEffect:
    """Build a geometric Brownian motion; see the formula above."""
    assets = moved_assets(shock, context)
    start, stop = span(shock, context)
    root = correlation_root(correlation_matrix(shock, assets, context), context)
    return ReturnEffect(
        label="diffusion",
        end=context.clock.time(stop),
        first=start + 1,
        assets=assets,
        values=diffusion(shock, context, assets, root, max(0, stop - start)),
    )


def moved_assets(shock: Gbm | JumpDiffusion, context: ShockContext) -> tuple[int, ...]:
    """Return the numbers of the assets a diffusion moves, ascending."""
    if shock.assets is not None:
        return tuple(sorted(context.asset(name) for name in shock.assets))
    assets = context.scenario.assets.values()
    return tuple(i for i, asset in enumerate(assets) if asset.volatility > 0.0)


def span(shock: Gbm | JumpDiffusion, context: ShockContext) -> tuple[int, int]:
    """Return ticks (s, e): a diffusion moves at ``s < tick <= e``, none of it where e <= s."""
    stop = context.last
    if shock.until is not None:
        stop = min(stop, context.clock.tick_at(shock.until))
    return context.clock.tick_at(shock.at), stop


def correlation_matrix(
    shock: Gbm | JumpDiffusion, assets: Sequence[int], context: ShockContext
) -> FloatArray:
    """Return the correlation matrix (K, K) [1] of the moved assets."""
    place = {asset: k for k, asset in enumerate(assets)}
    if not isinstance(shock.correlation, dict):
        matrix = np.full((len(place), len(place)), float(shock.correlation))
        np.fill_diagonal(matrix, 1.0)
        return matrix
    matrix = np.eye(len(place))
    for pair, value in shock.correlation.items():
        first, second = (context.asset(name.strip()) for name in pair.split(","))
        if first in place and second in place:
            matrix[place[first], place[second]] = matrix[place[second], place[first]] = value
    return matrix


def correlation_root(matrix: FloatArray, context: ShockContext) -> FloatArray:
    """Return the lower triangle L (K, K) with ``L L^T = matrix``.

    Raises
    ------
    ScenarioError
        If the matrix is not positive semi-definite, so that no assets can have these
        correlations.
    """
    size = len(matrix)
    if size and float(np.linalg.eigvalsh(matrix)[0]) < INDEFINITE:
        context.refuse(
            "correlation",
            "correlations that contradict each other",
            "a positive semi-definite matrix (one for all of n pairs: at least -1/(n - 1))",
        )
    root = np.zeros((size, size))
    for k in range(size):
        pivot = matrix[k, k] - math.fsum(root[k, :k] ** 2)
        if pivot <= SINGULAR:
            continue
        root[k, k] = math.sqrt(pivot)
        for i in range(k + 1, size):
            root[i, k] = (matrix[i, k] - math.fsum(root[i, :k] * root[k, :k])) / root[k, k]
    return root


def correlated_normals(
    generator: np.random.Generator, rows: int, width: int, assets: Sequence[int], root: FloatArray
) -> FloatArray:
    """Draw correlated standard normals.

    Parameters
    ----------
    generator : Generator
        Source; gives `width` numbers per row.
    rows, width : int
        Rows to draw, and assets of the scenario.
    assets : sequence of int
        The K assets wanted, as columns of a row.
    root : (K, K) float64 [1]
        Lower triangle of the correlation matrix.

    Returns
    -------
    (rows, K) float64 [1]

    Notes
    -----
    Summed column by column in a fixed order, not by a matrix product, whose order depends on
    the machine and its number of threads.
    """
    result = np.zeros((rows, len(assets)))
    for begin in range(0, rows, CHUNK):
        part = result[begin : begin + CHUNK]
        normals = generator.standard_normal((len(part), width))
        for i in range(len(assets)):
            for k, asset in enumerate(assets):
                if root[i, k] != 0.0:
                    part[:, i] += root[i, k] * normals[:, asset]
    return result


def diffusion(
    shock: Gbm | JumpDiffusion,
    context: ShockContext,
    assets: Sequence[int],
    root: FloatArray,
    rows: int,
) -> FloatArray:
    """Return the log-returns (rows, K) [1] of the diffusion, one row per tick."""
    own = [asset.volatility for asset in context.scenario.assets.values()]
    sigma = np.array([own[i] if shock.volatility is None else shock.volatility for i in assets])
    dt = context.clock.seconds / YEAR
    values = correlated_normals(context.generator(), rows, context.asset_count, assets, root)
    values *= sigma * math.sqrt(dt)
    values += (shock.drift - 0.5 * sigma * sigma) * dt
    return values
