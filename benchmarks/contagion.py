"""A job that times contagion on a random network of claims."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from benchmarks.building import timed
from sim.cascade import debtrank, rogers_veraart

_LOAD = 0.9
"""Claims of a node over its equity: what a whole loss of all others would cost it."""


def contagion(nodes: int, edges: int, times: int) -> dict[str, Any]:
    """Time both variants of DebtRank, and clearing with costs, on one random network."""
    generator = np.random.default_rng(1)
    ends = generator.integers(nodes, size=(2, edges))
    weights = generator.exponential(size=edges)
    other = ends[0] != ends[1]
    places = (ends[0, other], ends[1, other])
    claims = sparse.csr_array((weights[other], places), shape=(nodes, nodes))
    equity = np.asarray(claims.sum(axis=1)) / _LOAD + 1e-3
    shock = np.where(np.arange(nodes) < max(1, nodes // 100), 0.5, 0.0)
    assets = generator.exponential(0.2, size=nodes)
    linear = debtrank(claims, equity, shock)
    return {
        "edges": int(claims.nnz),
        "rounds": linear.rounds,
        "stress": linear.total_stress,
        "linear": timed(lambda: debtrank(claims, equity, shock), times),
        "single_hit": timed(lambda: debtrank(claims, equity, shock, "single_hit"), times),
        "clearing": timed(lambda: rogers_veraart(claims, assets, 0.9, 0.9), 1),
    }
