"""Markets: instruments listed on venues."""

from __future__ import annotations

from typing import Literal

from sim.schema.base import Model, attribute
from sim.schema.impact import Impact
from sim.schema.units import Name, Number, Symbol


class Market(Model):
    """An instrument on a venue."""

    venue: Name = attribute("Venue that lists it.", "-")
    symbol: Symbol = attribute("Name of the instrument, unique on its venue.", "-")
    kind: Literal["perpetual", "future", "spot", "collateral"] = attribute(
        "Type of instrument; positions in collateral back loans and are long only.", "-"
    )
    base: Name = attribute("Asset that is priced.", "-")
    quote: Name = attribute("Asset that it is priced and settled in.", "-")
    multiplier: Number = attribute("Units of the base per contract.", "base/contract", 1.0, gt=0)
    price: Number | None = attribute(
        "Price at time 0. Left out: base price over quote price.", "quote/base", None, gt=0
    )
    impact: Impact = attribute("How orders move the price.", "-")
    open_interest: Number | None = attribute(
        "Notional the positions of one side are scaled to. Left out: no scaling.",
        "quote",
        None,
        gt=0,
    )

    @property
    def id(self) -> str:
        """``venue/symbol``."""
        return f"{self.venue}/{self.symbol}"
