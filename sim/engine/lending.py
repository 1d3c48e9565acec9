"""The lending protocols of a world: how each lets keepers take collateral."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray, sums
from sim.engine.auctions import AuctionHouse
from sim.engine.bands import BandsDesk
from sim.engine.keepers import KeeperDesk
from sim.engine.loans import LoanRule, Lots, Offer
from sim.engine.mechanism import Mechanism, Series
from sim.engine.storefront import Storefront
from sim.models.lending.health import health_factor
from sim.models.lending.spread import largest_share, without_dust
from sim.schema.lending import of_base

if TYPE_CHECKING:
    from sim.engine.world import World
    from sim.schema import Scenario
    from sim.schema.lending import FixedSpreadLiquidation


def by_market(scenario: Scenario, entries: float | dict[str, float]) -> FloatArray:
    """Return the entry (M,) of each market's base asset; 0 where there is none."""
    return np.array([of_base(entries, market.base) or 0.0 for market in scenario.markets])


class FixedSpread(LoanRule):
    """Debt repaid for collateral at a discount to the mark; see `sim.models.lending.spread`."""

    once = False

    def __init__(self, world: World, rule: FixedSpreadLiquidation) -> None:
        self.world, self.rule = world, rule
        self.bonus = by_market(world.scenario, rule.bonus)
        self.gas, self.margin = rule.keepers.gas, 0.0
        self.bounded = rule.keepers.capital is not None and not rule.keepers.flash_loan

    def offer(self, lots: Lots) -> Offer:
        """Return the terms for loans of this protocol."""
        rule, bonus = self.rule, self.bonus[lots.market]
        claim = lots.mark / (1.0 + bonus)
        repays = self._repays(lots, claim)
        margin = self.world.out.maintenance[lots.rows]
        share = largest_share(
            lots.value,
            lots.debt,
            repays,
            health_factor(lots.value - margin, lots.debt, 1.0),
            close_factor=rule.close_factor,
            full_below_health=rule.full_below_health,
            full_if_below=rule.full_if_below,
        )
        return Offer(share, claim, rule.protocol_share * bonus * claim)

    def trim(self, lots: Lots, offer: Offer, share: FloatArray) -> FloatArray:
        """Return shares (N,) that leave no dust."""
        repays = self._repays(lots, offer.claim)
        return without_dust(share, lots.value, lots.debt, repays, self.rule.least_left)

    def _repays(self, lots: Lots, claim: FloatArray) -> FloatArray:
        """Return the debt (N,) [numeraire] that all of the collateral repays."""
        return sums(lots.owner, lots.size * lots.worth * claim, len(lots.rows))

    def paid(self, rows: IntArray, owed: FloatArray) -> None:
        """Note nothing: each liquidation stands for itself."""

    def series(self, venue: int) -> list[Series]:
        """Return nothing beside what the keepers show."""
        return []


def bands_desks(world: World) -> list[BandsDesk]:
    """Return what converts the collateral of loans in bands, with its bands placed as of now."""
    return [BandsDesk(world, v, rule) for v, rule in enumerate(world.rules) if rule.kind == "bands"]


def build_lending(world: World) -> list[Mechanism]:
    """Return what liquidates the loans of a world; nothing where no venue lends."""
    rules: dict[int, LoanRule] = {}
    for v, rule in enumerate(world.rules):
        if rule.kind == "fixed_spread":
            rules[v] = FixedSpread(world, rule)
        elif rule.kind == "auction":
            rules[v] = AuctionHouse(world, v, rule)
    world.storefronts = [
        Storefront(world, v, rule) for v, rule in enumerate(world.rules) if rule.kind == "absorb"
    ]
    found: list[Mechanism] = [*world.storefronts, *bands_desks(world)]
    if rules:
        world.keepers = KeeperDesk(world, rules)
        found.append(world.keepers)
    return found
