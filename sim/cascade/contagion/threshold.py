r"""Cascades of defaults: a node passes losses on only when its equity is gone.

.. math:: h_i = \min\Big(1, s_i + \frac{1}{E_i} \sum_{j : h_j = 1} \lambda_j A_{ij}\Big)

with :math:`s_i` the shock [share of equity] and :math:`\lambda_j` the loss given default of j.
"""

from __future__ import annotations

import numpy as np

from sim.cascade.contagion.arguments import (
    Matrix,
    Vector,
    impact_matrix,
    network,
    node_weights,
    per_node,
    times,
)
from sim.cascade.contagion.fixed_point import TOLERANCE
from sim.cascade.contagion.results import StressResult


def threshold_cascade(
    exposures: Matrix,
    equity: Vector,
    shock: Vector,
    lgd: Vector = 1.0,
    weights: Vector | None = None,
) -> StressResult:
    """Return the stress of each node when only defaults pass on.

    Parameters
    ----------
    exposures : (N, N) array, sparse array, DataFrame, DiGraph or Network [numeraire]
        Entry (i, j), or edge i -> j, is what i loses if j is worth nothing, >= 0; diagonal 0.
    equity : (N,) vector [numeraire], >= 0
        0 is allowed where a node has no exposures.
    shock : (N,) vector [share of equity], in [0, 1]
        Nodes that a mapping leaves out lose nothing.
    lgd : float or (N,) vector, in [0, 1]
        Loss given default: share of a claim on the defaulted node that is lost.
    weights : (N,) vector or None
        Weights of the totals; the default is equity.

    Returns
    -------
    StressResult
        `rounds` counts the rounds in which somebody defaulted after the shock.

    Raises
    ------
    ValueError
        If an argument is not finite, out of range, of the wrong shape, or has unknown names, or a
        node has exposures and no equity.

    References
    ----------
    Furfine (2003), "Interbank exposures: quantifying the risk of contagion", Journal of Money,
    Credit and Banking 35(1), 111-128.
    """
    claims = network(exposures, "exposures")
    capital = per_node(equity, claims.labels, "equity")
    first = per_node(shock, claims.labels, "shock", high=1.0, missing=0.0)
    lost = per_node(lgd, claims.labels, "lgd", high=1.0)
    shares = node_weights(weights, capital, claims.labels)
    impact = impact_matrix(claims, capital)
    defaulted, rounds = first >= 1.0 - TOLERANCE, 0
    while True:
        stress = np.minimum(1.0, first + times(impact, np.where(defaulted, lost, 0.0)))
        after = stress >= 1.0 - TOLERANCE
        if (after == defaulted).all():
            return StressResult(claims.labels, "threshold", capital, shares, first, stress, rounds)
        defaulted, rounds = after, rounds + 1
