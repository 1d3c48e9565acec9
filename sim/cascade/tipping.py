r"""The smallest shock at which a cascade tips.

Shocks of size s strike along a direction and the static cascade map (`sim.cascade.static_cascade`)
is followed to its rest, which closes the share ``S(s)`` of all notional, ``S_1(s)`` of it at once.

**jump**: the smallest s at which ``S - S_1``, what sales by sales close, rises by at least
`jump` between two sizes that bisection can no longer tell apart. A saddle-node of the map.

**share**: where nothing jumps, the smallest s with ``S(s) >= share``.

**none**: neither within `most`.

Two predictions that need no search stand beside it. With K the amplification matrix, d the log move
of a unit of size and H the share of notional closed at once per log move,

    linear    s with  s H (I - K)^-1 d = share,  0 where K has a radius of 1 or more
    spectral  s at which the radius of K, taken where the cascade of a smaller shock came to rest,
              reaches 1

Near a saddle-node ``(1 - radius)^2`` is linear in s, so that the spectral prediction is found by
secants from below without ever tipping anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from sim.cascade.amplification import Amplification, amplification
from sim.cascade.direction import Direction
from sim.cascade.static_cascade import StaticCascade
from sim.core.errors import RunError

FINEST = 1e-7
"""Width [1] to which a size is bisected at most, as a share of the largest size."""

NEAR = 0.01
"""``(1 - radius)^2`` below which a jump just above is that of a radius of 1."""


@dataclass(frozen=True)
class Criterion:
    """When a cascade has tipped, and how far is searched.

    Attributes
    ----------
    jump : float
        Rise [1] of the share closed by sales that is a jump, in (0, 1].
    share : float
        Share [1] of all notional that counts where nothing jumps, in (0, 1].
    most : float or None
        Largest size [1] that is tried; None is where the largest return is 95 %.
    tolerance : float
        Relative width to which the size is found, in (0, 0.1].
    grid : int
        Equal steps of size with which a search begins, >= 1; two jumps within one step cannot be
        told apart where the response falls back between them.

    Raises
    ------
    ValueError
        A number is out of its range.
    """

    jump: float = 0.05
    share: float = 0.5
    most: float | None = None
    tolerance: float = 1e-3
    grid: int = 32

    def __post_init__(self) -> None:
        for name, top in (("jump", 1.0), ("share", 1.0), ("tolerance", 0.1)):
            value = getattr(self, name)
            if not 0.0 < value <= top:
                raise ValueError(f"{name} is {value}; it must be above 0 and at most {top:g}")
        if self.grid < 1:
            raise ValueError(f"grid is {self.grid}; it must be 1 or more")

    def largest(self, direction: Direction) -> float:
        """Return the largest size [1] that is tried along a direction."""
        if self.most is None:
            return 0.95 / max(map(abs, direction.weights.values()))
        if not 0.0 < self.most < direction.largest:
            raise ValueError(
                f"most is {self.most}; it must be above 0 and below {direction.largest:.6g}"
            )
        return self.most


@dataclass(frozen=True)
class CriticalShock:
    """The smallest shock along a direction at which a cascade tips.

    Attributes
    ----------
    direction : dict of float
    size : float
        Critical size [1], the middle of the bracket; infinite with the criterion ``none``.
    lower, upper : float
        Sizes [1] of the last shock that did not tip, and the first that did.
    criterion : str
        ``jump``, ``share`` or ``none``.
    share_before, share_after : float
        Share of all notional closed at `lower` and `upper` [1].
    radius : float
        Spectral radius [1] of the state.
    linear, spectral : float
        Predictions [1] of the docstring of this module; infinite where there is none. NaN where
        the secants come to no end, as where a jump interrupts a radius that stays below 1.
    """

    direction: dict[str, float]
    size: float
    lower: float
    upper: float
    criterion: str
    share_before: float
    share_after: float
    radius: float = math.nan
    linear: float = math.nan
    spectral: float = math.nan

    @property
    def returns(self) -> dict[str, float]:
        """Simple returns [1] of each name at the critical size; NaN where it is infinite."""
        size = self.size if math.isfinite(self.size) else math.nan
        return {name: size * weight for name, weight in self.direction.items()}

    def frame(self) -> pd.DataFrame:
        """Return one row: `size ... spectral` and a column ``return <name>`` of each name."""
        names = [name for name in self.__dataclass_fields__ if name != "direction"]
        values = {name: getattr(self, name) for name in names}
        values |= {f"return {name}": value for name, value in self.returns.items()}
        return pd.DataFrame([values])


def critical_shock(
    respond: Callable[[float], tuple[float, float]], direction: Direction, criterion: Criterion
) -> CriticalShock:
    """Return the critical shock of a response, without predictions.

    Parameters
    ----------
    respond : callable
        Of a size [1]; returns the share [1] of notional closed, and the part of it that sales
        brought about.
    direction : Direction
    criterion : Criterion
    """
    known: dict[float, tuple[float, float]] = {}

    def at(size: float) -> tuple[float, float]:
        if size not in known:
            known[size] = respond(size)
        return known[size]

    most = criterion.largest(direction)
    sizes = [most * k / criterion.grid for k in range(criterion.grid + 1)]
    previous = sizes[0]
    for size in sizes[1:]:
        if at(size)[1] - at(previous)[1] >= criterion.jump:
            found = _jump(at, previous, size, criterion, most)
            if found is not None:
                return _critical(direction, at, *found, "jump")
        previous = size
    reached = next((size for size in sizes if at(size)[0] >= criterion.share), None)
    if reached is None:
        ends = at(0.0)[0], at(most)[0]
        return CriticalShock(direction.weights, math.inf, most, math.inf, "none", *ends)
    low, high = max(0.0, reached - most / criterion.grid), reached
    while _wide(low, high, criterion, most):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if at(middle)[0] >= criterion.share else (middle, high)
    return _critical(direction, at, low, high, "share")


def _jump(
    at: Callable[[float], tuple[float, float]],
    low: float,
    high: float,
    criterion: Criterion,
    most: float,
) -> tuple[float, float] | None:
    """Return the bracket of the first jump between two sizes, or None if the rise is gradual."""
    if at(high)[1] - at(low)[1] < criterion.jump:
        return None
    if not _wide(low, high, criterion, most):
        return low, high
    middle = 0.5 * (low + high)
    return _jump(at, low, middle, criterion, most) or _jump(at, middle, high, criterion, most)


def _wide(low: float, high: float, criterion: Criterion, most: float) -> bool:
    return high - low > max(criterion.tolerance * high, FINEST * most)


def _critical(
    direction: Direction,
    at: Callable[[float], tuple[float, float]],
    low: float,
    high: float,
    criterion: str,
) -> CriticalShock:
    ends = at(low)[0], at(high)[0]
    return CriticalShock(direction.weights, 0.5 * (low + high), low, high, criterion, *ends)


def static_response(
    cascade: StaticCascade, direction: Direction
) -> Callable[[float], tuple[float, float]]:
    """Return the response of the static cascade map of a state.

    A cascade that comes to no rest, or to no finite price, counts as one that closes everything.
    """

    def respond(size: float) -> tuple[float, float]:
        try:
            outcome = cascade.run(direction.move(size))
        except RunError:
            return 1.0, 1.0
        return outcome.share, outcome.induced

    return respond


def predicted(
    cascade: StaticCascade,
    accounts: pd.DataFrame,
    direction: Direction,
    criterion: Criterion,
    window: float,
) -> CriticalShock:
    """Return the critical shock of a state with its predictions from the amplification matrix."""
    found = critical_shock(static_response(cascade, direction), direction, criterion)
    matrix = amplification(cascade, accounts, direction, window, cascade.at_rest())
    return replace(
        found,
        radius=matrix.radius,
        linear=linear_size(matrix, direction, criterion.share),
        spectral=spectral_size(cascade, accounts, direction, window, criterion),
    )


def linear_size(found: Amplification, direction: Direction, share: float) -> float:
    """Return the size [1] at which the linear response closes a share of all notional."""
    if found.radius >= 1.0:
        return 0.0
    matrix = found.matrix.to_numpy()
    moves = np.linalg.solve(np.eye(len(matrix)) - matrix, direction.unit().markets)
    growth = float(found.sensitivity.to_numpy() @ moves)
    return share / growth if growth > 0.0 else math.inf


def spectral_size(
    cascade: StaticCascade,
    accounts: pd.DataFrame,
    direction: Direction,
    window: float,
    criterion: Criterion,
) -> float:
    """Return the size [1] at which the radius at rest reaches 1, by secants from below.

    Notes
    -----
    With ``y = (1 - radius)^2`` at two sizes the next one is half way to where their line meets 0.
    A size at which the radius has reached 1, or sales have closed `criterion.jump` more than at the
    one before, was too far; close enough above a radius near 1 it is the answer. NaN where neither
    is found within 24 sizes.
    """

    def look(size: float) -> tuple[float, float]:
        try:
            base = cascade.run(direction.move(size)) if size else cascade.at_rest()
        except RunError:
            return -1.0, 1.0
        left = 1.0 - amplification(cascade, accounts, direction, window, base).radius
        return math.copysign(left * left, left), base.induced

    most = criterion.largest(direction)
    before, (y_before, induced) = 0.0, look(0.0)
    if y_before <= 0.0:
        return 0.0
    size = most / criterion.grid
    for _ in range(24):
        y, more = look(size)
        if y <= 0.0 or more - induced >= criterion.jump:
            if size - before <= criterion.tolerance * size and y_before <= NEAR:
                return 0.5 * (before + size)
            size = 0.5 * (before + size)
            continue
        slope = (y - y_before) / (size - before)
        target = size - y / slope if slope < 0.0 else math.inf
        if target - size <= criterion.tolerance * target:
            return target
        before, y_before, induced = size, y, more
        size = min(0.5 * (size + target), size + most / 8.0)
        if size >= most:
            return math.inf
    return math.nan
