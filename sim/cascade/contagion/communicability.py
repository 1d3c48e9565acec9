r"""Paths along which defaults could run, by the communicability of the impact network.

With :math:`V_{ij} = 1` where the default of i alone costs j all its equity
(:math:`A_{ji} \ge E_j`), else 0, and :math:`C = e^V` without its diagonal, which counts paths
from i to j with those of k steps weighted by :math:`1 / k!`:

=========================== =====================================================================
susceptibility of j         :math:`\sum_i C_{ij} / \sum_i V_{ij}`: above 1, others than direct
                            neighbours can reach j; 0 where nobody can
fluidity                    mean susceptibility
diffusion of q              what :math:`C / \sum_j V_{qj}` loses when q passes nothing on: paths
                            from q itself (`start`) and from others through it (`intermediate`)
=========================== =====================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import expm

from sim.cascade.contagion.arguments import Matrix, Vector, impact_matrix, network, per_node
from sim.core.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class ImpactPaths:
    """How exposed each node is to paths of default, and how many run through it.

    Attributes
    ----------
    labels : (N,) pandas.Index
    susceptibility, start, intermediate : (N,) float64 [1]
    """

    labels: pd.Index
    susceptibility: FloatArray
    start: FloatArray
    intermediate: FloatArray

    @property
    def diffusion(self) -> FloatArray:
        """Paths that begin at each node or run through it [1]."""
        return self.start + self.intermediate

    @property
    def fluidity(self) -> float:
        """Mean susceptibility [1]."""
        return float(self.susceptibility.mean())

    def frame(self) -> pd.DataFrame:
        """Return a row per node, all columns [1]."""
        names = ("susceptibility", "start", "intermediate", "diffusion")
        data = {name: getattr(self, name) for name in names}
        return pd.DataFrame(data, index=self.labels.rename("node"))


def impact_paths(exposures: Matrix, equity: Vector) -> ImpactPaths:
    """Return susceptibility and diffusion of each node.

    Parameters
    ----------
    exposures : (N, N) array, sparse array, DataFrame, DiGraph or Network [numeraire]
        Entry (i, j), or edge i -> j, is what i loses if j is worth nothing, >= 0; diagonal 0.
    equity : (N,) vector [numeraire], >= 0
        0 is allowed where a node has no exposures.

    Returns
    -------
    ImpactPaths

    Raises
    ------
    ValueError
        If an argument is not finite, negative, of the wrong shape or has unknown names, or a node
        has exposures and no equity.

    Notes
    -----
    Takes a dense matrix exponential per node: meant for some hundred nodes at most.

    References
    ----------
    Silva, de Souza and Tabak (2015), "Monitoring vulnerability and impact diffusion in financial
    networks", Banco Central do Brasil, Working Paper 392. Estrada and Hatano (2008),
    "Communicability in complex networks", Physical Review E 77, 036111.
    """
    claims = network(exposures, "exposures")
    capital = per_node(equity, claims.labels, "equity")
    kills = (impact_matrix(claims, capital).toarray().T >= 1.0).astype(np.float64)
    paths = _paths(kills)
    threats, victims = kills.sum(axis=0), kills.sum(axis=1)
    susceptibility = paths.sum(axis=0) / np.where(threats > 0.0, threats, 1.0)
    start, intermediate = np.zeros(len(claims)), np.zeros(len(claims))
    for node in np.flatnonzero(victims):
        silent = kills.copy()
        silent[node] = 0.0
        lost = np.maximum(paths - _paths(silent), 0.0).sum(axis=1) / victims[node]
        start[node] = lost[node]
        intermediate[node] = lost.sum() - lost[node]
    reached = np.where(threats > 0.0, susceptibility, 0.0)
    return ImpactPaths(claims.labels, reached, start, intermediate)


def _paths(adjacency: FloatArray) -> FloatArray:
    """Return the communicability of different nodes."""
    paths = np.asarray(expm(adjacency), dtype=np.float64)
    np.fill_diagonal(paths, 0.0)
    return paths
