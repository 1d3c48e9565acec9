"""Checks of counterfactuals against venues and traders."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from sim.schema.base import Finding
from sim.schema.names import unknown
from sim.schema.traders import BookSource

if TYPE_CHECKING:
    from sim.schema.scenario import Scenario

OF_VENUES = ("silence", "spare", "ring_fence", "without_venues")
"""Keys that list venues."""


def group_names(scenario: Scenario) -> list[str]:
    """Return the names of the cohorts and books of a scenario, in its order."""
    return [
        entry.name if isinstance(entry, BookSource) else entry.cohort for entry in scenario.traders
    ]


def counterfactual_findings(scenario: Scenario) -> Iterator[Finding]:
    """Yield names in the counterfactual that the scenario does not have, or has twice."""
    known: dict[str, tuple[Collection[str], str]] = {
        key: (scenario.venues, "venue") for key in OF_VENUES
    }
    known["without_groups"] = group_names(scenario), "cohort or book"
    for key in (*known, "without_traders"):
        names: list[str] = getattr(scenario.counterfactual, key)
        for number, name in enumerate(names):
            path = ("counterfactual", key, number)
            if key in known:
                yield from unknown(path, name, *known[key])
            if name in names[:number]:
                yield Finding(path, f"'{name}' again", "each name once")
    yield from _at_odds(scenario)


def _at_odds(scenario: Scenario) -> Iterator[Finding]:
    """Yield venues that liquidate nobody and whose forced orders are silenced."""
    spared = scenario.counterfactual.spare
    for number, name in enumerate(scenario.counterfactual.silence):
        if name in spared:
            found = f"'{name}', which liquidates nobody by spare"
            yield Finding(("counterfactual", "silence", number), found, "one of the two")
