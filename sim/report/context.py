"""What a figure must know about a run beside its tables: clock, venues, markets, shocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import pandas as pd

from sim.report.shocks import ShockMark, shock_marks
from sim.report.units import TimeAxis, instant, money_unit


class RunTables(Protocol):
    """The parts of a run's result that a report reads."""

    @property
    def prices(self) -> pd.DataFrame:
        """Recorded prices."""

    @property
    def venues(self) -> pd.DataFrame:
        """Recorded venues."""

    @property
    def liquidations(self) -> pd.DataFrame:
        """Recorded liquidations."""

    @property
    def price_causes(self) -> pd.DataFrame:
        """Recorded causes of price moves."""

    @property
    def cohorts(self) -> pd.DataFrame:
        """Recorded cohorts."""

    @property
    def mechanisms(self) -> pd.DataFrame:
        """Recorded series of mechanisms."""

    @property
    def summary(self) -> Mapping[str, Any]:
        """Summary of the run."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """Manifest of the run."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Base and quote asset of a market."""

    base: str
    quote: str


@dataclass(frozen=True)
class RunContext:
    """Clock, venues, markets and shocks of one run.

    Parameters
    ----------
    tick : float
        Seconds per tick.
    last : float
        Time of the last tick [s].
    start : datetime or None
        Instant of second 0, UTC.
    venues : tuple of str
        Venues in the scenario's order, which fixes their colours.
    listings : Mapping
        Market ``venue/symbol`` to its `Listing`.
    shocks : tuple of ShockMark
        What to mark on time axes.
    sold : Mapping
        Forced sales to each market ``venue/symbol`` [quote].
    """

    tick: float = 1.0
    last: float = 0.0
    start: datetime | None = None
    venues: tuple[str, ...] = ()
    listings: Mapping[str, Listing] | None = None
    shocks: tuple[ShockMark, ...] = ()
    sold: Mapping[str, float] = field(default_factory=dict)

    @property
    def axis(self) -> TimeAxis:
        """The time axis from tick 0 to the end of the last tick."""
        return TimeAxis(0.0, self.last + self.tick if self.last > 0.0 else 0.0, self.start)

    @property
    def currency(self) -> str:
        """Unit of money: ``$``, the one quote asset, or ``quote``."""
        return money_unit({listing.quote for listing in (self.listings or {}).values()})

    def listing(self, venue: str, symbol: str) -> Listing:
        """Return base and quote of a market; from the symbol's own parts where not declared."""
        known = (self.listings or {}).get(f"{venue}/{symbol}")
        return known or Listing(symbol.replace("_", "-").split("-", 1)[0], "quote")

    def venues_of(self, frame: pd.DataFrame) -> list[str]:
        """Return the scenario's venues, then any other venue that `frame` names."""
        found = [str(venue) for venue in frame["venue"].unique()] if len(frame) else []
        return list(dict.fromkeys([*self.venues, *found]))

    @classmethod
    def of_run(
        cls,
        manifest: Mapping[str, Any],
        summary: Mapping[str, Any],
        *,
        prices: pd.DataFrame,
        venues: pd.DataFrame,
        liquidations: pd.DataFrame,
        price_causes: pd.DataFrame,
    ) -> RunContext:
        """Return the context of a run whose files were read back.

        Parameters
        ----------
        manifest, summary : Mapping
            What ``manifest.json`` and ``summary.json`` hold; empty where they are not known.
        prices, venues, liquidations, price_causes : pandas.DataFrame
            Recorded tables.
        """
        return cls.of(_Run(manifest, summary, prices, venues, liquidations, price_causes))

    @classmethod
    def of(cls, result: RunTables) -> RunContext:
        """Return the context of a result: what its manifest declares, else what its tables show."""
        scenario: Mapping[str, Any] = result.manifest.get("scenario") or {}
        clock: Mapping[str, Any] = scenario.get("clock") or {}
        tick = float(clock.get("tick") or _tick_of(result))
        last = _last_of(result, tick, clock.get("horizon"))
        markets = scenario.get("markets") or []
        facts: Mapping[str, Mapping[str, Any]] = result.summary.get("markets") or {}
        return cls(
            sold={name: float(m.get("liquidated_notional") or 0.0) for name, m in facts.items()},
            tick=tick,
            last=last,
            start=instant(clock.get("start")),
            venues=tuple(scenario.get("venues") or ()),
            listings={
                f"{m['venue']}/{m['symbol']}": Listing(str(m["base"]), str(m["quote"]))
                for m in markets
            },
            shocks=shock_marks(scenario.get("shocks") or [], last, tick),
        )


@dataclass(frozen=True)
class _Run:
    """Tables of a run read back from its folder."""

    manifest: Mapping[str, Any]
    summary: Mapping[str, Any]
    prices: pd.DataFrame
    venues: pd.DataFrame
    liquidations: pd.DataFrame
    price_causes: pd.DataFrame
    cohorts: pd.DataFrame = field(default_factory=pd.DataFrame)
    mechanisms: pd.DataFrame = field(default_factory=pd.DataFrame)


def _tick_of(result: RunTables) -> float:
    """Return the seconds per tick that the recorded times show, 1 where they show none."""
    late = result.prices[result.prices["tick"] > 0] if len(result.prices) else result.prices
    return float(late["time"].iloc[-1] / late["tick"].iloc[-1]) if len(late) else 1.0


def _last_of(result: RunTables, tick: float, horizon: Any) -> float:
    """Return the time of the last tick [s]: declared, or the last one recorded."""
    recorded = [
        float(frame["tick"].max()) * tick
        for frame in (result.prices, result.venues, result.liquidations, result.price_causes)
        if len(frame)
    ]
    declared = [float(horizon) - tick] if horizon is not None else []
    return max([0.0, *recorded, *declared])
