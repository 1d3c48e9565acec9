"""Checks across the blocks of a scenario: one function per consistency rule."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

from sim.schema.backstop import unwind_findings
from sim.schema.base import Finding
from sim.schema.checks_breakers import breaker_findings
from sim.schema.checks_counterfactual import counterfactual_findings
from sim.schema.checks_lending import lending_findings
from sim.schema.checks_liquidation import liquidation_findings
from sim.schema.checks_margin import margin_findings
from sim.schema.checks_marks import mark_findings
from sim.schema.checks_risk_model import risk_model_findings
from sim.schema.checks_shocks import shock_findings
from sim.schema.checks_traders import trader_findings
from sim.schema.checks_waterfall import fund_findings
from sim.schema.coupling import NoCoupling
from sim.schema.impact import ExponentialImpact, PowerImpact, SquareRootImpact
from sim.schema.names import unknown
from sim.schema.presets import preset_rules
from sim.schema.world import is_multiple

if TYPE_CHECKING:
    from sim.schema.scenario import Scenario
    from sim.schema.venue import Venue

RESERVED = ("wallet", "outside")
"""Names no venue may have: words of the ledger."""


def record_findings(scenario: Scenario) -> Iterator[Finding]:
    """Yield recording intervals or checkpoints that are no multiple of the tick, or too late."""
    every, clock = scenario.record.every, scenario.clock
    for number, time in enumerate(scenario.record.checkpoints):
        if time != 0.0 and not is_multiple(time, clock.tick):
            place = ("record", "checkpoints", number)
            yield Finding(place, f"{time:g} s", f"a multiple of {clock.tick:g} s")
        elif not 0.0 <= time < clock.horizon * (1.0 - 1e-12):
            place = ("record", "checkpoints", number)
            yield Finding(place, f"{time:g} s", f"0 or more and below {clock.horizon:g} s")
    if every is None:
        return
    if not is_multiple(every, clock.tick):
        yield Finding(("record", "every"), f"{every:g} s", f"a multiple of {clock.tick:g} s")
    elif every > clock.horizon:
        yield Finding(
            ("record", "every"), f"{every:g} s", f"at most the horizon, {clock.horizon:g} s"
        )


def venue_findings(scenario: Scenario) -> Iterator[Finding]:
    """Yield venues with a reserved name, unknown collateral, or markets without margin rules."""
    for name, venue in scenario.venues.items():
        if name in RESERVED:
            yield Finding(
                ("venues", name),
                f"the reserved name '{name}'",
                "a name other than " + " and ".join(RESERVED),
            )
        bundled = _bundled(venue).get("collateral", {})
        for asset in venue.collateral:
            if asset not in bundled:
                yield from unknown(
                    ("venues", name, "collateral", asset), asset, scenario.assets, "asset"
                )
        yield from mark_findings(scenario, name)
        yield from _tier_findings(scenario, name)
        yield from fund_findings(scenario, name)


def _tier_findings(scenario: Scenario, name: str) -> Iterator[Finding]:
    """Yield markets without margin rules, and ladders that belong to nothing known."""
    margin = scenario.venues[name].margin
    if margin is None or not (isinstance(margin.tiers, dict) or margin.loans is not None):
        return
    path = ("venues", name, "margin", "tiers")
    listed = [market for market in scenario.markets if market.venue == name]
    for market in listed:
        if market.kind == "collateral":
            continue
        if market.kind != "spot" and margin.ladder(market.base, market.symbol) is None:
            yield Finding(
                path,
                f"no tiers for {market.symbol} (base {market.base})",
                f"tiers under '{market.base}' or '{market.symbol}', or a "
                "maintenance_rate for all other markets",
            )
    bundled = _bundled(scenario.venues[name]).get("margin", {}).get("tiers", {})
    names = margined_names(scenario)
    for key in margin.tiers if isinstance(margin.tiers, dict) else ():
        if key not in bundled:
            yield from unknown((*path, key), key, names, "base or symbol")


def _bundled(venue: Venue) -> dict[str, Any]:
    """Return the rules of a venue's preset; they may name assets the scenario has not."""
    return {} if venue.preset is None else preset_rules(venue.preset)


