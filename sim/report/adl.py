"""Figure: who was closed against the bankrupt by auto-deleveraging, in the order of the queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from sim.core.arrays import BoolArray
from sim.report.context import RunContext
from sim.report.style import TINY, house_style, looks, panels, sentence
from sim.report.units import money

MAX_PANELS = 4
MAX_BARS = 12
ROUNDING = 1e-9
"""Share of what was closed below which a difference of both sides is rounding."""
NOTHING = "Nobody was deleveraged in this run"


@dataclass(frozen=True)
class Queue:
    """Accounts that one clearer closed against bankrupt ones.

    Parameters
    ----------
    clearer : str
    closed : Series of float64 [quote]
        Notional closed by account, in the order in which accounts were first reached.
    bankrupt : int
        Accounts that were closed as bankrupt.
    """

    clearer: str
    closed: pd.Series
    bankrupt: int


def bankrupt_side(quantity: pd.Series) -> BoolArray:
    """Return which trades (N,) of one clearer, market and tick are those of bankrupt accounts.

    Each match is recorded as the bankrupt accounts, all of one side, and then those on the other
    side, until both sums are equal.
    """
    found = np.zeros(len(quantity), dtype=bool)
    open_, side = 0.0, 0.0
    most = ROUNDING * float(quantity.abs().sum())
    for k, change in enumerate(quantity.tolist()):
        if abs(open_) <= most:
            open_, side = 0.0, float(np.sign(change))
        found[k] = np.sign(change) == side
        open_ += change
    return found


def queues(liquidations: pd.DataFrame) -> list[Queue]:
    """Return the queue of each clearer that deleveraged, the largest first."""
    rows = liquidations[(liquidations["kind"] == "adl") & (liquidations["symbol"] != "")]
    if not len(rows):
        return []
    keys = ["tick", "clearer", "venue", "symbol"]
    groups = [rows["quantity"].iloc[at] for at in rows.groupby(keys, sort=False).indices.values()]
    parts = [pd.Series(bankrupt_side(part), index=part.index) for part in groups]
    broken = pd.concat(parts).reindex(rows.index)
    found = []
    for clearer, mine in rows.groupby("clearer", sort=False):
        lost = broken[mine.index]
        closed = mine[~lost].groupby("account_id", sort=False)["notional"].sum()
        found.append(Queue(str(clearer), closed, int(mine[lost]["account_id"].nunique())))
    return sorted(found, key=lambda queue: -float(queue.closed.sum()))


def figure(
    liquidations: pd.DataFrame,
    context: RunContext | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Draw what each account was closed by, the first reached on top, a panel per clearer.

    Parameters
    ----------
    liquidations : pandas.DataFrame
        Recorded table `liquidations`.
    context : RunContext or None
        Venues and currency of the run.
    ax : Axes, sequence of Axes or None
        One Axes per clearer that deleveraged (at most four); None for a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure drawn on.
    """
    context = context or RunContext()
    shown = queues(liquidations)[:MAX_PANELS]
    with house_style():
        if not shown:
            drawn, axes = panels(ax, 1, height=1.6)
            sentence(axes[0], NOTHING)
            return drawn
        bars = [min(len(queue.closed), MAX_BARS) for queue in shown]
        height = 0.6 + sum(0.5 + 0.16 * count for count in bars)
        ratios = [1.5 + count for count in bars]
        drawn, axes = panels(ax, len(shown), height=height, ratios=ratios)
        look = looks(context.venues_of(liquidations))
        for axis, queue in zip(axes, shown, strict=True):
            _draw(axis, queue, look[queue.clearer].colour, look[queue.clearer].hatch)
            title = _title(queue, context.currency)
            axis.set_title(title, loc="left", fontweight="bold", pad=4.0)
        label = f"notional closed [{context.currency}], the first in the queue on top"
        axes[-1].set_xlabel(label.replace("$", r"\$"))
    return drawn


def _title(queue: Queue, currency: str) -> str:
    unit = "" if currency == "quote" else currency
    total, count = money(float(queue.closed.sum()), unit), len(queue.closed)
    accounts = "1 account" if count == 1 else f"{count:,} accounts"
    text = f"{queue.clearer}: {accounts} closed against {queue.bankrupt:,} bankrupt, {total}"
    if count > MAX_BARS:
        text += f"; the first {MAX_BARS}"
    return text.replace("$", r"\$")


def _draw(ax: Axes, queue: Queue, colour: str, hatch: str) -> None:
    first = queue.closed.iloc[:MAX_BARS]
    place = np.arange(len(first), dtype=np.float64)
    ax.barh(place, first.to_numpy(), 0.7, color=colour, hatch=hatch or None, edgecolor="white",
            linewidth=0.25)  # fmt: skip
    ax.set_yticks(place, [str(name) for name in first.index], fontsize=TINY)
    ax.set_ylim(max(len(first) - 0.4, 0.6), -0.6)
    ax.grid(visible=False, axis="y")
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _=None: money(float(value))))
