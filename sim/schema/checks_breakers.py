"""Checks of breakers and caps against the markets and the clock of a scenario."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sim.schema.base import Finding
from sim.schema.breaker import REST, LimitBand, MarketWide, Window, member_names
from sim.schema.names import unknown
from sim.schema.presets import preset_rules
from sim.schema.world import is_multiple

if TYPE_CHECKING:
    from sim.schema.market import Market
    from sim.schema.scenario import Scenario

_Path = tuple[str | int, ...]


def breaker_findings(scenario: Scenario) -> Iterator[Finding]:
    """Yield breakers of unknown markets, that never end, or that hold one market twice."""
    for name, venue in scenario.venues.items():
        listed = [market for market in scenario.markets if market.venue == name]
        known = {market.base for market in listed} | {market.symbol for market in listed}
        banded: dict[str, int] = {}
        # The rules of a preset may be slower than a short run.
        bundled = venue.preset is not None and venue.breakers == venue.bundled().breakers
        for number, breaker in enumerate(venue.breakers):
            path: _Path = ("venues", name, "breakers", number)
            if not listed:
                yield Finding(path, "a breaker on a venue without markets", "a venue that has some")
                continue
            for place, wanted in enumerate(member_names(breaker.of) or ()):
                here = (*path, "of") if isinstance(breaker.of, str) else (*path, "of", place)
                yield from unknown(here, wanted, known, "symbol or base of this venue")
            if not bundled:
                yield from _endless_findings(scenario, breaker, path)
            if isinstance(breaker, LimitBand):
                yield from _twice_findings(listed, breaker, number, path, banded)
        yield from _cap_findings(scenario, name, listed, known)


def _endless_findings(
    scenario: Scenario, breaker: MarketWide | LimitBand, path: _Path
) -> Iterator[Finding]:
    """Yield pauses and auctions from which no market would ever come back in this run."""
    clock = scenario.clock
    reopens = f"less than the horizon, {clock.horizon:g} s, or the market never re-opens"
    if breaker.reopening is not None and breaker.reopening.auction >= clock.horizon:
        found = f"{breaker.reopening.auction:g} s"
        yield Finding((*path, "reopening", "auction"), found, reopens)
    if isinstance(breaker, LimitBand):
        if breaker.pause >= clock.horizon:
            yield Finding((*path, "pause"), f"{breaker.pause:g} s", reopens)
        return
    for number, level in enumerate(breaker.levels):
        if level.seconds is not None and level.seconds >= clock.horizon:
            allowed = f"{reopens}; '{REST}' says so"
            yield Finding((*path, "levels", number, "pause"), f"{level.seconds:g} s", allowed)
    if isinstance(breaker.reference, Window):
        window = breaker.reference.window
        if not is_multiple(window, clock.tick):
            here = (*path, "reference", "window")
            yield Finding(here, f"{window:g} s", f"a multiple of {clock.tick:g} s")


def _twice_findings(
    listed: list[Market], breaker: LimitBand, number: int, path: _Path, banded: dict[str, int]
) -> Iterator[Finding]:
    """Yield markets that another band of the venue holds already."""
    names = member_names(breaker.of)
    for market in listed:
        if names is not None and market.base not in names and market.symbol not in names:
            continue
        if market.symbol in banded:
            other = banded[market.symbol]
            found = f"a second band for {market.symbol}, which breakers.{other} holds already"
            yield Finding((*path, "of"), found, "one band for each market")
            return
        banded[market.symbol] = number


def _cap_findings(
    scenario: Scenario, name: str, listed: list[Market], known: set[str]
) -> Iterator[Finding]:
    """Yield caps of unknown or spot markets."""
    venue = scenario.venues[name]
    bundled = {} if venue.preset is None else preset_rules(venue.preset)
    spot = {market.symbol for market in listed if market.kind == "spot"}
    for key in venue.open_interest_caps:
        path = ("venues", name, "open_interest_caps", key)
        if key in spot:
            yield Finding(path, f"the spot market {key}", "perpetuals and futures")
        elif key not in bundled.get("open_interest_caps", {}):
            yield from unknown(path, key, known, "symbol or base of this venue")