def margined_names(scenario: Scenario) -> set[str]:
    """Return what a ladder of tiers may belong to: assets and symbols."""
    return set(scenario.assets) | {market.symbol for market in scenario.markets}


def market_findings(scenario: Scenario) -> Iterator[Finding]:
    """Yield markets listed twice, on unknown venues, or between unknown or equal assets."""
    seen: dict[str, int] = {}
    for number, market in enumerate(scenario.markets):
        path = ("markets", number)
        yield from unknown((*path, "venue"), market.venue, scenario.venues, "venue")
        yield from unknown((*path, "base"), market.base, scenario.assets, "asset")
        yield from unknown((*path, "quote"), market.quote, scenario.assets, "asset")
        if market.base == market.quote:
            yield Finding(
                (*path, "quote"),
                f"'{market.quote}', the base itself",
                "an asset other than the base",
            )
        if market.kind == "spot" and market.open_interest is not None:
            found = f"{market.open_interest:g} in a spot market"
            yield Finding((*path, "open_interest"), found, "only for perpetuals and futures")
        if market.id in seen:
            yield Finding(
                (*path, "symbol"),
                f"a second market {market.id}",
                f"each symbol once per venue (first in markets.{seen[market.id]})",
            )
        seen.setdefault(market.id, number)
        yield from _impact_findings(scenario, number)


def _impact_findings(scenario: Scenario, number: int) -> Iterator[Finding]:
    """Yield impact without a volatility, or with a floor that is not below the price."""
    market, path = scenario.markets[number], ("markets", number, "impact")
    impact, base = market.impact, scenario.assets.get(market.base)
    if base is None or market.quote not in scenario.assets:
        return
    if isinstance(impact, SquareRootImpact | PowerImpact):
        if impact.sigma is None and base.volatility == 0:
            yield Finding(
                (*path, "sigma"),
                f"no sigma, and {market.base} has volatility 0",
                f"sigma here, or a volatility above 0 in assets.{market.base}",
            )
    elif isinstance(impact, ExponentialImpact):
        price = scenario.market_price(market)
        if impact.floor >= price:
            yield Finding(
                (*path, "floor"),
                f"{impact.floor:g}",
                f"less than the price of the market, {price:g}",
            )


def coupling_findings(scenario: Scenario) -> Iterator[Finding]:
    """Yield couplings of fewer than two venues that list the asset."""
    for number, coupling in enumerate(scenario.coupling):
        if isinstance(coupling, NoCoupling):
            if len(scenario.coupling) > 1:
                yield Finding(
                    ("coupling", number, "kind"), "'none' beside other couplings", "'none' alone"
                )
            continue
        path = ("coupling", number)
        missing = list(unknown((*path, "asset"), coupling.asset, scenario.assets, "asset"))
        yield from missing
        listing = {m.venue for m in scenario.markets if m.base == coupling.asset}
        chosen = coupling.venues if coupling.venues is not None else sorted(listing)
        for position, venue in enumerate(chosen):
            here = (*path, "venues", position)
            yield from unknown(here, venue, scenario.venues, "venue")
            if venue in scenario.venues and venue not in listing and not missing:
                yield Finding(
                    here,
                    f"venue '{venue}', which lists no market of {coupling.asset}",
                    _one_of(listing),
                )
            if venue in chosen[:position]:
                yield Finding(here, f"'{venue}' again", "each venue once")
        if not missing and len(set(chosen)) < 2:
            place = (*path, "asset") if coupling.venues is None else (*path, "venues")
            yield Finding(
                place,
                f"{coupling.asset} on {len(set(chosen))} venue(s)",
                "an asset on at least two venues",
            )


def _one_of(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"


RULES: tuple[Callable[[Scenario], Iterator[Finding]], ...] = (
    record_findings,
    venue_findings,
    margin_findings,
    unwind_findings,
    market_findings,
    risk_model_findings,
    liquidation_findings,
    lending_findings,
    coupling_findings,
    trader_findings,
    shock_findings,
    breaker_findings,
    counterfactual_findings,
)
"""Every check of a whole scenario."""


def scenario_findings(scenario: Scenario) -> list[Finding]:
    """Return everything that is wrong between the blocks of a scenario."""
    return [finding for rule in RULES for finding in rule(scenario)]
