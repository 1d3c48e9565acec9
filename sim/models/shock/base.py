"""What every kind of shock shares: its effect, the world it acts on, and the registry.

A shock is built once, before the run, into one of three effects on the ticks of the clock:

    ReturnEffect   exogenous log-returns [1] of assets, everywhere or on one venue
    DepthEffect    factor [1] on the depth of some markets
    OutageEffect   ticks at which a venue does nothing

An instant that does not fall on a tick acts at the first tick at or after it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np

from sim.core.arrays import BoolArray, FloatArray
from sim.core.clock import TickClock
from sim.core.errors import Problem, ScenarioError
from sim.core.registry import Registry
from sim.core.streams import Streams

if TYPE_CHECKING:
    from sim.schema import Scenario

DAY = 86_400.0
"""Seconds of a day."""

YEAR = 365.0 * DAY
"""Seconds of a year; annual figures are per 365 days."""


@dataclass(frozen=True)
class ReturnEffect:
    """Exogenous log-returns of assets.

    Attributes
    ----------
    label : str
        A few words for figures.
    end : float or None [s]
        When it is over; None for an instant.
    first : int
        Tick of the first row of `values`.
    assets : tuple of int
        Asset of each column of `values`.
    values : (N, K) float64 [1]
        Log-return of each asset at ticks ``first .. first + N - 1``, all of them ticks of
        the run; up is positive.
    venue : int or None
        Venue on which alone it acts; None acts everywhere.
    """

    label: str
    end: float | None
    first: int
    assets: tuple[int, ...]
    values: FloatArray
    venue: int | None = None


@dataclass(frozen=True)
class DepthEffect:
    """A factor on the depth of markets.

    Attributes
    ----------
    label : str
        A few words for figures.
    end : float or None [s]
        When recovery begins; the end of the run where there is none.
    markets : (M,) bool
        Markets it acts on.
    factors : (T,) float64 [1], >= 0
        Factor at every tick of the run; 1 leaves the depth as it is.
    """

    label: str
    end: float | None
    markets: BoolArray
    factors: FloatArray


@dataclass(frozen=True)
class OutageEffect:
    """A venue that does nothing at ticks ``first <= tick < stop``.

    Attributes
    ----------
    label : str
        A few words for figures.
    end : float or None [s]
        When the venue is back.
    venue : int
        Venue that is down.
    first, stop : int
        Ticks; `stop` may lie beyond the run.
    """

    label: str
    end: float | None
    venue: int
    first: int
    stop: int


Effect: TypeAlias = ReturnEffect | DepthEffect | OutageEffect


@dataclass(frozen=True)
class ShockContext:
    """The world as one shock sees it while it is built.

    Parameters
    ----------
    scenario : Scenario
        Assets, venues and markets; they are numbered in its order.
    clock : TickClock
        Ticks of the run.
    streams : Streams
        Random streams of the run.
    index : int
        Position of the shock in the scenario; part of the name of its stream.
    kind : str
        Kind of the shock; part of the name of its stream.
    """

    scenario: Scenario
    clock: TickClock
    streams: Streams
    index: int
    kind: str

    @property
    def asset_count(self) -> int:
        """Number of assets of the scenario."""
        return len(self.scenario.assets)

    @property
    def last(self) -> int:
        """Last tick of the run."""
        return self.clock.ticks - 1

    def asset(self, name: str) -> int:
        """Return the number of an asset."""
        return list(self.scenario.assets).index(name)

    def venue(self, name: str | None) -> int | None:
        """Return the number of a venue, or None for everywhere."""
        return None if name is None else list(self.scenario.venues).index(name)

    def generator(self, suffix: str = "") -> np.random.Generator:
        """Return the random stream ``shock.<index>.<kind><suffix>`` at its start."""
        return self.streams.generator(f"shock.{self.index}.{self.kind}{suffix}")

    def refuse(self, key: str, found: str, allowed: str) -> NoReturn:
        """Raise ScenarioError for a key of this shock."""
        source, path = self.scenario.source, ("shocks", self.index, key)
        line, column = source.place(path)
        place = f"shocks.{self.index}.{key}"
        raise ScenarioError(Problem(source.file_of(path), line, column, place, found, allowed))


ShockBuilder: TypeAlias = Callable[[Any, ShockContext], Effect]

SHOCKS: Registry[ShockBuilder] = Registry("shock")
"""Builders by the `kind` a scenario writes: configuration and context to effect."""


def where(label: str, venue: str | None) -> str:
    """Return a label with the venue to which the shock is restricted."""
    return label if venue is None else f"{label} on {venue}"


def empty_returns(assets: int) -> FloatArray:
    """Return log-returns (0, assets) of a shock that does not touch the run."""
    return np.zeros((0, assets))
