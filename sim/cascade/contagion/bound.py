r"""A bound on contagion from one node that asks for no more than balance sheets.

If only the outside assets of node i lose value, the nodes D that default because of it satisfy

.. math:: \sum_{j \in D} w_j \le w_i (\lambda_i - 1)\, \beta_i = (c_i - w_i)\, \beta_i

with :math:`w` the net worth before the shock, :math:`c` the outside assets [numeraire],
:math:`\lambda = c / w` the leverage of outside assets and :math:`\beta` the share of a node's
liabilities that it owes inside the network [1]. The right side bounds what i can pass on, however
the network looks.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sim.cascade.contagion.arguments import Matrix, Vector, network, per_node
from sim.core.arrays import FloatArray

_ROUNDING = 1e-12  # share of a sum of money that is no excess


@dataclass(frozen=True, eq=False)
class ContagionBound:
    """What each node can pass on at most.

    Attributes
    ----------
    labels : (N,) pandas.Index
    external_assets, net_worth : (N,) float64 [numeraire]
    connectivity : (N,) float64 [1]
        Share of its liabilities that a node owes inside the network; 0 without any.
    """

    labels: pd.Index
    external_assets: FloatArray
    net_worth: FloatArray
    connectivity: FloatArray

    @property
    def leverage(self) -> FloatArray:
        """Outside assets over net worth [1]; infinite or NaN where there is no net worth."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.external_assets / self.net_worth

    @property
    def bound(self) -> FloatArray:
        """Largest net worth that contagion from each node can destroy by default [numeraire]."""
        beyond = np.maximum(self.external_assets - self.net_worth, 0.0)
        return beyond * self.connectivity

    def excludes(self, source: Hashable, defaulters: Iterable[Hashable]) -> bool:
        """Return whether a shock to `source` alone cannot make all `defaulters` default.

        Raises
        ------
        ValueError
            If a name is unknown or `source` is among the defaulters.
        """
        names = list(dict.fromkeys(defaulters))
        for name in (source, *names):
            if name not in self.labels:
                raise ValueError(f"no node {name!r}")
        if source in names:
            raise ValueError(f"{source!r} is hit itself; name others that might default")
        worth = float(self.net_worth[self.labels.get_indexer(pd.Index(names))].sum())
        most = float(self.bound[self.labels.get_loc(source)])
        return worth > most * (1.0 + _ROUNDING)

    def frame(self) -> pd.DataFrame:
        """Return a row per node: money [numeraire], `leverage` and `connectivity` [1]."""
        names = ("external_assets", "net_worth", "leverage", "connectivity", "bound")
        data = {name: getattr(self, name) for name in names}
        return pd.DataFrame(data, index=self.labels.rename("node"))


def contagion_bound(
    liabilities: Matrix, external_assets: Vector, external_liabilities: Vector = 0.0
) -> ContagionBound:
    """Return what each node can pass on at most if it alone is hit.

    Parameters
    ----------
    liabilities : (N, N) array, sparse array, DataFrame, DiGraph or Network [numeraire]
        Entry (i, j), or edge i -> j, is what i owes j, >= 0; the diagonal is 0.
    external_assets : (N,) vector [numeraire], >= 0
        Before the shock.
    external_liabilities : (N,) vector [numeraire], >= 0
        What each node owes outside the network.

    Returns
    -------
    ContagionBound

    Raises
    ------
    ValueError
        If an argument is not finite, negative, of the wrong shape or has unknown names, or a node
        owes more than it has before any shock.

    References
    ----------
    Glasserman and Young (2015), "How likely is contagion in financial networks?", Journal of
    Banking and Finance 50, 383-399, proposition 1.
    """
    owed = network(liabilities, "liabilities")
    assets = per_node(external_assets, owed.labels, "external_assets")
    outside = per_node(external_liabilities, owed.labels, "external_liabilities")
    inside = np.asarray(owed.matrix.sum(axis=1), dtype=np.float64)
    claims = np.asarray(owed.matrix.sum(axis=0), dtype=np.float64)
    total = inside + outside
    worth = assets + claims - total
    broke = worth < -_ROUNDING * total
    if broke.any():
        first = int(np.flatnonzero(broke)[0])
        raise ValueError(
            f"net worth of {owed.labels[first]!r} is {worth[first]}; allowed: >= 0 before the shock"
        )
    connectivity = inside / np.where(total > 0.0, total, 1.0)
    return ContagionBound(owed.labels, assets, np.maximum(worth, 0.0), connectivity)
