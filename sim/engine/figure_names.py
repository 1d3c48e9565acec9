"""The names of the figures that a run's summary holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.schema.waterfall import paying_layers

if TYPE_CHECKING:
    from sim.schema import Scenario

GROUPS: dict[str, tuple[str, ...]] = {
    "run": ("scenario", "run_id", "seed", "ticks", "wall_seconds", "conservation_error"),
    "accounts": (
        "accounts",
        "accounts_liquidated",
        "accounts_still_liquidatable",
        "traders",
        "traders_liquidated",
    ),
    "cascade": ("generations", "branching_ratio", "price_floor_hits"),
    "money": (
        "liquidated_notional",
        "backstop_notional",
        "adl_notional",
        "shortfall",
        "insurance_fund_used",
        "socialised_loss",
        "uncovered_shortfall",
        "fees",
        "traders_loss",
    ),
}
"""Figures of a summary by group, in the order they are shown."""

MARKET_FIGURES = (
    "open_interest",
    "outside_quantity",
    "initial_price",
    "final_price",
    "min_price",
    "max_drawdown",
    "exogenous_move",
    "amplification",
    "liquidated_notional",
)
"""Figures of a market."""

VENUE_FIGURES = (
    "accounts",
    "accounts_liquidated",
    "opening_equity",
    "opening_maintenance",
    "equity",
    "liquidated_notional",
    "backstop_notional",
    "adl_notional",
    "shortfall",
    "insurance_fund",
    "insurance_fund_used",
    "socialised_loss",
    "uncovered_shortfall",
    "adl_cost",
)
"""Figures of a venue."""


TEXTS = ("scenario", "run_id")
"""Figures that are no numbers."""


def known_figures(scenario: Scenario) -> dict[str, Any]:
    """Return a table with the name of every figure that a run's summary will hold."""
    figures: dict[str, Any] = dict.fromkeys(name for names in GROUPS.values() for name in names)
    figures["markets"] = {market.id: dict.fromkeys(MARKET_FIGURES) for market in scenario.markets}
    figures["venues"] = {
        name: dict.fromkeys(VENUE_FIGURES)
        | {"layers": dict.fromkeys(paying_layers(layer.kind for layer in venue.waterfall))}
        for name, venue in scenario.venues.items()
    }
    return figures
