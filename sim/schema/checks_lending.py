"""Checks of lending protocols: collateral, its loan terms, and who liquidates what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sim.schema.base import Finding
from sim.schema.lending import LENDING_KINDS, of_base
from sim.schema.names import unknown
from sim.schema.presets import preset_rules
from sim.schema.waterfall import Socialise

if TYPE_CHECKING:
    from sim.schema.market import Market
    from sim.schema.scenario import Scenario
    from sim.schema.venue import Venue


def lending_findings(scenario: Scenario) -> Iterator[Finding]:
    """Yield collateral without terms, and rules of lending where there are no loans."""
    for name, venue in scenario.venues.items():
        listed = [market for market in scenario.markets if market.venue == name]
        yield from _loan_findings(scenario, venue, ("venues", name), listed)
        if venue.liquidation.kind in LENDING_KINDS:
            yield from _protocol_findings(venue, ("venues", name), listed)
            yield from _rate_findings(scenario, venue, ("venues", name), listed)


def _loan_findings(
    scenario: Scenario, venue: Venue, path: tuple[str | int, ...], listed: list[Market]
) -> Iterator[Finding]:
    """Yield collateral without terms of a loan, terms of anything else, and unknown names."""
    loans = {} if venue.margin is None or venue.margin.loans is None else venue.margin.loans
    here = (*path, "margin", "loans")
    for market in listed:
        lent = market.symbol in loans or market.base in loans
        if market.kind == "collateral" and not lent:
            allowed = f"loan terms under '{market.base}' or '{market.symbol}'"
            found = f"no loan terms for {market.symbol} (base {market.base})"
            yield Finding(here, found, allowed)
        elif market.kind in ("perpetual", "future") and lent:
            key = market.symbol if market.symbol in loans else market.base
            found = f"terms of {market.symbol}, a {market.kind}"
            yield Finding((*here, key), found, "terms of a market of kind collateral")
    names = set(scenario.assets) | {market.symbol for market in scenario.markets}
    bundled: dict[str, Any] = {} if venue.preset is None else preset_rules(venue.preset)
    known = bundled.get("margin", {}).get("loans", {})
    for key in loans:
        if key not in known:
            yield from unknown((*here, key), key, names, "base or symbol")


def _protocol_findings(
    venue: Venue, path: tuple[str | int, ...], listed: list[Market]
) -> Iterator[Finding]:
    """Yield markets and layers that a lending protocol cannot have."""
    kind = venue.liquidation.kind
    odd = [market.symbol for market in listed if market.kind in ("perpetual", "future")]
    if odd:
        allowed = "full, partial or to_target on a venue that lists perpetuals or futures"
        found = f"'{kind}' on a venue that lists {odd[0]}"
        yield Finding((*path, "liquidation", "kind"), found, allowed)
    for number, layer in enumerate(venue.waterfall):
        if layer.kind in ("adl", "tear_up"):
            found = f"'{layer.kind}' beside liquidation '{kind}'"
            allowed = "insurance_fund or socialise: deposits have no counterparty that won"
            yield Finding((*path, "waterfall", number, "kind"), found, allowed)
        if isinstance(layer, Socialise) and layer.basis == "counterparties":
            found = f"'counterparties' beside liquidation '{kind}'"
            allowed = "equity, profit or notional: nobody is opposite to a deposit"
            yield Finding((*path, "waterfall", number, "basis"), found, allowed)


def _rate_findings(
    scenario: Scenario, venue: Venue, path: tuple[str | int, ...], listed: list[Market]
) -> Iterator[Finding]:
    """Yield bonuses or factors that a collateral lacks, or that leave a keeper nothing."""
    rule = venue.liquidation
    key = {"fixed_spread": "bonus", "absorb": "factor"}.get(rule.kind)
    if key is None:
        return
    entries = getattr(rule, key)
    for market in listed:
        entry = of_base(entries, market.base)
        if market.kind == "collateral" and entry is None:
            found = f"no entry for {market.base}"
            yield Finding((*path, "liquidation", key), found, f"a {key} for {market.base}")
        elif market.kind == "collateral" and entry is not None:
            place = (*path, "liquidation", key)
            place = (*place, market.base) if isinstance(entries, dict) else place
            yield from _cushion_findings(venue, market, place, key, entry)
    known = preset_rules(venue.preset).get("liquidation", {}) if venue.preset else {}
    for base in entries if isinstance(entries, dict) else ():
        if base in (known.get(key) or {}):
            continue
        yield from unknown((*path, "liquidation", key, base), base, scenario.assets, "asset")


def _cushion_findings(
    venue: Venue, market: Market, place: tuple[str | int, ...], key: str, entry: float
) -> Iterator[Finding]:
    """Yield a bonus or factor by which a loan owes money as soon as it may be liquidated."""
    loan = None if venue.margin is None else venue.margin.loan(market.base, market.symbol)
    if loan is None:
        return
    threshold = loan.liquidation_threshold
    terms = f"{market.symbol} has a liquidation_threshold of {threshold:g}, at which"
    if key == "factor" and entry < threshold:
        allowed = f"at least {threshold:g}: {terms} a loan would be credited less than it owes"
        yield Finding(place, f"{entry:g}", allowed)
    elif key == "bonus" and threshold * (1.0 + entry) >= 1.0:
        most = 1.0 / threshold - 1.0
        allowed = f"below {most:.4g}: {terms} collateral would not pay for the debt and the bonus"
        yield Finding(place, f"{entry:g}", allowed)
