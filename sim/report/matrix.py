"""A matrix of sources and victims made ready to draw: which rows and columns, in which order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sim.core.arrays import FloatArray
from sim.report.cause_looks import LIQUIDATION
from sim.report.context import RunContext
from sim.report.style import MAX_ENTRIES, OTHER, OTHER_COLOUR, looks

MAX_NAMES = 12
MAX_CAUSES = 6
TOTAL = "total"
OTHER_CAUSES = "other causes"
EXOGENOUS = "exogenous"
_NEWS_COLOUR = "#5a5a5a"
_CAUSE_COLOUR = "#b4b4b4"


_OF_ACCOUNTS = ("venue", "cohort")


def victim_text(by: str) -> str:
    """Return what the columns of a matrix by ``venue``, ``cohort``, ``asset`` or ``market`` are."""
    return f"{by} of the broken accounts" if by in _OF_ACCOUNTS else f"{by} that it was lost in"


def source_text(by: str) -> str:
    """Return what the rows of a matrix are."""
    return f"source: forced orders {'by' if by in _OF_ACCOUNTS else 'in'} {by}, then other causes"


@dataclass(frozen=True)
class LossMatrix:
    """What sources cost victims.

    Parameters
    ----------
    sellers : tuple of str
        First rows of `value`: sources that sold by force.
    causes : tuple of str
        Other rows: exogenous first, then the other causes, the largest first.
    victims : tuple of str
        Columns of `value`.
    value : (sellers and causes, victims) float64
        In the unit of the frame.
    """

    sellers: tuple[str, ...]
    causes: tuple[str, ...]
    victims: tuple[str, ...]
    value: FloatArray

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the rows."""
        return (*self.sellers, *self.causes)


def loss_matrix(frame: pd.DataFrame, context: RunContext, most: int = MAX_NAMES) -> LossMatrix:
    """Return what to draw of a matrix of sources and victims.

    Parameters
    ----------
    frame : pandas.DataFrame
        Index: those that sold by force, named as victims are or ``liquidation:<name>``, and
        other causes by name. Columns: victims. A row or column ``total`` is left out, as are
        rows and columns of zeros.
    context : RunContext
        Venues, in whose order names stand.
    most : int
        Names to tell apart; beyond, the smallest are summed as "other".

    Raises
    ------
    ValueError
        If a value is not finite, or a row or column stands twice.
    """
    forced, rest = _parts(_checked(frame), context)
    listed = list(dict.fromkeys([*context.venues, *frame.columns.astype(str), *forced.index]))
    present = [name for name in listed if name in forced.index or name in forced.columns]
    size = forced.abs().sum(axis=1).add(forced.abs().sum() + rest.abs().sum(), fill_value=0.0)
    kept = _largest(size, present, most)
    forced, rest = _folded(_folded(forced, kept).T, kept).T, _folded(rest.T, kept).T
    rest = _ranked(rest)
    hurt = (forced != 0.0).any() | (rest != 0.0).any()
    forced = forced.loc[(forced != 0.0).any(axis=1), hurt]
    order = [*(name for name in present if name in kept), OTHER]
    sellers = [name for name in order if name in forced.index]
    victims = [name for name in order if name in forced.columns]
    causes = [str(name) for name in rest.index]
    value = pd.concat([forced, rest]).reindex(index=[*sellers, *causes], columns=victims)
    return LossMatrix(tuple(sellers), tuple(causes), tuple(victims), value.to_numpy(np.float64))


def _ranked(rest: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of causes, exogenous first, the largest next, the smallest summed."""
    size = rest.abs().sum(axis=1)
    size = size[size > 0.0].sort_values(ascending=False, kind="stable")
    others = [str(name) for name in size.index if name != EXOGENOUS]
    names = [name for name in (EXOGENOUS,) if name in size.index] + others
    kept = {EXOGENOUS, *others[:MAX_CAUSES]}
    return _folded(rest.loc[names], kept, OTHER_CAUSES)


def _checked(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with plain names and without margins."""
    frame = frame.astype(np.float64)
    frame.index, frame.columns = frame.index.astype(str), frame.columns.astype(str)
    for what, names in (("row", frame.index), ("column", frame.columns)):
        if not names.is_unique:
            twice = names[names.duplicated()][0]
            raise ValueError(f"{what} {twice!r} of the matrix stands twice; each may stand once")
    frame = frame.drop(index=TOTAL, columns=TOTAL, errors="ignore")
    value = frame.to_numpy(dtype=np.float64)
    bad = ~np.isfinite(value)
    if bad.any():
        row, column = (int(place[0]) for place in np.nonzero(bad))
        source, victim = list(frame.index)[row], list(frame.columns)[column]
        raise ValueError(
            f"the matrix holds {value[row, column]} from {source!s} to {victim!s}; every value "
            "must be a finite number"
        )
    return frame


def _parts(frame: pd.DataFrame, context: RunContext) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of those that sold by force, by plain names, and those of other causes."""
    known = {*context.venues, *frame.columns} - {EXOGENOUS}
    forced = [name.startswith(LIQUIDATION) or name in known for name in frame.index]
    sold = frame[forced].rename(index=lambda name: str(name).removeprefix(LIQUIDATION))
    return sold, frame[[not is_forced for is_forced in forced]]


def _largest(size: pd.Series, names: list[str], most: int) -> list[str]:
    if len(names) <= most:
        return names
    ranked = size.reindex(names).sort_values(ascending=False, kind="stable")
    return [str(name) for name in ranked.index[: most - 1]]


def _folded(frame: pd.DataFrame, kept: Iterable[str], into: str = OTHER) -> pd.DataFrame:
    """Return the frame with the rows that are not `kept` summed as one."""
    names = set(kept)
    labels = [name if name in names else into for name in frame.index]
    return frame.groupby(np.array(labels, dtype=object), sort=False).sum()


def colours(matrix: LossMatrix, context: RunContext) -> dict[str, str]:
    """Return the colour of each source and victim: venues have their own, causes are grey."""
    names = [n for n in dict.fromkeys([*context.venues, *matrix.sellers, *matrix.victims])
             if n != OTHER]  # fmt: skip
    present = [n for n in names if n in matrix.sellers or n in matrix.victims]
    look = looks(names, present[:MAX_ENTRIES])
    found = {name: look[name].colour for name in names} | {OTHER: OTHER_COLOUR}
    found |= {name: _CAUSE_COLOUR for name in matrix.causes}
    return found | ({EXOGENOUS: _NEWS_COLOUR} if EXOGENOUS in matrix.causes else {})
