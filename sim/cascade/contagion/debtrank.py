r"""DebtRank: stress that passes on before anybody defaults.

With :math:`\Lambda_{ij} = A_{ij} / E_i`, the loss of i per unit of stress of j, and :math:`h(0)`
the shock:

================ ==================================================================================
``linear``       :math:`h(t+1) = \min(1, h(t) + \Lambda (h(t) - h(t-1)))`: every new loss passes on
``single_hit``   :math:`h_i(t+1) = \min(1, h_i(t) + \sum_{j \in D(t)} \min(1, \Lambda_{ij}) h_j(t))`
                 with D(t) the nodes first stressed in round t: each passes its stress on once
================ ==================================================================================
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from sim.cascade.contagion.arguments import (
    Matrix,
    Sparse,
    Vector,
    impact_matrix,
    network,
    node_weights,
    per_node,
    times,
)
from sim.cascade.contagion.fixed_point import least
from sim.cascade.contagion.results import StressResult
from sim.core.arrays import FloatArray

Kind = Literal["linear", "single_hit"]

_ROUNDS = 1_000  # rounds after which the limit of the linear variant is solved for


def debtrank(
    exposures: Matrix,
    equity: Vector,
    shock: Vector,
    kind: Kind = "linear",
    weights: Vector | None = None,
    rounds: int | None = None,
) -> StressResult:
    """Return the stress of each node after a shock.

    Parameters
    ----------
    exposures : (N, N) array, sparse array, DataFrame, DiGraph or Network [numeraire]
        Entry (i, j), or edge i -> j, is what i loses if j is worth nothing, >= 0. An entry of a
        node towards itself amplifies its own stress.
    equity : (N,) vector [numeraire], >= 0
        Capital that losses eat; 0 is allowed where a node has no exposures.
    shock : (N,) vector [share of equity], in [0, 1]
        What each node loses at first; nodes that a mapping leaves out lose nothing.
    kind : {"linear", "single_hit"}
    weights : (N,) vector or None
        Weights of the totals, scaled to sum to 1. The default is equity, so that totals are
        shares of the equity of the whole system. The first DebtRank weighted by assets.
    rounds : int or None
        Stop after so many rounds; None goes on to the end.

    Returns
    -------
    StressResult
        `additional_stress` is the DebtRank of the shock.

    Raises
    ------
    ValueError
        If an argument is not finite, out of range, of the wrong shape, or has unknown names, or a
        node has exposures and no equity.

    Notes
    -----
    The linear variant goes on until no figure changes any more; where that has not come about
    after 1,000 rounds, its limit, the least solution of ``h = min(1, shock + Lambda h)``, is
    solved for. A node that is hit twice passes on only the first hit in the single-hit variant, so
    that a larger shock can do less harm there.

    References
    ----------
    Bardoscia, Battiston, Caccioli and Caldarelli (2015), "DebtRank: a microscopic foundation for
    shock propagation", PLoS ONE 10(6), e0130406 (linear). Battiston, Puliga, Kaushik, Tasca and
    Caldarelli (2012), "DebtRank: too central to fail?", Scientific Reports 2, 541 (single hit).
    """
    _check_kind(kind)
    if rounds is not None and rounds < 0:
        raise ValueError(f"rounds is {rounds}; allowed: >= 0, or None for all")
    claims = network(exposures, "exposures", loops=True)
    capital = per_node(equity, claims.labels, "equity")
    first = per_node(shock, claims.labels, "shock", high=1.0, missing=0.0)
    shares = node_weights(weights, capital, claims.labels)
    impact = impact_matrix(claims, capital)
    stress, done = _spread(impact, first, kind, rounds)
    return StressResult(claims.labels, kind, capital, shares, first, stress, done)


def debtrank_of_each(
    exposures: Matrix, equity: Vector, kind: Kind = "linear", weights: Vector | None = None
) -> pd.Series:
    """Return the stress that the default of each node alone adds to the others.

    Parameters
    ----------
    exposures, equity, kind, weights
        As in `debtrank`.

    Returns
    -------
    pandas.Series
        Index of the nodes; `additional_stress` [1] of a shock of 1 to that node.

    Raises
    ------
    ValueError
        As `debtrank`.
    """
    _check_kind(kind)
    claims = network(exposures, "exposures", loops=True)
    capital = per_node(equity, claims.labels, "equity")
    shares = node_weights(weights, capital, claims.labels)
    impact = impact_matrix(claims, capital)
    added = np.zeros(len(claims))
    for node in range(len(claims)):
        shock = np.zeros(len(claims))
        shock[node] = 1.0
        added[node] = shares @ (_spread(impact, shock, kind, None)[0] - shock)
    return pd.Series(added, index=claims.labels.rename("node"), name="debtrank")


def _check_kind(kind: str) -> None:
    if kind not in ("linear", "single_hit"):
        raise ValueError(f"kind is {kind!r}; allowed: linear, single_hit")


def _spread(
    impact: Sparse, shock: FloatArray, kind: Kind, rounds: int | None
) -> tuple[FloatArray, int]:
    """Return the stress in the end and the rounds it took."""
    if kind == "linear":
        return _linear(impact, shock, rounds)
    capped = impact.copy()
    capped.data = np.minimum(capped.data, 1.0)
    return _single_hit(capped, shock, rounds)


def _linear(impact: Sparse, shock: FloatArray, rounds: int | None) -> tuple[FloatArray, int]:
    stress, step, done = shock.copy(), shock, 0
    while rounds is None or done < rounds:
        step = np.minimum(times(impact, step), 1.0 - stress)
        after = stress + step
        if (after == stress).all():
            break
        stress, done = after, done + 1
        if rounds is None and done == _ROUNDS:
            return least(impact, shock, np.ones(len(shock))), done
    return stress, done


def _single_hit(impact: Sparse, shock: FloatArray, rounds: int | None) -> tuple[FloatArray, int]:
    stress, done = shock.copy(), 0
    fresh, touched = shock > 0.0, shock > 0.0
    while fresh.any() and (rounds is None or done < rounds):
        passed = times(impact, np.where(fresh, stress, 0.0))
        if not passed.any():
            break
        stress = np.minimum(1.0, stress + passed)
        fresh = (stress > 0.0) & ~touched
        touched = touched | fresh
        done += 1
    return stress, done
