"""Figure: the causal graph: accounts on rings by generation, around the markets that link them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import matplotlib.patheffects as effects
import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Wedge

from sim.core.arrays import FloatArray
from sim.report.cause_looks import cause_text
from sim.report.context import RunContext
from sim.report.drawing import legend
from sim.report.network_data import (
    BROKE,
    CAUSE,
    COLLATERAL,
    MARKET,
    NEWS,
    OWNER,
    PASSED,
    SOLD,
    NetworkData,
    network_data,
)
from sim.report.network_layout import HUBS, INNER, Layout, layout
from sim.report.shocks import text_width
from sim.report.style import (
    MAX_ENTRIES,
    SMALL,
    TINY,
    TITLE,
    WIDTH,
    Look,
    house_style,
    looks,
    panels,
    sentence,
)  # fmt: skip
from sim.report.units import safe

NOTHING = "Nobody broke in this run: there is no graph to draw"
MAX_BUNDLES = 500
MAX_LABELS = 10
_UNIT = 0.94 * 72.0 * WIDTH / 2.2  # [pt] about what a radius of 1 is on paper
_BROKE, _PASSED, _NEWS = "#b0281a", "#9678b6", "#5a5a5a"
_THICKEST = {True: 7.0, False: 2.6}  # [pt] of bundles and of single edges
_ALPHA = {True: 0.6, False: 0.5}
_CAUSE_MARKERS = ("s", "D", "^", "v", "P", "X")
_SYMBOL = 44.0  # [pt] room for the symbol of a market
_HALO = [effects.withStroke(linewidth=1.8, foreground="white")]


def figure(
    graph: nx.DiGraph[str],
    context: RunContext | None = None,
    ax: Axes | Sequence[Axes] | None = None,
    most: int = 5000,
) -> Figure:
    """Draw who moved which market and which market broke whom.

    Each venue has a sector, with its markets on the inner circle and its accounts around, a ring
    for each generation. More than 400 edges are summed by venue, generation and market. Widths
    grow with the square root of weight within a relation, areas of nodes with notional.

    Parameters
    ----------
    graph : networkx.DiGraph or networkx.MultiDiGraph
        As ``Cascade.graph()`` gives it.
    context : RunContext or None
        Venues of the run.
    ax : Axes, sequence of Axes or None
        One Axes; None for a new figure.
    most : int
        Accounts to draw, the heaviest.

    Returns
    -------
    matplotlib.figure.Figure
        The figure drawn on.
    """
    context = context or RunContext()
    data = network_data(graph, most)
    with house_style():
        if not len(data.edges):
            drawn, axes = panels(ax, 1, height=1.6)
            sentence(axes[0], NOTHING)
            return drawn
        drawn, (axis,) = panels(ax, 1, height=WIDTH + 0.5)
        axis.set_axis_off()
        axis.set_aspect("equal")
        axis.set_xlim(-1.09, 1.09)
        axis.set_ylim(-1.09, 1.12)
        plan = layout(data, context.venues)
        look = looks(list(dict.fromkeys([*context.venues, *plan.venues])),
                     plan.venues[:MAX_ENTRIES])  # fmt: skip
        _draw_sectors(axis, plan, look)
        _draw_edges(axis, data, plan, look)
        _draw_nodes(axis, data, plan, look)
        _label_owners(axis, data, plan)
        axis.set_title(_title(data), loc="left", fontweight="bold", pad=2.0)
        legend(drawn, [axis], _handles(data), own=ax is None, remark=_remark(data.bundled))
    return drawn


def _title(data: NetworkData) -> str:
    owners = data.nodes[data.nodes["kind"] == OWNER]
    shown, count = len(owners), f"{len(owners):,}"
    if data.what == "cohorts":
        count = f"{owners['label'].nunique():,}"
    elif shown < data.owners:
        count = f"the {shown:,} largest of {data.owners:,}"
    rounds = "1 generation" if data.last == 0 else f"{data.last + 1} generations"
    what = data.what[:-1] if count == "1" else data.what
    return f"Who broke whom: {count} {what} in {rounds}"


def _remark(bundled: bool) -> str:
    edges = "edges of a venue, generation and market are one line" if bundled else "a line per edge"
    return f"{edges}; width: square root of weight, within a kind of line; area of dots: notional"


def _draw_sectors(ax: Axes, plan: Layout, look: dict[str, Look]) -> None:
    """Tint the sector of each venue, name it along its edge, and number the rings."""
    for venue, begin, end in zip(plan.venues, plan.begin, plan.end, strict=True):
        for low, high in zip(plan.rings[:-1], plan.rings[1:], strict=True):
            ax.add_patch(Wedge((0.0, 0.0), high + 0.003, *np.degrees([end, begin]),
                               width=high - low - 0.002, facecolor=look[venue].colour, alpha=0.09,
                               linewidth=0.0, zorder=0.5))  # fmt: skip
        _write_along(ax, venue, 0.5 * (float(begin) + float(end)), float(begin - end),
                     look[venue].colour)  # fmt: skip
    for number, low, high in zip(plan.first, plan.rings[:-1], plan.rings[1:], strict=True):
        ax.text(0.0, 0.5 * (low + high), str(number), ha="center", va="center", fontsize=SMALL,
                color="#444444")  # fmt: skip
    ax.text(0.0, 1.03, "generation", ha="center", va="bottom", fontsize=TINY, color="#444444")


def _write_along(ax: Axes, text: str, angle: float, arc: float, colour: str) -> None:
    """Write a name along the outer edge of its sector, smaller where that is short."""
    room = 1.04 * arc * _UNIT
    size = min(TITLE, TITLE * room / max(text_width(text, TITLE), 1.0))
    turn = np.degrees(angle) - 90.0
    upside = np.sin(angle) < 0.0
    ax.text(1.045 * np.cos(angle), 1.045 * np.sin(angle), safe(text), ha="center", va="center",
            rotation=turn + 180.0 if upside else turn, fontsize=size, color=colour,
            fontweight="bold")  # fmt: skip


def _draw_edges(ax: Axes, data: NetworkData, plan: Layout, look: dict[str, Look]) -> None:
    """Draw other causes first, forced orders last."""
    ends = _ends(data, plan)
    for layer, relation in enumerate((NEWS, PASSED, BROKE, SOLD)):
        here = np.flatnonzero((data.edges["relation"] == relation).to_numpy())
        if not len(here):
            continue
        weight = data.edges["weight"].to_numpy(dtype=np.float64)
        here = here[np.argsort(-weight[here], kind="stable")][:MAX_BUNDLES]
        thickest = _THICKEST[data.bundled] * (0.4 if relation == PASSED else 1.0)
        width = thickest * np.sqrt(weight[here] / weight[here].max())
        colour = {NEWS: [_NEWS], PASSED: [_PASSED], BROKE: [_BROKE]}.get(
            relation, [look[venue].colour for venue in data.edges["venue"].iloc[here]]
        )
        ax.add_collection(LineCollection(
            list(_curves(ends[here], 0.1 if relation == BROKE else -0.1)), colors=colour,
            linewidths=np.maximum(width, 0.2).tolist(), alpha=_ALPHA[data.bundled],
            capstyle="round", zorder=1.0 + 0.1 * layer,
        ), autolim=False)  # fmt: skip


def _ends(data: NetworkData, plan: Layout) -> FloatArray:
    """Return both ends (E, 4) of the edges; a bundle begins or ends amid its owners."""
    step = int(plan.first[1]) if len(plan.first) > 1 else 1
    sector = data.edges["venue"].map({venue: at for at, venue in enumerate(plan.venues)})
    ring = data.edges["generation"].to_numpy(dtype=np.int64).clip(0) // step
    own = sector.fillna(0).to_numpy(dtype=np.int64)
    radius = 0.5 * (plan.rings[ring] + plan.rings[ring + 1])
    angle = 0.5 * (plan.begin[own] + plan.end[own])
    amid = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    found = []
    for end in ("source", "target"):
        at = data.edges[end].to_numpy(dtype=np.int64)
        found.append(np.where((at < 0)[:, None], amid, plan.place[at]))
    return np.concatenate(found, axis=1)


def _curves(ends: FloatArray, bend: float) -> FloatArray:
    """Return bows (E, 13, 2) from source to target, those across the middle drawn to it."""
    begin, end = ends[:, :2], ends[:, 2:]
    chord = end - begin
    across = np.stack([-chord[:, 1], chord[:, 0]], axis=1)
    length = np.linalg.norm(chord, axis=1, keepdims=True)
    inward = np.clip(1.0 - 0.8 * np.maximum(length - 0.4, 0.0), 0.35, 1.0)
    control = 0.5 * (begin + end) * inward + bend * across
    t = np.linspace(0.0, 1.0, 13)[None, :, None]
    curve = (1 - t) ** 2 * begin[:, None] + 2 * t * (1 - t) * control[:, None] + t**2 * end[:, None]
    return np.asarray(curve, dtype=np.float64)


def _draw_nodes(ax: Axes, data: NetworkData, plan: Layout, look: dict[str, Look]) -> None:
    """Draw owners as dots, markets as hubs with their symbols, causes in the middle."""
    kind = data.nodes["kind"].to_numpy()
    count = int((kind == OWNER).sum())
    few = count <= 200
    _dots(ax, data, plan, look, OWNER, (9.5, 2.8) if few else (6.4, 0.9), edge=count <= 1000)
    _dots(ax, data, plan, look, MARKET, (11.0, 4.5), edge=True)
    for at in np.flatnonzero(kind == MARKET):
        _write_inward(ax, _symbol(str(data.nodes["label"].iloc[at])), plan.place[at])
    for marker, at in zip(_CAUSE_MARKERS, np.flatnonzero(kind == CAUSE), strict=False):
        x, y = plan.place[at]
        ax.plot(x, y, marker=marker, color=_NEWS, markersize=6.0, markeredgecolor="white",
                markeredgewidth=0.4, zorder=2.6)  # fmt: skip


def _symbol(market: str) -> str:
    """Return the symbol of a market, cut to its base asset where it is long."""
    symbol = market.split("/", 1)[-1].removeprefix(f"{COLLATERAL}:")
    return symbol if text_width(symbol, TINY) <= _SYMBOL else re.split(r"[^A-Za-z0-9]", symbol)[0]


def _dots(
    ax: Axes,
    data: NetworkData,
    plan: Layout,
    look: dict[str, Look],
    kind: str,
    between: tuple[float, float],
    edge: bool,
) -> None:
    """Draw the nodes of one kind with areas in proportion to weight, to a quarter of a point."""
    largest, least = between
    mine = (data.nodes["kind"] == kind).to_numpy()
    nodes, place = data.nodes[mine], plan.place[mine]
    weight = nodes["weight"].to_numpy(dtype=np.float64)
    across = largest * np.sqrt(weight / max(float(weight.max(initial=0.0)), 1e-300))
    across = np.maximum(np.round(4.0 * across) / 4.0, least)
    groups = nodes.assign(across=across, at=np.arange(len(nodes))).groupby(["across", "venue"])
    for (size, venue), group in groups:
        at = place[group["at"].to_numpy()]
        ax.plot(at[:, 0], at[:, 1], linestyle="none", marker="o" if kind == OWNER else "h",
                markersize=size, color=look[str(venue)].colour, markeredgecolor="white",
                markeredgewidth=0.3 if edge else 0.0,
                zorder=2.0 if kind == OWNER else 2.5)  # fmt: skip


def _write_inward(ax: Axes, text: str, place: FloatArray) -> None:
    """Write the symbol of a market from its hub towards the middle."""
    angle = float(np.arctan2(place[1], place[0]))
    left = np.cos(angle) < 0.0
    away = HUBS - 0.035
    turn = np.degrees(angle) + (180.0 if left else 0.0)
    ax.text(away * np.cos(angle), away * np.sin(angle), safe(text), rotation=turn,
            ha="left" if left else "right", va="center", rotation_mode="anchor", fontsize=TINY,
            color="#222222", zorder=3.0, path_effects=_HALO)  # fmt: skip


def _label_owners(ax: Axes, data: NetworkData, plan: Layout) -> None:
    """Name the heaviest owners, those whose names would overlap left out."""
    owners = np.flatnonzero((data.nodes["kind"] == OWNER).to_numpy())
    weight = data.nodes["weight"].to_numpy(dtype=np.float64)[owners]
    name = data.nodes["name"].to_numpy(dtype=str)[owners]
    taken = [(-0.03, 0.03, INNER, 1.1)]  # the names of the rings
    for at in owners[np.lexsort((name, -weight))][: 3 * MAX_LABELS]:
        x, y = plan.place[at]
        text = str(data.nodes["label"].iloc[at])
        text = text.removesuffix(f"@{data.nodes['venue'].iloc[at]}")
        wide = (text_width(text, TINY) + 4.0) / _UNIT
        box = (x - 0.5 * wide, x + 0.5 * wide, y + 0.008, y + 0.05)
        if any(box[0] < b[1] and b[0] < box[1] and box[2] < b[3] and b[2] < box[3] for b in taken):
            continue
        taken.append(box)
        ax.annotate(safe(text), (x, y), (0.0, 3.0), textcoords="offset points", ha="center",
                    va="bottom", fontsize=TINY, zorder=3.0, path_effects=_HALO)  # fmt: skip
        if len(taken) > MAX_LABELS:
            return


def _handles(data: NetworkData) -> list[Line2D]:
    kinds = (
        (SOLD, "#888888", "forced order moves market (colour: venue)"),
        (BROKE, _BROKE, f"market breaks {data.what[:-1]}"),
        (PASSED, _PASSED, "felt elsewhere, by mark or value"),
        (NEWS, _NEWS, "other cause"),
    )
    found = set(data.edges["relation"])
    lines = [Line2D([], [], color=colour, linewidth=2.0, label=text)
             for relation, colour, text in kinds if relation in found]  # fmt: skip
    causes = data.nodes.loc[data.nodes["kind"] == CAUSE, "label"]
    return lines + [
        Line2D([], [], color=_NEWS, linestyle="none", marker=marker, markersize=5.0,
               label=cause_text(str(name)))
        for marker, name in zip(_CAUSE_MARKERS, causes, strict=False)
    ]  # fmt: skip
