"""Where the nodes of a causal graph stand: markets on an inner circle, accounts on rings.

Each venue has a sector. Its markets stand on the inner circle, the accounts it clears on rings
around, one for each generation from the inside out. Causes stand in the middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sim.core.arrays import FloatArray, IntArray
from sim.report.network_data import CAUSE, MARKET, OWNER, NetworkData

HUBS = 0.36  # radius of the circle of markets, of the outermost ring
INNER = 0.5  # radius where rings begin
MAX_RINGS = 8
_GAP = 0.07  # [rad] between two sectors
_OPEN = 0.22  # [rad] kept free at the top, for the names of the rings
_CAUSES = 0.1
_GOLDEN = 0.5 * (5.0**0.5 - 1.0)


@dataclass(frozen=True)
class Layout:
    """Places of nodes and of what is drawn around them.

    Parameters
    ----------
    place : (N, 2) float64
        Of each node, in order of the nodes; the outermost ring has the radius 1.
    venues : tuple of str
        Sectors, clockwise from the top.
    begin, end : (V,) float64 [rad]
        Of each sector, mathematically positive from the x axis; begin > end.
    rings : (R + 1,) float64
        Radii of the edges of rings.
    first : (R,) int64
        First generation of each ring.
    """

    place: FloatArray
    venues: tuple[str, ...]
    begin: FloatArray
    end: FloatArray
    rings: FloatArray
    first: IntArray


def layout(data: NetworkData, order: Sequence[str] = ()) -> Layout:
    """Return the places of all nodes.

    Parameters
    ----------
    data : NetworkData
        Nodes with their venue, generation and weight.
    order : sequence of str
        Venues in the order of their sectors; others follow by name.
    """
    nodes = data.nodes
    shown = nodes[nodes["kind"].isin([OWNER, MARKET])]
    present = {*shown["venue"], *data.edges["venue"]}
    venues = [venue for venue in [*order, *sorted(present - set(order))] if venue in present]
    counts = np.array([_need(shown[shown["venue"] == venue]) for venue in venues])
    free = 2.0 * np.pi - _OPEN - _GAP * max(len(venues) - 1, 0)
    width = free * counts / max(float(counts.sum()), 1e-300)
    begin = 0.5 * np.pi - 0.5 * _OPEN - np.concatenate([[0.0], np.cumsum(width + _GAP)[:-1]])
    end = begin - width
    owners = nodes["kind"] == OWNER
    last = max(data.last, 0)
    step = max(1, -(-(last + 1) // MAX_RINGS))
    ring = (nodes["generation"].to_numpy(dtype=np.int64) // step).clip(0)
    first = np.arange(0, last + 1, step, dtype=np.int64)
    rings = _radii(np.bincount(ring[owners.to_numpy()], minlength=len(first)))
    place = np.zeros((len(nodes), 2))
    name = nodes["name"].to_numpy(dtype=str)
    weight = nodes["weight"].to_numpy(dtype=np.float64)
    for sector, venue in enumerate(venues):
        mine = (nodes["venue"] == venue).to_numpy()
        span = (float(begin[sector]), float(end[sector]))
        hubs = np.flatnonzero(mine & (nodes["kind"] == MARKET).to_numpy())
        place[hubs] = _polar(_even(len(hubs), span), np.full(len(hubs), HUBS))
        for number in range(len(first)):
            here = np.flatnonzero(mine & owners.to_numpy() & (ring == number))
            ranked = here[np.lexsort((name[here], -weight[here]))]
            place[ranked] = _band(len(ranked), span, (rings[number], rings[number + 1]))
    causes = np.flatnonzero((nodes["kind"] == CAUSE).to_numpy())
    if len(causes) > 1:
        turn = 0.5 * np.pi - 2.0 * np.pi * np.arange(len(causes)) / len(causes)
        place[causes] = _polar(turn, np.full(len(causes), _CAUSES))
    return Layout(place, tuple(venues), begin, end, rings, first)


def _need(nodes: pd.DataFrame) -> float:
    """Return how much of the circle a venue asks for."""
    return 3.0 + float(np.sqrt(len(nodes))) + float((nodes["kind"] == MARKET).sum())


def _radii(count: IntArray) -> FloatArray:
    """Return the edges of rings, thicker where more accounts stand."""
    need = np.sqrt(count.astype(np.float64)) + 0.15 * np.sqrt(max(float(count.sum()), 1.0)) + 1.0
    share = np.concatenate([[0.0], np.cumsum(need / need.sum())]) if len(count) else np.zeros(1)
    return np.asarray(INNER + (1.0 - INNER) * share, dtype=np.float64)


def _even(count: int, span: tuple[float, float]) -> FloatArray:
    """Return angles spread evenly within a sector."""
    begin, end = span
    return np.asarray(begin + (end - begin) * (np.arange(count) + 0.5) / max(count, 1))


def _polar(angle: FloatArray, radius: FloatArray) -> FloatArray:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _band(count: int, span: tuple[float, float], ring: tuple[float, float]) -> FloatArray:
    """Return places (count, 2) that fill a part of a ring, the first ones far from each other."""
    if not count:
        return np.zeros((0, 2))
    low, high = ring
    thick, arc = high - low, (span[0] - span[1]) * 0.5 * (low + high)
    pitch = min(np.sqrt(arc * thick / count), 0.5 * thick)
    rows = max(1, min(int(thick / pitch) - 1, count))
    radius = low + thick * (np.arange(rows) + 0.5) / rows
    edges = np.round(np.cumsum(radius) / radius.sum() * count).astype(np.int64)
    parts = []
    for number, (since, until) in enumerate(zip([0, *edges[:-1]], edges, strict=True)):
        angle = _even(int(until - since), span)
        parts.append(_polar(angle, np.full(len(angle), radius[number])))
    scattered = np.argsort(np.modf((np.arange(count) + 0.5) * _GOLDEN)[0], kind="stable")
    return np.asarray(np.concatenate(parts)[np.argsort(scattered, kind="stable")])
