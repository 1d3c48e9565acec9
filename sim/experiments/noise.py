"""How much of what differs between cells is luck."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.core.arrays import FloatArray

TOLERATED = 0.05
"""Share of noise in the variance between cells that is not worth a warning."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Luck in the means of cells.

    Attributes
    ----------
    replications : int
        R, runs of each cell.
    share : float [1]
        Variance of a cell's mean by luck alone over the variance between the means of cells; NaN
        where it cannot be told, from one replication or one cell.
    needed : int or None
        Replications that would bring the share down to `TOLERATED`; None where no number can be
        told.
    """

    replications: int
    share: float
    needed: int | None


def noise_of(values: FloatArray, *, common: bool) -> Noise:
    """Return how much luck there is in the means of cells.

    Parameters
    ----------
    values : (C, R) float64
        Value of the metric by cell and replication, finite.
    common : bool
        Whether all cells share the seeds of their replications. What a seed does to all cells
        alike is no luck between them then.

    Raises
    ------
    ValueError
        If a value is not finite or there are none.

    Notes
    -----
    Variance within cells ``s2 = sum_cr (y_cr - m_c)**2 / (C (R - 1))``; with common seeds the
    residual of both ways, ``sum_cr (y_cr - m_c - m_r + m)**2 / ((C - 1) (R - 1))`` [1]_. With V
    the variance of the C means, ``share = s2 / (R V)``. Of V, ``V - s2 / R`` is there without
    luck, so that ``s2 (1 - t) / (t (V - s2 / R))`` replications leave the share t.

    References
    ----------
    .. [1] H. Scheffe, The Analysis of Variance, Wiley 1959, section 4.2.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(
            f"finite values by cell and replication are needed, found shape {values.shape} with "
            f"{int((~np.isfinite(values)).sum())} not finite"
        )
    cells, replications = values.shape
    if replications < 2 or cells < 2:
        return Noise(replications, math.nan, None)
    means = values.mean(axis=1)
    residual = values - means[:, None]
    freedom = cells * (replications - 1)
    if common:
        residual = residual - residual.mean(axis=0)
        freedom = (cells - 1) * (replications - 1)
    luck = float((residual**2).sum()) / freedom
    between = float(means.var(ddof=1))
    if between <= 0.0:
        return Noise(replications, 1.0 if luck > 0 else 0.0, None)
    share = luck / replications / between
    left = between - luck / replications
    needed = None
    if left > 0:
        needed = max(replications, math.ceil(luck * (1 - TOLERATED) / (TOLERATED * left) - 1e-9))
    return Noise(replications, share, needed if share > TOLERATED else replications)
