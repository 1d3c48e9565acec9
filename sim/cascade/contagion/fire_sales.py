r"""Fire sales under leverage targeting: who is vulnerable, and to whom.

Every node sells in proportion to its portfolio what brings its leverage back to target, and sales
move the prices of what everybody holds. With returns f by asset [1], M the portfolio weights, A the
assets, B = diag(debt / equity), E the equity and L = diag(price impact):

=============================== ================================================================
direct return of each node      :math:`r = M f`
sales by asset                  :math:`\varphi = M' A B r`
move of the prices              :math:`L \varphi`
aggregate vulnerability         :math:`AV = -1' A M L \varphi / \sum E`
linkage of n                    :math:`\gamma_n = \sum_m (\sum_j a_j M_{jm}) \ell_m M_{nm}`
systemicness of n               :math:`S(n) = -\gamma_n a_n b_n r_n / \sum E`, summing to AV
indirect vulnerability of n     :math:`IV(n) = -(A M L \varphi)_n / e_n`
after k rounds                  :math:`\sum_{i \le k} K^i r`, with :math:`K = M L M' B A`
=============================== ================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse

from sim.cascade.contagion.arguments import Vector, numbers, per_node
from sim.core.arrays import FloatArray

_ROUNDING = 1e-9  # [1] by which the weights of a portfolio may exceed 1


@dataclass(frozen=True, eq=False)
class FireSaleResult:
    """Vulnerability of a system of leveraged portfolios to a move of prices.

    Attributes
    ----------
    labels : (N,) pandas.Index
        Names of the nodes.
    asset_labels : (K,) pandas.Index
        Names of the assets.
    assets, equity : (N,) float64 [numeraire]
    holdings : (N, K) float64 [1]
        Share of each asset in the assets of each node.
    impact : (K,) float64 [1 / numeraire]
        Return of an asset per unit sold.
    asset_returns : (K,) float64 [1]
        The shock, below 0 for a fall.
    """

    labels: pd.Index
    asset_labels: pd.Index
    assets: FloatArray
    equity: FloatArray
    holdings: FloatArray
    impact: FloatArray
    asset_returns: FloatArray

    @cached_property
    def leverage(self) -> FloatArray:
        """Debt over equity by node [1]."""
        return (self.assets - self.equity) / self.equity

    @cached_property
    def direct_returns(self) -> FloatArray:
        """Return of each node on its assets by the shock alone [1]."""
        return self.holdings @ self.asset_returns

    @cached_property
    def sales(self) -> FloatArray:
        """Net purchases by asset in the first round [numeraire], below 0 for sales."""
        bought = self.leverage * self.assets * self.direct_returns
        return np.asarray(self.holdings.T @ bought)

    @cached_property
    def price_moves(self) -> FloatArray:
        """Returns of the assets that the first round of sales makes [1]."""
        return self.impact * self.sales

    @cached_property
    def indirect_vulnerability(self) -> FloatArray:
        """Equity that each node loses by the sales of all [share of its equity]."""
        return -self.assets * (self.holdings @ self.price_moves) / self.equity

    @cached_property
    def linkage(self) -> FloatArray:
        """How much the system holds of what each node holds, by impact [1]."""
        return self.holdings @ (self.impact * (self.assets @ self.holdings))

    @cached_property
    def systemicness(self) -> FloatArray:
        """Share of all equity that the sales of each node destroy [1]."""
        sold = -self.assets * self.leverage * self.direct_returns
        shares: FloatArray = self.linkage * sold / self.equity.sum() + 0.0
        return shares

    @property
    def aggregate_vulnerability(self) -> float:
        """Share of all equity that the first round of sales destroys [1]."""
        return float(self.indirect_vulnerability @ self.equity / self.equity.sum())

    @property
    def direct_loss(self) -> float:
        """Share of all equity that the shock itself destroys [1]."""
        return float(-(self.assets @ self.direct_returns) / self.equity.sum())

    @cached_property
    def spectral_radius(self) -> float:
        """Factor by which a round of sales makes the next [1]; at 1 or more they never settle."""
        scale = np.sqrt(self.assets * self.leverage)[:, None]
        root = scale * self.holdings * np.sqrt(self.impact)
        return float(np.linalg.norm(root, 2) ** 2)

    def returns_after(self, rounds: int) -> FloatArray:
        """Return the return of each node on its assets [1] by the shock and `rounds` of sales.

        Raises
        ------
        ValueError
            If `rounds` is negative.
        """
        if rounds < 0:
            raise ValueError(f"rounds is {rounds}; allowed: >= 0")
        total = term = self.direct_returns
        for _ in range(rounds):
            sold = self.holdings.T @ (self.leverage * self.assets * term)
            term = self.holdings @ (self.impact * sold)
            total = total + term
        return total

    @cached_property
    def limit_returns(self) -> FloatArray:
        """Return of each node after infinitely many rounds [1]; NaN where they never settle."""
        if self.spectral_radius >= 1.0:
            return np.full(len(self.labels), np.nan)
        spread = (self.holdings.T * (self.leverage * self.assets)) @ (self.holdings * self.impact)
        sold = np.linalg.solve(np.eye(len(self.impact)) - spread, self.sales)
        return self.direct_returns + self.holdings @ (self.impact * sold)

    def frame(self) -> pd.DataFrame:
        """Return a row per node: assets and equity [numeraire], the rest [1]."""
        names = (
            "assets", "equity", "leverage", "direct_returns", "linkage", "systemicness",
            "indirect_vulnerability", "limit_returns",
        )  # fmt: skip
        data = {name: getattr(self, name) for name in names}
        return pd.DataFrame(data, index=self.labels.rename("node"))


def fire_sale_vulnerability(
    assets: Vector,
    equity: Vector,
    holdings: ArrayLike | pd.DataFrame | sparse.sparray,
    impact: Vector,
    asset_returns: Vector,
) -> FireSaleResult:
    """Return how a move of prices and the sales that follow hit leveraged portfolios.

    Parameters
    ----------
    assets : (N,) vector [numeraire], > 0
        Total assets of each node.
    equity : (N,) vector [numeraire], > 0 and at most the assets
    holdings : (N, K) array, sparse array or DataFrame [1]
        Share of asset k in the assets of node n, >= 0; a row sums to 1 at most, and what is
        missing is cash.
    impact : (K,) vector [1 / numeraire], >= 0
        Return of an asset per unit of money sold.
    asset_returns : (K,) vector [1], >= -1
        Return of each asset by the shock, below 0 for a fall.

    Returns
    -------
    FireSaleResult

    Raises
    ------
    ValueError
        If an argument is not finite, out of range, of the wrong shape or has unknown names.

    References
    ----------
    Greenwood, Landier and Thesmar (2015), "Vulnerable banks", Journal of Financial Economics
    115(3), 471-485.
    """
    shares, nodes, names = _holdings(holdings)
    total = per_node(assets, nodes, "assets")
    capital = per_node(equity, nodes, "equity")
    for wrong, what in (
        (capital <= 0.0, "equity of {} is {}; allowed: > 0"),
        (capital > total, "equity of {} is {}; allowed: at most its assets"),
    ):
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            raise ValueError(what.format(repr(nodes[first]), capital[first]))
    slope = per_node(impact, names, "impact")
    moves = per_node(asset_returns, names, "asset_returns", low=-1.0)
    return FireSaleResult(nodes, names, total, capital, shares, slope, moves)


def _holdings(holdings: Any) -> tuple[FloatArray, pd.Index, pd.Index]:
    """Return the checked weights of the portfolios and the names of nodes and assets."""
    names: tuple[pd.Index, pd.Index] | None = None
    if isinstance(holdings, pd.DataFrame):
        names = holdings.index, holdings.columns
    dense = cast(Any, holdings).toarray() if sparse.issparse(holdings) else holdings
    shares = numbers(dense, "holdings")
    if shares.ndim != 2 or 0 in shares.shape:
        raise ValueError(f"holdings has shape {shares.shape}; it must be (nodes, assets)")
    nodes, columns = names or (pd.RangeIndex(shares.shape[0]), pd.RangeIndex(shares.shape[1]))
    if not (nodes.is_unique and columns.is_unique):
        raise ValueError("holdings names nodes or assets twice")
    if not (np.isfinite(shares).all() and shares.min() >= 0.0):
        raise ValueError("holdings holds values that are negative or not finite; allowed: 0 to 1")
    over = shares.sum(axis=1) > 1.0 + _ROUNDING
    if over.any():
        first = int(np.flatnonzero(over)[0])
        found = float(shares[first].sum())
        raise ValueError(f"holdings of {nodes[first]!r} sum to {found}; allowed: at most 1")
    return shares, nodes, columns
