"""Jump diffusion: geometric Brownian motion and Poisson jumps of normal log size.

    r_i(t) = gbm_i(t) + sum over jumps k of i at tick t of (m + delta y_ik)
    jumps at times  at + (e_1 + ... + e_k) / lambda,   e_k ~ Exp(1)

=========  ==========================================================  ======
symbol     meaning                                                     unit
=========  ==========================================================  ======
gbm_i      log-return of the diffusion, see `gbm`                      1
lambda     `intensity`, mean number of jumps                           1/day
m, delta   `jump_mean`, `jump_std` of the log of a jump                1
y_ik       standard normal; with `common`, y_k = L z_k is correlated   1
           across assets as the diffusion is
r_i        exogenous log-return of asset i                             1
=========  ==========================================================  ======

With `common` all assets jump at the same times, otherwise each at its own, with independent
sizes. A jump strikes at the first tick at or after its time. `drift` is that of the diffusion
alone and is not compensated for the jumps: the mean log-return of a year is
``mu - sigma^2 / 2 + 365 lambda m``.

Times and sizes come from the stream with the suffix ``.jumps``, in the order of the jumps:
another intensity moves the same jumps in time, a longer run only adds some.

Reference: Merton, R. C. (1976), "Option Pricing when Underlying Stock Returns are
Discontinuous", Journal of Financial Economics 3, section 2 (there the drift is compensated).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.models.shock.base import DAY, SHOCKS, ReturnEffect, ShockContext
from sim.models.shock.gbm import (
    correlated_normals,
    correlation_matrix,
    correlation_root,
    diffusion,
    moved_assets,
    span,
)

if TYPE_CHECKING:
    from sim.schema.shocks import JumpDiffusion


@SHOCKS.register("jump_diffusion")
def build_jump_diffusion(shock: JumpDiffusion, context: ShockContext) -> ReturnEffect:
    """Build a jump diffusion; see the formula above."""
    assets = moved_assets(shock, context)
    start, stop = span(shock, context)
    rows = max(0, stop - start)
    root = correlation_root(correlation_matrix(shock, assets, context), context)
    values = diffusion(shock, context, assets, root, rows)
    if shock.common:
        _add_common_jumps(values, shock, context, assets, root)
    else:
        _add_own_jumps(values, shock, context, assets)
    return ReturnEffect(
        label="jump diffusion",
        end=context.clock.time(stop),
        first=start + 1,
        assets=assets,
        values=values,
    )


def jump_rows(generator: np.random.Generator, rate: float, seconds: float, rows: int) -> IntArray:
    """Draw the rows at which the jumps of a Poisson process strike.

    Parameters
    ----------
    generator : Generator
        Source of the waiting times.
    rate : float [1/s]
        Mean number of jumps.
    seconds : float [s]
        Length of a row; row r covers the times ``(r, r + 1] * seconds`` from the start.
    rows : int
        Number of rows.

    Returns
    -------
    (J,) int64
        Row of each jump, ascending.
    """
    found: list[IntArray] = []
    size, time, horizon = 256, 0.0, rows * seconds * rate
    while time <= horizon:
        times = time + np.cumsum(generator.exponential(size=size))
        found.append(np.ceil(times[times <= horizon] / (rate * seconds)).astype(np.int64) - 1)
        size, time = min(2 * size, 65_536), float(times[-1])
    return np.clip(np.concatenate(found), 0, rows - 1) if rows else np.zeros(0, np.int64)


def _add_common_jumps(
    values: FloatArray,
    shock: JumpDiffusion,
    context: ShockContext,
    assets: Sequence[int],
    root: FloatArray,
) -> None:
    times, sizes = context.generator(".jumps").spawn(2)
    rows = jump_rows(times, shock.intensity / DAY, context.clock.seconds, len(values))
    normals = correlated_normals(sizes, len(rows), context.asset_count, assets, root)
    np.add.at(values, rows, shock.jump_mean + shock.jump_std * normals)


def _add_own_jumps(
    values: FloatArray, shock: JumpDiffusion, context: ShockContext, assets: Sequence[int]
) -> None:
    of_asset = context.generator(".jumps").spawn(context.asset_count)
    for column, asset in enumerate(assets):
        times, sizes = of_asset[asset].spawn(2)
        rows = jump_rows(times, shock.intensity / DAY, context.clock.seconds, len(values))
        normals = sizes.standard_normal(len(rows))
        np.add.at(values[:, column], rows, shock.jump_mean + shock.jump_std * normals)
