"""A single trader written by hand: subclass `Trader` and say what it does.

Examples
--------
>>> class DipBuyer(Trader):
...     def decide(self, market):
...         fallen = market.last_price("BTC-PERP") < 0.95 * market.initial_price("BTC-PERP")
...         if fallen and self.position("BTC-PERP") == 0.0:
...             self.order("BTC-PERP", 10.0)
>>> plan = DipBuyer.plan("dip-buyer", venue="alpha", deposit={"USDT": 1e6})

and ``sim.run(scenario, traders=[plan])``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import mesa


class MarketView(Protocol):
    """What a hand-written trader sees of the venue where it has its account."""

    @property
    def time(self) -> float:
        """Time since the start [s]."""

    def last_price(self, symbol: str) -> float:
        """Return the last price [quote/base] of a market of the venue."""

    def mark_price(self, symbol: str) -> float:
        """Return the mark price [quote/base]."""

    def initial_price(self, symbol: str) -> float:
        """Return the price at the start [quote/base]."""


class AccountView(Protocol):
    """What a hand-written trader sees of its own account."""

    def position(self, symbol: str) -> float:
        """Return the signed position [contracts]."""

    def equity(self) -> float:
        """Return equity [numeraire] at the marks."""


@dataclass(frozen=True)
class TraderPlan:
    """A hand-written trader to be placed in a run; made by `Trader.plan`."""

    kind: type[Trader]
    name: str
    venue: str
    deposit: Mapping[str, float]
    positions: Mapping[str, float] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)


class Trader(mesa.Agent):
    """One hand-written trader with one cross-margined account on one venue.

    Subclasses override `decide`, and `prepare` if they need state. Orders are market orders:
    they are netted with everybody else's of the tick, move the price through the market's
    impact model, and the account is margined and liquidated like any other.

    Parameters
    ----------
    model : mesa.Model
    name : str
    account : AccountView
    """

    def __init__(self, model: mesa.Model[Any], name: str, account: AccountView) -> None:
        super().__init__(model)
        self.name = name
        self.account = account
        self.pending: list[tuple[str, float]] = []

    @classmethod
    def plan(
        cls,
        name: str,
        *,
        venue: str,
        deposit: Mapping[str, float],
        positions: Mapping[str, float] | None = None,
        **arguments: Any,
    ) -> TraderPlan:
        """Describe a trader for ``sim.run(scenario, traders=[...])``.

        Parameters
        ----------
        name : str
            Id of the trader, unique in the run.
        venue : str
            Venue where its account is.
        deposit : mapping of asset to amount [asset units]
        positions : mapping of symbol to contracts, long > 0, optional
            Held at the start, entered at the initial price.
        **arguments
            Handed to `prepare`.
        """
        return TraderPlan(cls, name, venue, dict(deposit), dict(positions or {}), arguments)

    def prepare(self, **arguments: Any) -> None:
        """Set up state; called once with the plan's arguments."""

    def decide(self, market: MarketView) -> None:
        """Look at the market and call `order`; called once per tick. Does nothing by default."""

    def position(self, symbol: str) -> float:
        """Return the own position [contracts], long > 0."""
        return self.account.position(symbol)

    def equity(self) -> float:
        """Return the own equity [numeraire]."""
        return self.account.equity()

    def order(self, symbol: str, quantity: float) -> None:
        """Send a market order of `quantity` contracts, buy > 0."""
        self.pending.append((symbol, float(quantity)))

    def take_orders(self) -> list[tuple[str, float]]:
        """Hand over the orders sent since the last call."""
        orders, self.pending = self.pending, []
        return orders
