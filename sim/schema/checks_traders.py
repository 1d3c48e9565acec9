"""Checks of cohorts against venues, markets and assets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sim.schema.base import Finding
from sim.schema.names import nearest, unknown
from sim.schema.traders import BookSource, Cohort

if TYPE_CHECKING:
    from sim.schema.market import Market
    from sim.schema.scenario import Scenario


def trader_findings(scenario: Scenario) -> Iterator[Finding]:
    """Yield repeated names, and cohorts that want what their venues do not list."""
    seen: set[str] = set()
    for number, entry in enumerate(scenario.traders):
        path = ("traders", number)
        key, name = (
            ("name", entry.name) if isinstance(entry, BookSource) else ("cohort", entry.cohort)
        )
        if name in seen:
            yield Finding((*path, key), f"a second '{name}'", "each name of traders once")
        seen.add(name)
        if isinstance(entry, Cohort):
            yield from _cohort_findings(scenario, entry, path)


def _cohort_findings(
    scenario: Scenario, cohort: Cohort, path: tuple[str | int, ...]
) -> Iterator[Finding]:
    for venue in cohort.venues:
        here = (*path, "venues", venue)
        yield from unknown(here, venue, scenario.venues, "venue")
        listed = _tradable(scenario, venue, cohort)
        if venue in scenario.venues and not listed:
            yield Finding(
                here,
                f"venue '{venue}', which lists nothing the cohort can hold",
                "a venue with a perpetual or future of the cohort's portfolio",
            )
        wanted = cohort.positions_per_account
        if listed and wanted is not None and wanted > len(listed):
            yield Finding(
                (*path, "positions_per_account"),
                str(wanted),
                f"at most {len(listed)}, the number of the cohort's markets on '{venue}'",
            )
    for asset in cohort.collateral or {}:
        yield from unknown((*path, "collateral", asset), asset, scenario.assets, "asset")
    yield from _portfolio_findings(scenario, cohort, path)


def _tradable(scenario: Scenario, venue: str, cohort: Cohort) -> list[Market]:
    """Return the margined markets of a venue that a cohort's portfolio names."""
    wanted = cohort.portfolio
    return [
        market
        for market in scenario.markets
        if market.venue == venue
        and market.kind != "spot"
        and (wanted is None or market.base in wanted or market.symbol in wanted)
    ]


def _portfolio_findings(
    scenario: Scenario, cohort: Cohort, path: tuple[str | int, ...]
) -> Iterator[Finding]:
    """Yield keys of the portfolio that no chosen venue lists as base or symbol."""
    listed = [
        market
        for market in scenario.markets
        if market.venue in cohort.venues and market.kind != "spot"
    ]
    names = sorted({market.base for market in listed} | {market.symbol for market in listed})
    for key in cohort.portfolio or {}:
        if key not in names:
            yield Finding(
                (*path, "portfolio", key),
                f"'{key}', which no venue of the cohort lists as a perpetual or future",
                ", ".join(names) or "none",
                nearest(key, names),
            )
