"""Network measures of a spillover matrix, and how well they rank what matters.

========================= =========================================================================
column                    meaning
========================= =========================================================================
``out_strength``          what a node does to the others: sum of its row without the diagonal
``in_strength``           what the others do to it: sum of its column without the diagonal
``net_strength``          out less in
``own``                   what it does to itself: the diagonal
``pagerank``              PageRank of the network with its edges turned round: from each victim
                          to its sources, in proportion, so that the score is that of a source
``betweenness``           share of the shortest paths between others that run through it, with
                          1 / weight as the length of an edge
``debtrank``              stress that its default adds to the others (linear DebtRank)
``<measure>_rank``        1 for the largest; equal values share the best rank
========================= =========================================================================

References
----------
Brin and Page (1998), "The anatomy of a large-scale hypertextual web search engine". Freeman (1977),
"A set of measures of centrality based on betweenness". Bardoscia et al. (2015), PLoS ONE 10(6),
e0130406 (DebtRank). Kendall (1945), "The treatment of ties in ranking problems" (tau-b).
"""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
from scipy import sparse
from scipy.stats import kendalltau, spearmanr

from sim.cascade.contagion.arguments import Matrix, Network, Vector, network
from sim.cascade.contagion.debtrank import debtrank_of_each
from sim.core.arrays import FloatArray

MEASURES = (
    "out_strength", "in_strength", "net_strength", "pagerank", "betweenness", "debtrank",
)  # fmt: skip
"""Columns that are ranked."""

_DISTINCT = 3  # distinct values below which a rank correlation says nothing
_TOLERANCE = 1e-12  # of PageRank, per node
_DIGITS = 9  # digits of the largest value to which values are told apart


def network_measures(spillover: Matrix, equity: Vector | None = None) -> pd.DataFrame:
    """Return network measures of each node, with ranks.

    Parameters
    ----------
    spillover : (N, N) array, sparse array, DataFrame, DiGraph or Network
        Entry (i, j), or edge i -> j, is what i did to j, >= 0 in any one unit: losses, or
        magnitudes of price moves such as ``cascade.spillover().abs()``.
    equity : (N,) vector or None
        What each node can lose, in the unit of `spillover`, for DebtRank. None takes for all nodes
        the largest `in_strength`: stress is then relative to the node that was hit hardest, and
        DebtRank has no other meaning than its order.

    Returns
    -------
    pandas.DataFrame
        Index of the nodes; the columns that the module lists.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, the matrix is not square, or a node is hit by others
        and has no equity.
    """
    full = network(spillover, "spillover", loops=True)
    own = full.matrix.diagonal()
    others = Network(full.labels, sparse.csr_array(full.matrix - sparse.diags_array(own)))
    others.matrix.eliminate_zeros()
    done = np.asarray(others.matrix.sum(axis=1), dtype=np.float64)
    hit = np.asarray(others.matrix.sum(axis=0), dtype=np.float64)
    if equity is None:
        equity = float(hit.max()) or 1.0
    table = pd.DataFrame(
        {
            "out_strength": done,
            "in_strength": hit,
            "net_strength": done - hit,
            "own": own,
            "pagerank": _pagerank(others),
            "betweenness": _betweenness(others),
            "debtrank": debtrank_of_each(others.transposed, equity).to_numpy(),
        },
        index=full.labels.rename("node"),
    )
    for name in MEASURES:
        table[f"{name}_rank"] = _ranks(table[name])
    return table


def rank_correlations(table: pd.DataFrame, against: pd.Series) -> pd.DataFrame:
    """Return how well each measure orders the nodes as `against` does.

    Parameters
    ----------
    table : pandas.DataFrame
        Index of the nodes; every column of numbers counts as a measure, but those that end in
        ``_rank``.
    against : pandas.Series
        What matters, by node; larger is more important. Nodes that only one of the two has, and
        values that are NaN, are left out.

    Returns
    -------
    pandas.DataFrame
        Index `measure`; `spearman` and `kendall` (tau-b) in [-1, 1]; `n`, the nodes compared; and
        `note`, empty or the reason why there is no correlation: fewer than 3 distinct values in the
        measure or in `against`.

    Raises
    ------
    ValueError
        If a node stands twice, a value is infinite, or there is no column of numbers.
    """
    for index, what in ((table.index, "table"), (against.index, "against")):
        if not index.is_unique:
            raise ValueError(f"{what} names nodes twice")
    measures = [c for c in table.select_dtypes("number") if not str(c).endswith("_rank")]
    if not measures:
        raise ValueError("table has no column of numbers to correlate")
    if not pd.api.types.is_numeric_dtype(against):
        raise ValueError(f"against has values of type {against.dtype}; allowed: numbers")
    rows = [_correlation(table[name], against, str(name)) for name in measures]
    columns = ["measure", "spearman", "kendall", "n", "note"]
    return pd.DataFrame(rows, columns=columns).set_index("measure")


def _correlation(
    measure: pd.Series, against: pd.Series, name: str
) -> tuple[str, float, float, int, str]:
    """Return the name, both correlations, the nodes compared, and why there are none."""
    both = pd.concat([measure, against], axis=1, join="inner", keys=["measure", "against"])
    both = both.astype(np.float64).dropna().sort_index()
    if np.isinf(both.to_numpy()).any():
        raise ValueError(f"measure {name!r} or 'against' holds an infinite value")
    for column in both:
        ranks = _ranks(both[column])
        found = ranks.nunique()
        if found < _DISTINCT:
            which = name if column == "measure" else "what it is compared with"
            note = f"{which} has {found} distinct values, {_DISTINCT} are needed"
            return name, np.nan, np.nan, len(both), note
        both[column] = ranks
    first, second = both["measure"], both["against"]
    rho, tau = spearmanr(first, second).statistic, kendalltau(first, second).statistic
    return name, float(rho), float(tau), len(both), ""


def _ranks(values: pd.Series) -> pd.Series:
    """Return ranks from 1 for the largest; what differs by rounding alone is equal."""
    size = float(values.abs().max()) if len(values) else 0.0
    scaled = (values / size if size > 0.0 else values).round(_DIGITS)
    return scaled.rank(ascending=False, method="min").astype("int64")


def _pagerank(others: Network) -> FloatArray:
    """Return the PageRank of each node as a source of what hit the others."""
    graph = nx.from_scipy_sparse_array(others.transposed.matrix, create_using=nx.DiGraph)
    scores = nx.pagerank(graph, tol=_TOLERANCE, max_iter=1_000)
    return np.array([scores[node] for node in range(len(others))])


def _betweenness(others: Network) -> FloatArray:
    """Return the share of shortest paths through each node."""
    near = others.matrix.copy()
    near.data = near.data.max(initial=0.0) / near.data
    graph = nx.from_scipy_sparse_array(near, create_using=nx.DiGraph)
    scores = nx.betweenness_centrality(graph, weight="weight")
    return np.array([scores[node] for node in range(len(others))])
