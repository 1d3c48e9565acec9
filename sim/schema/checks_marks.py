"""Checks of marks, indices and funding across the blocks of a scenario."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sim.schema.base import Finding
from sim.schema.mark import FundedIndexMark, IndexMark, IndexRule, parts_of, stated_indices
from sim.schema.names import unknown
from sim.schema.presets import preset_rules
from sim.schema.world import is_multiple

if TYPE_CHECKING:
    from sim.schema.scenario import Scenario
    from sim.schema.venue import Venue

Path = tuple[str | int, ...]


def mark_findings(scenario: Scenario, name: str) -> Iterator[Finding]:
    """Yield what is wrong with the index, the mark and the funding of a venue."""
    venue = scenario.venues[name]
    path: Path = ("venues", name)
    stated = [((*path, "mark", *place), part) for place, part in stated_indices(venue.mark)]
    rules: list[tuple[Path, IndexRule]] = list(stated)
    if venue.index is not None:
        rules.insert(0, ((*path, "index"), venue.index))
    for place, rule in rules:
        yield from _weight_findings(scenario, name, place, rule)
    yield from _second_index(venue, stated)
    yield from _funding_findings(scenario, name)


def _weight_findings(
    scenario: Scenario, name: str, place: Path, rule: IndexRule
) -> Iterator[Finding]:
    """Yield index weights of venues that list nothing this venue lists."""
    bases = {market.base for market in scenario.markets if market.venue == name}
    listing = {market.venue for market in scenario.markets if market.base in bases}
    for venue in rule.weights:
        here = (*place, "weights", venue)
        missing = list(unknown(here, venue, scenario.venues, "venue"))
        yield from missing
        if not missing and bases and venue not in listing:
            found = f"venue '{venue}', which lists no market of '{name}'"
            yield Finding(here, found, ", ".join(sorted(listing)) or "none")


def _second_index(venue: Venue, stated: list[tuple[Path, IndexMark]]) -> Iterator[Finding]:
    """Yield a mark that states another index than the one its venue has."""
    if not stated:
        return
    first = stated[0][1] if venue.index is None else venue.index
    for place, part in stated:
        says_nothing = part == IndexMark() and venue.index is not None
        if not says_nothing and _terms(part) != _terms(first):
            yield Finding(
                place,
                "an index other than the venue's",
                "one index per venue: the same method, weights and outlier, or none of them",
            )


def _terms(rule: IndexRule) -> tuple[object, ...]:
    return rule.method, rule.weights, rule.outlier


def _funding_findings(scenario: Scenario, name: str) -> Iterator[Finding]:
    """Yield funding without a perpetual or off the ticks, and a funded index without funding."""
    venue, tick = scenario.venues[name], scenario.clock.tick
    path: Path = ("venues", name, "funding")
    if venue.funding is None:
        if any(isinstance(part, FundedIndexMark) for part in parts_of(venue.mark)):
            found = "a funded_index on a venue without funding"
            yield Finding(
                ("venues", name, "mark"), found, "funding on the venue, or the kind index"
            )
        return
    listed = [market for market in scenario.markets if market.venue == name]
    bundled = venue.preset is not None and "funding" in preset_rules(venue.preset)
    if not bundled and listed and not any(market.kind == "perpetual" for market in listed):
        yield Finding(
            path, "funding on a venue without a perpetual", "at least one perpetual there"
        )
    for key in ("interval", "first"):
        span = getattr(venue.funding, key)
        if span is not None and not is_multiple(span, tick):
            yield Finding((*path, key), f"{span:g} s", f"a multiple of the tick, {tick:g} s")
