"""The house style of every figure: readable in greyscale, byte-stable, sized for a paper.

Colours step in luminance and are told apart under the common colour-vision deficiencies (after
Tol, "Colour schemes", SRON/EPS/TN/09-002, issue 3.2, 2021, and Okabe and Ito, "Color universal
design", 2008); lines carry a marker or dash pattern and bars a hatch as well, so that no meaning
hangs on colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure

from sim.report.png import write_png

WIDTH = 7.2  # [inch] the text width of a two-column journal page
OTHER = "other"
OTHER_COLOUR = "#9a9a9a"
MAX_ENTRIES = 8
TITLE = 8.5  # [pt]
SMALL = 7.0  # [pt]
TINY = 6.2  # [pt]

RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.titlesize": TITLE,
    "axes.titley": 1.0,  # nothing stands above the panels that a title would have to avoid
    "axes.labelsize": 8.0,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dcdcdc",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "lines.linewidth": 1.2,
    "lines.markersize": 3.6,
    "hatch.linewidth": 0.5,
    "patch.linewidth": 0.4,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.dpi": 200,
    "svg.hashsalt": "liqsim",
    "svg.fonttype": "path",
    "path.simplify": True,
    "mathtext.fontset": "dejavusans",
}


@dataclass(frozen=True, slots=True)
class Look:
    """How one series looks wherever it is drawn."""

    colour: str
    marker: str
    hatch: str


_LOOKS = (
    Look("#332288", "o", ""),
    Look("#dd6a1f", "s", "////"),
    Look("#117733", "^", "...."),
    Look("#6fb7e3", "D", ""),
    Look("#882255", "v", "\\\\\\\\"),
    Look("#d8b53c", "P", "xxxx"),
    Look("#4f6d7a", "X", "----"),
    Look("#d98aa8", "*", "oo"),
)
_OTHER_LOOK = Look(OTHER_COLOUR, "", "")


def looks(names: Sequence[str], shown: Sequence[str] | None = None) -> dict[str, Look]:
    """Return a look per name; names that are not shown are drawn as "other".

    Parameters
    ----------
    names : sequence of str
        Every name, in the order that fixes the looks of the first eight in all figures.
    shown : sequence of str or None
        Names, at most eight, that a figure tells apart; None for the first ones of `names`.
        One beyond the first eight takes a look that no other name shown has.
    """
    chosen = list(entries(names) if shown is None else shown)
    fixed = dict(zip(names, _LOOKS, strict=False))
    found = {name: fixed[name] for name in chosen if name in fixed}
    spare = iter([look for look in _LOOKS if look not in found.values()])
    found |= {name: next(spare, _OTHER_LOOK) for name in chosen if name not in fixed}
    return {name: found.get(name, _OTHER_LOOK) for name in names} | found | {OTHER: _OTHER_LOOK}


def entries(names: Sequence[str], most: int = MAX_ENTRIES) -> list[str]:
    """Return the names to tell apart where a legend has room for `most`, "other" included."""
    return list(names if len(names) <= most else names[: most - 1])


@contextmanager
def house_style() -> Iterator[None]:
    """Set the house style while a figure is made or saved, and restore what was set before."""
    with mpl.rc_context():
        mpl.rcdefaults()
        settings: Any = RC
        mpl.rcParams.update(settings)
        yield


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure with an Agg canvas, free of any global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panels(
    ax: Axes | Sequence[Axes] | None,
    rows: int,
    columns: int = 1,
    *,
    height: float,
    ratios: Sequence[float] | None = None,
    below: float | None = None,
    share: bool = True,
) -> tuple[Figure, list[Axes]]:
    """Return the figure and its panels: new ones, or the axes a caller gave.

    A new figure has one more panel over its whole width, `below` the others, whose height is
    that share of theirs. Panels `share` the x axis.

    Raises
    ------
    ValueError
        If `ax` does not hold one Axes per panel.
    """
    if ax is None:
        figure = new_figure(height)
        if below is not None:
            spec = figure.add_gridspec(rows + 1, columns, height_ratios=[1.0] * rows + [below])
            cells = [spec[row, column] for row in range(rows) for column in range(columns)]
            return figure, [figure.add_subplot(cell) for cell in [*cells, spec[rows, :]]]
        grid = figure.subplots(rows, columns, sharex=share, squeeze=False, height_ratios=ratios)
        return figure, list(grid.flat)
    given = [ax] if isinstance(ax, Axes) else list(ax)
    if len(given) < rows * columns:
        raise ValueError(f"the figure has {rows * columns} panels; ax holds {len(given)} Axes")
    return root_figure(given[0]), given[: rows * columns]


def legend_of(axes: Sequence[Axes]) -> tuple[list[Any], list[str]]:
    """Return handles and labels of all panels, one entry for each label."""
    found: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return list(found.values()), list(found)


def root_figure(ax: Axes) -> Figure:
    """Return the figure that holds `ax`, also where a subfigure lies between.

    Raises
    ------
    ValueError
        If `ax` was removed from its figure.
    """
    owner = ax.get_figure()
    while isinstance(owner, SubFigure):
        owner = owner.get_figure()
    if owner is None:
        raise ValueError("ax belongs to no figure")
    return owner


def sentence(ax: Axes, text: str) -> None:
    """Write one sentence on an axis that has nothing to show."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color="#444444")


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write ``name.svg`` and ``name.png``, the same bytes for the same figure."""
    paths = [folder / f"{name}.svg", folder / f"{name}.png"]
    with house_style():
        _lay_out(figure)
        figure.savefig(paths[0], metadata={"Date": None})
        figure.set_dpi(RC["savefig.dpi"])
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
        write_png(paths[1], np.asarray(canvas.buffer_rgba()), RC["savefig.dpi"])
    return paths


def _lay_out(figure: Figure) -> None:
    """Place the panels of a figure for good, at the resolution of the PNG.

    Matplotlib would do so, and draw everything once to no effect, each time a figure is saved.
    """
    engine = figure.get_layout_engine()
    if engine is None:
        return
    figure.set_dpi(RC["savefig.dpi"])
    engine.execute(figure)
    figure.set_layout_engine(None)
