r"""Clearing of mutual obligations, without and with costs of default.

.. math:: \Phi(p)_i = \bar p_i \text{ if } e_i + (\Pi' p)_i \ge \bar p_i,
          \quad \text{else } \alpha e_i + \beta (\Pi' p)_i

with :math:`\bar p_i = \sum_j L_{ij} + b_i` what i owes, :math:`b_i` the part of it owed outside
the network, :math:`\Pi_{ij} = L_{ij} / \bar p_i`, and :math:`e_i` external assets. Money is in one
unit, the numeraire. All creditors rank alike.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from sim.cascade.contagion.arguments import Matrix, Sparse, Vector, network, per_node, share, times
from sim.cascade.contagion.fixed_point import TOLERANCE, greatest, least
from sim.cascade.contagion.results import ClearingResult
from sim.core.arrays import BoolArray, FloatArray


def eisenberg_noe(
    liabilities: Matrix, external_assets: Vector, external_liabilities: Vector = 0.0
) -> ClearingResult:
    """Clear obligations where default costs nothing.

    Parameters
    ----------
    liabilities : (N, N) array, sparse array, DataFrame, DiGraph or Network [numeraire]
        Entry (i, j), or edge i -> j, is what i owes j, >= 0; the diagonal is 0.
    external_assets : (N,) vector [numeraire], >= 0
        What each node has beside what the others owe it.
    external_liabilities : (N,) vector [numeraire], >= 0
        What each node owes outside the network, at the same rank.

    Returns
    -------
    ClearingResult
        The greatest and the least clearing vector; money is conserved in both.

    Raises
    ------
    ValueError
        If an argument is not finite, negative, of the wrong shape or has unknown names.

    References
    ----------
    Eisenberg and Noe (2001), "Systemic risk in financial systems", Management Science 47(2),
    236-249.
    """
    return rogers_veraart(liabilities, external_assets, 1.0, 1.0, external_liabilities)


def rogers_veraart(
    liabilities: Matrix,
    external_assets: Vector,
    alpha: float,
    beta: float,
    external_liabilities: Vector = 0.0,
) -> ClearingResult:
    """Clear obligations where default destroys a part of the assets.

    Parameters
    ----------
    liabilities, external_assets, external_liabilities
        As in `eisenberg_noe`.
    alpha : float
        Share of its external assets that a node in default realises, in [0, 1].
    beta : float
        Share of what others pay it that it realises, in [0, 1].

    Returns
    -------
    ClearingResult
        The greatest and the least clearing vector; with costs they often differ.

    Raises
    ------
    ValueError
        As `eisenberg_noe`, and if alpha or beta is not in [0, 1].

    Notes
    -----
    The greatest vector comes from fictitious default, the least from solvency that spreads from
    nobody: each in at most N rounds of exact linear solves. A node that falls short of its
    obligations by less than 1e-12 of them is solvent.

    References
    ----------
    Rogers and Veraart (2013), "Failure and rescue in an interbank network", Management Science
    59(4), 882-898.
    """
    owed = network(liabilities, "liabilities")
    assets = per_node(external_assets, owed.labels, "external_assets")
    outside = per_node(external_liabilities, owed.labels, "external_liabilities")
    alpha, beta = share(alpha, "alpha"), share(beta, "beta")
    inside = np.asarray(owed.matrix.sum(axis=1), dtype=np.float64)
    obligations = inside + outside
    inverse = 1.0 / np.where(obligations > 0.0, obligations, 1.0)
    inflow = sparse.csr_array((sparse.diags_array(inverse) @ owed.matrix).T)
    payments, defaulted, rounds = greatest(inflow, assets, obligations, alpha, beta)
    low, low_defaulted = _least_clearing(inflow, assets, obligations, alpha, beta)
    return ClearingResult(
        labels=owed.labels,
        alpha=alpha,
        beta=beta,
        external_assets=assets,
        obligations=obligations,
        received=times(inflow, payments),
        payments=payments,
        paid_outside=payments * outside * inverse,
        defaulted=defaulted,
        least=low,
        least_defaulted=low_defaulted,
        rounds=rounds,
    )


def _least_clearing(
    inflow: Sparse, assets: FloatArray, obligations: FloatArray, alpha: float, beta: float
) -> tuple[FloatArray, BoolArray]:
    """Return the least clearing vector and who defaults in it.

    Everybody defaults at first, but pays no more than it owes. Who can pay in full even so is
    solvent in every clearing vector; that lifts the others, until nobody more becomes solvent.
    """
    solvent = obligations == 0.0
    while True:
        source = np.where(solvent, obligations, alpha * assets)
        paid = least(beta * inflow, source, obligations)
        enough = assets + times(inflow, paid) >= obligations * (1.0 - TOLERANCE)
        if not (enough & ~solvent).any():
            return paid, ~solvent
        solvent |= enough
