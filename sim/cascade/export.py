"""Causal graphs as files: GraphML, GEXF, node-link JSON, and edges as Parquet.

A file is written beside its place and renamed, so that a crash leaves no half of one.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

from sim.core.parquet import write_parquet

_DATE = re.compile(' lastmodifieddate="[^"]*"')
"""The day of writing, by which files of equal graphs would differ."""

_WHOLE = ("generation", "source_generation", "tick")
_NUMBERS = ("quantity", "notional", "price_move", "loss")
_NO_NUMBER = {**dict.fromkeys(_WHOLE, -1), **dict.fromkeys(_NUMBERS, np.nan)}


def export_graph(graph: nx.MultiDiGraph[str], path: str | Path) -> Path:
    """Write a causal graph to a file whose ending names the format.

    Parameters
    ----------
    graph : networkx.MultiDiGraph
        As ``Cascade.graph`` gives it.
    path : str or Path
        ``*.graphml``, ``*.gexf``, ``*.json`` (node-link) or ``*.parquet`` (edges only, as
        ``edge_frame`` gives them). Its folder is made if missing.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If the ending is another one.
    """
    file = Path(path)
    write = WRITERS.get(file.suffix.lower())
    if write is None:
        found = f"'{file.suffix}'" if file.suffix else "no ending"
        raise ValueError(f"{file}: {found}; allowed: {', '.join(WRITERS)}")
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{file.name}-", suffix=file.suffix, dir=file.parent)
    os.close(handle)
    scratch = Path(name)
    try:
        write(graph, scratch)
        scratch.chmod(0o644)
        scratch.replace(file)
    finally:
        scratch.unlink(missing_ok=True)
    return file


def edge_frame(graph: nx.MultiDiGraph[str]) -> pd.DataFrame:
    """Return the edges as rows.

    Returns
    -------
    pandas.DataFrame
        `source`, `target`, `relation`, `clearer` (empty where an edge has none); `generation`,
        `source_generation`, `tick` (int64, -1 where an edge has none); `quantity` [contracts],
        `notional` [quote], `price_move` [1, log price], `loss` [numeraire] (NaN where an edge has
        none). In the order of the graph.
    """
    rows = [
        {"source": source, "target": target, **facts}
        for source, target, facts in graph.edges(data=True)
    ]
    names = ["source", "target", "relation", "clearer", *_WHOLE, *_NUMBERS]
    frame = pd.DataFrame(rows, columns=names).fillna(_NO_NUMBER).fillna({"clearer": ""})
    types = {name: "str" for name in names[:4]}
    types |= dict.fromkeys(_WHOLE, "int64") | dict.fromkeys(_NUMBERS, "float64")
    return frame.astype(types)


def _graphml(graph: nx.MultiDiGraph[str], file: Path) -> None:
    nx.write_graphml(graph, file, named_key_ids=True)


def _gexf(graph: nx.MultiDiGraph[str], file: Path) -> None:
    text = "\n".join(nx.generate_gexf(graph))
    file.write_text(_DATE.sub("", text, count=1) + "\n", encoding="utf-8")


def _json(graph: nx.MultiDiGraph[str], file: Path) -> None:
    document: dict[str, Any] = nx.node_link_data(graph, edges="edges")
    file.write_text(json.dumps(document, allow_nan=False) + "\n", encoding="utf-8")


def _parquet(graph: nx.MultiDiGraph[str], file: Path) -> None:
    write_parquet({file: edge_frame(graph)})


WRITERS: dict[str, Callable[[nx.MultiDiGraph[str], Path], None]] = {
    ".graphml": _graphml,
    ".gexf": _gexf,
    ".json": _json,
    ".parquet": _parquet,
}
"""What writes a graph, by the ending of the file."""
