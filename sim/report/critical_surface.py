"""Figure: how far two assets must fall together until a cascade tips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from sim.core.arrays import BoolArray, FloatArray
from sim.report.drawing import legend
from sim.report.style import TINY, house_style, panels, sentence
from sim.report.units import safe

COLUMNS = ("asset_a", "asset_b", "angle", "return_a", "return_b", "size", "lower", "upper",
           "criterion", "share_before", "share_after")  # fmt: skip
MAX_LABELS = 12
WIDE = 0.01
"""Share of a size below which its interval cannot be seen."""
_MARKERS = {"jump": "o", "share": "D"}
_TEXT = {"jump": "a jump in what is sold", "share": "a share of accounts"}
_TIPS = "#f3d9cf"
_HOLDS = "#e3efe8"
_BAND = "#d9a08f"
_LINE = "#8c2d19"


def figure(
    surface: pd.DataFrame,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Draw the frontier between falls that the state survives and falls that tip it.

    Parameters
    ----------
    surface : pandas.DataFrame
        As ``State.critical_surface`` gives it, a row per direction: `asset_a, asset_b, angle`
        [rad], `return_a, return_b` [1, simple, <= 0; NaN where nothing tips], `size, lower,
        upper` [1], `criterion`, `share_before, share_after` [1].
    ax : Axes, sequence of Axes or None
        One Axes; None for a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure drawn on.

    Raises
    ------
    ValueError
        If a column is missing, or there are other assets than two.
    """
    missing = [name for name in COLUMNS if name not in surface.columns]
    if missing and len(surface):
        raise ValueError(f"the frame of the critical surface lacks {', '.join(missing)}")
    pairs = surface[["asset_a", "asset_b"]].drop_duplicates() if len(surface) else surface
    if len(pairs) > 1:
        raise ValueError(f"the critical surface holds {len(pairs)} pairs of assets; it may hold 1")
    tips = surface.sort_values("angle", kind="stable") if len(surface) else surface
    fell = -tips[["return_a", "return_b"]].to_numpy(dtype=np.float64) if len(tips) else None
    with house_style():
        if fell is None or not np.isfinite(fell).all(axis=1).any():
            drawn, axes = panels(ax, 1, height=1.6)
            sentence(axes[0], "No fall of the two assets tips this state")
            return drawn
        known = np.isfinite(fell).all(axis=1)
        drawn, (axis,) = panels(ax, 1, height=4.6)
        names = [safe(str(pairs.iloc[0][column])) for column in ("asset_a", "asset_b")]
        _draw(axis, tips, fell, known)
        _draw_points(axis, tips[known], fell[known])
        axis.set_title(f"Falls of {names[0]} and {names[1]} at which a cascade tips",
                       loc="left", fontweight="bold", pad=4.0)  # fmt: skip
        axis.set_xlabel(f"fall of {names[0]} [%]")
        axis.set_ylabel(f"fall of {names[1]} [%]")
        for side in (axis.xaxis, axis.yaxis):
            side.set_major_formatter(PercentFormatter(xmax=1.0))
        left = int((~known).sum())
        remark = f"in {left} of {len(tips)} directions nothing tips" if left else None
        legend(drawn, [axis], _handles(tips[known]), own=ax is None, remark=remark)
    return drawn


def _draw(ax: Axes, tips: pd.DataFrame, fell: FloatArray, known: BoolArray) -> None:
    """Shade both sides of the frontier, and its interval, between directions that are known."""
    reach = 1.18 * float(np.nanmax(fell))
    ax.set_xlim(0.0, max(1.35 * float(np.nanmax(fell[:, 0])), 0.25 * reach))
    ax.set_ylim(0.0, max(1.35 * float(np.nanmax(fell[:, 1])), 0.25 * reach))
    size = tips["size"].to_numpy(dtype=np.float64)
    scale = np.divide(1.0, size, out=np.zeros(len(size)), where=known & (size > 0.0))
    low, high = (
        np.where(known, tips[name].to_numpy(dtype=np.float64), 0.0) * scale
        for name in ("lower", "upper")
    )
    for stretch in _stretches(known):
        part = fell[stretch]
        if len(part) < 2:
            continue
        far = part * (10.0 * reach / np.linalg.norm(part, axis=1))[:, None]
        _fill(ax, part, np.zeros((1, 2)), _HOLDS, 1.1)
        _fill(ax, part, far[::-1], _TIPS, 1.1)
        inner, outer = part * low[stretch][:, None], part * high[stretch][:, None]
        if np.isfinite(inner).all() and np.isfinite(outer).all():
            _fill(ax, inner, outer[::-1], _BAND, 1.4)
        ax.plot(part[:, 0], part[:, 1], color=_LINE, linewidth=1.2, zorder=2.0)


def _fill(ax: Axes, edge: FloatArray, back: FloatArray, colour: str, zorder: float) -> None:
    outline = np.concatenate([edge, back])
    ax.fill(outline[:, 0], outline[:, 1], facecolor=colour, linewidth=0.0, zorder=zorder)


def _stretches(known: BoolArray) -> list[slice]:
    """Return the runs of neighbouring directions that are known."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _draw_points(ax: Axes, tips: pd.DataFrame, fell: FloatArray) -> None:
    """Mark each direction; write at the ends how far each asset must fall."""
    for criterion, marker in _MARKERS.items():
        mine = (tips["criterion"] == criterion).to_numpy(dtype=np.bool_)
        if not mine.any():
            continue
        ax.plot(fell[mine, 0], fell[mine, 1], linestyle="none", marker=marker, color=_LINE,
                markersize=4.5, markeredgecolor="white", markeredgewidth=0.4, zorder=2.5,
                clip_on=False)  # fmt: skip
    share = tips["share_after"].to_numpy(dtype=np.float64)
    every = -(-len(tips) // MAX_LABELS)
    for place, ((x, y), after) in enumerate(zip(fell, share, strict=True)):
        if np.isfinite(after) and place % every == 0:
            ax.annotate(
                f"{100.0 * after:.0f} %", (x, y), (4.0, 4.0), textcoords="offset points",
                fontsize=TINY, color="#333333", zorder=3.0, annotation_clip=False,
            )  # fmt: skip


def _handles(tips: pd.DataFrame) -> list[Line2D | Patch]:
    """Return the legend: both sides, the interval and the criteria met."""
    found: list[Line2D | Patch] = [
        Patch(facecolor=_HOLDS, label="holds"),
        Patch(facecolor=_TIPS, label="tips (number: share of accounts broken then)"),
    ]
    if (tips["upper"] - tips["lower"] > WIDE * tips["size"]).any():
        found.append(Patch(facecolor=_BAND, label="interval"))
    for criterion, marker in _MARKERS.items():
        if (tips["criterion"] == criterion).any():
            found.append(Line2D([], [], color=_LINE, marker=marker, markeredgecolor="white",
                                label=f"tips by {_TEXT[criterion]}"))  # fmt: skip
    return found
