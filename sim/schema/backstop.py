"""A layer of a waterfall that takes positions over: a backstop vault, or liquidity providers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import StrictBool, model_validator

from sim.schema.base import Finding, Model, attribute, refuse
from sim.schema.units import Duration, Number

if TYPE_CHECKING:
    from sim.schema.scenario import Scenario


class Backstop(Model):
    """A liquidator of last resort: takes whole accounts over and sells their positions later."""

    kind: Literal["backstop"] = attribute("Layer.", "-", "backstop")
    capital: Number = attribute("Money that it begins with.", "numeraire", gt=0)
    trigger_ratio: Number = attribute(
        "Equity over maintenance margin below which it takes a broken account.",
        "1",
        2.0 / 3.0,
        ge=0,
        le=1,
    )
    takes_negative: StrictBool = attribute(
        "Whether it also takes accounts of negative equity, and their debts.", "-", False
    )
    price: Literal["mark", "bankruptcy"] = attribute(
        "Price at which it takes positions: the mark, and the account's collateral with them, or "
        "the price at which the account has nothing left.",
        "-",
        "mark",
    )
    most_leverage: Number = attribute(
        "Highest gross inventory after a takeover, as a multiple of its equity.", "1", 5.0, gt=0
    )
    most_notional: Number | None = attribute(
        "Highest gross inventory after a takeover, in money; none if left out.",
        "numeraire",
        None,
        gt=0,
    )
    unwind: Duration = attribute(
        "Time over which it sells what it took, in equal parts; at least one tick.",
        "s",
        600.0,
        gt=0,
    )

    @model_validator(mode="after")
    def _takes_somebody(self) -> Backstop:
        if self.trigger_ratio == 0.0 and not self.takes_negative:
            allowed = "a ratio above 0, or takes_negative: true"
            found = "0, which no account of positive equity is below"
            refuse("backstop", [Finding(("trigger_ratio",), found, allowed)])
        return self


def unwind_findings(scenario: Scenario) -> Iterator[Finding]:
    """Yield backstops that would sell what they took in less than one tick."""
    tick = scenario.clock.tick
    for name, venue in scenario.venues.items():
        for number, layer in enumerate(venue.waterfall):
            if isinstance(layer, Backstop) and layer.unwind < tick:
                path = ("venues", name, "waterfall", number, "unwind")
                yield Finding(path, f"{layer.unwind:g} s", f"at least a tick, {tick:g} s")
