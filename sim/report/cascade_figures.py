"""Figures of a cascade: in time, by cause, from source to victim, and before it happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import networkx as nx
import pandas as pd
from matplotlib.figure import Figure

from sim.report import (
    critical_surface,
    decomposition,
    ladder,
    losses,
    network,
    sankey,
    spillover,
    timeline,
)
from sim.report.context import RunContext
from sim.report.style import save

Drawing = Callable[[], Figure]


@dataclass(frozen=True, eq=False)
class CascadeFrames:
    """What the figures of a cascade are drawn from; what is left out has no figure.

    Parameters
    ----------
    liquidations, price_causes : pandas.DataFrame
        Recorded tables.
    losses : pandas.DataFrame
        As ``Cascade.losses()`` gives it.
    spillover : Mapping of str to pandas.DataFrame
        Matrices of loss [numeraire] by source (index) and victim (columns), by what victims
        are: ``venue``, ``asset``, ``cohort`` or ``market``.
    graph : networkx.DiGraph or None
        As ``Cascade.graph()`` gives it.
    ladders : Mapping of str to pandas.DataFrame
        As ``State.liquidation_ladder()`` gives them, by the market or asset that moves.
    surfaces : Mapping of str to pandas.DataFrame
        As ``State.critical_surface()`` gives them, by a name for their files.
    """

    liquidations: pd.DataFrame
    price_causes: pd.DataFrame
    losses: pd.DataFrame = field(default_factory=pd.DataFrame)
    spillover: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    graph: nx.DiGraph[str] | None = None
    ladders: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    surfaces: Mapping[str, pd.DataFrame] = field(default_factory=dict)


def missing(frames: CascadeFrames) -> dict[str, str]:
    """Return why a figure is not drawn, a few words for each, by the name of the figure."""
    found = {}
    if not len(frames.liquidations) or not frames.liquidations["kind"].isin(timeline.KINDS).any():
        found["timeline"] = "nothing was liquidated"
    if not len(frames.price_causes) or not frames.price_causes["price_move"].any():
        found["decomposition"] = "no price moved"
    if not len(frames.losses):
        found["losses"] = "no losses of broken accounts are recorded"
    if not any(_holds_losses(matrix) for matrix in frames.spillover.values()):
        found["spillover"] = "no losses of broken accounts are recorded"
    if frames.graph is None or not frames.graph.number_of_edges():
        found["network"] = "nobody broke"
    if not any(len(frame) for frame in frames.ladders.values()):
        found["ladder"] = "no state of the accounts is recorded"
    if not any(len(frame) for frame in frames.surfaces.values()):
        found["critical_surface"] = "no critical shocks are given"
    return found


def cascade_figures(
    frames: CascadeFrames, context: RunContext | None = None
) -> Iterator[tuple[str, Figure]]:
    """Yield every figure of a cascade with the name of its file, drawn as it is asked for.

    Parameters
    ----------
    frames : CascadeFrames
        What to draw.
    context : RunContext or None
        Clock, venues, currency and shocks of the run.

    Raises
    ------
    ValueError
        If a frame lacks a column or holds a number that is not allowed.
    """
    for name, draw in _drawings(frames, context).items():
        yield name, draw()


def _drawings(frames: CascadeFrames, context: RunContext | None) -> dict[str, Drawing]:
    """Return what draws each figure that has something to show."""
    without = missing(frames)
    graph = frames.graph
    drawings: dict[str, Drawing] = {
        "timeline": lambda: timeline.figure(frames.liquidations, context),
        "decomposition": lambda: decomposition.figure(frames.price_causes, context),
        "losses": lambda: losses.figure(frames.losses, context),
    }
    if graph is not None:
        drawings["network"] = lambda: network.figure(graph, context)
    drawings = {name: draw for name, draw in drawings.items() if name not in without}
    for by, matrix in frames.spillover.items():
        if _holds_losses(matrix):
            for name, figure in (("spillover", spillover.figure), ("flows", sankey.figure)):
                drawings[_named(name, by)] = _matrix_drawing(figure, matrix, context, by)
    for what, frame in frames.ladders.items():
        if len(frame):
            drawings[_named("ladder", what)] = _ladder_drawing(frame, context, what)
    for name, frame in frames.surfaces.items():
        if len(frame):
            drawings[_named("critical_surface", name)] = _surface_drawing(frame)
    return drawings


def _holds_losses(matrix: pd.DataFrame) -> bool:
    return bool(matrix.size) and bool((matrix != 0.0).to_numpy().any())


def _matrix_drawing(
    figure: Callable[..., Figure], matrix: pd.DataFrame, context: RunContext | None, by: str
) -> Drawing:
    return lambda: figure(matrix, context, by=by)


def _ladder_drawing(frame: pd.DataFrame, context: RunContext | None, what: str) -> Drawing:
    return lambda: ladder.figure(frame, context, what=what)


def _surface_drawing(frame: pd.DataFrame) -> Drawing:
    return lambda: critical_surface.figure(frame)


def _named(figure: str, what: str) -> str:
    """Return the name of a file: that of the figure and what it is about, in safe letters."""
    subject = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in what)
    return f"{figure}_{subject}" if subject else figure


def save_cascade_figures(
    frames: CascadeFrames, folder: str | Path, context: RunContext | None = None
) -> list[Path]:
    """Write every figure of a cascade as SVG and PNG; the same frames give the same bytes.

    What has nothing to show is left out; ``missing`` says why.

    Parameters
    ----------
    frames : CascadeFrames
        What to draw.
    folder : str or Path
        Folder to write to; made if it does not exist.
    context : RunContext or None
        Clock, venues, currency and shocks of the run, as ``RunContext.of_run`` gives them.

    Returns
    -------
    list of Path
        What was written, in order of the figures.

    Raises
    ------
    ValueError
        If a frame lacks a column or holds a number that is not allowed.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, drawn in cascade_figures(frames, context):
        written += save(drawn, target, name)
    return written
