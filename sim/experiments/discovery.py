"""Where in the space of factors something happens: scenario discovery on any table of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import BoolArray
from sim.core.errors import RunError
from sim.experiments.boxes import Box, Column, quasi_p, simplified
from sim.experiments.points import columns_of, points_of
from sim.experiments.prim import trajectory

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

FEW = 20
"""Points of interest under which a box is not to be trusted."""


@dataclass(frozen=True)
class Discovery:
    """Boxes of factors in which a condition holds often.

    Attributes
    ----------
    folder : Path
        Folder of the experiment.
    where : str
        The condition.
    points, cases : int
        Runs (or cells) looked at, and those in which it holds.
    frame : pandas.DataFrame
        One row per box and step of its trajectory: ``coverage`` (share of all cases that are in
        it), ``density`` (share of its points that are cases), ``mass`` (share of all points),
        ``points``, ``cases``, ``restricted`` factors, and whether it is the one ``chosen``.
    limits : pandas.DataFrame
        One row per chosen box and factor that it restricts: ``low``, ``high`` (NaN where open)
        or ``words``; ``lowest`` and ``highest`` value of the factor in all points; quasi-p-values
        ``p_low``, ``p_high``, ``p_words``.
    warnings : tuple of str
        What stands against trusting the boxes.
    """

    folder: Path
    where: str
    points: int
    cases: int
    frame: pd.DataFrame
    limits: pd.DataFrame
    warnings: tuple[str, ...]

    @property
    def chosen(self) -> pd.DataFrame:
        """The chosen step of each box."""
        return self.frame[self.frame["chosen"]]

    def figure(self) -> Figure:
        """Draw the trajectories and the limits of the chosen boxes."""
        from sim.experiments.discovery_figure import figure

        return figure(self)

    def save(self) -> list[Path]:
        """Write tables and figure beside the runs and return their paths."""
        from sim.report.style import save

        paths = [self.folder / "discovery.csv", self.folder / "discovery-limits.csv"]
        self.frame.to_csv(paths[0], index=False)
        self.limits.to_csv(paths[1], index=False)
        return [*paths, *save(self.figure(), self.folder, "discovery")]


def discover(
    folder: str | Path,
    where: str,
    *,
    peel: float = 0.05,
    mass: float = 0.05,
    boxes: int = 1,
    step: int | None = None,
) -> Discovery:
    """Find boxes of factors in which a condition holds in most runs.

    Parameters
    ----------
    folder : path
        Folder of an experiment.
    where : str
        A condition on a run, such as ``shortfall > 0``; or on the runs of a cell, such as
        ``share(shortfall > 0) > 10%``. Metrics and factors may be named.
    peel : float [1]
        Share of the points that a step cuts off.
    mass : float [1]
        Least share of all points in a box.
    boxes : int
        How many boxes to look for, each among the points outside those before.
    step : int, optional
        Step of the first trajectory that is chosen. Left out: the step with the highest harmonic
        mean of coverage and density (of later boxes, coverage of the cases outside those
        before), of equals the one with fewest restrictions.

    Raises
    ------
    ScenarioError
        The folder is no experiment's, or a factor has no value in some cell.
    ExpressionError
        The condition cannot be read.
    RunError
        The condition holds nowhere, or everywhere.
    IndexError
        The trajectory has no such step.
    ValueError
        Another argument is out of its range.
    """
    if boxes < 1:
        raise ValueError(f"boxes must be at least 1, found {boxes}")
    folder = Path(folder)
    table, interest, warnings = points_of(folder, where)
    columns = columns_of(folder, table)
    points, cases = len(interest), int(interest.sum())
    if cases in (0, points):
        found = "none" if cases == 0 else "all"
        raise RunError(f"'{where}' holds in {found} of {points:,}; there is nothing to tell apart")
    if cases < FEW:
        warnings.append(f"'{where}' holds in {cases} of {points:,} only; a box of so few is luck")
    rows: list[dict[str, Any]] = []
    limits: list[dict[str, Any]] = []
    among = np.ones(points, dtype=np.bool_)
    for number in range(1, boxes + 1):
        if not (among & interest).any() or among.sum() < mass * points:
            break
        path = trajectory(columns, interest, among=among, peel=peel, paste=peel, mass=mass)
        if len(path) == 1:
            warnings.append(f"box {number}: nothing raises the density; there is no such box")
            break
        chosen = _choice(path, step if number == 1 else None)
        rows += _steps(number, path, chosen, points, cases)
        best = simplified(path[chosen], columns, interest, among)
        told = _limits(number, best, columns, interest, among)
        limits += told
        warnings += _about_luck(told)
        among = among & ~best.inside
    return _discovery(folder, where, (points, cases), rows, limits, warnings)


def _discovery(
    folder: Path,
    where: str,
    counts: tuple[int, int],
    rows: list[dict[str, Any]],
    limits: list[dict[str, Any]],
    warnings: Sequence[str],
) -> Discovery:
    import pandas as pd

    steps = ["box", "step", "coverage", "density", "mass", "points", "cases", "restricted",
             "chosen"]  # fmt: skip
    named = ["box", "factor", "low", "high", "words", "lowest", "highest", "p_low", "p_high",
             "p_words"]  # fmt: skip
    frame = pd.DataFrame(rows, columns=steps).astype({"chosen": bool})
    return Discovery(
        folder, where, *counts, frame, pd.DataFrame(limits, columns=named), tuple(warnings)
    )


def _choice(path: Sequence[Box], step: int | None) -> int:
    """Return the step of a trajectory that is taken."""
    cases = path[0].cases
    if step is not None:
        if not 0 <= step < len(path):
            raise IndexError(f"step must be from 0 to {len(path) - 1}, found {step}")
        return step

    def score(number: int) -> tuple[float, int, int]:
        box = path[number]
        coverage = box.cases / cases
        both = coverage + box.density
        mean = 2.0 * coverage * box.density / both if both else 0.0
        return mean, -box.restricted, -number

    return max(range(len(path)), key=score)


def _steps(
    number: int, path: Sequence[Box], chosen: int, points: int, cases: int
) -> list[dict[str, Any]]:
    return [
        {
            "box": number,
            "step": step,
            "coverage": box.cases / cases,
            "density": box.density,
            "mass": box.points / points,
            "points": box.points,
            "cases": box.cases,
            "restricted": box.restricted,
            "chosen": step == chosen,
        }
        for step, box in enumerate(path)
    ]


def _limits(
    number: int, box: Box, columns: Sequence[Column], interest: BoolArray, among: BoolArray
) -> list[dict[str, Any]]:
    """Return what the chosen box asks, factor by factor."""
    chances = {(k, end): p for k, end, p in quasi_p(box, columns, interest, among)}
    rows = []
    for k, (column, limit) in enumerate(zip(columns, box.limits, strict=True)):
        if limit is None:
            continue
        words = ", ".join(sorted(limit)) if isinstance(limit, frozenset) else None
        low, high = (np.nan, np.nan) if isinstance(limit, frozenset) else limit
        ends = [column.numbers.min(), column.numbers.max()] if column.numeric else [np.nan] * 2
        rows.append(
            {
                "box": number,
                "factor": column.name,
                "low": low if np.isfinite(low) else np.nan,
                "high": high if np.isfinite(high) else np.nan,
                "words": words,
                "lowest": float(ends[0]),
                "highest": float(ends[1]),
                **{f"p_{e}": chances.get((k, e), np.nan) for e in ("low", "high", "words")},
            }
        )
    return rows


def _about_luck(limits: Sequence[dict[str, Any]]) -> list[str]:
    """Return a warning for each restriction that may be luck."""
    return [
        f"box {row['box']}: the limit '{end}' of {row['factor']} may be luck, quasi-p "
        f"{row[f'p_{end}']:.2g}"
        for row in limits
        for end in ("low", "high", "words")
        if row[f"p_{end}"] > 0.05
    ]
