r"""Least and greatest solutions of :math:`x = \min(c, s + M x)` in finitely many linear solves.

Clearing and linear DebtRank are both of this form, with :math:`M, s, c \ge 0`.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import gmres, spsolve

from sim.cascade.contagion.arguments import Sparse, times
from sim.core.arrays import BoolArray, FloatArray

TOLERANCE = 1e-12
"""Share of a bound by which something must fall short of it to count as below."""

_DENSE = 400  # unknowns up to which a dense solve is the faster one
_RESIDUAL = 1e-14  # share of the largest bound to which a Krylov solution is refined
_REFINEMENTS = 8  # solves before elimination takes over


def greatest(
    matrix: Sparse, source: FloatArray, cap: FloatArray, alpha: float = 1.0, beta: float = 1.0
) -> tuple[FloatArray, BoolArray, int]:
    r"""Return the greatest solution by fictitious default.

    Parameters
    ----------
    matrix : (N, N) csr_array, >= 0
    source, cap : (N,) float64, >= 0
    alpha, beta : float
        Shares in [0, 1] of source and inflow that are left to a node below its cap.

    Returns
    -------
    solution : (N,) float64
    below : (N,) bool
        Who does not reach its cap.
    rounds : int
        Rounds in which somebody fell below, at most N.

    Notes
    -----
    The greatest fixed point of :math:`x_i = c_i` where :math:`s_i + (Mx)_i \ge c_i` and
    :math:`\alpha s_i + \beta (Mx)_i` elsewhere. Start with everybody at the cap; who then falls
    short leaves it for good, and the linear system of those is solved. The set grows in each
    round. The solution falls in each round, and the system stays regular: a left eigenvector of
    its matrix to an eigenvalue of 1 or more would have to live where nobody fell short. Where
    rounding decides whether it is regular, the bounds that hold in theory are kept. A closed circle
    that loses less than `TOLERANCE` in each turn counts as losing nothing.

    References
    ----------
    Eisenberg and Noe (2001), "Systemic risk in financial systems", Management Science 47(2),
    236-249, section 3.
    """
    solution, below, rounds = cap.copy(), np.zeros(len(cap), dtype=np.bool_), 0
    while True:
        short = source + times(matrix, solution) < cap * (1.0 - TOLERANCE)
        if not (short & ~below).any():
            return solution, below, rounds
        below |= short
        held = np.where(below, 0.0, solution)
        inflow = alpha * source[below] + beta * times(matrix, held)[below]
        part = sparse.csr_array(beta * matrix[below][:, below])
        solved = _solve(part, inflow, cap[below])
        solution[below] = np.clip(solved, 0.0, solution[below])
        rounds += 1


def least(matrix: Sparse, source: FloatArray, cap: FloatArray) -> FloatArray:
    r"""Return the least solution of :math:`x = \min(c, s + Mx)`.

    Parameters
    ----------
    matrix : (N, N) csr_array, >= 0
        Entry (i, j) is what i gets per unit of j.
    source, cap : (N,) float64, >= 0

    Notes
    -----
    Only nodes that a source reaches along `matrix` are above 0. Among these the map is concave
    and positive somewhere upstream of each, so its solution is unique there: the greatest one.
    """
    solution = np.zeros(len(cap))
    reached = _reached(matrix, source, cap)
    if reached.any():
        part = sparse.csr_array(matrix[reached][:, reached])
        solution[reached] = greatest(part, source[reached], cap[reached])[0]
    return solution


def _reached(matrix: Sparse, source: FloatArray, cap: FloatArray) -> BoolArray:
    """Return the nodes that get something, directly or through others."""
    able = cap > 0.0
    reached = able & (source > 0.0)
    while True:
        more = reached | (able & (times(matrix, reached.astype(np.float64)) > 0.0))
        if (more == reached).all():
            return reached
        reached = more


def _solve(matrix: Sparse, source: FloatArray, scale: FloatArray) -> FloatArray:
    """Return the solution of ``x = source + matrix x``, where x is of the size of `scale`.

    Large networks of claims fill up under elimination. GMRES takes a few products instead and is
    repeated on what is left over until that is rounding; where it is not, elimination decides.
    """
    size = len(source)
    if size <= _DENSE:
        return np.asarray(np.linalg.solve(np.eye(size) - matrix.toarray(), source))
    scaled = sparse.diags_array(1.0 / scale) @ matrix @ sparse.diags_array(scale)
    system = sparse.csr_array(sparse.eye_array(size) - scaled)
    wanted = source / scale
    found = np.zeros(size)
    for _ in range(_REFINEMENTS):
        left = wanted - times(system, found)
        if np.abs(left).max() <= _RESIDUAL:
            return found * scale
        found = found + gmres(system, left, rtol=1e-6, restart=40, maxiter=5)[0]
    return np.asarray(spsolve(sparse.csc_array(system), wanted)) * scale
