"""Figure: what broken accounts lost to which cause, by generation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from sim.core.arrays import FloatArray, IntArray
from sim.report.cause_looks import cause_text, grouped, looks_of, ordered
from sim.report.context import RunContext
from sim.report.drawing import legend, stacked_bars, swatch
from sim.report.generations import MAX_GENERATIONS, generation_axis
from sim.report.spillover import NOTHING
from sim.report.style import Look, house_style, panels, sentence
from sim.report.units import amount, money_axis

SMALL = 0.02
"""Share of all losses below which a cause is summed with others where causes are many."""


@dataclass(frozen=True)
class LossBars:
    """Losses by generation and cause.

    Parameters
    ----------
    first : (G,) int64
        First generation of each bin.
    width : int
        Generations per bin.
    causes : tuple of str
        Rows of `loss`.
    loss : (C, G) float64 [numeraire]
        Positive when it hurt.
    """

    first: IntArray
    width: int
    causes: tuple[str, ...]
    loss: FloatArray

    @property
    def share(self) -> FloatArray:
        """Parts (C, G) of what hurt in each bin [1]; 0 where nothing did."""
        hurt = np.maximum(self.loss, 0.0).sum(axis=0)
        share = np.divide(self.loss, hurt, out=np.zeros_like(self.loss), where=hurt > 0.0)
        return np.asarray(share, dtype=np.float64)


def loss_bars(losses: pd.DataFrame) -> LossBars:
    """Sum losses by generation of the broken account and cause, in at most sixty bins.

    Causes are grouped as ``sim.report.cause_looks.grouped`` says. Net zeros are left out.

    Raises
    ------
    ValueError
        If a column is missing, or a loss is not finite.
    """
    missing = [name for name in ("generation", "cause", "loss") if name not in losses.columns]
    if missing and len(losses):
        raise ValueError(f"the frame of losses lacks the columns {', '.join(missing)}")
    if not len(losses):
        nothing = np.zeros(0, dtype=np.int64)
        return LossBars(nothing, 1, (), np.zeros((0, 0)))
    if not np.isfinite(losses["loss"].to_numpy(dtype=np.float64)).all():
        raise ValueError("the frame of losses holds a loss that is not a finite number")
    keys = ["generation", "cause"]
    losses = losses.groupby(keys, sort=True, observed=True, as_index=False)[["loss"]].sum()
    loss = losses["loss"]
    generation = losses["generation"].to_numpy(dtype=np.int64)
    width = max(1, -(-int(generation.max() + 1) // MAX_GENERATIONS))
    first = np.arange(0, generation.max() + 1, width, dtype=np.int64)
    cause = grouped(losses["cause"], loss, SMALL)
    table = loss.groupby([cause.to_numpy(), generation // width]).sum().unstack()
    table = table.reindex(columns=range(len(first))).fillna(0.0)
    table = table[(table != 0.0).any(axis=1)]
    causes = ordered([str(name) for name in table.index])
    return LossBars(first, width, tuple(causes), table.loc[causes].to_numpy(dtype=np.float64))


def figure(
    losses: pd.DataFrame,
    context: RunContext | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Draw losses by generation, stacked by cause, above what part of it each cause made.

    Gains stand below zero.

    Parameters
    ----------
    losses : pandas.DataFrame
        As ``Cascade.losses()`` gives it: `generation, cause, loss` [numeraire] are read.
    context : RunContext or None
        Venues and currency of the run.
    ax : Axes, sequence of Axes or None
        Two Axes; None for a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure drawn on.

    Raises
    ------
    ValueError
        If a column is missing, or a loss is not finite.
    """
    context = context or RunContext()
    data = loss_bars(losses)
    with house_style():
        if not data.causes:
            drawn, axes = panels(ax, 1, height=1.6)
            sentence(axes[0], NOTHING)
            return drawn
        drawn, axes = panels(ax, 2, height=4.4, ratios=[1.3, 1.0])
        look = looks_of(data.causes, context)
        for axis, values in zip(axes, (data.loss, data.share), strict=True):
            _draw(axis, data, values, [look[cause] for cause in data.causes])
        total = amount(float(data.loss.sum()), context.currency)
        title = f"Loss of broken accounts by cause: {total}"
        axes[0].set_title(title, loc="left", fontweight="bold", pad=4.0)
        money_axis(axes[0], "loss", context.currency)
        axes[1].yaxis.set_major_formatter(PercentFormatter(xmax=1.0))
        axes[1].set_ylabel("share of what hurt [%]")
        generation_axis(axes, data.first, data.width, "generation of the broken accounts [1]")
        drawn.align_ylabels(axes)
        handles = [swatch(cause_text(cause), look[cause]) for cause in data.causes]
        legend(drawn, axes, handles, own=ax is None)
    return drawn


def _draw(ax: Axes, data: LossBars, values: FloatArray, look: list[Look]) -> None:
    left = np.asarray(data.first - 0.4 * data.width, dtype=np.float64)
    for part in (np.maximum(values, 0.0), np.minimum(values, 0.0)):
        stacked_bars(ax, left, 0.8 * data.width, part, look)
    if (values < 0.0).any():
        ax.axhline(0.0, color="#222222", linewidth=0.5, zorder=2.0)
