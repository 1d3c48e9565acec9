"""Checks of shocks against assets, venues, markets and the clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from sim.schema.base import Finding
from sim.schema.names import unknown
from sim.schema.shocks import (
    DepthShock,
    Gbm,
    JumpDiffusion,
    Outage,
    Shock,
    correlation_of,
    shock_start,
)
from sim.schema.traders import BookSource, Cohort

if TYPE_CHECKING:
    from sim.schema.scenario import Scenario

PSD_TOLERANCE = 1e-9
"""Most negative eigenvalue of a correlation matrix that rounding may explain."""

Path = tuple[str | int, ...]


def shock_findings(scenario: Scenario) -> Iterator[Finding]:
    """Yield shocks that begin after the run or strike nothing."""
    for number, shock in enumerate(scenario.shocks):
        path: Path = ("shocks", number)
        start = shock_start(shock)
        if start >= scenario.clock.horizon:
            yield Finding(
                (*path, "at"),
                f"{start:g} s",
                f"a time before the horizon, {scenario.clock.horizon:g} s",
            )
        if isinstance(shock, Gbm | JumpDiffusion):
            yield from _diffusion_findings(scenario, shock, path)
        elif isinstance(shock, Outage):
            yield from unknown((*path, "venue"), shock.venue, scenario.venues, "venue")
        elif isinstance(shock, DepthShock):
            yield from _depth_findings(scenario, shock, path)
        else:
            yield from _asset_findings(scenario, shock.asset, (*path, "asset"))
            yield from _venue_findings(scenario, shock, path)


def used_assets(scenario: Scenario) -> set[str]:
    """Return the assets whose price matters: of a market, or held as collateral."""
    used = {market.base for market in scenario.markets}
    used |= {market.quote for market in scenario.markets}
    for venue in scenario.venues.values():
        used |= set(venue.collateral)
    for entry in scenario.traders:
        if isinstance(entry, Cohort):
            used |= set(entry.collateral or ())
        elif isinstance(entry, BookSource):
            used |= set(scenario.assets)  # a book may hold balances in any asset
    return used


def _asset_findings(scenario: Scenario, asset: str, path: Path) -> Iterator[Finding]:
    missing = list(unknown(path, asset, scenario.assets, "asset"))
    yield from missing
    if not missing and asset not in used_assets(scenario):
        yield Finding(
            path,
            f"'{asset}', which no market trades and nobody holds as collateral",
            ", ".join(sorted(used_assets(scenario) & set(scenario.assets))),
        )


def _venue_findings(scenario: Scenario, shock: Shock, path: Path) -> Iterator[Finding]:
    """Yield a venue that does not list the shocked asset."""
    venue, asset = getattr(shock, "venue", None), getattr(shock, "asset", None)
    if venue is None:
        return
    missing = list(unknown((*path, "venue"), venue, scenario.venues, "venue"))
    yield from missing
    bases = {market.base for market in scenario.markets if market.venue == venue}
    if not missing and asset in scenario.assets and asset not in bases:
        yield Finding(
            (*path, "venue"),
            f"venue '{venue}', which lists no market of {asset}",
            ", ".join(sorted({m.venue for m in scenario.markets if m.base == asset}))
            or "no venue at all",
        )


def _depth_findings(scenario: Scenario, shock: DepthShock, path: Path) -> Iterator[Finding]:
    """Yield a depth shock that selects no market."""
    findings = []
    if shock.asset is not None:
        findings += list(unknown((*path, "asset"), shock.asset, scenario.assets, "asset"))
    if shock.venue is not None:
        findings += list(unknown((*path, "venue"), shock.venue, scenario.venues, "venue"))
    if shock.symbol is not None:
        symbols = {market.symbol for market in scenario.markets}
        findings += list(unknown((*path, "symbol"), shock.symbol, symbols, "symbol"))
    yield from findings
    if not findings and not any(
        shock.asset in (None, market.base)
        and shock.venue in (None, market.venue)
        and shock.symbol in (None, market.symbol)
        for market in scenario.markets
    ):
        yield Finding(
            path,
            "asset, venue and symbol that no market has together",
            "a selection of at least one market",
        )


def _diffusion_findings(
    scenario: Scenario, shock: Gbm | JumpDiffusion, path: Path
) -> Iterator[Finding]:
    """Yield assets that cannot move, and correlations that cannot be."""
    chosen = shock.assets
    for number, asset in enumerate(chosen or ()):
        place = (*path, "assets", number)
        yield from _asset_findings(scenario, asset, place)
        known = scenario.assets.get(asset)
        if shock.volatility is None and known is not None and known.volatility == 0:
            yield Finding(
                place,
                f"'{asset}', which has volatility 0",
                f"a volatility here or in assets.{asset}",
            )
    if chosen is None:
        chosen = [name for name, asset in scenario.assets.items() if asset.volatility > 0]
        if not chosen:
            yield Finding(
                (*path, "assets"),
                "no asset with a volatility",
                "assets, or an asset with a volatility above 0",
            )
    if isinstance(shock.correlation, dict):
        for key in shock.correlation:
            for name in key.split(","):
                yield from unknown((*path, "correlation", key), name.strip(), chosen, "asset")
    yield from _matrix_findings(shock, chosen, path)


def _matrix_findings(
    shock: Gbm | JumpDiffusion, assets: list[str], path: Path
) -> Iterator[Finding]:
    """Yield a correlation matrix with a negative eigenvalue."""
    if len(assets) < 2:
        return
    matrix = np.array([[correlation_of(shock, a, b) for b in assets] for a in assets])
    lowest = float(np.linalg.eigvalsh(matrix)[0])
    if lowest < -PSD_TOLERANCE:
        yield Finding(
            (*path, "correlation"),
            f"correlations that cannot hold together (eigenvalue {lowest:.3g})",
            "a positive semi-definite correlation matrix",
        )


def instant_of(start: str) -> datetime:
    """Return `clock.start` as a datetime in UTC."""
    return datetime.fromisoformat(start)
