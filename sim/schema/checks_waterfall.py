"""Checks of waterfalls against the markets of their venues."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sim.schema.base import Finding
from sim.schema.names import unknown
from sim.schema.waterfall import InsuranceFund

if TYPE_CHECKING:
    from sim.schema.scenario import Scenario


def fund_findings(scenario: Scenario, name: str) -> Iterator[Finding]:
    """Yield funds of contracts that the venue does not list."""
    listed = {m.symbol for m in scenario.markets if m.venue == name and m.kind != "spot"}
    for number, layer in enumerate(scenario.venues[name].waterfall):
        if isinstance(layer, InsuranceFund):
            for symbol in layer.sizes or {}:
                path = ("venues", name, "waterfall", number, "sizes", symbol)
                yield from unknown(path, symbol, listed, f"contract of '{name}'")
