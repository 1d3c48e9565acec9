"""Checks of margin that changes during a run against the clock, the assets and the markets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sim.schema.base import Finding
from sim.schema.names import unknown
from sim.schema.risk_model import RiskModel
from sim.schema.world import is_multiple

if TYPE_CHECKING:
    from sim.schema.scenario import Scenario

Path = tuple[str | int, ...]


def risk_model_findings(scenario: Scenario) -> Iterator[Finding]:
    """Yield samples off the grid of ticks, unknown assets, and markets without a volatility."""
    for name, venue in scenario.venues.items():
        margin = venue.margin
        path: Path = ("venues", name, "margin")
        if margin is not None and margin.risk_model is not None:
            yield from _model_findings(scenario, margin.risk_model, (*path, "risk_model"))
        if margin is not None and margin.stress is not None:
            here = (*path, "stress", "sample")
            yield from _grid_findings(scenario, margin.stress.sample, here)


def _grid_findings(scenario: Scenario, span: float, path: Path) -> Iterator[Finding]:
    tick = scenario.clock.tick
    if not is_multiple(span, tick):
        yield Finding(path, f"{span:g} s", f"a multiple of the tick, {tick:g} s")


def _model_findings(scenario: Scenario, model: RiskModel, path: Path) -> Iterator[Finding]:
    for key in ("sample", "every"):
        yield from _grid_findings(scenario, getattr(model, key), (*path, key))
    for key in ("start_volatility", "stressed_volatility", "floor_volatility"):
        given = getattr(model, key)
        for base in given if isinstance(given, dict) else ():
            yield from unknown((*path, key, base), base, scenario.assets, "asset")
    margined = {market.base for market in scenario.markets if market.kind != "spot"}
    for base in sorted(margined & set(scenario.assets)):
        yield from _volatility_findings(scenario, model, base, path)


def _volatility_findings(
    scenario: Scenario, model: RiskModel, base: str, path: Path
) -> Iterator[Finding]:
    """Yield a base asset, of a position that the clearer may have to margin, that lacks some."""
    if model.start_volatility_of(base, scenario.assets[base]) == 0.0:
        yield Finding(
            (*path, "start_volatility"),
            f"none for {base}, and {base} has volatility 0",
            f"a volatility above 0 here, or in assets.{base}",
        )
    if model.stressed_weight > 0.0 and model.stressed_volatility_of(base) == 0.0:
        yield Finding(
            (*path, "stressed_volatility"),
            f"none for {base}",
            "one for every base asset of a perpetual or future, or one number for all",
        )
