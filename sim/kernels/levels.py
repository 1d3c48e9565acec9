"""The due scheduler: which accounts must be looked at when prices stand where they stand.

Accounts are kept in lists by how far prices may still move. The list of level l has a reach R_l
and an anchor a_l, the prices at which it was last emptied. As long as ``d(p, a_l) < R_l`` nobody
in it is looked at; when prices reach that distance all of it is due, and the anchor moves to the
prices of that moment. An account with radius r (`sim.kernels.radius`) found at prices p may enter
a level if

    R_l + d(p, a_l) <= r

since then, by the triangle inequality, ``d(p', p) <= d(p', a_l) + d(a_l, p) < r`` until the level
comes due. It enters the one that leaves it in peace longest, with the largest ``R_l - d(p, a_l)``.
An account for which no level is small enough is hot and looked at every time; one that nothing can
happen to is idle. Looking costs in proportion to the accounts that are due, not to all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.core.arrays import FloatArray, Int8Array, Int32Array, IntArray
from sim.kernels.compiling import HAS_NUMBA, compiled, compiled_part
from sim.kernels.margin import MarginInputs, MarginOutputs, account_margin_numpy, margin_loop
from sim.kernels.radius import RadiusInputs, account_radius_numpy, radius_loop

LEVELS = 36
"""Number of levels: reaches of 1 to 2**17.5 units of distance, each 2**0.5 times the one before."""

HOT = LEVELS
"""Level of an account that is looked at every time."""

IDLE = -1
"""Level of an account to which nothing can happen before it changes."""

DUE = -2
"""Level of an account while it is being looked at."""

ROUNDING = 1e-12
"""Share of a radius set aside for the rounding of distances."""

NOBODY = -1
"""End of a list."""

CROWD = 8
"""From one eighth of all accounts on the due ones are taken in order, to read memory in order."""


class Levels(NamedTuple):
    """Lists of accounts (A) by level (L = `LEVELS`), distances in D values of prices.

    Attributes
    ----------
    reach : (L,) float64 [1]
    anchor : (L, D) float64 [numeraire]
    unit : (D,) float64 [numeraire]
        Unit of each value; 0 for one that has not moved so far.
    base : (D,) float64 [numeraire]
        The values when the units were set.
    first : (L + 1,) int32
        First account of each list, the hot ones last; `NOBODY` where it is empty.
    level : (A,) int8
    following, preceding : (A,) int32
        Neighbours in the list; all three are unused on NumPy, which goes by `level` alone.
    """

    reach: FloatArray
    anchor: FloatArray
    unit: FloatArray
    base: FloatArray
    first: Int32Array
    level: Int8Array
    following: Int32Array
    preceding: Int32Array


def empty_levels(accounts: int, unit: FloatArray, now: FloatArray) -> Levels:
    """Return levels in which every account is hot.

    Parameters
    ----------
    accounts : int
    unit, now : (D,) float64 [numeraire]
        Units of distance, and the values of prices at present.
    """
    linked = accounts if HAS_NUMBA else 0
    levels = Levels(
        reach=2.0 ** (np.arange(LEVELS) / 2.0),
        anchor=np.tile(now, (LEVELS, 1)),
        unit=unit.copy(),
        base=now.copy(),
        first=np.full(LEVELS + 1, NOBODY, dtype=np.int32),
        level=np.full(accounts, HOT, dtype=np.int8),
        following=np.full(linked, NOBODY, dtype=np.int32),
        preceding=np.full(linked, NOBODY, dtype=np.int32),
    )
    start_afresh(levels, unit, now)
    return levels


def start_afresh(levels: Levels, unit: FloatArray, now: FloatArray) -> None:
    """Set new units and make every account hot."""
    levels.unit[:], levels.base[:], levels.anchor[:] = unit, now, now
    levels.level[:] = HOT
    if HAS_NUMBA:
        levels.first[:] = NOBODY
        _chain(levels)


@compiled
def _chain(levels: Levels) -> None:
    for row in range(levels.level.shape[0] - 1, -1, -1):
        _enter(levels, row, HOT)


@compiled_part
def _enter(levels: Levels, row: int, level: int) -> None:
    head = levels.first[level]
    levels.following[row], levels.preceding[row] = head, NOBODY
    if head != NOBODY:
        levels.preceding[head] = row
    levels.first[level] = row
    levels.level[row] = level


@compiled_part
def _leave(levels: Levels, row: int) -> None:
    after, before = levels.following[row], levels.preceding[row]
    if before != NOBODY:
        levels.following[before] = after
    else:
        levels.first[levels.level[row]] = after
    if after != NOBODY:
        levels.preceding[after] = before


@compiled
def must_start_afresh(levels: Levels, now: FloatArray) -> bool:
    """Return whether a value without unit has moved, or one has left a quarter to four times."""
    for j in range(now.shape[0]):
        if levels.unit[j] == 0.0:
            if now[j] != levels.base[j]:
                return True
        elif now[j] > 4.0 * levels.base[j] or now[j] < 0.25 * levels.base[j]:
            return True
    return False


@compiled_part
def _distance(levels: Levels, level: int, now: FloatArray) -> float:
    farthest = 0.0
    for j in range(now.shape[0]):
        if levels.unit[j] > 0.0:
            apart = abs(now[j] - levels.anchor[level, j]) / levels.unit[j]
            farthest = max(farthest, apart)
    return farthest


@compiled_part
def _wider(rows: IntArray) -> IntArray:
    wider = np.empty(4 * rows.shape[0], dtype=np.int64)
    for i in range(rows.shape[0]):
        wider[i] = rows[i]
    return wider


@compiled_part
def _take(levels: Levels, level: int, due: IntArray, count: int) -> tuple[IntArray, int]:
    """Add a whole list to the due accounts; return them and their number."""
    row = levels.first[level]
    levels.first[level] = NOBODY
    while row != NOBODY:
        if count == due.shape[0]:
            due = _wider(due)
        due[count] = row
        levels.level[row] = DUE
        count += 1
        row = levels.following[row]
    return due, count


@compiled_part
def _collect(levels: Levels, now: FloatArray, changed: IntArray, distance: FloatArray) -> IntArray:
    """Take the due accounts out of their lists; return their rows, in order if they are many."""
    due = np.empty(256, dtype=np.int64)
    count = 0
    for level in range(LEVELS):
        distance[level] = 0.0
        if levels.first[level] == NOBODY:
            continue
        apart = _distance(levels, level, now)
        if apart < levels.reach[level]:
            distance[level] = apart
        else:
            due, count = _take(levels, level, due, count)
    due, count = _take(levels, HOT, due, count)
    for row in changed:
        if levels.level[row] == DUE:
            continue
        if levels.level[row] != IDLE:
            _leave(levels, row)
        if count == due.shape[0]:
            due = _wider(due)
        due[count] = row
        levels.level[row] = DUE
        count += 1
    if CROWD * count < levels.level.shape[0]:
        return due[:count]
    count = 0
    for row in range(levels.level.shape[0]):
        if levels.level[row] == DUE:
            due[count] = row
            count += 1
    return due[:count]


@compiled_part
def _file(
    levels: Levels, now: FloatArray, distance: FloatArray, rows: IntArray, radius: FloatArray
) -> None:
    """Enter accounts into the levels that fit their radii."""
    for i in range(rows.shape[0]):
        if radius[i] == np.inf:
            levels.level[rows[i]] = IDLE
            continue
        fit = radius[i] * (1.0 - ROUNDING)
        best, peace = HOT, 0.0
        for level in range(LEVELS - 1, -1, -1):
            reach = levels.reach[level]
            if reach <= peace:
                break
            if reach + distance[level] <= fit and reach - distance[level] > peace:
                best, peace = level, reach - distance[level]
        if best != HOT and levels.first[best] == NOBODY:
            for j in range(now.shape[0]):
                levels.anchor[best, j] = now[j]
        _enter(levels, rows[i], best)


@compiled
def look_loop(
    levels: Levels,
    now: FloatArray,
    changed: IntArray,
    inputs: MarginInputs,
    units: RadiusInputs,
    required: FloatArray,
    out: MarginOutputs,
) -> tuple[IntArray, IntArray, bool]:
    """Look at the due accounts; the compiled twin of `look_numpy`.

    It finds the same accounts, in another order, and may file one a level lower: a list whose
    last account was taken out because it changed still counts as held at its old anchor.
    """
    distance = np.empty(LEVELS)
    rows = _collect(levels, now, changed, distance)
    count = rows.shape[0]
    broken = np.empty(count, dtype=np.int64)
    found = margin_loop(inputs, rows, required, out, broken)
    radius = np.empty(count)
    radius_loop(inputs, units, rows, required, out, radius)
    _file(levels, now, distance, rows, radius)
    reached = False
    for i in range(count):
        if not radius[i] > 0.0 and out.notional[rows[i]] > 0.0:
            reached = True
    return rows, broken[:found], reached


def look_numpy(
    levels: Levels,
    now: FloatArray,
    changed: IntArray,
    inputs: MarginInputs,
    units: RadiusInputs,
    required: FloatArray,
    out: MarginOutputs,
) -> tuple[IntArray, IntArray, bool]:
    """Look at the due accounts; the plain reference of `look`, without lists."""
    movable = levels.unit > 0.0
    unit = np.where(movable, levels.unit, 1.0)
    apart = np.where(movable, np.abs(now - levels.anchor) / unit, 0.0).max(axis=1, initial=0.0)
    comes = np.append(apart >= levels.reach, [True, False])  # hot; idle is level -1
    taken = comes[levels.level]
    taken[changed] = True
    rows = np.flatnonzero(taken)
    levels.level[rows] = DUE
    empty = np.bincount(levels.level + 2, minlength=LEVELS + 3)[2 : LEVELS + 2] == 0
    distance = np.where(empty, 0.0, apart)
    broken = account_margin_numpy(inputs, rows, required, out)
    radius = account_radius_numpy(inputs, units, rows, required, out)
    fit = radius * (1.0 - ROUNDING)
    best, peace = np.full(len(rows), HOT, dtype=np.int8), np.zeros(len(rows))
    for level in range(LEVELS - 1, -1, -1):
        left = levels.reach[level] - distance[level]
        better = (levels.reach[level] + distance[level] <= fit) & (left > peace)
        best[better], peace[better] = level, left
    best[radius == np.inf] = IDLE
    levels.level[rows] = best
    entered = np.unique(best[(best >= 0) & (best < HOT)])
    fresh = entered[empty[entered]]
    levels.anchor[fresh] = now
    return rows, broken, bool((~(radius > 0.0) & (out.notional[rows] > 0.0)).any())


def look(
    levels: Levels,
    now: FloatArray,
    changed: IntArray,
    inputs: MarginInputs,
    units: RadiusInputs,
    required: FloatArray,
    out: MarginOutputs,
) -> tuple[IntArray, IntArray, bool]:
    """Revalue the accounts that are due and find the broken ones.

    Parameters
    ----------
    levels : Levels
        Accounts that were looked at enter the levels of their new radii.
    now : (D,) float64 [numeraire]
        Values of markets, then of assets.
    changed : (N,) int64
        Accounts that changed since they were last looked at; due whatever their level.
    inputs, units, required, out
        As in `account_margin` and `account_radius`.

    Returns
    -------
    rows : (N,) int64
        Accounts that were looked at, ascending.
    broken : (B,) int64
        Those of them below their required ratio.
    reached : bool
        Whether any of them that holds positions stands at or below a level, or at a stop.
    """
    if not HAS_NUMBA:
        return look_numpy(levels, now, changed, inputs, units, required, out)
    rows, broken, reached = look_loop(levels, now, changed, inputs, units, required, out)
    return np.sort(rows), np.sort(broken), reached


@compiled
def _listed(levels: Levels, level: int) -> IntArray:
    rows = np.empty(256, dtype=np.int64)
    count = 0
    row = levels.first[level]
    while row != NOBODY:
        if count == rows.shape[0]:
            rows = _wider(rows)
        rows[count] = row
        count += 1
        row = levels.following[row]
    return rows[:count]


def hot_accounts(levels: Levels) -> IntArray:
    """Return the rows of the hot accounts, in no order."""
    return _listed(levels, HOT) if HAS_NUMBA else np.flatnonzero(levels.level == HOT)
