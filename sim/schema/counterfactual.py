"""Counterfactuals: what is otherwise than in the world that the rest of a scenario describes."""

from __future__ import annotations

from sim.schema.base import Model, attribute
from sim.schema.units import Name, Slug


class Counterfactual(Model):
    """The same world and the same draws, but for what is named here.

    It is a part of the scenario, so that a counterfactual run is a run like any other.
    """

    silence: list[Name] = attribute(
        "Venues whose forced orders do not reach the market: their accounts are closed at the "
        "price of the others' orders, the last price where there are none, and move nothing.",
        "-",
        factory=list,
    )
    spare: list[Name] = attribute("Venues that liquidate nobody.", "-", factory=list)
    ring_fence: list[Name] = attribute(
        "Venues without a link to others: no coupling, an index and a value of collateral from "
        "their own markets, and no transfers to or from accounts elsewhere.",
        "-",
        factory=list,
    )
    without_groups: list[Slug] = attribute(
        "Cohorts and books whose accounts are left out after everybody has been drawn and scaled.",
        "-",
        factory=list,
    )
    without_traders: list[str] = attribute(
        "Traders, by id, whose accounts and wallet are left out likewise.", "-", factory=list
    )
    without_venues: list[Name] = attribute(
        "Venues that margin nobody: the accounts there are left out likewise, the markets stay.",
        "-",
        factory=list,
    )

    @property
    def removes(self) -> bool:
        """Whether accounts are left out."""
        return bool(self.without_groups or self.without_traders or self.without_venues)
