"""What the functions of contagion accept: networks and vectors by node, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse

from sim.core.arrays import BoolArray, FloatArray

Sparse: TypeAlias = "sparse.csr_array[np.float64, tuple[int, int]]"
Matrix: TypeAlias = "Network | ArrayLike | pd.DataFrame | sparse.sparray | nx.DiGraph[Any]"
Vector: TypeAlias = "float | ArrayLike | pd.Series[Any] | Mapping[Any, float]"

_SHOWN = 5  # names listed in a message


@dataclass(frozen=True, eq=False)
class Network:
    """A weighted directed network with names.

    Parameters
    ----------
    labels : (N,) pandas.Index
        Names of the nodes, each once.
    matrix : (N, N) scipy.sparse.csr_array of float64
        Weights >= 0; the meaning of row and column is that of the function it is given to.
    """

    labels: pd.Index
    matrix: Sparse

    def __len__(self) -> int:
        return len(self.labels)

    def frame(self) -> pd.DataFrame:
        """Return the matrix as a dense frame with names on both axes."""
        return pd.DataFrame(self.matrix.toarray(), index=self.labels, columns=self.labels)

    @property
    def transposed(self) -> Network:
        """The same network with every edge turned round: what is owed becomes what is claimed."""
        return Network(self.labels, sparse.csr_array(self.matrix.T))


def network(weights: Matrix, name: str, loops: bool = False) -> Network:
    """Return a checked copy of `weights` as a network.

    Parameters
    ----------
    weights : (N, N) array, sparse array, DataFrame, networkx.DiGraph or Network
        Finite and >= 0. A frame has the same names on both axes, in any order; each edge of a
        graph has a `weight`, and parallel edges add up.
    name : str
        What messages call it.
    loops : bool
        Whether the diagonal may hold something.

    Raises
    ------
    ValueError
        If it is not square, has no node, has names twice, or a weight is missing, not finite,
        negative, or on a diagonal that must be empty.
    """
    labels, matrix = _taken(weights, name)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} has shape {matrix.shape}; it must be square (N, N)")
    if len(labels) != matrix.shape[0]:
        raise ValueError(f"{name} has {len(labels)} names for {matrix.shape[0]} nodes")
    if not len(labels):
        raise ValueError(f"{name} has no nodes; at least one is needed")
    if not labels.is_unique:
        twice = labels[labels.duplicated()].unique()
        raise ValueError(f"{name} names nodes twice: {_listed(twice)}")
    matrix.sum_duplicates()
    if not np.isfinite(matrix.data).all():
        raise ValueError(f"{name} holds values that are not finite; allowed: finite, >= 0")
    if matrix.nnz and matrix.data.min() < 0.0:
        raise ValueError(f"{name} holds {matrix.data.min()}; allowed: >= 0")
    matrix.eliminate_zeros()
    looped = matrix.diagonal() != 0.0
    if looped.any() and not loops:
        raise ValueError(
            f"{name} has an entry of a node towards itself: {_listed(labels[looped])}; "
            "its diagonal must be 0"
        )
    return Network(labels, matrix)


def _taken(weights: Any, name: str) -> tuple[pd.Index, Sparse]:
    """Return the names and a sparse copy of whatever was given."""
    if isinstance(weights, Network):
        return weights.labels, weights.matrix.copy()
    if isinstance(weights, nx.Graph):
        return _from_graph(weights, name)
    if isinstance(weights, pd.DataFrame):
        return _from_frame(weights, name)
    if not sparse.issparse(weights):
        weights = numbers(weights, name)
        if weights.ndim != 2:
            raise ValueError(f"{name} has shape {weights.shape}; it must be square (N, N)")
    matrix = sparse.csr_array(weights, dtype=np.float64, copy=True)
    return pd.RangeIndex(matrix.shape[0]), matrix


def _from_graph(graph: nx.Graph[Any], name: str) -> tuple[pd.Index, Sparse]:
    if not graph.is_directed():
        raise ValueError(f"{name} is an undirected graph; a DiGraph says who is exposed to whom")
    for source, target, facts in graph.edges(data=True):
        if "weight" not in facts:
            raise ValueError(f"{name}: edge {source!r} -> {target!r} has no 'weight'")
    nodes = list(graph)
    labels = pd.Index(nodes, tupleize_cols=False)
    if not nodes:
        return labels, sparse.csr_array((0, 0), dtype=np.float64)
    try:
        matrix = nx.to_scipy_sparse_array(graph, nodelist=nodes, dtype=np.dtype(np.float64))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} has weights that are no numbers: {error}") from None
    return labels, sparse.csr_array(matrix)


def _from_frame(frame: pd.DataFrame, name: str) -> tuple[pd.Index, Sparse]:
    if frame.shape[0] != frame.shape[1]:
        raise ValueError(f"{name} has shape {frame.shape}; it must be square (N, N)")
    if not (frame.index.is_unique and frame.columns.is_unique):
        raise ValueError(f"{name} names nodes twice")
    strange = frame.index.symmetric_difference(frame.columns, sort=False)
    if len(strange):
        raise ValueError(f"{name} has other names in rows than in columns: {_listed(strange)}")
    values = numbers(frame.loc[:, frame.index], name)
    return frame.index, sparse.csr_array(values)


def per_node(
    values: Vector,
    labels: pd.Index,
    name: str,
    low: float = 0.0,
    high: float = math.inf,
    missing: float | None = None,
) -> FloatArray:
    """Return one checked number for each node.

    Parameters
    ----------
    values : float, (N,) array, Series or mapping by node
        A single number counts for all nodes; what has names may come in any order.
    labels : (N,) pandas.Index
    name : str
        What messages call it.
    low, high : float
        Least and largest value allowed.
    missing : float or None
        Value of nodes that a mapping or Series leaves out; None refuses them.

    Raises
    ------
    ValueError
        If the length is wrong, a node is missing or unknown, or a value is not a number in
        ``[low, high]``.
    """
    if isinstance(values, Mapping):
        values = pd.Series(dict(values), dtype=object)
    if isinstance(values, pd.Series):
        array = _by_name(values, labels, name, missing)
    else:
        array = numbers(values, name)
        if array.ndim == 0:
            array = np.full(len(labels), array)
        if array.shape != (len(labels),):
            raise ValueError(f"{name} has shape {array.shape}; it must be ({len(labels)},)")
    wrong = ~(np.isfinite(array) & (array >= low) & (array <= high))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        allowed = f"finite, >= {low:g}" if math.isinf(high) else f"{low:g} to {high:g}"
        raise ValueError(f"{name} of {labels[first]!r} is {array[first]}; allowed: {allowed}")
    return array


def _by_name(values: pd.Series, labels: pd.Index, name: str, missing: float | None) -> FloatArray:
    if not values.index.is_unique:
        raise ValueError(f"{name} names nodes twice")
    unknown = values.index.difference(labels, sort=False)
    if len(unknown):
        raise ValueError(
            f"{name} names unknown nodes: {_listed(unknown)}; known: {_listed(labels)}"
        )
    left_out = labels.difference(values.index, sort=False)
    if len(left_out) and missing is None:
        raise ValueError(f"{name} lacks the nodes {_listed(left_out)}")
    known = pd.Series(numbers(values, name), index=values.index)
    filled = known.reindex(labels)
    if missing is not None:
        filled[~labels.isin(values.index)] = missing
    return np.array(filled, dtype=np.float64)


def share(value: float, name: str) -> float:
    """Return a checked number in [0, 1].

    Raises
    ------
    ValueError
        If it is anything else.
    """
    array = numbers(value, name)
    if array.ndim or not 0.0 <= float(array) <= 1.0:
        raise ValueError(f"{name} is {value!r}; allowed: a number from 0 to 1")
    return float(array)


def node_weights(weights: Vector | None, default: FloatArray, labels: pd.Index) -> FloatArray:
    """Return weights that sum to 1, `default` [any unit] where none are given.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, or all are 0.
    """
    given: FloatArray = default if weights is None else per_node(weights, labels, "weights")
    total = float(given.sum())
    if not 0.0 < total < math.inf:
        raise ValueError(f"weights sum to {total}; allowed: finite, > 0")
    shares: FloatArray = given / total
    return shares


def impact_matrix(exposures: Network, equity: FloatArray) -> Sparse:
    """Return the loss of each node [share of its equity] when another is worth nothing.

    Raises
    ------
    ValueError
        If a node has an exposure and no equity.

    Notes
    -----
    ``Lambda_ij = A_ij / E_i``. A node without equity and without exposures has an empty row.
    """
    bare = (equity == 0.0) & exposed(exposures.matrix)
    if bare.any():
        raise ValueError(
            f"no equity, but exposures: {_listed(exposures.labels[bare])}; "
            "a node that can lose something needs equity > 0"
        )
    inverse = 1.0 / np.where(equity > 0.0, equity, 1.0)
    return sparse.csr_array(sparse.diags_array(inverse) @ exposures.matrix)


def times(matrix: Sparse, vector: FloatArray) -> FloatArray:
    """Return the product of a matrix and a vector."""
    return np.asarray(matrix @ vector, dtype=np.float64)


def exposed(matrix: Sparse) -> BoolArray:
    """Return which rows hold something."""
    return np.diff(matrix.indptr) > 0


def numbers(values: Any, name: str) -> FloatArray:
    """Return a copy of `values` as floats.

    Raises
    ------
    ValueError
        If something in it is no number.
    """
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} holds something that is no number: {error}") from None


def _listed(names: pd.Index) -> str:
    """Return the first names for a message."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(str(name) for name in names[:_SHOWN]) + more
