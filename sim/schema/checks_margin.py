"""Checks of margin terms that belong to markets, and of the prices of collateral."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sim.schema.base import Finding
from sim.schema.names import unknown
from sim.schema.presets import preset_rules

if TYPE_CHECKING:
    from sim.schema.scenario import Scenario
    from sim.schema.venue import Venue

KEYED = ("size_rate", "size_root", "open_interest_scaling")
"""Margin terms that may be given by base asset or symbol."""


def margin_findings(scenario: Scenario) -> Iterator[Finding]:
    """Yield margin terms of nothing known, and prices of collateral that cannot be had."""
    names = set(scenario.assets) | {market.symbol for market in scenario.markets}
    for name, venue in scenario.venues.items():
        bundled = _bundled(venue)
        for term in KEYED:
            given = getattr(venue.margin, term, None)
            known = bundled.get("margin", {}).get(term, {})
            for key in given if isinstance(given, dict) else ():
                if not (isinstance(known, dict) and key in known):
                    path = ("venues", name, "margin", term, key)
                    yield from unknown(path, key, names, "base or symbol")
        yield from _price_findings(scenario, name, bundled.get("collateral_price", {}))


def _bundled(venue: Venue) -> dict[str, Any]:
    """Return the rules of a venue's preset; they may name assets the scenario has not."""
    return {} if venue.preset is None else preset_rules(venue.preset)


def _price_findings(scenario: Scenario, name: str, bundled: dict[str, Any]) -> Iterator[Finding]:
    """Yield prices of unknown assets, of money of account, and own books that are not there."""
    for asset, price in scenario.venues[name].collateral_price.items():
        path = ("venues", name, "collateral_price", asset)
        if asset not in scenario.assets:
            if asset not in bundled:
                yield from unknown(path, asset, scenario.assets, "asset")
            continue
        quoted = next((m.id for m in scenario.markets if m.quote == asset), None)
        if price != "index" and quoted is not None:
            yield Finding(
                path,
                f"'{price}' for {asset}, in which {quoted} is quoted",
                "'index': profits and balances in one asset must have one value",
            )
        own = [m for m in scenario.markets if (m.venue, m.base, m.kind) == (name, asset, "spot")]
        if price == "own" and not own:
            yield Finding(
                path,
                f"'own', and no spot market of {asset} on {name}",
                f"a spot market of {asset} on {name}, or one of index, par",
            )
