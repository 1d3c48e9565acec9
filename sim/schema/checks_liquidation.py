"""Checks of ways of liquidating against the margin tiers and the clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sim.schema.base import Finding
from sim.schema.liquidation import PerBlockLiquidation, TierStepsLiquidation

if TYPE_CHECKING:
    from sim.schema.scenario import Scenario
    from sim.schema.venue import Venue


def liquidation_findings(scenario: Scenario) -> Iterator[Finding]:
    """Yield steps that no ladder has, and more blocks in a tick than generations are allowed."""
    for name, venue in scenario.venues.items():
        path = ("venues", name, "liquidation")
        rule = venue.liquidation
        if isinstance(rule, TierStepsLiquidation) and _own_steps(venue, rule):
            yield from _step_findings(scenario, name, rule, path)
        if isinstance(rule, PerBlockLiquidation):
            most = scenario.engine.max_generations
            if scenario.clock.tick / rule.block >= most:
                found = f"{rule.block:g} s, which is engine.max_generations or more in a tick"
                longest = scenario.clock.tick / most
                yield Finding((*path, "block"), found, f"more than {longest:g} s")


def _own_steps(venue: Venue, rule: TierStepsLiquidation) -> bool:
    """Return whether a venue states the steps itself; a preset's may meet other tiers.

    A resolved venue, which says that it has no preset, was judged when it was first read.
    """
    if venue.preset is None:
        return "preset" not in venue.model_fields_set
    stated = venue.bundled().liquidation
    same = isinstance(stated, TierStepsLiquidation) and (
        (stated.drop, stated.from_tier) == (rule.drop, rule.from_tier)
    )
    return not same


def _step_findings(
    scenario: Scenario, name: str, rule: TierStepsLiquidation, path: tuple[str | int, ...]
) -> Iterator[Finding]:
    """Yield tiers to start from or to go down that no market of the venue has."""
    margin = scenario.venues[name].margin
    assert margin is not None
    ladders = [
        margin.ladder(market.base, market.symbol)
        for market in scenario.markets
        if market.venue == name
    ]
    most = max((len(ladder) for ladder in ladders if ladder is not None), default=None)
    if most is None:
        return
    if most == 1:
        yield Finding(
            (*path, "kind"),
            f"'tier_steps', but '{name}' has one tier",
            "tier_steps where margin has tiers to go down, else full, partial or to_target",
        )
        return
    if rule.drop >= most:
        allowed = f"at most {most - 1}, as '{name}' has {most} tiers"
        yield Finding((*path, "drop"), f"{rule.drop}", allowed)
    if rule.from_tier > most:
        allowed = f"at most {most}, the highest tier of '{name}'"
        yield Finding((*path, "from_tier"), f"{rule.from_tier}", allowed)
