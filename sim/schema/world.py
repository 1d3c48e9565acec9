"""Assets and time: what exists before any venue does."""

from __future__ import annotations

from typing import Literal

from pydantic import StrictBool, model_validator

from sim.schema.base import Finding, Model, attribute, refuse
from sim.schema.units import Count, Duration, Fraction, Instant, Number

GRID_TOLERANCE = 1e-9
"""Relative distance from a whole number of ticks that still counts as whole."""


MOST_TICKS = 100_000_000
"""Ticks of the longest run: three years of seconds."""


def is_multiple(span: float, tick: float) -> bool:
    """Tell whether `span` [s] is a whole number, at least one, of `tick` [s]."""
    ticks = span / tick
    whole = round(ticks)
    return whole >= 1 and abs(ticks - whole) <= GRID_TOLERANCE * max(1.0, ticks)


class Clock(Model):
    """Length of a tick and of the run."""

    tick: Duration = attribute("Length of one tick.", "s", gt=0)
    horizon: Duration = attribute(
        "Length of the run; a whole number of ticks, at least one.", "s", gt=0
    )
    start: Instant | None = attribute(
        "Instant of time 0, ISO-8601 in UTC; needed only by paths with dates.", "-", None
    )

    @property
    def ticks(self) -> int:
        """Number of ticks of the run."""
        return round(self.horizon / self.tick)

    @model_validator(mode="after")
    def _whole_ticks(self) -> Clock:
        if self.horizon / self.tick > MOST_TICKS:
            found = f"{self.horizon:g} s, which is {self.horizon / self.tick:g} ticks"
            refuse("clock", [Finding(("horizon",), found, f"at most {MOST_TICKS:,} ticks")])
        if not is_multiple(self.horizon, self.tick):
            refuse(
                "clock",
                [
                    Finding(
                        ("horizon",),
                        f"{self.horizon:g} s, which is {self.horizon / self.tick:g} ticks",
                        f"a whole number of ticks of {self.tick:g} s, at least one",
                    )
                ],
            )
        return self


class Engine(Model):
    """How the run is computed; nothing here may change a result but the guards."""

    margin_check: Literal["due", "full"] = attribute(
        "Which accounts are revalued each tick: all of them, or those that come due.", "-", "due"
    )
    max_generations: Count = attribute(
        "Generations in one tick after which the run fails as endless.",
        "generations",
        100_000,
        ge=1,
    )
    price_floor: Fraction = attribute(
        "Share of a market's initial price below which impact cannot push it.",
        "1",
        1e-6,
        gt=0,
        lt=1,
    )
    check: StrictBool = attribute("Check every invariant in every phase.", "-", False)


class Record(Model):
    """What is written down."""

    every: Duration | None = attribute(
        "Time between recorded rows; a multiple of the tick. Left out: every tick.",
        "s",
        None,
        gt=0,
    )
    checkpoints: list[Duration] = attribute(
        "Times at which the whole state is written down: all accounts, positions and books.",
        "s",
        factory=list,
    )
    breaks: StrictBool = attribute(
        "Whether to record what each broken account lost to which cause.", "-", True
    )


class Asset(Model):
    """A coin or currency."""

    price: Number = attribute("Price at time 0, in the numeraire.", "numeraire", gt=0)
    volatility: Fraction = attribute(
        "Annualised volatility of the log price, on 365 days.", "1/sqrt(year)", 0.0, ge=0
    )
    haircut: Fraction = attribute(
        "Share of its value that does not count as collateral; never applied to a debt.",
        "1",
        0.0,
        ge=0,
        lt=1,
    )
