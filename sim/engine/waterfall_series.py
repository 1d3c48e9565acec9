"""What waterfalls show with every recorded row, and the marks of the tick before."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from sim.engine.mechanism import NEVER, NO_MARKET, Mechanism, Series
from sim.engine.waterfall import fund_price, fund_rows, has_fund_per_contract, row_value

if TYPE_CHECKING:
    from sim.engine.world import World

PAID = ("own_contribution", "skin_in_the_game", "default_fund", "assessments", "gains_haircut",
        "tear_up")  # fmt: skip
"""Layers of which what they paid so far is recorded, as ``<kind>_paid``."""


class WaterfallSeries(Mechanism):
    """Shows funds, their peaks and what layers have paid; it never acts."""

    def quiet_until(self, tick: int) -> int:
        """Return that no tick is waited for."""
        return NEVER

    def series(self) -> list[Series]:
        """Return the series of all venues."""
        return [one for v in range(len(self.world.venue_names)) for one in self._of_venue(v)]

    def _of_venue(self, v: int) -> list[Series]:
        world, plan = self.world, self.world.plan
        kinds = [layer.kind for layer in world.waterfall.layers[v]]
        found = []
        per_contract = has_fund_per_contract(world, v)
        for row in fund_rows(world, v):
            market = row - plan.first_contract_fund if per_contract else NO_MARKET
            if per_contract:
                found.append(Series("contract_fund", v, market, partial(row_value, world, row)))
            if row in world.waterfall.peaks:
                read = partial(self._peak, row)
                found.append(Series("insurance_fund_peak", v, market, read))
        for kind, first in (
            ("default_fund", plan.first_default_fund),
            ("skin_in_the_game", plan.first_skin),
        ):
            if kind in kinds:
                found.append(Series(kind, v, NO_MARKET, partial(row_value, world, first + v)))
        for kind in PAID:
            if kind in kinds:
                found.append(Series(f"{kind}_paid", v, NO_MARKET, partial(self._paid, kind, v)))
        return found

    def _paid(self, kind: str, venue: int) -> float:
        world = self.world
        return float(world.totals.paid_by(kind)[venue] + world.flows.paid_by(kind)[venue])

    def _peak(self, row: int) -> float:
        world = self.world
        return world.waterfall.peaks[row].at(world.tick) * fund_price(world, row)


class PreviousMarks(Mechanism):
    """Keeps the marks of the tick before; calm stretches keep them themselves."""

    phases: ClassVar[tuple[str, ...]] = ("shock",)

    def act(self, phase: str) -> None:
        """Keep the marks, which the shock phase leaves alone."""
        kept = self.world.waterfall.previous_mark
        assert kept is not None
        kept[:] = self.world.board.mark

    def quiet_until(self, tick: int) -> int:
        """Return that no tick is waited for."""
        return NEVER


def waterfall_mechanisms(world: World) -> list[Mechanism]:
    """Return what the waterfalls of a world need and show."""
    found: list[Mechanism] = []
    if world.waterfall.previous_mark is not None:
        found.append(PreviousMarks(world))
    shown = WaterfallSeries(world)
    return [*found, shown] if shown.series() else found
