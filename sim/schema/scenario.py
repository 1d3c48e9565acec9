"""The whole scenario: everything a user may write in one file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, PrivateAttr, model_validator

from sim.schema.base import Model, attribute, no_switch, refuse
from sim.schema.checks import scenario_findings
from sim.schema.counterfactual import Counterfactual
from sim.schema.coupling import Coupling
from sim.schema.locator import Source
from sim.schema.market import Market
from sim.schema.shocks import Shock
from sim.schema.traders import Traders
from sim.schema.units import Count, Name, Slug
from sim.schema.venue import Venue
from sim.schema.world import Asset, Clock, Engine, Record


class Scenario(Model):
    """A scenario: assets, venues, markets, traders and what happens to them."""

    schema_version: Annotated[Literal[1], BeforeValidator(no_switch)] = attribute(
        "Version of this file format.", "-"
    )
    name: Slug = attribute("Name of the scenario, also of its results folder.", "-")
    description: str = attribute("What the scenario is about.", "-", "")
    seed: Count = attribute("Root of all randomness.", "-", 0, ge=0)
    clock: Clock = attribute("Tick and horizon.", "-")
    engine: Engine = attribute("How the run is computed.", "-", factory=Engine)
    record: Record = attribute("What is written down, and how often.", "-", factory=Record)
    assets: dict[Name, Asset] = attribute("Assets by name.", "-", min_length=1)
    venues: dict[Name, Venue] = attribute("Venues by name.", "-", min_length=1)
    markets: list[Market] = attribute("Markets; their order is their number.", "-", min_length=1)
    coupling: list[Coupling] = attribute("Couplings between venues.", "-", factory=list)
    traders: list[Traders] = attribute("Cohorts and books.", "-", factory=list)
    shocks: list[Shock] = attribute("Shocks.", "-", factory=list)
    counterfactual: Counterfactual = attribute(
        "What is otherwise than in the world above.", "-", factory=Counterfactual
    )

    _source: Source = PrivateAttr(default_factory=lambda: Source("<memory>", Path()))

    @property
    def source(self) -> Source:
        """Where the scenario was read: file name, base folder and places of its keys."""
        return self._source

    @model_validator(mode="after")
    def _coherent(self) -> Scenario:
        refuse("scenario", scenario_findings(self))
        return self

    def market_price(self, market: Market) -> float:
        """Return the price of a market at time 0 [quote/base]."""
        if market.price is not None:
            return market.price
        return self.assets[market.base].price / self.assets[market.quote].price

    def market_numbers(self) -> dict[str, int]:
        """Return the number of each market by its id ``venue/symbol``."""
        return {market.id: number for number, market in enumerate(self.markets)}

    def daily_volatility(self, asset: str) -> float:
        """Return an asset's volatility per square root of a day, on 365 days."""
        return self.assets[asset].volatility / math.sqrt(365.0)
